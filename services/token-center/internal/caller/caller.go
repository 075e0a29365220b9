// Package caller knows who may ask token-center for what: the callers file, the proof that a call brings,
// and the permissions of the one who brings it.
package caller

import (
	"context"
	"slices"
	"strings"

	"github.com/wxstack/wxstack/chassis/callers"
	"github.com/wxstack/wxstack/chassis/rpc"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
)

// Caller is one who was recognised. The zero value may have nothing.
type Caller struct {
	// Name is for people: the name in the callers file or, without a file, that of the certificate.
	Name string
	// Listed says that Name stands in the callers file, so that there is a bounded number of such names.
	Listed   bool
	accounts callers.Names
	kinds    callers.Names
}

// anybody is who calls when there is no callers file and no certificate.
const anybody = "anybody"

var everything = callers.Names{callers.Everything}

// MayHave reports whether the caller may have credentials of that kind of the account.
func (c Caller) MayHave(appID string, kind tokenv1.TokenKind) bool {
	return c.MaySee(appID) && c.kinds.Has(KindName(kind))
}

// MaySee reports whether the caller may know of the account.
func (c Caller) MaySee(appID string) bool { return c.accounts.Has(appID) }

// MayHaveKind reports whether there is an account of which the caller may have that kind.
func (c Caller) MayHaveKind(kind tokenv1.TokenKind) bool {
	return c.kinds.Has(KindName(kind)) && len(c.accounts) > 0
}

// MayManage reports whether the caller may act for the third-party platform (第三方平台) with that component
// AppID: bring its verify tickets and authorisations.
func (c Caller) MayManage(appID string) bool { return c.MaySee(appID) && c.kinds.Has(Platform) }

// Accounts returns the AppIDs that the caller is restricted to; all means that there is no restriction.
func (c Caller) Accounts() (appIDs []string, all bool) {
	return slices.Compact(slices.Sorted(slices.Values(c.accounts))), c.accounts.All()
}

// MayExchange reports whether the caller may give the codes of the account's users for their tokens.
func (c Caller) MayExchange(appID string) bool { return c.MaySee(appID) && c.kinds.Has(OAuth) }

// OAuth stands among the kinds of the callers file for ExchangeCode.
const OAuth = "oauth"

// Platform stands among the kinds of the callers file for the methods of PlatformService.
const Platform = "platform"

const kindPrefix = "TOKEN_KIND_"

// KindName returns the name of a kind as the callers file has it, such as access_token.
func KindName(kind tokenv1.TokenKind) string {
	if kind == tokenv1.TokenKind_TOKEN_KIND_UNSPECIFIED {
		kind = tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN
	}
	return strings.ToLower(strings.TrimPrefix(kind.String(), kindPrefix))
}

// Directory finds callers. It never changes. A nil Directory, that of a deployment without a callers file,
// lets everybody have everything.
type Directory callers.Directory[Caller]

// Identify returns who a call comes from, as callers.Directory does.
func (d *Directory) Identify(from rpc.Caller) (Caller, error) {
	switch {
	case d != nil:
		return (*callers.Directory[Caller])(d).Identify(from)
	case len(from.Names) > 0:
		return Caller{Name: from.Names[0], accounts: everything, kinds: everything}, nil
	}
	return Caller{Name: anybody, accounts: everything, kinds: everything}, nil
}

// NewContext returns a context that knows the caller.
func NewContext(ctx context.Context, c Caller) context.Context { return callers.NewContext(ctx, c) }

// FromContext returns the caller that the context knows, otherwise the zero one, which may have nothing.
func FromContext(ctx context.Context) Caller { return callers.FromContext[Caller](ctx) }
