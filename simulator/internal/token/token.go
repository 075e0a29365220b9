// Package token decides about the access tokens of one account: when a new one is issued, until when the ones before it are
// good, and how often they may be fetched. It is told the time.
package token

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/quota"
)

// The rules of the two token endpoints (获取 Access token, 获取稳定版接口调用凭据).
const (
	Lifetime          = 7200 * time.Second
	classicOverlap    = 5 * time.Minute // The former classic token works this much longer.
	stableRenewBefore = 5 * time.Minute // A stable token is renewed this early.
	forceInterval     = 30 * time.Second
	forcePerDay       = 20
	stablePerMinute   = 10_000
)

// maxIssued is how many tokens of one kind are recognised as formerly valid.
const maxIssued = 2500

// Kind tells the independent kinds of access tokens apart.
type Kind string

// The kinds of access tokens.
const (
	Classic Kind = "classic" // From GET /cgi-bin/token.
	Stable  Kind = "stable"  // From POST /cgi-bin/stable_token.
	Work    Kind = "work"    // From GET /cgi-bin/gettoken of WeChat Work.
	// Component is a third-party platform's component_access_token.
	Component Kind = "component"
	// Authorizer is an account's authorizer_access_token, got by a platform.
	Authorizer Kind = "authorizer"
)

// pattern is the shape of the simulator's tokens. A text of another shape is
// malformed (40014), one of the right shape is merely not valid (40001).
var pattern = regexp.MustCompile(`^[1-9][0-9]*_[A-Za-z0-9_-]{128}$`)

// WellFormed reports whether a text has the shape of the simulator's tokens.
func WellFormed(value string) bool { return pattern.MatchString(value) }

// Token is one access token with its fate.
type Token struct {
	Value      string
	Kind       Kind
	Generation int    // Counts the account's tokens from 1.
	Platform   string // The third-party platform that an authorizer's token was issued to.

	issued  time.Time
	expires time.Time
	dies    time.Time // When it was replaced or invalidated; zero if it wasn't.
}

// Verdict returns what an API answers to the token at that time, 0 if it is valid.
func (t *Token) Verdict(now time.Time) errcode.Code {
	switch {
	case !t.dies.IsZero() && !now.Before(t.dies):
		return errcode.InvalidToken
	case !now.Before(t.expires):
		return errcode.TokenExpired
	default:
		return errcode.OK
	}
}

// kill ends the token at that time unless it ends earlier anyhow.
func (t *Token) kill(at time.Time) {
	if t.dies.IsZero() || at.Before(t.dies) {
		t.dies = at
	}
}

// Book holds the tokens of one account and decides about them.
type Book struct {
	Life    time.Duration // Of a token; 0 means WeChat's 7200 s.
	Fetches Fetches

	appID       string
	generations int
	tokens      map[Kind][]*Token // Oldest first; the last is the current one.
	calls       *quota.Calls      // Of the account, which counts the calls for tokens as well.
	stableMin   quota.Counter
	forceDay    quota.Counter
	lastForce   time.Time
	clears      quota.Counter
}

// Fetches counts the calls of the token endpoints with valid credentials.
type Fetches struct {
	Classic   int `json:"classic"`   // Calls of /cgi-bin/token.
	Stable    int `json:"stable"`    // Calls of /cgi-bin/stable_token, forced ones included.
	Work      int `json:"work"`      // Calls of /cgi-bin/gettoken.
	Component int `json:"component"` // Calls of api_component_token with a valid ticket.
	Forced    int `json:"forced"`    // Of those, with force_refresh.
	Issued    int `json:"issued"`    // New tokens, foreign refreshes included.
	Refused   int `json:"refused"`   // Refused for quota or rate.
	Rotated   int `json:"rotated"`   // Foreign refreshes by RotateToken.
	Tickets   int `json:"tickets"`   // Calls of /cgi-bin/ticket/getticket.
	Rejected  int `json:"rejected"`  // API calls with a token that wasn't valid.
}

// NewBook returns the book of an account that has fetched nothing yet. Calls are counted in those of the account.
func NewBook(appID string, calls *quota.Calls) *Book {
	return &Book{appID: appID, calls: calls, tokens: make(map[Kind][]*Token)}
}

