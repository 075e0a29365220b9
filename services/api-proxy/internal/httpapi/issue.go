package httpapi

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"

	"github.com/wxstack/wxstack/services/api-proxy/internal/caller"
	"github.com/wxstack/wxstack/services/api-proxy/internal/credential"
	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/forward"
	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
	"github.com/wxstack/wxstack/services/api-proxy/internal/virtual"
)

// Tokens gives the accounts' real tokens, of which callers get to see the remaining life.
type Tokens interface {
	Account(ctx context.Context, asked string) (string, error)
	Token(ctx context.Context, appID string) (credential.Token, error)
	Renew(ctx context.Context, rejected credential.Token) (credential.Token, error)
}

// issuer answers /cgi-bin/token, /cgi-bin/stable_token and api_component_token with virtual tokens.
type issuer struct {
	callers            Callers
	tokens, components Tokens
	log                *slog.Logger

	mu sync.Mutex
	// given holds the generation whose virtual token each caller got last from this process. Callers and
	// accounts are known ones, so it is bounded.
	given map[holder]uint64
}

type holder struct{ caller, appID string }

// request is what SDKs ask with: the parameters of both endpoints.
type request struct {
	GrantType    string `json:"grant_type"`
	AppID        string `json:"appid"`
	Secret       string `json:"secret"`
	ForceRefresh bool   `json:"force_refresh"`

	// Those of a third-party platform have names of their own.
	ComponentAppID  string `json:"component_appid"`
	ComponentSecret string `json:"component_appsecret"`
}

// maxRequest is far beyond the length of the parameters.
const maxRequest = 16 << 10

// readRequest reads the parameters where WeChat expects them and complains as WeChat does.
func readRequest(r *http.Request, t target.Target, e endpoint.Endpoint) (request, error) {
	var asked request
	switch {
	case !slices.Contains(e.Methods, r.Method) && e.Methods[0] == http.MethodGet:
		return asked, &verdict{43001, "require GET method"}
	case !slices.Contains(e.Methods, r.Method):
		return asked, &verdict{43002, "require POST method"}
	case r.Method == http.MethodGet:
		query, err := url.ParseQuery(t.Query)
		if err != nil {
			return asked, fault.New(fault.Invalid, "the query of %s cannot be read; percent-encode its values", e.Path)
		}
		asked = request{GrantType: query.Get("grant_type"), AppID: query.Get("appid"), Secret: query.Get("secret")}
	default:
		body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
		if err != nil || json.Unmarshal(body, &asked) != nil {
			return asked, &verdict{47001, "data format error: the body is no JSON object with grant_type, appid and secret"}
		}
	}
	if e.Token == endpoint.VirtualComponent {
		asked = request{GrantType: "client_credential", AppID: asked.ComponentAppID, Secret: asked.ComponentSecret}
	}
	switch {
	case asked.AppID == "":
		return asked, &verdict{41002, "appid missing"}
	case asked.GrantType != "client_credential":
		return asked, &verdict{40002, "invalid grant_type, it must be client_credential"}
	}
	return asked, nil
}

// issue answers a request for a token. Whoever asks again gets the current one, as with stable_token.
func (i *issuer) issue(r *http.Request, t target.Target, e endpoint.Endpoint) (*forward.Answer, error) {
	asked, err := readRequest(r, t, e)
	if err != nil {
		return nil, err
	}
	key := bearer(r)
	if key == (config.Secret{}) {
		key = config.NewSecret(asked.Secret)
	}
	callers := i.callers.Current()
	who, err := callers.Identify(rpc.Caller{Key: key})
	if err != nil {
		return nil, err
	}
	source := i.tokens
	if e.Token == endpoint.VirtualComponent {
		source = i.components
	}
	token, err := i.token(r.Context(), source, who, asked)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	text, ok := callers.Issue(virtual.Token{
		Caller: who.Name, AppID: token.AppID, Generation: token.Generation, Expires: token.ExpireTime.Unix(),
	})
	if !ok {
		return nil, fault.New(fault.Internal, "caller %q has no key", who.Name) // it came with one.
	}
	i.log.DebugContext(r.Context(), "virtual token given", "caller", who.Name, "app_id", token.AppID, "generation", token.Generation)
	return forward.JSONAnswer(map[string]any{e.Token.Parameter(): text, "expires_in": int64(token.Expires.Sub(now).Seconds())})
}

// token returns the account's real token, after a refresh if one is asked for.
func (i *issuer) token(ctx context.Context, source Tokens, who caller.Caller, asked request) (credential.Token, error) {
	if !who.MayUse(asked.AppID) {
		return credential.Token{}, who.DenyAccount(asked.AppID)
	}
	appID, err := source.Account(ctx, asked.AppID)
	if err != nil {
		return credential.Token{}, err
	}
	token, err := source.Token(ctx, appID)
	if err != nil {
		return credential.Token{}, err
	}
	if asked.ForceRefresh && i.isCurrent(who, token) {
		token = i.refresh(ctx, source, who, token)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.given[holder{who.Name, appID}] = token.Generation
	return token, nil
}

// isCurrent compares: who has seen an older token than the current one need not have it refreshed.
func (i *issuer) isCurrent(who caller.Caller, token credential.Token) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	last, known := i.given[holder{who.Name, token.AppID}]
	return !known || last == token.Generation
}

// refresh asks for a newer token within token-center's budget. Without one the current one stays, as with
// WeChat, which refreshes nothing within 30 s of the last time.
func (i *issuer) refresh(ctx context.Context, source Tokens, who caller.Caller, token credential.Token) credential.Token {
	newer, err := source.Renew(ctx, token)
	if err != nil {
		i.log.WarnContext(ctx, "force_refresh without effect", "caller", who.Name, "app_id", token.AppID, "generation", token.Generation, "error", err)
		return token
	}
	i.log.InfoContext(ctx, "token refreshed on demand", "audit", true, "caller", who.Name, "app_id", newer.AppID, "generation", newer.Generation)
	return newer
}
