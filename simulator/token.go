package simulator

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// The rules of the two token endpoints (获取 Access token, 获取稳定版接口调用凭据).
const (
	tokenLifetime     = 7200 * time.Second
	classicOverlap    = 5 * time.Minute // The former classic token works this much longer.
	stableRenewBefore = 5 * time.Minute // A stable token is renewed this early.
	forceInterval     = 30 * time.Second
	forcePerDay       = 20
	classicPerDay     = 2000
	stablePerMinute   = 10_000
	stablePerDay      = 500_000
)

// TokenKind tells the two independent kinds of access tokens apart.
type TokenKind string

// The kinds of access tokens.
const (
	TokenClassic TokenKind = "classic" // From GET /cgi-bin/token.
	TokenStable  TokenKind = "stable"  // From POST /cgi-bin/stable_token.
	TokenWork    TokenKind = "work"    // From GET /cgi-bin/gettoken of WeChat Work.
	// TokenComponent is a third-party platform's component_access_token.
	TokenComponent TokenKind = "component"
	// TokenAuthorizer is an account's authorizer_access_token, got by a platform.
	TokenAuthorizer TokenKind = "authorizer"
)

// tokenPattern is the shape of the simulator's tokens. A text of another shape is
// malformed (40014), one of the right shape is merely not valid (40001).
var tokenPattern = regexp.MustCompile(`^[1-9][0-9]*_[A-Za-z0-9_-]{128}$`)

// token is one access token with its fate.
type token struct {
	value      string
	kind       TokenKind
	generation int
	issued     time.Time
	expires    time.Time
	dies       time.Time // When it was replaced or invalidated; zero if it wasn't.
	platform   string    // The third-party platform that an authorizer's token was issued to.
}

// verdict returns what an API answers to the token at that time, 0 if it is valid.
func (t *token) verdict(now time.Time) errcode {
	switch {
	case !t.dies.IsZero() && !now.Before(t.dies):
		return codeInvalidToken
	case !now.Before(t.expires):
		return codeTokenExpired
	default:
		return codeOK
	}
}

// kill ends the token at that time unless it ends earlier anyhow.
func (t *token) kill(at time.Time) {
	if t.dies.IsZero() || at.Before(t.dies) {
		t.dies = at
	}
}

// tokenBook holds the tokens of one account and decides about them. It is told the
// time and does no I/O.
type tokenBook struct {
	appID       string
	life        time.Duration // Of a token; 0 means WeChat's 7200 s.
	generations int
	tokens      map[TokenKind][]*token // Oldest first; the last is the current one.
	fetches     TokenFetches
	calls       *callBook // Of the account, which counts the calls for tokens as well.
	stableMin   quota
	forceDay    quota
	lastForce   time.Time
	clears      quota
}

