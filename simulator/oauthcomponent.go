package simulator

import "cmp"

// The grant_types of OAuth2.
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
)

// getComponentUserToken serves GET /sns/oauth2/component/access_token: a third-party platform exchanges the code of an
// authorizer's user with its own token instead of the AppSecret.
func (p *Platform) getComponentUserToken(r *apiRequest) apiAnswer {
	account, refused := p.authorizerOf(r, "code", grantCode)
	if refused != codeOK {
		return refuse(refused)
	}
	grant, code := account.oauth.exchange(r.query.Get("code"), r.now)
	if code != codeOK {
		return refuse(code)
	}

	return answerGrant(r, grant)
}

// refreshComponentUserToken serves GET /sns/oauth2/component/refresh_token.
func (p *Platform) refreshComponentUserToken(r *apiRequest) apiAnswer {
	account, refused := p.authorizerOf(r, "refresh_token", grantRefresh)
	if refused != codeOK {
		return refuse(refused)
	}
	grant, code := account.oauth.refresh(r.query.Get("refresh_token"), r.now)
	if code != codeOK {
		return refuse(code)
	}

	return answerGrant(r, grant)
}

// getComponentSession serves GET /sns/component/jscode2session of mini programs.
func (p *Platform) getComponentSession(r *apiRequest) apiAnswer {
	account, refused := p.authorizerOf(r, "js_code", grantCode)
	if refused != codeOK {
		return refuse(refused)
	}

	return answerSession(r, account, r.query.Get("js_code"))
}

// authorizerOf finds the account in a call of OAuth2 that a third-party platform makes for it.
func (p *Platform) authorizerOf(r *apiRequest, parameter, grantType string) (*accountState, errcode) {
	r.hide(r.query.Get(parameter))
	if code := p.authorizeComponent(r); code != codeOK {
		return nil, code
	}
	account, known := p.state.accounts[r.query.Get("appid")]
	_, authorized := r.state.component.refresh[r.query.Get("appid")]
	switch {
	case r.query.Get("appid") == "":
		return nil, codeAppIDMissing
	case r.query.Get(parameter) == "" && grantType == grantRefresh:
		return nil, codeOAuthRefreshMissing
	case r.query.Get(parameter) == "":
		return nil, codeOAuthCodeMissing
	case r.query.Get("grant_type") != grantType:
		return nil, codeGrantType
	case cmp.Or(r.query.Get("component_appid"), r.state.AppID) != r.state.AppID:
		return nil, codeComponent
	case !known:
		return nil, codeAppID
	case !authorized:
		return nil, codeNotAuthorized
	}

	return account, codeOK
}