// lifetime is how long a token lives.
func (b *Book) lifetime() time.Duration { return cmp.Or(b.Life, Lifetime) }

// shortened keeps a span of WeChat's within two thirds of a token's life, so that
// tokens with short lives are renewed and overlap as those of WeChat are.
func (b *Book) shortened(span time.Duration) time.Duration {
	return min(span, b.lifetime()*2/3) //nolint:mnd // See above.
}

// Current returns the newest token of a kind if it is still valid.
func (b *Book) Current(kind Kind, now time.Time) *Token {
	issued := b.tokens[kind]
	if len(issued) == 0 || issued[len(issued)-1].Verdict(now) != errcode.OK {
		return nil
	}

	return issued[len(issued)-1]
}

// Issue makes a new token the current one of its kind.
func (b *Book) Issue(kind Kind, now time.Time) *Token {
	b.generations++
	created := &Token{
		Value: NewValue(b.generations), Kind: kind, Generation: b.generations,
		issued: now, expires: now.Add(b.lifetime()),
	}
	b.tokens[kind] = append(b.tokens[kind], created)
	if excess := len(b.tokens[kind]) - maxIssued; excess > 0 {
		b.tokens[kind] = slices.Delete(b.tokens[kind], 0, excess)
	}
	b.Fetches.Issued++

	return created
}

// Classic answers GET /cgi-bin/token: every call issues a new token, and only the
// one before it survives, for five minutes.
func (b *Book) Classic(now time.Time) (*Token, errcode.Code) {
	b.Fetches.Classic++
	if !b.calls.Take(quota.PathClassic, now) {
		b.Fetches.Refused++

		return nil, errcode.DailyQuota
	}

	return b.Replace(Classic, now), errcode.OK
}

// Replace issues a new token of a kind. Only the one before it survives, for five
// minutes.
func (b *Book) Replace(kind Kind, now time.Time) *Token {
	former := b.tokens[kind]
	for position, old := range former {
		if position == len(former)-1 {
			old.kill(now.Add(b.shortened(classicOverlap)))
		} else {
			old.kill(now)
		}
	}

	return b.Issue(kind, now)
}

// Stable answers POST /cgi-bin/stable_token in normal mode: the same token while
// it has more than five minutes left, then a new one beside it.
func (b *Book) Stable(now time.Time) (*Token, errcode.Code) {
	if code := b.countStable(now); code != errcode.OK {
		return nil, code
	}
	if current := b.Current(Stable, now); current != nil && current.expires.Sub(now) > b.shortened(stableRenewBefore) {
		return current, errcode.OK
	}

	return b.Issue(Stable, now), errcode.OK
}

// Work answers GET /cgi-bin/gettoken: the same token as long as it is valid.
func (b *Book) Work(now time.Time) *Token {
	b.Fetches.Work++
	if current := b.Current(Work, now); current != nil {
		return current
	}

	return b.Issue(Work, now)
}

// Force answers force_refresh: a new token, and the former ones are dead at once.
// Within 30 s of the last time nothing is refreshed and the current token returned.
func (b *Book) Force(now time.Time) (*Token, errcode.Code) {
	b.Fetches.Forced++
	if code := b.countStable(now); code != errcode.OK {
		return nil, code
	}
	if !b.lastForce.IsZero() && now.Sub(b.lastForce) < forceInterval {
		if current := b.Current(Stable, now); current != nil {
			return current, errcode.OK
		}
	}
	if !b.forceDay.Take(quota.DayOf(now), forcePerDay) {
		b.Fetches.Refused++

		return nil, errcode.DailyQuota
	}
	b.lastForce = now

	return b.replaceStable(now), errcode.OK
}

func (b *Book) replaceStable(now time.Time) *Token {
	b.Kill(Stable, now)

	return b.Issue(Stable, now)
}

// Kill ends all tokens of a kind at that time.
func (b *Book) Kill(kind Kind, at time.Time) {
	for _, issued := range b.tokens[kind] {
		issued.kill(at)
	}
}