// TokenFetches counts the calls of the token endpoints with valid credentials.
type TokenFetches struct {
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

func newTokenBook(appID string, calls *callBook) *tokenBook {
	return &tokenBook{appID: appID, calls: calls, tokens: make(map[TokenKind][]*token)}
}

// lifetime is how long a token lives.
func (b *tokenBook) lifetime() time.Duration { return cmp.Or(b.life, tokenLifetime) }

// shortened keeps a span of WeChat's within two thirds of a token's life, so that
// tokens with short lives are renewed and overlap as those of WeChat are.
func (b *tokenBook) shortened(span time.Duration) time.Duration {
	return min(span, b.lifetime()*2/3) //nolint:mnd // See above.
}

// current returns the newest token of a kind if it is still valid.
func (b *tokenBook) current(kind TokenKind, now time.Time) *token {
	issued := b.tokens[kind]
	if len(issued) == 0 || issued[len(issued)-1].verdict(now) != codeOK {
		return nil
	}

	return issued[len(issued)-1]
}

// issue makes a new token the current one of its kind.
func (b *tokenBook) issue(kind TokenKind, now time.Time) *token {
	b.generations++
	created := &token{
		value: newTokenValue(b.generations), kind: kind, generation: b.generations,
		issued: now, expires: now.Add(b.lifetime()),
	}
	b.tokens[kind] = append(b.tokens[kind], created)
	if excess := len(b.tokens[kind]) - maxIssuedTokens; excess > 0 {
		b.tokens[kind] = slices.Delete(b.tokens[kind], 0, excess)
	}
	b.fetches.Issued++

	return created
}

// classic answers GET /cgi-bin/token: every call issues a new token, and only the
// one before it survives, for five minutes.
func (b *tokenBook) classic(now time.Time) (*token, errcode) {
	b.fetches.Classic++
	if !b.calls.take(pathClassic, now) {
		b.fetches.Refused++

		return nil, codeDailyQuota
	}

	return b.replace(TokenClassic, now), codeOK
}

// replace issues a new token of a kind. Only the one before it survives, for five
// minutes.
func (b *tokenBook) replace(kind TokenKind, now time.Time) *token {
	former := b.tokens[kind]
	for position, old := range former {
		if position == len(former)-1 {
			old.kill(now.Add(b.shortened(classicOverlap)))
		} else {
			old.kill(now)
		}
	}

	return b.issue(kind, now)
}

// stable answers POST /cgi-bin/stable_token in normal mode: the same token while
// it has more than five minutes left, then a new one beside it.
func (b *tokenBook) stable(now time.Time) (*token, errcode) {
	if code := b.countStable(now); code != codeOK {
		return nil, code
	}
	if current := b.current(TokenStable, now); current != nil && current.expires.Sub(now) > b.shortened(stableRenewBefore) {
		return current, codeOK
	}

	return b.issue(TokenStable, now), codeOK
}

// work answers GET /cgi-bin/gettoken: the same token as long as it is valid.
func (b *tokenBook) work(now time.Time) *token {
	b.fetches.Work++
	if current := b.current(TokenWork, now); current != nil {
		return current
	}

	return b.issue(TokenWork, now)
}

// force answers force_refresh: a new token, and the former ones are dead at once.
// Within 30 s of the last time nothing is refreshed and the current token returned.
func (b *tokenBook) force(now time.Time) (*token, errcode) {
	b.fetches.Forced++
	if code := b.countStable(now); code != codeOK {
		return nil, code
	}
	if !b.lastForce.IsZero() && now.Sub(b.lastForce) < forceInterval {
		if current := b.current(TokenStable, now); current != nil {
			return current, codeOK
		}
	}
	if !b.forceDay.take(dayOf(now), forcePerDay) {
		b.fetches.Refused++

		return nil, codeDailyQuota
	}
	b.lastForce = now

	return b.replaceStable(now), codeOK
}

func (b *tokenBook) replaceStable(now time.Time) *token {
	for _, old := range b.tokens[TokenStable] {
		old.kill(now)
	}

	return b.issue(TokenStable, now)
}

func (b *tokenBook) countStable(now time.Time) errcode {
	b.fetches.Stable++
	if !b.stableMin.take(now.Format("2006-01-02T15:04"), stablePerMinute) {
		b.fetches.Refused++

		return codeMinuteQuota
	}
	if !b.calls.take(pathStable, now) {
		b.fetches.Refused++

		return codeDailyQuota
	}

	return codeOK
}

// find returns the token of that value.
func (b *tokenBook) find(value string) *token {
	for _, issued := range b.tokens {
		for _, candidate := range slices.Backward(issued) {
			if candidate.value == value {
				return candidate
			}
		}
	}

	return nil
}

// quota counts uses within a period that has a name, such as a day.
type quota struct {
	period string
	used   int
}

// take uses one of limit in the period and reports whether there was one.
func (q *quota) take(period string, limit int) bool {
	if q.period != period {
		*q = quota{period: period}
	}
	if q.used >= limit {
		return false
	}
	q.used++

	return true
}

// usedIn returns how often the quota was used in a period.
func (q *quota) usedIn(period string) int {
	if q.period != period {
		return 0
	}

	return q.used
}

// newTokenValue makes a token about as long as real ones are.
func newTokenValue(generation int) string {
	const randomBytes = 96 // 128 characters of base64.
	random := make([]byte, randomBytes)
	_, _ = rand.Read(random) // Never fails since Go 1.24.

	return strconv.Itoa(generation) + "_" + base64.RawURLEncoding.EncodeToString(random)
}

// mask shortens a token so that it can be recognised but not used.
func mask(value string) string {
	const shown = 4
	if len(value) <= 2*shown {
		return "…"
	}

	return value[:shown] + "…" + value[len(value)-shown:]
}

// TokenInfo describes one token without revealing it.
type TokenInfo struct {
	Kind       TokenKind `json:"kind"`
	Generation int       `json:"generation"` // Counts the account's tokens of both kinds from 1.
	Masked     string    `json:"masked"`
	Value      string    `json:"value,omitempty"` // Only when asked for.
	Issued     time.Time `json:"issued"`
	ExpiresIn  int       `json:"expires_in"` // Seconds left, 0 if it isn't valid.
	ErrCode    int       `json:"errcode"`    // What an API answers to it now; 0 means valid.
}

// TokenReport is what the platform knows of an account's tokens.
type TokenReport struct {
	Account string       `json:"account"`
	Fetches TokenFetches `json:"fetches"`
	Tokens  []TokenInfo  `json:"tokens"` // Newest first.
}

// report lists the newest tokens of the book.
func (b *tokenBook) report(now time.Time, reveal bool, limit int) TokenReport {
	report := TokenReport{Account: b.appID, Fetches: b.fetches, Tokens: []TokenInfo{}}
	for _, issued := range b.tokens {
		for _, each := range issued {
			info := TokenInfo{
				Kind: each.kind, Generation: each.generation, Masked: mask(each.value), Issued: each.issued,
				ErrCode: int(each.verdict(now)),
			}
			if info.ErrCode == 0 {
				info.ExpiresIn = int(each.remaining(now).Seconds())
			}
			if reveal {
				info.Value = each.value
			}
			report.Tokens = append(report.Tokens, info)
		}
	}
	slices.SortFunc(report.Tokens, func(x, y TokenInfo) int { return cmp.Compare(y.Generation, x.Generation) })
	report.Tokens = report.Tokens[:min(limit, len(report.Tokens))]

	return report
}

// remaining is the life that the token has left.
func (t *token) remaining(now time.Time) time.Duration {
	end := t.expires
	if !t.dies.IsZero() && t.dies.Before(end) {
		end = t.dies
	}

	return max(end.Sub(now), 0)
}
