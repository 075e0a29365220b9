package simulator

import (
	"fmt"
	"math"

	"github.com/wxstack/wxstack/simulator/internal/token"
)

// TokenKind tells the independent kinds of access tokens apart.
type TokenKind = token.Kind

// The kinds of access tokens.
const (
	TokenClassic = token.Classic // From GET /cgi-bin/token.
	TokenStable  = token.Stable  // From POST /cgi-bin/stable_token.
	TokenWork    = token.Work    // From GET /cgi-bin/gettoken of WeChat Work.
	// TokenComponent is a third-party platform's component_access_token.
	TokenComponent = token.Component
	// TokenAuthorizer is an account's authorizer_access_token, got by a platform.
	TokenAuthorizer = token.Authorizer
)

// TokenFetches counts the calls of the token endpoints with valid credentials.
type TokenFetches = token.Fetches

// TokenInfo describes one token, without revealing it unless asked to.
type TokenInfo = token.Info

// TokenReport is what the platform knows of an account's tokens.
type TokenReport = token.Report

// parseKind returns the token kind of that name; the empty one means stable.
func parseKind(kind TokenKind) (TokenKind, error) {
	switch kind {
	case "":
		return TokenStable, nil
	case TokenClassic, TokenStable:
		return kind, nil
	default:
		return "", fmt.Errorf("%w: kind %q is unknown, use stable or classic", ErrInvalid, kind)
	}
}

// RotateToken is a foreign refresh: somebody else who holds the AppSecret fetches
// a token. A stable token dies at once (force_refresh), a classic one within five
// minutes. It costs none of the account's quotas. The empty kind means stable.
func (p *Platform) RotateToken(appID string, kind TokenKind) error {
	return p.pull(appID, kind, func(book *token.Book, kind TokenKind) {
		book.Rotate(kind, p.state.clock.now())
	})
}

// ExpireToken ends the life of all tokens of a kind, as if their time were over:
// APIs answer 42001. The empty kind means stable.
func (p *Platform) ExpireToken(appID string, kind TokenKind) error {
	return p.pull(appID, kind, func(book *token.Book, kind TokenKind) {
		book.Expire(kind, p.state.clock.now())
	})
}

func (p *Platform) pull(appID string, kind TokenKind, lever func(*token.Book, TokenKind)) error {
	kind, err := parseKind(kind)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(appID)
	if err != nil {
		return err
	}
	lever(account.tokens, kind)
	p.state.hub.publish(topicState)

	return nil
}

// Tokens reports the fetches and the newest tokens of an account, masked. The
// empty AppID means the first account.
func (p *Platform) Tokens(appID string) (TokenReport, error) { return p.tokens(appID, false) }

// RevealTokens is Tokens with the values, for tests that search a whole run's logs
// for leaked tokens. They are worthless anywhere else.
func (p *Platform) RevealTokens(appID string) (TokenReport, error) { return p.tokens(appID, true) }

func (p *Platform) tokens(appID string, reveal bool) (TokenReport, error) {
	const shownTokens = 100
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(appID)
	if err != nil {
		return TokenReport{}, err
	}
	limit := shownTokens
	if reveal {
		limit = math.MaxInt
	}

	return account.tokens.Report(p.state.clock.now(), reveal, limit), nil
}
