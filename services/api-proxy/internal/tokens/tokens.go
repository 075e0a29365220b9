// Package tokens keeps the accounts' access tokens in memory, fed by token-center's watch stream, and
// reports the ones that WeChat rejected. While token-center is away the last known tokens stay in use.
package tokens

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"

	"github.com/wxstack/wxstack/services/api-proxy/internal/credential"
)

const (
	// askTimeout bounds one question to token-center. A renewal asks WeChat, which may take seconds. A
	// token-center that is away is not waited for: the caller can still be told so.
	askTimeout = 8 * time.Second
	// renewPause is how long a renewal that failed is not asked for again, so that callers who are all
	// rejected do not storm token-center.
	renewPause = time.Second
)

// Cache holds the newest known token of each account. It is safe for concurrent use; Run feeds it.
type Cache struct {
	client tokenv1.TokenServiceClient
	log    *slog.Logger
	// center is up while the watch stream can be opened; ready while at least one token is valid.
	center, ready *telemetry.Component

	flights singleflight.Group

	mu       sync.RWMutex
	accounts map[string]*account
	listed   bool // token-center has told at least once which accounts exist
}

// account is what is known of one account. Fields are guarded by Cache.mu.
type account struct {
	token    credential.Token // generation 0: none yet
	arrived  time.Time
	rejected bool // WeChat has rejected token
	failure  error
	failedAt time.Time
}

// NewCache makes an empty cache. Until the first token comes the component "tokens" is down.
func NewCache(client tokenv1.TokenServiceClient, tel *telemetry.Telemetry) *Cache {
	c := &Cache{
		client:   client,
		log:      tel.Log,
		center:   tel.Health.Component("token-center"),
		ready:    tel.Health.Component("tokens"),
		accounts: map[string]*account{},
	}
	c.ready.Pending(errNoToken)
	telemetry.Register(tel.Metrics, newAges(c))
	return c
}

var errNoToken = errors.New("token-center has not given a valid token; see TOKEN_CENTER_ADDR and the log of token-center")

// Token returns the current token of the account that the caller names; empty means the only one there
// is. It comes from memory. Only when there is none, or it has expired and token-center sent no newer
// one, is token-center asked, once for all callers who wait. The error is a fault.Error or the context's.
func (c *Cache) Token(ctx context.Context, asked string) (credential.Token, error) {
	appID, err := c.resolve(asked)
	if err != nil {
		return credential.Token{}, err
	}
	if token, ok := c.newest(appID); ok && token.Valid(time.Now()) {
		return token, nil
	}
	return c.shared(ctx, "get "+appID, func(ctx context.Context) (credential.Token, error) {
		if token, ok := c.newest(appID); ok && token.Valid(time.Now()) {
			return token, nil
		}
		resp, err := c.client.GetToken(ctx,
			&tokenv1.GetTokenRequest{AppId: appID, Kind: tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN}, grpc.WaitForReady(false))
		if err != nil {
			return credential.Token{}, unavailable(appID, err)
		}
		return c.accept(resp.GetToken())
	})
}

// Account returns the name of the account that a caller means; empty means the only one there is. The error is
// that of Token.
func (c *Cache) Account(ctx context.Context, asked string) (string, error) {
	appID, err := c.resolve(asked)
	if err != nil || c.known(appID) {
		return appID, err
	}
	// token-center has not told yet which accounts exist.
	token, err := c.Token(ctx, appID)
	return token.AppID, err
}

func (c *Cache) known(appID string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, ok := c.accounts[appID]
	return ok
}

// resolve finds the account that a caller means. Until token-center has told which accounts exist the
// name is passed on to it unchecked.
func (c *Cache) resolve(asked string) (string, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if _, known := c.accounts[asked]; known || !c.listed {
		return asked, nil
	}
	if asked != "" {
		return "", fault.New(fault.NotFound, "account %.64q is not configured in token-center; check app_id", asked)
	}
	if len(c.accounts) != 1 {
		return "", fault.New(fault.Invalid,
			"token-center has %d accounts, so a call must name one: header X-WX-AppID, or field app_id", len(c.accounts))
	}
	for appID := range c.accounts {
		asked = appID
	}
	return asked, nil
}

// Renew reports that WeChat rejected a token and returns the newer one. However many callers report
// the same generation, token-center is asked once; who reports late gets what is already there.
func (c *Cache) Renew(ctx context.Context, rejected credential.Token) (credential.Token, error) {
	if token, ok := c.replacement(rejected); ok {
		return token, nil
	}
	key := fmt.Sprintf("renew %s %d", rejected.AppID, rejected.Generation)
	return c.shared(ctx, key, func(ctx context.Context) (credential.Token, error) {
		if token, ok := c.replacement(rejected); ok {
			return token, nil
		}
		return c.renew(ctx, rejected)
	})
}

