// Package virtual makes and reads virtual access tokens: what SDKs get in place of WeChat's. One is bound to
// one caller and one account and is good at this proxy only. It holds no secret and stands for none: the proxy
// puts in the account's real token at each call.
//
// A virtual token is signed with the caller's own key, so that every replica knows it without having been told,
// and all of a caller's tokens end with its key.
package virtual

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// prefix tells a virtual token from one of WeChat's.
const prefix = "wxv1."

// Overlap is how long a virtual token is still accepted after its end. Source: WeChat accepts an old token for
// about 5 minutes beside the new one.
const Overlap = 5 * time.Minute

// Token is what a virtual token says.
type Token struct {
	Caller string `json:"c"`
	AppID  string `json:"a"`
	// Generation is that of the real token at the time of issue, so that each has a virtual one of its own.
	Generation uint64 `json:"g"`
	// Expires is the end of the real token at the time of issue, in seconds since 1970.
	Expires int64 `json:"e"`
}

// ErrForeign is about a text that is no virtual token, such as a real one.
var ErrForeign = errors.New("not a virtual token")

// Text is what of a token is signed.
type Text []byte

// Text returns what of a token is signed.
func (t Token) Text() Text {
	text, _ := json.Marshal(t) //nolint:errchkjson // strings and numbers can always be written.
	return text
}

// Join makes the token that callers see.
func Join(text Text, signature []byte) string {
	encoding := base64.RawURLEncoding
	return prefix + encoding.EncodeToString(text) + "." + encoding.EncodeToString(signature)
}

// Split reads a token as callers bring it. What it says is not true before the signature is verified. The error
// is ErrForeign.
func Split(token string) (t Token, text Text, signature []byte, err error) {
	rest, ok := strings.CutPrefix(token, prefix)
	head, tail, two := strings.Cut(rest, ".")
	if !ok || !two || strings.ContainsAny(rest, "\r\n") { // which the decoder would skip.
		return Token{}, nil, nil, ErrForeign
	}
	encoding := base64.RawURLEncoding.Strict()
	text, errText := encoding.DecodeString(head)
	signature, errSignature := encoding.DecodeString(tail)
	if errText != nil || errSignature != nil || json.Unmarshal(text, &t) != nil {
		return Token{}, nil, nil, ErrForeign
	}
	return t, text, signature, nil
}

// Expired reports whether the token has ended at the time now.
func (t Token) Expired(now time.Time) bool { return now.After(time.Unix(t.Expires, 0).Add(Overlap)) }
