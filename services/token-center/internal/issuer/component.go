package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/wechat/errcode"
)

// Component returns the issuer of POST /cgi-bin/component/api_component_token, the token of a third-party
// platform (第三方平台). The parent is the platform's component_verify_ticket.
func (c *Client) Component(appID string, secret config.Secret) *Issuer {
	return &Issuer{client: c, field: "component_access_token", judge: withVerifyTicket, form: func(req credential.Request) call {
		return call{
			name: "component_access_token", method: http.MethodPost, path: "/cgi-bin/component/api_component_token",
			hidden: []config.Secret{secret, req.Parent},
			body: map[string]any{
				"component_appid": appID, "component_appsecret": secret.Reveal(), "component_verify_ticket": req.Parent.Reveal(),
			},
		}
	}}
}

// The codes of the component interfaces that decide something here. Source: 第三方平台, 返回码.
const (
	ticketExpired       errcode.Code = 61005
	ticketInvalid       errcode.Code = 61006
	refreshTokenInvalid errcode.Code = 61023
)

// withVerifyTicket judges where both a secret and a ticket may be rejected.
func withVerifyTicket(code errcode.Code) (errcode.Class, error) {
	if code == ticketExpired || code == ticketInvalid {
		return errcode.TokenRejected, credential.ErrParentRejected
	}
	return errcode.FromTokenEndpoint(code), nil
}

// withRefreshToken judges where the parent and a refresh token may be rejected.
func withRefreshToken(code errcode.Code) (errcode.Class, error) {
	if code == refreshTokenInvalid {
		return errcode.Unauthorized, nil
	}
	return withParent(code)
}

// Grant keeps the refresh token of an account that has authorised a platform; package grant has one.
type Grant interface {
	Next(ctx context.Context) (credential.Generation, error)
	Get(ctx context.Context) (credential.Credential, error)
	Put(ctx context.Context, place credential.Generation, value config.Secret) error
}

// Authorizer asks for the access token of an account through the platform that it has authorised.
type Authorizer struct {
	platform *Platform
	appID    string
	grant    Grant
}

// Issue is as Issuer.Issue, with POST /cgi-bin/component/api_authorizer_token. The parent is the platform's
// component_access_token. Each answer brings the refresh token of the next request: without having kept
// that, Issue fails, so that it is soon tried again. One that WeChat no longer knows is looked up once in its
// list.
func (a *Authorizer) Issue(ctx context.Context, req credential.Request) (credential.Issued, error) {
	place, err := a.grant.Next(ctx)
	if err != nil {
		return credential.Issued{}, fault.Wrap(fault.Unavailable, fmt.Errorf("%w: %w", credential.ErrNotSent, err),
			"the token store (Redis) does not answer; try again")
	}
	refresh, err := a.refreshToken(ctx, req.Parent)
	if err != nil {
		return credential.Issued{}, err
	}
	issued, err := a.renew(ctx, req.Parent, refresh, place)
	if refused, ok := errors.AsType[*credential.RefusalError](err); !ok || refused.Code != refreshTokenInvalid {
		return issued, err
	}
	// Somebody else may have got a newer one that was not kept, or lost its place to an older one.
	listed, found, listErr := a.platform.listed(ctx, req.Parent, a.appID)
	switch {
	case listErr != nil:
		return credential.Issued{}, listErr
	case !found || listed == refresh:
		return credential.Issued{}, err
	}
	return a.renew(ctx, req.Parent, listed, place)
}

// renew makes one request, with a refresh token, and keeps the next one in its place.
func (a *Authorizer) renew(ctx context.Context, token, refresh config.Secret, place credential.Generation) (credential.Issued, error) {
	call := a.platform.call("access_token of an authorizer", "api_authorizer_token", token, map[string]any{
		"authorizer_appid": a.appID, "authorizer_refresh_token": refresh.Reveal(),
	})
	call.hidden = append(call.hidden, refresh)
	body, err := a.platform.client.send(ctx, call)
	if err != nil {
		return credential.Issued{}, err
	}
	issued, err := call.parse(body, "authorizer_access_token", withRefreshToken)
	if err != nil {
		return credential.Issued{}, err
	}
	if err := a.keep(ctx, call, body, place); err != nil {
		return credential.Issued{}, err
	}
	return issued, nil
}

// refreshToken returns the one that is kept. Where none is, because the store lost it or the code that would
// have brought it got lost, WeChat's list of authorizers may have it.
func (a *Authorizer) refreshToken(ctx context.Context, token config.Secret) (config.Secret, error) {
	kept, err := a.grant.Get(ctx)
	switch {
	case err == nil:
		return kept.Value, nil
	case fault.KindOf(err) != fault.Precondition:
		return config.Secret{}, fault.Wrap(fault.Unavailable, fmt.Errorf("%w: %w", credential.ErrNotSent, err),
			"the token store (Redis), where the authorizer_refresh_token lies, does not answer; try again")
	}
	listed, found, listErr := a.platform.listed(ctx, token, a.appID)
	switch {
	case listErr != nil:
		return config.Secret{}, listErr
	case !found:
		return config.Secret{}, err
	}
	return listed, nil
}

// keepTimeout bounds the keeping of a refresh token, which is tried even when the work was cancelled.
const keepTimeout = 3 * time.Second