func (c *Cache) renew(ctx context.Context, rejected credential.Token) (credential.Token, error) {
	if err := c.reject(rejected); err != nil {
		return credential.Token{}, err
	}
	resp, err := c.client.RefreshToken(ctx, &tokenv1.RefreshTokenRequest{
		AppId:    rejected.AppID,
		Kind:     tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN,
		Rejected: &tokenv1.RefreshTokenRequest_RejectedGeneration{RejectedGeneration: rejected.Generation},
	}, grpc.WaitForReady(false))
	if err != nil {
		return credential.Token{}, c.failed(rejected.AppID, unavailable(rejected.AppID, err))
	}
	token, err := c.accept(resp.GetToken())
	if err == nil && same(token, rejected) {
		err = fault.New(fault.Unavailable, "token-center has no newer token than generation %d", rejected.Generation)
	}
	if err != nil {
		return credential.Token{}, c.failed(rejected.AppID, err)
	}
	return token, nil
}

// shared runs ask once for all who want the same at the same time. It is detached from the callers:
// one who leaves does not spoil it for the others, and each waits only as long as its own context.
func (c *Cache) shared(ctx context.Context, key string, ask func(context.Context) (credential.Token, error)) (credential.Token, error) {
	done := c.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		return ask(ctx)
	})
	select {
	case <-ctx.Done():
		return credential.Token{}, ctx.Err()
	case result := <-done:
		token, _ := result.Val.(credential.Token)
		return token, result.Err
	}
}

// unavailable says why token-center gave no token. What somebody has to mend, such as an address that is not
// on the IP白名单, token-center names in words that a caller may see, so they are passed on.
func unavailable(appID string, err error) error {
	var (
		center = fault.FromStatus(err)
		kind   = fault.KindOf(center)
		reason string
	)
	if known, ok := errors.AsType[*fault.Error](center); ok {
		reason = known.Message()
	}
	switch kind {
	case fault.NotFound:
		return fault.Wrap(fault.NotFound, err, "account %.64q is not configured in token-center; check app_id", appID)
	case fault.Precondition, fault.QuotaSpent, fault.Throttled:
		return fault.Wrap(kind, err, "token-center has no token for %s and cannot fetch one: %s", appID, reason).WithRetryAfter(fault.RetryAfter(center))
	case fault.Unauthenticated, fault.Forbidden:
		return fault.Wrap(fault.Precondition, err, "token-center gives api-proxy no token for %.64q; check TOKEN_CENTER_KEY_FILE, and the callers file of token-center (WX_CALLERS_FILE)", appID)
	case fault.Internal, fault.Invalid, fault.Unavailable, fault.Deadline:
	}
	return fault.Wrap(fault.Unavailable, err, "token-center gives no token for %s; check that it runs and TOKEN_CENTER_ADDR", appID).WithRetryAfter(time.Second)
}

// newest returns the last token that came for the account.
func (c *Cache) newest(appID string) (credential.Token, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	a, ok := c.accounts[appID]
	if !ok || a.token.Generation == 0 {
		return credential.Token{}, false
	}
	return a.token, true
}

// replacement returns the account's token if it is not the rejected one.
func (c *Cache) replacement(rejected credential.Token) (credential.Token, bool) {
	token, ok := c.newest(rejected.AppID)
	return token, ok && !same(token, rejected)
}

func same(a, b credential.Token) bool { return a.Generation == b.Generation && a.Value == b.Value }

// reject marks the token as rejected, so that whatever comes next replaces it. It returns the last
// failure when a renewal failed a moment ago.
func (c *Cache) reject(rejected credential.Token) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.accounts[rejected.AppID]
	if !ok {
		return nil
	}
	if same(a.token, rejected) {
		a.rejected = true
	}
	if a.failure != nil && time.Since(a.failedAt) < renewPause {
		return a.failure
	}
	return nil
}

func (c *Cache) failed(appID string, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, ok := c.accounts[appID]; ok {
		a.failure, a.failedAt = err, time.Now()
	}
	return err
}

// accept takes a token that token-center sent and returns the account's newest one.
func (c *Cache) accept(sent *tokenv1.Token) (credential.Token, error) {
	if sent.GetAppId() == "" || sent.GetValue() == "" || sent.GetGeneration() == 0 {
		return credential.Token{}, fault.New(fault.Unavailable, "token-center sent a token without app_id, value or generation")
	}
	now := time.Now()
	token := tokenOf(sent, now)
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.accounts[token.AppID]
	if !ok {
		a = &account{}
		c.accounts[token.AppID] = a
	}
	if supersedes(*a, token, now) {
		*a = account{token: token, arrived: now}
		c.ready.Report(nil)
	}
	return a.token, nil
}

// tokenOf is what token-center sent and came at the time now.
func tokenOf(sent *tokenv1.Token, now time.Time) credential.Token {
	token := credential.Token{
		AppID:      sent.GetAppId(),
		Value:      config.NewSecret(sent.GetValue()),
		Generation: sent.GetGeneration(),
		Expires:    now.Add(sent.GetExpiresIn().AsDuration()),
	}
	token.ExpireTime = token.Expires
	if sent.GetExpireTime() != nil {
		token.ExpireTime = sent.GetExpireTime().AsTime()
	}
	return token
}

// supersedes decides whether a token that just came replaces the one in use. Answers may overtake each
// other, so an older generation is not taken, unless the one in use is dead: then token-center has
// lost its store and counts anew.
func supersedes(a account, token credential.Token, now time.Time) bool {
	switch {
	case same(a.token, token):
		return false
	case token.Generation > a.token.Generation:
		return true
	}
	return a.rejected || !a.token.Valid(now)
}
