package simulator

import (
	"fmt"

	"github.com/wxstack/wxstack/simulator/internal/media"
)

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
	id := p.newMediaID()
	made, digest, err := media.NewSynthetic(id, kind, bytes)
	if err != nil {
		return SyntheticMedia{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(appID)
	if err != nil {
		return SyntheticMedia{}, err
	}
	made.Stored = p.state.clock.now()
	account.temporary.Add(made)

	return SyntheticMedia{MediaID: id, SHA256: digest}, nil
}
