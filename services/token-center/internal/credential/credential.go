// Package credential is the vocabulary of token-center: what a credential is, which one of two values is
// the newer, and when it is due for renewal. Everything here is pure: the time is an argument.
package credential

import (
	"errors"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
)

// Kind is which credential of an account is meant.
type Kind string

// The kinds.
const (
	// AccessToken is the access_token (接口调用凭证) that ordinary API calls need.
	AccessToken Kind = "access_token"
	// WorkAccessToken is the access_token of WeChat Work (企业微信). It is a kind of its own, because it works
	// at WeChat Work's hosts only and must not end up in a call to others.
	WorkAccessToken Kind = "work_access_token"
	// ComponentAccessToken is the component_access_token, by which a third-party platform (第三方平台) acts.
	ComponentAccessToken Kind = "component_access_token"
	// VerifyTicket is the component_verify_ticket, which WeChat pushes to a third-party platform.
	VerifyTicket Kind = "component_verify_ticket"
	// RefreshToken is the authorizer_refresh_token, by which a platform renews the access token of an
	// account that has authorised it.
	RefreshToken Kind = "authorizer_refresh_token" //nolint:gosec // a name, not a credential.
	// JSAPITicket is the jsapi_ticket that signs a web page for the JS-SDK.
	JSAPITicket Kind = "jsapi_ticket"
	// CardTicket is the api_ticket of cards (卡券), which signs what a web page passes to them.
	CardTicket Kind = "wx_card_ticket"
)

// Key names one credential: an account's, of a kind.
type Key struct {
	AppID string
	Kind  Kind
}

// maxAppID is more than an AppID or CorpID (18 characters) has, and less than any token or secret.
const maxAppID = 31

// ShownAppID returns what a caller calls an AppID in the form in which errors and logs may show it. What is
// longer than an AppID may be a token in the wrong field, which must not be repeated.
func ShownAppID(appID string) string {
	if len(appID) > maxAppID {
		return "(" + strconv.Itoa(len(appID)) + " characters, which is no AppID)"
	}
	return appID
}

// Generation numbers the values that a credential has had. It only grows, across all replicas, and is
// the fence by which an older value can never replace a newer one.
type Generation uint64

// Overlap is how long the previous token still works after a classic call has issued a new one.
// Source: 获取接口调用凭据, "新老 access_token 5 分钟内都可用".
const Overlap = 5 * time.Minute

// ErrNotSent marks the failure of a request that never left: no connection could be made. It cost
// nothing.
var ErrNotSent = errors.New("the request was not sent")

// ErrParentRejected marks the failure of a request whose parent credential WeChat rejected: with another
// value of the parent it may succeed. Nothing was issued.
var ErrParentRejected = errors.New("WeChat rejected the credential that the request carried")

// ErrUncertain marks the failure of a request to WeChat that may have been carried out all the same:
// it was sent, and the answer was lost. After a classic call the token in use may be dying.
var ErrUncertain = errors.New("the request may have taken effect")

// Credential is one value with its life. The zero Credential means that there is none.
type Credential struct {
	Key
	// Value prints as [redacted].
	Value      config.Secret
	Generation Generation
	// ObtainedAt is when WeChat was last asked and handed this value out.
	ObtainedAt time.Time
	ExpiresAt  time.Time
}

// Instant returns t as the store keeps it, to the millisecond and without a monotonic clock, so that a
// credential equals itself after it was saved and loaded.
func Instant(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()) }

// Exists reports whether there is a value at all, dead or alive.
func (c Credential) Exists() bool { return c.Generation > 0 }

// Alive reports whether the value can still be used.
func (c Credential) Alive(now time.Time) bool { return c.Exists() && now.Before(c.ExpiresAt) }

// Left returns the life that is left, never negative.
func (c Credential) Left(now time.Time) time.Duration { return max(0, c.ExpiresAt.Sub(now)) }

// Amended returns the same value with another end of life.
func (c Credential) Amended(expiresAt time.Time) Credential {
	c.ExpiresAt = expiresAt
	return c
}

// Window is how long before the end of a token's life its renewal begins, at the least and at the most.
type Window struct{ Least, Most time.Duration }

// NextRenewal returns when c should be renewed. The place within the window depends on account and
// generation only: accounts spread out, while the replicas agree. A token with a short life is renewed
// no earlier than halfway through it.
func NextRenewal(c Credential, window Window) time.Time {
	lead := window.Least + time.Duration(jitter(c)*float64(window.Most-window.Least))
	if half := c.ExpiresAt.Sub(c.ObtainedAt) / 2; lead > half {
		lead = half
	}
	return c.ExpiresAt.Add(-lead)
}

// Due reports whether c should be renewed now. A credential that does not exist is always due.
func Due(now time.Time, c Credential, window Window) bool {
	return !c.Exists() || !now.Before(NextRenewal(c, window))
}

// jitter returns a fraction in [0,1) that is the same on every replica.
func jitter(c Credential) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(c.AppID + "|" + string(c.Kind) + "|" + strconv.FormatUint(uint64(c.Generation), 10)))
	// FNV leaves the high bits of short, similar inputs alike; multiplying by the golden ratio spreads them.
	const spread, mantissa = 0x9E3779B97F4A7C15, 53
	return float64((h.Sum64()*spread)>>(64-mantissa)) / (1 << mantissa)
}

// Rejected is what a caller reports: the token that WeChat did not accept, by generation or by value.
type Rejected struct {
	Generation Generation
	Value      config.Secret
	// By is who reports it, for the log.
	By string
}

// Empty reports whether nothing was named.
func (r Rejected) Empty() bool { return r.Generation == 0 && r.Value == config.Secret{} }

// Names reports whether c is the token that was rejected.
func (r Rejected) Names(c Credential) bool {
	if r.Generation > 0 {
		return c.Generation == r.Generation
	}
	return c.Value == r.Value
}
