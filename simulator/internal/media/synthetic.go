package media

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
	Image: {"\x89PNG\r\n\x1a\n", TypePNG},
	Thumb: {"\xff\xd8\xff\xe0\x00\x10JFIF\x00", TypeJPEG},
	Voice: {"#!AMR\n", "audio/amr"},
	Video: {"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", "video/mp4"},
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

// NewSynthetic makes a file of a kind and a length, and the digest (SHA-256) of its content in hex.
func NewSynthetic(id, kind string, length int64) (item *Item, digest string, err error) {
	opening, known := openings[kind]
	if !known {
		return nil, "", fmt.Errorf("kind %q is unknown, use image, voice, video or thumb", kind)
	}
	if length < int64(len(opening.bytes)) || length > maxSyntheticBytes {
		return nil, "", fmt.Errorf("bytes is %d, must be %d to %d", length, len(opening.bytes), maxSyntheticBytes)
	}
	made := synthetic{opening: opening.bytes, seed: sha256.Sum256([]byte(id)), length: length}
	hash := sha256.New()
	_, _ = made.WriteTo(hash) // A hash takes everything.

	return &Item{ID: id, Kind: kind, ContentType: opening.contentType, synthetic: &made}, hex.EncodeToString(hash.Sum(nil)), nil
}
