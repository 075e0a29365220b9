// Package caller knows who may ask token-center for what: the callers file, the proof that a call brings,
// and the permissions of the one who brings it.
package caller

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
)

// Caller is one who was recognised. The zero value may have nothing.
type Caller struct {
	// Name is for people: the name in the callers file or, without a file, that of the certificate.
	Name string
	// Listed says that Name stands in the callers file, so that there is a bounded number of such names.
	Listed   bool
	accounts selection
	kinds    selection
}

// anybody is who calls when there is no callers file and no certificate.
const anybody = "anybody"

// MayHave reports whether the caller may have credentials of that kind of the account.
func (c Caller) MayHave(appID string, kind tokenv1.TokenKind) bool {
	return c.MaySee(appID) && c.kinds.has(KindName(kind))
}

// MaySee reports whether the caller may know of the account.
func (c Caller) MaySee(appID string) bool { return c.accounts.has(appID) }

// MayHaveKind reports whether there is an account of which the caller may have that kind.
func (c Caller) MayHaveKind(kind tokenv1.TokenKind) bool {
	return c.kinds.has(KindName(kind)) && (c.accounts.all || len(c.accounts.names) > 0)
}

// MayManage reports whether the caller may act for the third-party platform (第三方平台) with that component
// AppID: bring its verify tickets and authorisations.
func (c Caller) MayManage(appID string) bool { return c.MaySee(appID) && c.kinds.has(Platform) }

// Accounts returns the AppIDs that the caller is restricted to; all means that there is no restriction.
func (c Caller) Accounts() (appIDs []string, all bool) { return c.accounts.names, c.accounts.all }

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

// selection is a list of names, or all there are.
type selection struct {
	all   bool
	names []string
}

func (s selection) has(name string) bool { return s.all || slices.Contains(s.names, name) }

// Directory finds callers. It never changes. A nil Directory, that of a deployment without a callers file,
// lets everybody have everything.
type Directory struct {
	callers []proven
}

// proven is a caller with what proves that it is the one.
type proven struct {
	Caller

	// keys are hashed, so that comparing takes the same time however much of a guess is right, and however
	// long it is.
	keys        [][sha256.Size]byte
	certificate string
}

// Identify returns who a call comes from. A key counts more than a certificate, so a wrong one is never
// overlooked. Its error is a fault that names the remedy.
func (d *Directory) Identify(from rpc.Caller) (Caller, error) {
	switch {
	case d == nil && len(from.Names) > 0:
		return Caller{Name: from.Names[0], accounts: selection{all: true}, kinds: selection{all: true}}, nil
	case d == nil:
		return Caller{Name: anybody, accounts: selection{all: true}, kinds: selection{all: true}}, nil
	case from.Key != config.Secret{}:
		return d.byKey(from.Key)
	}
	for _, c := range d.callers {
		if c.certificate != "" && slices.Contains(from.Names, c.certificate) {
			return c.Caller, nil
		}
	}
	if len(from.Names) > 0 {
		return Caller{}, fault.New(fault.Unauthenticated,
			"none of the certificate's names (%s) is in the callers file of token-center (WX_CALLERS_FILE); add one as certificate of a caller, or send a caller key",
			strings.Join(from.Names, ", "))
	}
	return Caller{}, fault.New(fault.Unauthenticated,
		`token-center does not know who calls; send a caller key as metadata "authorization: Bearer KEY" (a key_file of WX_CALLERS_FILE; api-proxy and gateway: TOKEN_CENTER_KEY_FILE), or use mutual TLS`)
}

// byKey compares with every key, so that the time does not tell which one it is.
func (d *Directory) byKey(key config.Secret) (Caller, error) {
	sum, found := hash(key), -1
	for i, c := range d.callers {
		for _, known := range c.keys {
			if subtle.ConstantTimeCompare(sum[:], known[:]) == 1 {
				found = i
			}
		}
	}
	if found < 0 {
		return Caller{}, fault.New(fault.Unauthenticated,
			"the caller key is none of those in the callers file of token-center (WX_CALLERS_FILE); compare it with the file that key_file names there")
	}
	return d.callers[found].Caller, nil
}

func hash(key config.Secret) [sha256.Size]byte { return sha256.Sum256([]byte(key.Reveal())) }

// Len returns how many callers there are.
func (d *Directory) Len() int {
	if d == nil {
		return 0
	}
	return len(d.callers)
}

type contextKey struct{}

// NewContext returns a context that knows the caller.
func NewContext(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// FromContext returns the caller that the context knows, otherwise the zero one, which may have nothing.
func FromContext(ctx context.Context) Caller {
	c, _ := ctx.Value(contextKey{}).(Caller)
	return c
}
