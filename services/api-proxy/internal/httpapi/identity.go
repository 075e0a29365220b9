package httpapi

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/wechat/errcode"

	"github.com/wxstack/wxstack/services/api-proxy/internal/caller"
	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
	"github.com/wxstack/wxstack/services/api-proxy/internal/virtual"
)

// Callers knows who may call.
type Callers interface{ Current() *caller.Directory }

// verdict is a refusal in WeChat's own words, with HTTP 200, because SDKs act on it: they fetch another token and
// try again.
type verdict struct {
	code    errcode.Code
	message string
}

func (v *verdict) Error() string { return v.message }

// bearer returns the caller key of a request, if it brings one.
func bearer(r *http.Request) config.Secret {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return config.Secret{}
	}
	return config.NewSecret(strings.TrimSpace(key))
}

// keyOf returns the caller key of a request. Calls that take the AppSecret have it in its place.
func keyOf(r *http.Request, t target.Target, e endpoint.Endpoint) config.Secret {
	if key := bearer(r); key != (config.Secret{}) || e.Token != endpoint.Secret {
		return key
	}
	query, err := url.ParseQuery(t.Query)
	if err != nil {
		return config.Secret{}
	}
	return config.NewSecret(query.Get("secret"))
}

// identify returns who calls and the account that is meant, which is empty if the call does not say. A key counts
// more than a token, so that a wrong one is never overlooked.
func (h *Handler) identify(r *http.Request, t target.Target, e endpoint.Endpoint) (caller.Caller, string, error) {
	callers, account := h.callers.Current(), r.Header.Get(AppIDHeader)
	sent := t.Token(e.Token.Parameter())
	token, text, signature, err := virtual.Split(sent)
	key := keyOf(r, t, e)
	if anonymous := callers.Anonymous(); key == (config.Secret{}) && err != nil && e.Token == endpoint.None && anonymous.MayCall(e, r.Method, t.Path) {
		return anonymous, account, nil
	}
	if errors.Is(err, virtual.ErrForeign) || key != (config.Secret{}) {
		// An SDK that still has a token of WeChat's in its cache gets on by itself.
		stale := sent != "" && e.Token != endpoint.None
		return identifyByKey(callers, key, stale, account)
	}
	who, ok := callers.Verify(token, text, signature)
	switch {
	case !ok:
		return who, "", &verdict{errcode.InvalidCredential, "invalid credential, access_token is not one of this proxy's: the caller's key has changed, or the caller is gone; fetch another from /cgi-bin/token"}
	case callers != nil && token.Expired(time.Now()):
		return who, "", &verdict{errcode.AccessTokenExpired, "access_token expired; fetch another from /cgi-bin/token"}
	case account != "" && account != token.AppID:
		return who, "", fault.New(fault.Invalid, "header X-WX-AppID names another account than the access_token; leave one of them out")
	}
	return who, token.AppID, nil
}

// identifyByKey returns who calls with a key, or with nothing that is known here.
func identifyByKey(callers *caller.Directory, key config.Secret, stale bool, account string) (caller.Caller, string, error) {
	who, err := callers.Identify(rpc.Caller{Key: key})
	if err != nil && stale && key == (config.Secret{}) {
		err = &verdict{errcode.InvalidCredential, "invalid credential, access_token is not one of this proxy's; fetch one from /cgi-bin/token with the caller key as secret"}
	}
	return who, account, err
}
