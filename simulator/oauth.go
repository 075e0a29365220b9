package simulator

import (
	"cmp"
	"fmt"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/token"
)

// The rules of OAuth2 (网页授权).
const (
	oauthCodeLifetime    = 5 * time.Minute
	userTokenLifetime    = 7200 * time.Second
	refreshTokenLifetime = 30 * 24 * time.Hour
)

// The scopes of an authorisation.
const (
	ScopeBase     = "snsapi_base"     // The OpenID alone (静默授权).
	ScopeUserInfo = "snsapi_userinfo" // Nickname and avatar too, by consent.
)

// oauthCode is one code that a user's browser brought.
type oauthCode struct {
	openID, scope string
	expires       time.Time
	used          bool
}

// userGrant is one user's authorisation. Its tokens are the user's and have nothing
// to do with the account's.
type userGrant struct {
	openID, scope  string
	token, refresh string
	tokenExpires   time.Time
	refreshExpires time.Time
	revoked        bool // The user changed the password of WeChat.
}

// oauthBook holds the codes and the authorisations of one account. It is told the
// time and does no I/O.
type oauthBook struct {
	codes  map[string]*oauthCode
	order  []string // The codes, oldest first.
	grants *ring[*userGrant]
}

func newOAuthBook() *oauthBook {
	return &oauthBook{codes: make(map[string]*oauthCode), grants: newRing[*userGrant](maxGrants)}
}

// issueCode makes a code as the user's browser brings it.
func (b *oauthBook) issueCode(openID, scope string, now time.Time) string {
	const length = 32 // As real codes are.
	code := token.NewValue(1)[2 : 2+length]
	b.codes[code] = &oauthCode{openID: openID, scope: scope, expires: now.Add(oauthCodeLifetime)}
	b.order = append(b.order, code)
	if len(b.order) > maxGrants {
		delete(b.codes, b.order[0])
		b.order = b.order[1:]
	}

	return code
}

// redeem uses a code up.
func (b *oauthBook) redeem(value string, now time.Time) (*oauthCode, errcode.Code) {
	code, known := b.codes[value]
	switch {
	case !known:
		return nil, errcode.OAuthCode
	case code.used:
		return nil, errcode.OAuthUsed
	case !now.Before(code.expires):
		return nil, errcode.OAuthExpired
	}
	code.used = true

	return code, errcode.OK
}

// exchange gives the tokens for a code.
func (b *oauthBook) exchange(value string, now time.Time) (*userGrant, errcode.Code) {
	code, refused := b.redeem(value, now)
	if refused != errcode.OK {
		return nil, refused
	}
	grant := &userGrant{
		openID: code.openID, scope: code.scope, token: token.NewValue(1), tokenExpires: now.Add(userTokenLifetime),
		refresh: token.NewValue(1), refreshExpires: now.Add(refreshTokenLifetime),
	}
	b.grants.add(grant)

	return grant, errcode.OK
}

// refresh prolongs the token that belongs to a refresh token. Only one that has
// ended is replaced (刷新access_token).
func (b *oauthBook) refresh(value string, now time.Time) (*userGrant, errcode.Code) {
	for _, grant := range b.grants.values {
		if grant.refresh != value {
			continue
		}
		switch {
		case grant.revoked:
			return nil, errcode.OAuthRevoked
		case !now.Before(grant.refreshExpires):
			return nil, errcode.OAuthRefreshExpired
		}
		if !now.Before(grant.tokenExpires) {
			grant.token = token.NewValue(1)
		}
		grant.tokenExpires = now.Add(userTokenLifetime)

		return grant, errcode.OK
	}

	return nil, errcode.OAuthRefresh
}

// grant returns the authorisation that a user's token belongs to.
func (b *oauthBook) grant(token string) *userGrant {
	for _, grant := range b.grants.values {
		if grant.token == token {
			return grant
		}
	}

	return nil
}

// RevokeOAuth is a user who changes the password of WeChat: what was given for the user's codes is refused with 42007, until
// the user agrees anew. Empty names mean the first account and DefaultFollower.
func (p *Platform) RevokeOAuth(appID, openID string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(appID)
	if err != nil {
		return err
	}
	openID = cmp.Or(openID, DefaultFollower)
	found := false
	for _, grant := range account.oauth.grants.values {
		if grant.openID == openID {
			grant.revoked, found = true, true
		}
	}
	if !found {
		return fmt.Errorf("%w: user %q has authorised nothing", ErrInvalid, openID)
	}

	return nil
}

// IssueOAuthCode is a user who opens a page of the account and agrees: it returns the
// code that the browser would bring to the account's server, good once and for five
// minutes of the books' time. The scope is ScopeBase (also if empty) or ScopeUserInfo.
// The user need not follow the account. The same code serves sns/jscode2session, if the
// account is a mini program (小程序). Empty names mean the first account and
// DefaultFollower.
func (p *Platform) IssueOAuthCode(appID, openID, scope string) (string, error) {
	openID, scope = cmp.Or(openID, DefaultFollower), cmp.Or(scope, ScopeBase)
	switch {
	case scope != ScopeBase && scope != ScopeUserInfo:
		return "", fmt.Errorf("%w: scope %q is unknown, use %s or %s", ErrInvalid, scope, ScopeBase, ScopeUserInfo)
	case !openIDPattern.MatchString(openID):
		return "", fmt.Errorf("%w: openid %q isn't an OpenID, use 6 to 64 letters, digits, - or _", ErrInvalid, openID)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(appID)
	if err != nil {
		return "", err
	}

	return account.oauth.issueCode(openID, scope, p.state.clock.now()), nil
}
