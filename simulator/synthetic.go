package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
)

const (
	// maxSyntheticBytes keeps the hashing of a synthetic file within seconds.
	maxSyntheticBytes = 1 << 30
	// syntheticPiece is how much of a synthetic file is in memory at a time.
	syntheticPiece = 32 << 10
)

// openings are the first bytes of the kinds, by which others recognise a file, and
// what they recognise.
var openings = map[string]struct{ bytes, contentType string }{
	kindImage: {"\x89PNG\r\n\x1a\n", typePNG},
	kindThumb: {"\xff\xd8\xff\xe0\x00\x10JFIF\x00", typeJPEG},
	kindVoice: {"#!AMR\n", "audio/amr"},
	kindVideo: {"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", "video/mp4"},
}

// synthetic is a file that is made while it is written: the opening of its kind and
// then bytes that look random and follow from the seed. It takes no memory.
type synthetic struct {
	opening string
	seed    [32]byte
	length  int64
}

// WriteTo writes the file in pieces.
func (s synthetic) WriteTo(w io.Writer) (int64, error) {
	source := rand.NewChaCha8(s.seed)
	piece := make([]byte, syntheticPiece)
	var written int64
	for written < s.length {
		_, _ = source.Read(piece) // Never fails.
		if written == 0 {
			copy(piece, s.opening)
		}
		count, err := w.Write(piece[:min(int64(len(piece)), s.length-written)])
		written += int64(count)
		if err != nil {
			return written, fmt.Errorf("write synthetic file: %w", err)
		}
	}

	return written, nil
}

// SyntheticMedia is a file that AddSyntheticMedia made.
type SyntheticMedia struct {
	MediaID string `json:"media_id"`
	SHA256  string `json:"sha256"` // Of the whole file, in hex.
}

// AddSyntheticMedia makes temporary material (临时素材) of that kind (image, voice,
// video or thumb) and length in bytes, as if the account had uploaded it; WeChat's
// limits of size don't hold. Tests of large downloads use it: the content is made
// while it is written and never held in memory, and the digest tells whether all of
// it arrived. An empty account means the first one.
func (p *Platform) AddSyntheticMedia(appID, kind string, bytes int64) (SyntheticMedia, error) {
	opening, known := openings[kind]
	if !known {
		return SyntheticMedia{}, fmt.Errorf("%w: kind %q is unknown, use image, voice, video or thumb", ErrInvalid, kind)
	}
	if bytes < int64(len(opening.bytes)) || bytes > maxSyntheticBytes {
		return SyntheticMedia{}, fmt.Errorf("%w: bytes is %d, must be %d to %d", ErrInvalid, bytes, len(opening.bytes), maxSyntheticBytes)
	}
	id := p.newMediaID()
	made := synthetic{opening: opening.bytes, seed: sha256.Sum256([]byte(id)), length: bytes}
	digest := sha256.New()
	_, _ = made.WriteTo(digest) // A hash takes everything.
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(appID)
	if err != nil {
		return SyntheticMedia{}, err
	}
	account.temporary.add(&mediaItem{
		id: id, kind: kind, contentType: opening.contentType, synthetic: &made, stored: p.state.clock.now(),
	})

	return SyntheticMedia{MediaID: id, SHA256: hex.EncodeToString(digest.Sum(nil))}, nil
}