// Rotate is a foreign refresh, which costs none of the account's quotas.
func (b *Book) Rotate(kind Kind, now time.Time) {
	b.Fetches.Rotated++
	if kind == Classic {
		b.Replace(Classic, now)
	} else {
		b.replaceStable(now)
	}
}

// Expire ends the life of all tokens of a kind, as if their time were over.
func (b *Book) Expire(kind Kind, now time.Time) {
	for _, issued := range b.tokens[kind] {
		if issued.expires.After(now) {
			issued.expires = now
		}
	}
}

func (b *Book) countStable(now time.Time) errcode.Code {
	b.Fetches.Stable++
	if !b.stableMin.Take(quota.MinuteOf(now), stablePerMinute) {
		b.Fetches.Refused++

		return errcode.MinuteQuota
	}
	if !b.calls.Take(quota.PathStable, now) {
		b.Fetches.Refused++

		return errcode.DailyQuota
	}

	return errcode.OK
}

// Find returns the token of that value.
func (b *Book) Find(value string) *Token {
	for _, issued := range b.tokens {
		for _, candidate := range slices.Backward(issued) {
			if candidate.Value == value {
				return candidate
			}
		}
	}

	return nil
}

// NewValue makes a token about as long as real ones are.
func NewValue(generation int) string {
	const randomBytes = 96 // 128 characters of base64.
	random := make([]byte, randomBytes)
	_, _ = rand.Read(random) // Never fails since Go 1.24.

	return strconv.Itoa(generation) + "_" + base64.RawURLEncoding.EncodeToString(random)
}

// Mask shortens a token so that it can be recognised but not used.
func Mask(value string) string {
	const shown = 4
	if len(value) <= 2*shown {
		return "…"
	}

	return value[:shown] + "…" + value[len(value)-shown:]
}

// Info describes one token, without revealing it unless asked to.
type Info struct {
	Kind       Kind      `json:"kind"`
	Generation int       `json:"generation"` // Counts the account's tokens of both kinds from 1.
	Masked     string    `json:"masked"`
	Value      string    `json:"value,omitempty"` // Only when asked for.
	Issued     time.Time `json:"issued"`
	ExpiresIn  int       `json:"expires_in"` // Seconds left, 0 if it isn't valid.
	ErrCode    int       `json:"errcode"`    // What an API answers to it now; 0 means valid.
}

// Report is what the platform knows of an account's tokens.
type Report struct {
	Account string  `json:"account"`
	Fetches Fetches `json:"fetches"`
	Tokens  []Info  `json:"tokens"` // Newest first.
}

// Report lists the newest tokens of the book.
func (b *Book) Report(now time.Time, reveal bool, limit int) Report {
	report := Report{Account: b.appID, Fetches: b.Fetches, Tokens: []Info{}}
	for _, issued := range b.tokens {
		for _, each := range issued {
			info := Info{
				Kind: each.Kind, Generation: each.Generation, Masked: Mask(each.Value), Issued: each.issued,
				ErrCode: int(each.Verdict(now)),
			}
			if info.ErrCode == 0 {
				info.ExpiresIn = int(each.Remaining(now).Seconds())
			}
			if reveal {
				info.Value = each.Value
			}
			report.Tokens = append(report.Tokens, info)
		}
	}
	slices.SortFunc(report.Tokens, func(x, y Info) int { return cmp.Compare(y.Generation, x.Generation) })
	report.Tokens = report.Tokens[:min(limit, len(report.Tokens))]

	return report
}

// Remaining is the life that the token has left.
func (t *Token) Remaining(now time.Time) time.Duration {
	end := t.expires
	if !t.dies.IsZero() && t.dies.Before(end) {
		end = t.dies
	}

	return max(end.Sub(now), 0)
}

// clearsPerMonth is how often an account's quotas may be cleared (清空api的调用quota),
// by whichever of the two interfaces.
const clearsPerMonth = 10

// Clear resets the daily quotas, if the month's allowance isn't used up.
func (b *Book) Clear(now time.Time) errcode.Code {
	if !b.clears.Take(quota.MonthOf(now), clearsPerMonth) {
		return errcode.QuotaClears
	}
	b.calls.Clear()
	b.forceDay = quota.Counter{}

	return errcode.OK
}
