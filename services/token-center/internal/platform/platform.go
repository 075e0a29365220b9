// Package platform does what a third-party platform (第三方平台) needs besides tokens that are renewed: it
// takes the component_verify_ticket, gets codes for authorisations, exchanges what they bring for the
// tokens of an account, and voids those of an account that has withdrawn.
package platform

import (
	"context"
	"errors"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/grant"
	"github.com/wxstack/wxstack/services/token-center/internal/issuer"
	"github.com/wxstack/wxstack/services/token-center/internal/kind"
	"github.com/wxstack/wxstack/services/token-center/internal/refresh"
	"github.com/wxstack/wxstack/services/token-center/internal/spend"
	"github.com/wxstack/wxstack/services/token-center/internal/store"
)

// Ledger counts what WeChat counts; package spend has one.
type Ledger interface {
	Take(ctx context.Context, key credential.Key, limit spend.Limit, now time.Time) (time.Duration, error)
}

// Config is what a Desk works with. All fields are required.
type Config struct {
	AppID  string
	API    *issuer.Platform
	Ticket *grant.Keeper
	// Component keeps the component_access_token.
	Component *refresh.Refresher
	// Authorizers are the accounts in the accounts file that have authorised the platform, with the
	// keepers of their refresh tokens.
	Authorizers map[string]*grant.Keeper
	Store       grant.Store
	Ledger      Ledger
}

// Desk serves one platform.
type Desk struct{ Config }

// New returns a Desk.
func New(cfg Config) *Desk { return &Desk{cfg} }

// earliest is how far ahead of our clock a push may have been made: a wrong time must not keep out the
// tickets of hours.
const earliest = 10 * time.Minute

// StoreTicket keeps a component_verify_ticket that WeChat made at that time, unless a newer one is there.
func (d *Desk) StoreTicket(ctx context.Context, ticket config.Secret, made time.Time) error {
	if made.After(time.Now().Add(earliest)) {
		return fault.New(fault.Invalid, "create_time: lies in the future; check the clocks")
	}
	if err := d.Ticket.Put(ctx, credential.Generation(max(1, made.Unix())), ticket); err != nil {
		return unavailable(err)
	}
	d.Component.Notify()
	return nil
}

// PreAuthCode returns a new pre_auth_code (预授权码).
func (d *Desk) PreAuthCode(ctx context.Context) (credential.Issued, error) {
	limit := kind.PreAuthCodes()
	wait, err := d.Ledger.Take(ctx, credential.Key{AppID: d.AppID, Kind: "pre_auth_code"}, limit, time.Now())
	switch {
	case err != nil:
		return credential.Issued{}, unavailable(err)
	case wait > 0:
		return credential.Issued{}, fault.New(fault.Throttled,
			"the allowance of pre_auth_codes of %s is used up (%d in %v, %d a day)", d.AppID, limit.Burst, limit.Span, limit.PerDay).WithRetryAfter(wait)
	}
	return refresh.Carrying(ctx, d.Component, d.API.PreAuthCode)
}

// Exchange gives an authorization_code (授权码) for the tokens of the account and keeps them. configured
// tells whether the account is in the accounts file.
func (d *Desk) Exchange(ctx context.Context, code config.Secret) (a issuer.Authorization, configured bool, err error) {
	begun := credential.Instant(time.Now())
	a, err = refresh.Carrying(ctx, d.Component, func(ctx context.Context, token config.Secret) (issuer.Authorization, error) {
		return d.API.Exchange(ctx, token, code)
	})
	if err != nil {
		return issuer.Authorization{}, false, err
	}
	// The code is used up: what it brought is kept even where the caller has left.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	keeper, configured := d.Authorizers[a.AppID]
	if !configured { // it may authorise the platform all the same, and its token must not be lost.
		keeper = grant.NewRefreshToken(d.Store, a.AppID)
	}
	// The refresh token goes first: with it, the access token can be had again.
	if err := put(ctx, keeper, a.RefreshToken); err != nil {
		return issuer.Authorization{}, false, unavailable(err)
	}
	if configured { // otherwise it may be an account with a secret of its own, whose token is another.
		if err := d.keep(ctx, a, begun); err != nil {
			return issuer.Authorization{}, false, unavailable(err)
		}
	}
	return a, configured, nil
}

func put(ctx context.Context, keeper *grant.Keeper, token config.Secret) error {
	place, err := keeper.Next(ctx)
	if err != nil {
		return err
	}
	return keeper.Put(ctx, place, token)
}

// keepTimeout bounds what must be kept.
const keepTimeout = 5 * time.Second

// keep saves the access token as whoever keeps it would have done.
func (d *Desk) keep(ctx context.Context, a issuer.Authorization, begun time.Time) error {
	key := credential.Key{AppID: a.AppID, Kind: credential.AccessToken}
	generation, err := d.Store.NextGeneration(ctx, key, credential.Generation(max(0, begun.UnixMilli())))
	if err != nil {
		return err
	}
	err = d.Store.Save(ctx, credential.Credential{
		Key: key, Value: a.AccessToken.Value, Generation: generation, ObtainedAt: begun, ExpiresAt: begun.Add(a.AccessToken.Life),
	})
	if errors.Is(err, store.ErrStale) {
		return nil
	}
	return err
}

// Revoke voids the tokens of an account that has withdrawn its authorisation. The access token ends too,
// so that nobody goes on using it.
func (d *Desk) Revoke(ctx context.Context, appID string) error {
	keeper, configured := d.Authorizers[appID]
	if !configured {
		return fault.New(fault.NotFound, "authorizer_app_id: %q is not in the accounts file (WX_ACCOUNTS_FILE) with platform: %s",
			credential.ShownAppID(appID), d.AppID)
	}
	if err := keeper.Void(ctx); err != nil {
		return unavailable(err)
	}
	c, err := d.Store.Load(ctx, credential.Key{AppID: appID, Kind: credential.AccessToken})
	if errors.Is(err, store.ErrUnreadable) || (err == nil && !c.Exists()) {
		return nil
	}
	if err == nil {
		err = d.Store.Save(ctx, c.Amended(credential.Instant(time.Now())))
	}
	if err != nil && !errors.Is(err, store.ErrStale) {
		return unavailable(err)
	}
	return nil
}

func unavailable(err error) error {
	return fault.Wrap(fault.Unavailable, err, "the token store (Redis) does not answer; try again")
}
