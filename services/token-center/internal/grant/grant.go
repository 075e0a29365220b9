// Package grant keeps what nobody can fetch: what WeChat pushes to a third-party platform
// (第三方平台), which is the component_verify_ticket, and what it gives away once, which are the refresh
// tokens of the accounts that have authorised the platform. A refresh token that is lost may cost the
// account's owner another authorisation.
//
// They lie in the store beside the other credentials, sealed and fenced like them: an older one never
// replaces a newer one. A Keeper remembers the newest as well, and gives it back to a store that has lost
// its data.
package grant

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/store"
)

// Store is where all replicas see a grant; package store says what its methods promise.
type Store interface {
	NextGeneration(ctx context.Context, key credential.Key, above credential.Generation) (credential.Generation, error)
	Save(ctx context.Context, c credential.Credential) error
	Load(ctx context.Context, key credential.Key) (credential.Credential, error)
}

// The lives of grants.
const (
	// TicketLife is how long a component_verify_ticket can be used. Source: 第三方平台, 验证票据
	// ("component_verify_ticket 的有效时间为 12 小时").
	TicketLife = 12 * time.Hour
	// RefreshTokenLife stands for ever: WeChat publishes no end of refresh tokens.
	RefreshTokenLife = 100 * 365 * 24 * time.Hour
)

// Keeper keeps one grant. It is safe for concurrent use.
type Keeper struct {
	// Key names the grant.
	Key   credential.Key
	life  time.Duration
	store Store
	// remedy says how another one comes about.
	remedy string

	mu     sync.Mutex
	newest credential.Credential
}

// NewTicket returns the keeper of a platform's component_verify_ticket.
func NewTicket(s Store, platform string) *Keeper {
	return &Keeper{
		Key: credential.Key{AppID: platform, Kind: credential.VerifyTicket}, life: TicketLife, store: s,
		remedy: "WeChat pushes one every 10 minutes to the 授权事件接收URL; see that it leads to the gateway, " +
			"and call api_start_push_ticket if none comes",
	}
}

// NewRefreshToken returns the keeper of an account's authorizer_refresh_token.
func NewRefreshToken(s Store, appID string) *Keeper {
	return &Keeper{
		Key: credential.Key{AppID: appID, Kind: credential.RefreshToken}, life: RefreshTokenLife, store: s,
		remedy: "let the account's administrator (管理员) authorise the platform, again if they have withdrawn it",
	}
}

// Next takes the place of a value that is about to be asked for. Whoever asks later has the greater one,
// so that the order of asking, not that of the answers, decides which value is the newest.
func (k *Keeper) Next(ctx context.Context) (credential.Generation, error) {
	// The clock as a floor keeps generations growing even when Redis and every replica have forgotten.
	above := max(k.remembered().Generation, credential.Generation(max(0, time.Now().UnixMilli())))
	return k.store.NextGeneration(ctx, k.Key, above)
}

// Put keeps a value in the place that Next gave. A value whose place is older than that of the newest is
// dropped, which is no error. Where the store fails, the value is kept in memory and written back with
// the next Get, and the error returned.
func (k *Keeper) Put(ctx context.Context, place credential.Generation, value config.Secret) error {
	now := credential.Instant(time.Now())
	return k.save(ctx, credential.Credential{
		Key: k.Key, Value: value, Generation: place, ObtainedAt: now, ExpiresAt: now.Add(k.life),
	})
}

// Void ends the newest value, whoever is about to replace it.
func (k *Keeper) Void(ctx context.Context) error {
	place, err := k.Next(ctx)
	if err != nil {
		return err
	}
	c, err := k.load(ctx)
	if err != nil || !c.Exists() {
		return err
	}
	c.Generation, c.ExpiresAt = place, credential.Instant(time.Now())
	return k.save(ctx, c)
}

// Get returns the newest value. Where there is none, or it has ended, that is a fault.Precondition with
// the remedy.
func (k *Keeper) Get(ctx context.Context) (credential.Credential, error) {
	c, err := k.load(ctx)
	switch {
	case err != nil:
		return credential.Credential{}, err
	case !c.Alive(time.Now()):
		return credential.Credential{}, fault.New(fault.Precondition, "there is no valid %s of %s; %s", k.Key.Kind, k.Key.AppID, k.remedy)
	}
	return c, nil
}

// Refresh returns a value that came after the rejected one: only WeChat can bring one about.
func (k *Keeper) Refresh(ctx context.Context, rejected credential.Rejected) (credential.Credential, error) {
	c, err := k.Get(ctx)
	if err == nil && rejected.Names(c) {
		err = fault.New(fault.Precondition, "WeChat rejects the newest %s of %s; %s", k.Key.Kind, k.Key.AppID, k.remedy)
	}
	if err != nil {
		return credential.Credential{}, err
	}
	return c, nil
}

// load returns the newer of what is stored and what is remembered, and gives the store what it lacks.
func (k *Keeper) load(ctx context.Context) (credential.Credential, error) {
	stored, err := k.store.Load(ctx, k.Key)
	if err != nil && !errors.Is(err, store.ErrUnreadable) {
		return credential.Credential{}, fmt.Errorf("the %s of %s: %w", k.Key.Kind, k.Key.AppID, err)
	}
	newest := k.remember(stored)
	if newest.Generation == stored.Generation {
		return newest, nil
	}
	return newest, k.save(ctx, newest)
}

func (k *Keeper) save(ctx context.Context, c credential.Credential) error {
	k.remember(c)
	err := k.store.Save(ctx, c)
	if errors.Is(err, store.ErrStale) {
		return nil // load will find the newer one.
	}
	return err
}

func (k *Keeper) remembered() credential.Credential {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.newest
}

// remember returns the newer of c and what was known before.
func (k *Keeper) remember(c credential.Credential) credential.Credential {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.Generation >= k.newest.Generation {
		k.newest = c
	}
	return k.newest
}