func (a *Authorizer) keep(ctx context.Context, call call, body []byte, place credential.Generation) error {
	var answer struct {
		RefreshToken json.RawMessage `json:"authorizer_refresh_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return call.malformed("is not the JSON it should be")
	}
	value, ok := call.value(answer.RefreshToken)
	if !ok {
		return call.malformed("has no usable authorizer_refresh_token")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	if err := a.grant.Put(ctx, place, value); err != nil {
		return fault.Wrap(fault.Unavailable, fmt.Errorf("%w: %w", credential.ErrUncertain, err),
			"the new authorizer_refresh_token could not be stored (Redis); it is kept in memory, try again")
	}
	return nil
}

// Platform makes the calls of one third-party platform. Each carries its component_access_token; one that
// WeChat rejects is credential.ErrParentRejected.
type Platform struct {
	client *Client
	appID  string
}

// Platform returns the calls of the platform with that component AppID.
func (c *Client) Platform(appID string) *Platform { return &Platform{client: c, appID: appID} }

// Authorizer returns the issuer of the access token of an account that has authorised the platform.
func (p *Platform) Authorizer(appID string, grant Grant) *Authorizer {
	return &Authorizer{platform: p, appID: appID, grant: grant}
}

// call forms a call of the platform's, which names itself in each. The query's parameter has the older name,
// which is the common one.
func (p *Platform) call(name, api string, token config.Secret, parameters map[string]any) call {
	body := map[string]any{"component_appid": p.appID}
	maps.Copy(body, parameters)
	return call{
		name: name, method: http.MethodPost, path: "/cgi-bin/component/" + api, hidden: []config.Secret{token},
		query: url.Values{"component_access_token": {token.Reveal()}}, body: body,
	}
}

// PreAuthCode asks for a pre_auth_code (预授权码), with which one account's administrator can authorise the
// platform once. Source: 第三方平台, 获取预授权码.
func (p *Platform) PreAuthCode(ctx context.Context, token config.Secret) (credential.Issued, error) {
	call := p.call("pre_auth_code", "api_create_preauthcode", token, nil)
	body, err := p.client.send(ctx, call)
	if err != nil {
		return credential.Issued{}, err
	}
	return call.parse(body, "pre_auth_code", withParent)
}

// Of WeChat's list of authorizers so many are asked for at once, which fit into an answer, and in all.
const (
	listPage  = 100
	listPages = 100
)

// listed looks an account's refresh token up in the list of those that have authorised the platform.
// Source: 第三方平台, 拉取已授权的账号信息 (api_get_authorizer_list).
func (p *Platform) listed(ctx context.Context, token config.Secret, appID string) (refresh config.Secret, found bool, err error) {
	for page := range listPages {
		call := p.call("list of authorizers", "api_get_authorizer_list", token, map[string]any{"offset": page * listPage, "count": listPage})
		body, err := p.client.send(ctx, call)
		if err != nil {
			return config.Secret{}, false, err
		}
		if err := call.refusal(body, withParent); err != nil {
			return config.Secret{}, false, err
		}
		var answer struct {
			List []struct {
				AppID        string          `json:"authorizer_appid"`
				RefreshToken json.RawMessage `json:"refresh_token"`
			} `json:"list"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return config.Secret{}, false, call.malformed("is not the JSON it should be")
		}
		for _, one := range answer.List {
			if one.AppID == appID {
				refresh, found = call.value(one.RefreshToken)
				return refresh, found, nil
			}
		}
		if len(answer.List) < listPage {
			break
		}
	}
	return config.Secret{}, false, nil
}

// Authorization is what an account's administrator has granted to a platform.
type Authorization struct {
	// AppID is the account's, the authorizer's.
	AppID        string
	AccessToken  credential.Issued
	RefreshToken config.Secret
	// Functions are the ids of the permission sets (权限集).
	Functions []int32
}

// Exchange gives an authorization_code (授权码) for the tokens of the account. A code can be used once, within
// an hour. Source: 第三方平台, 使用授权码获取授权信息.
func (p *Platform) Exchange(ctx context.Context, token, code config.Secret) (Authorization, error) {
	call := p.call("authorization", "api_query_auth", token, map[string]any{"authorization_code": code.Reveal()})
	call.hidden = append(call.hidden, code)
	body, err := p.client.send(ctx, call)
	if err != nil {
		return Authorization{}, err
	}
	return call.parseAuthorization(body)
}

func (c call) parseAuthorization(body []byte) (Authorization, error) {
	if err := c.refusal(body, withParent); err != nil {
		return Authorization{}, err
	}
	var answer struct {
		Info struct {
			AppID        string          `json:"authorizer_appid"`
			AccessToken  json.RawMessage `json:"authorizer_access_token"`
			ExpiresIn    json.RawMessage `json:"expires_in"`
			RefreshToken json.RawMessage `json:"authorizer_refresh_token"`
			Functions    []struct {
				Category struct {
					ID int32 `json:"id"`
				} `json:"funcscope_category"`
			} `json:"func_info"`
		} `json:"authorization_info"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return Authorization{}, c.malformed("is not the JSON it should be")
	}
	a := Authorization{AppID: answer.Info.AppID}
	var access, life, refresh bool
	a.AccessToken.Value, access = c.value(answer.Info.AccessToken)
	a.AccessToken.Life, life = c.life(answer.Info.ExpiresIn)
	a.RefreshToken, refresh = c.value(answer.Info.RefreshToken)
	switch {
	case !isAppID(a.AppID):
		return Authorization{}, c.malformed("has no usable authorizer_appid")
	case !access || !life || !refresh:
		return Authorization{}, c.malformed("lacks a usable authorizer_access_token, expires_in or authorizer_refresh_token")
	}
	for _, f := range answer.Info.Functions {
		a.Functions = append(a.Functions, f.Category.ID)
	}
	return a, nil
}

// isAppID keeps out what could not be part of a Redis key.
func isAppID(s string) bool {
	const longest = 64
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= longest
}
