// Package credential is the word for an access token that token-center gave out. It holds no other
// kind of secret: AppSecret never comes here.
package credential

import (
	"time"

	"github.com/wxstack/wxstack/chassis/config"
)

// Token is one generation of an account's access token (access_token). It prints without its value.
type Token struct {
	AppID string
	// Value goes into the query of a call and nowhere else.
	Value config.Secret
	// Generation names the token towards token-center when WeChat rejects it. It grows with every
	// renewal, except when token-center lost its store.
	Generation uint64
	// Expires is this process's time at which WeChat stops accepting the token.
	Expires time.Time
	// ExpireTime is the same by token-center's clock: equal on every replica.
	ExpireTime time.Time
}

// Valid reports whether WeChat should still accept the token at the time now.
func (t Token) Valid(now time.Time) bool { return now.Before(t.Expires) }
