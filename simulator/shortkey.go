package simulator

import (
	"math/rand/v2"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// The limits of short keys (短key托管).
const (
	maxLongData     = 4 << 10 // Bytes.
	maxShortKeyLife = 2_592_000
)

// shortKey is a text under a short key.
type shortKey struct {
	text    string
	created time.Time
	life    time.Duration
}

func shortKeyEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/cgi-bin/shorten/gen":   post((*Platform).shorten),
		"/cgi-bin/shorten/fetch": post((*Platform).lengthen),
	}
}

// shorten serves POST /cgi-bin/shorten/gen.
func (p *Platform) shorten(r *apiRequest) apiAnswer {
	var asked struct {
		Text string `json:"long_data"`
		Life *int   `json:"expire_seconds"`
	}
	if code := r.decodeText(&asked); code != errcode.OK {
		return refuse(code)
	}
	life := maxShortKeyLife
	if asked.Life != nil {
		life = *asked.Life
	}
	switch {
	case asked.Text == "":
		return refuse(errcode.Arguments)
	case len(asked.Text) > maxLongData:
		return refuse(errcode.LongData)
	case life < 1 || life > maxShortKeyLife:
		return refuse(errcode.ShortLife)
	}
	if len(r.state.shortKeys) >= maxGrants {
		clear(r.state.shortKeys) // Nobody keeps so many at a desk.
	}
	key := newShortKey()
	r.state.shortKeys[key] = shortKey{text: asked.Text, created: r.now, life: time.Duration(life) * time.Second}

	return answerOK(map[string]any{"short_key": key})
}

// newShortKey makes the 15 characters of a short key.
func newShortKey() string {
	const alphabet, length = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 15
	key := make([]byte, length)
	for position := range key {
		key[position] = alphabet[rand.IntN(len(alphabet))] //nolint:gosec // No secret.
	}

	return string(key)
}

// lengthen serves POST /cgi-bin/shorten/fetch.
func (p *Platform) lengthen(r *apiRequest) apiAnswer {
	var asked struct {
		Key string `json:"short_key"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	found, known := r.state.shortKeys[asked.Key]
	left := found.created.Add(found.life).Sub(r.now)
	if !known || left <= 0 {
		return refuse(errcode.Arguments)
	}

	return answerOK(map[string]any{
		"long_data": found.text, "create_time": found.created.Unix(), "expire_seconds": int(left.Seconds()),
	})
}
