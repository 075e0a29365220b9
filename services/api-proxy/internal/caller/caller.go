// Package caller knows who may call what through api-proxy, and how often: the callers file, and the
// permissions and limits of each caller.
package caller

import (
	"context"
	"slices"

	"github.com/wxstack/wxstack/chassis/callers"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"

	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/limit"
	"github.com/wxstack/wxstack/services/api-proxy/internal/virtual"
)

// Caller is one who was recognised. The zero value may do nothing.
type Caller struct {
	// Name is for people: the name in the callers file or, without a file, that of the certificate.
	Name string
	// Listed says that Name stands in the callers file, so that there is a bounded number of such names.
	Listed bool

	accounts callers.Names
	// everything is who may call what is not even listed: anybody, where there is no callers file.
	everything  bool
	apis        []endpoint.Pattern
	except      []endpoint.Pattern
	batch       bool
	limits      []bound
	allowances  map[string]allowance // by path of the endpoint table
	sharedRules *shared
}

// anybody is who calls when there is no callers file and no certificate.
const anybody = "anybody"

// unlisted stands in metrics for all callers that no file names, because a label needs a bounded number of values.
const unlisted = "unlisted"

// Label is the name for metrics.
func (c Caller) Label() string {
	if c.Listed {
		return c.Name
	}
	return unlisted
}

// MayUse reports whether the caller may call in the name of the account.
func (c Caller) MayUse(appID string) bool { return c.accounts.Has(appID) }

// OnlyAccount returns the account that is meant when the caller names none; empty if it may use several.
func (c Caller) OnlyAccount() string {
	if len(c.accounts) == 1 && !c.accounts.All() {
		return c.accounts[0]
	}
	return ""
}

// MayCall reports whether the caller may call a canonical path, of which the table knows e.
func (c Caller) MayCall(e endpoint.Endpoint, method, path string) bool {
	if slices.ContainsFunc(c.except, func(p endpoint.Pattern) bool { return p.Bars(e, method, path) }) {
		return false
	}
	return c.everything || slices.ContainsFunc(c.apis, func(p endpoint.Pattern) bool { return p.Covers(e, method, path) })
}

// DenyAccount returns what the caller is told when it may not use the account that it asked for.
func (c Caller) DenyAccount(asked string) error {
	return fault.New(fault.Forbidden,
		"caller %q may not call in the name of account %.64q; if it should, add it to accounts of its entry in the callers file of api-proxy (WX_CALLERS_FILE)", c.Name, asked)
}

// DenyCall returns what the caller is told when it may not call that path.
func (c Caller) DenyCall(method, path string) error {
	return fault.New(fault.Forbidden,
		"caller %q may not call %s %s; if it should, add it to apis of its entry in the callers file of api-proxy (WX_CALLERS_FILE)", c.Name, method, path)
}

// Ask returns what a call of the endpoint by this caller counts towards.
func (c Caller) Ask(appID, date string, e endpoint.Endpoint) (limit.Ask, limit.Fallback) {
	ask := limit.Ask{AppID: appID, Day: limit.Day{
		Date: date, Endpoint: e.Path, Caller: c.Label(), Known: int64(e.Daily),
	}}
	fallback := limit.Local
	if c.sharedRules != nil {
		fallback = c.sharedRules.without
		if c.batch {
			ask.Day.Leave = c.sharedRules.reserve
		}
		for _, b := range c.sharedRules.limits {
			if b.concerns(appID, e.Class) {
				bucket := b.bucket("all")
				if c.batch {
					bucket.Leave = bucket.Rate.Burst * int(c.sharedRules.reserve) / 1000
				}
				ask.Buckets = append(ask.Buckets, bucket)
			}
		}
	}
	for _, b := range c.limits {
		if b.concerns(appID, e.Class) {
			ask.Buckets = append(ask.Buckets, b.bucket(c.Name))
		}
	}
	if a, ok := c.allowances[e.Path]; ok {
		ask.Day.Max, ask.Day.Share = a.calls, a.share
	}
	return ask, fallback
}

// bound is a rate for a class of endpoints, or for all of them together.
type bound struct {
	class    string // callers.Everything for all
	accounts callers.Names
	rate     limit.Rate
}

func (b bound) concerns(appID, class string) bool {
	return (b.class == class || b.class == callers.Everything) && (len(b.accounts) == 0 || b.accounts.Has(appID))
}

// bucket is one of an account's, so its name need not tell which account.
func (b bound) bucket(owner string) limit.Bucket {
	return limit.Bucket{Name: owner + ":" + b.class, Rate: b.rate}
}

// allowance bounds the calls of a day to one endpoint.
type allowance struct {
	calls int64
	share limit.Permille
}

// shared are the rules that concern all callers together.
type shared struct {
	limits    []bound
	anonymous []endpoint.Pattern
	reserve   limit.Permille
	without   limit.Fallback
}

// Directory finds callers. It never changes. A nil Directory, that of a deployment without a callers file,
// lets everybody do everything.
type Directory struct {
	listed    *callers.Directory[Caller]
	anonymous Caller
}

// nameless is the name of who brings a user's token, where the callers file lets it.
const nameless = "anonymous"

// Anonymous returns who calls without a proof.
func (d *Directory) Anonymous() Caller {
	if d == nil {
		return nobodyAsked(anybody)
	}
	return d.anonymous
}

// Identify returns who a call comes from, as callers.Directory does.
func (d *Directory) Identify(from rpc.Caller) (Caller, error) {
	switch {
	case d != nil:
		return d.listed.Identify(from)
	case len(from.Names) > 0:
		return nobodyAsked(from.Names[0]), nil
	}
	return nobodyAsked(anybody), nil
}

// nobodyAsked is a caller where nobody has to prove anything.
func nobodyAsked(name string) Caller {
	return Caller{Name: name, accounts: callers.Names{callers.Everything}, everything: true}
}

// Issue makes a virtual token of that caller. It reports false for one that has no key to sign it with.
func (d *Directory) Issue(t virtual.Token) (string, bool) {
	if d == nil {
		return virtual.Join(t.Text(), nil), true // it proves nothing, where nobody has to prove anything.
	}
	signature, ok := d.listed.Sign(t.Caller, t.Text())
	return virtual.Join(t.Text(), signature), ok
}

// Verify returns the caller of a virtual token that was read like this, if it is one of this house's.
func (d *Directory) Verify(t virtual.Token, text virtual.Text, signature []byte) (Caller, bool) {
	if d == nil {
		return nobodyAsked(anybody), true
	}
	return d.listed.Verify(t.Caller, text, signature)
}

// FromContext returns the caller that the context knows, otherwise the zero one, which may do nothing.
func FromContext(ctx context.Context) Caller { return callers.FromContext[Caller](ctx) }
