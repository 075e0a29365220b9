package tokencenter

import (
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/grant"
	"github.com/wxstack/wxstack/services/token-center/internal/kind"
	"github.com/wxstack/wxstack/services/token-center/internal/lease"
	"github.com/wxstack/wxstack/services/token-center/internal/platform"
	"github.com/wxstack/wxstack/services/token-center/internal/refresh"
	"github.com/wxstack/wxstack/services/token-center/internal/server"
	"github.com/wxstack/wxstack/services/token-center/internal/spend"
	"github.com/wxstack/wxstack/wechat/account"
)

// keepers makes the keepers of all credentials. Of common everything is used that is the same for all.
type keepers struct {
	*Service
	*house

	common refresh.Config
	// former is the house that is being replaced; nil: none.
	former *house
}

// build makes a house: the keepers of each account's credentials, and the desks of the platforms. It takes over
// what the house that it replaces has in memory.
func (s *Service) build(accounts []secretAccount, former *house) *house {
	h := &house{
		refreshers: map[credential.Key]*refresh.Refresher{}, grants: map[credential.Key]*grant.Keeper{},
		desks: map[string]*platform.Desk{}, shown: make([]server.Account, len(accounts)), // in the order of the file.
	}
	k := &keepers{Service: s, house: h, former: former, common: refresh.Config{
		Store: s.store, Lease: lease.NewElector(s.redis, leaseTTL), Ledger: spend.NewRedis(s.redis),
		Metrics: s.metrics, Log: s.tel.Log,
	}}
	if s.cache != nil {
		k.common.Cache = s.cache
	}
	for _, platforms := range []bool{true, false} {
		for i, a := range accounts {
			if (a.Kind == account.KindPlatform) == platforms {
				h.shown[i] = k.open(a)
			}
		}
	}
	if former != nil {
		h.inherit(former)
	}
	return h
}

// open makes the keepers of one account's credentials. A platform must be opened before its authorizers.
func (k *keepers) open(a secretAccount) server.Account {
	kept := map[credential.Kind]*refresh.Refresher{}
	keep := func(spec kind.Spec, issuer refresh.Issuer, parent refresh.Parent) *refresh.Refresher {
		cfg := k.common
		cfg.Key = credential.Key{AppID: a.AppID, Kind: spec.Kind}
		cfg.Spec, cfg.Issuer, cfg.Parent = spec, issuer, parent
		cfg.Health = k.tel.Health.Component(componentName(cfg.Key))
		keeper := refresh.New(cfg)
		kept[spec.Kind], k.refreshers[cfg.Key] = keeper, keeper
		return keeper
	}
	spec := specOf(a)
	switch spec.Source {
	case kind.Work().Source:
		token := keep(spec, k.work.Work(a.AppID, a.secret), nil)
		keep(kind.WorkJSAPITicket(), k.work.WorkTicket(), token)
	case kind.Component().Source:
		ticket := k.granted(grant.NewTicket(k.store, a.AppID))
		token := keep(spec, k.wechat.Component(a.AppID, a.secret), ticket)
		k.desks[a.AppID] = platform.New(platform.Config{
			AppID: a.AppID, API: k.wechat.Platform(a.AppID), Ticket: ticket, Component: token,
			Authorizers: map[string]*grant.Keeper{}, Store: k.store, Ledger: k.common.Ledger,
		})
	case kind.Authorizer().Source:
		desk, granted := k.desks[a.Platform], k.granted(grant.NewRefreshToken(k.store, a.AppID))
		desk.Authorizers[a.AppID] = granted
		k.tickets(keep, keep(spec, desk.API.Authorizer(a.AppID, granted), desk.Component))
	case kind.Classic().Source:
		k.tickets(keep, keep(spec, k.wechat.Classic(a.AppID, a.secret), nil))
	default:
		k.tickets(keep, keep(spec, k.wechat.Stable(a.AppID, a.secret), nil))
	}
	shown := server.Account{
		AppID: a.AppID, OriginalID: a.OriginalID, Kind: string(a.Kind), TokenAPI: spec.Source, Credentials: kept,
	}
	if spec.Source == kind.Classic().Source || spec.Source == kind.Stable().Source {
		shown.Codes = k.wechat.Codes(a.AppID, a.secret)
	}
	return shown
}

// granted returns the keeper of the same grant that the former house has, or else the new one. It needs
// nothing of an account but the AppID, and it may hold what cannot be had again.
func (k *keepers) granted(fresh *grant.Keeper) *grant.Keeper {
	keeper := fresh
	if k.former != nil && k.former.grants[fresh.Key] != nil {
		keeper = k.former.grants[fresh.Key]
	}
	k.grants[fresh.Key] = keeper
	return keeper
}

// tickets keeps what is got with an account's access token.
func (k *keepers) tickets(keep func(kind.Spec, refresh.Issuer, refresh.Parent) *refresh.Refresher, token refresh.Parent) {
	for _, ticket := range []kind.Spec{kind.JSAPITicket(), kind.CardTicket()} {
		keep(ticket, k.wechat.Ticket(ticket.Source), token)
	}
}

// specOf returns the entry of the credential from which all others of the account come.
func specOf(a secretAccount) kind.Spec {
	switch {
	case a.Kind == account.KindWork:
		return kind.Work()
	case a.Kind == account.KindPlatform:
		return kind.Component()
	case a.Platform != "":
		return kind.Authorizer()
	case a.TokenAPI == account.TokenAPIClassic:
		return kind.Classic()
	}
	return kind.Stable()
}

// componentName is how a keeper is called in health and in the log.
func componentName(key credential.Key) string {
	if key.Kind == credential.AccessToken {
		return "token " + key.AppID
	}
	return string(key.Kind) + " " + key.AppID
}
