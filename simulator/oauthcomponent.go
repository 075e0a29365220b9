package simulator

import (
	"cmp"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// The grant_types of OAuth2.
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
)

// componentOAuthEndpoints are the calls of OAuth2 that a third-party platform makes for an account, with its own token
// instead of the AppSecret.
func componentOAuthEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/sns/oauth2/component/access_token":  get(forAuthorizer("code", grantCode, answerExchange)).withoutToken(),
		"/sns/oauth2/component/refresh_token": get(forAuthorizer("refresh_token", grantRefresh, answerRefresh)).withoutToken(),
		"/sns/component/jscode2session":       get(forAuthorizer("js_code", grantCode, answerSession)).withoutToken(),
	}
}

// forAuthorizer wraps a call of OAuth2 about an authorizer, which exchanges a parameter.
func forAuthorizer(parameter, grantType string, serve func(*apiRequest, *accountState, string) apiAnswer) func(*Platform, *apiRequest) apiAnswer {
	return func(p *Platform, r *apiRequest) apiAnswer {
		account, code := p.authorizerOf(r, parameter, grantType)
		if code != errcode.OK {
			return refuse(code)
		}

		return serve(r, account, r.query.Get(parameter))
	}
}

// authorizerOf finds the account in a call of OAuth2 that a third-party platform makes for it.
func (p *Platform) authorizerOf(r *apiRequest, parameter, grantType string) (*accountState, errcode.Code) {
	if code := p.authorizeComponent(r); code != errcode.OK {
		return nil, code
	}
	account, known := p.state.accounts[r.query.Get("appid")]
	_, authorized := r.state.component.refresh[r.query.Get("appid")]
	switch {
	case r.query.Get("appid") == "":
		return nil, errcode.AppIDMissing
	case r.query.Get(parameter) == "" && grantType == grantRefresh:
		return nil, errcode.OAuthRefreshMissing
	case r.query.Get(parameter) == "":
		return nil, errcode.OAuthCodeMissing
	case r.query.Get("grant_type") != grantType:
		return nil, errcode.GrantType
	case cmp.Or(r.query.Get("component_appid"), r.state.AppID) != r.state.AppID:
		return nil, errcode.Component
	case !known:
		return nil, errcode.AppID
	case !authorized:
		return nil, errcode.NotAuthorized
	}

	return account, errcode.OK
}
