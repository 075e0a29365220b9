package simulator

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

func oauthEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/sns/oauth2/access_token":  get((*Platform).getUserToken).withoutToken(),
		"/sns/oauth2/refresh_token": get((*Platform).refreshUserToken).withoutToken(),
		"/sns/userinfo":             get((*Platform).getUserProfile).withoutToken(),
		"/sns/auth":                 get((*Platform).checkUserToken).withoutToken(),
		"/sns/jscode2session":       get((*Platform).getSession).withoutToken(),
	}
}

// clientOf checks the account's credentials in a call of OAuth2, and that what is
// exchanged is there.
func (p *Platform) clientOf(r *apiRequest, parameter string) (*accountState, string, errcode.Code) {
	asked := credentials{AppID: r.query.Get("appid"), Secret: r.query.Get("secret")}
	code := r.query.Get(parameter)
	r.account = asked.AppID
	switch {
	case asked.AppID == "":
		return nil, "", errcode.AppIDMissing
	case asked.Secret == "":
		return nil, "", errcode.SecretMissing
	case code == "":
		return nil, "", errcode.OAuthCodeMissing
	case r.query.Get("grant_type") != grantCode:
		return nil, "", errcode.GrantType
	}
	account, refused := p.authenticateAs(KindAccount, asked)

	return account, code, refused
}

// getUserToken serves GET /sns/oauth2/access_token.
func (p *Platform) getUserToken(r *apiRequest) apiAnswer {
	account, value, code := p.clientOf(r, "code")
	if code != errcode.OK {
		return refuse(code)
	}

	return answerExchange(r, account, value)
}

// answerExchange gives the tokens for a code.
func answerExchange(r *apiRequest, account *accountState, value string) apiAnswer {
	grant, code := account.oauth.exchange(value, r.now)
	if code != errcode.OK {
		return refuse(code)
	}

	return answerGrant(r, grant)
}

// refreshUserToken serves GET /sns/oauth2/refresh_token.
func (p *Platform) refreshUserToken(r *apiRequest) apiAnswer {
	appID, value := r.query.Get("appid"), r.query.Get("refresh_token")
	r.account = appID
	account, known := p.state.accounts[appID]
	switch {
	case appID == "":
		return refuse(errcode.AppIDMissing)
	case value == "":
		return refuse(errcode.OAuthRefreshMissing)
	case r.query.Get("grant_type") != grantRefresh:
		return refuse(errcode.GrantType)
	case !known || account.Kind != KindAccount:
		return refuse(errcode.AppID)
	}

	return answerRefresh(r, account, value)
}

// answerRefresh prolongs a user's token.
func answerRefresh(r *apiRequest, account *accountState, value string) apiAnswer {
	grant, code := account.oauth.refresh(value, r.now)
	if code != errcode.OK {
		return refuse(code)
	}

	return answerGrant(r, grant)
}

func answerGrant(r *apiRequest, grant *userGrant) apiAnswer {
	r.hide(grant.token)
	r.hide(grant.refresh)

	return answer(map[string]any{
		"access_token": grant.token, "expires_in": int(userTokenLifetime / time.Second), "refresh_token": grant.refresh,
		"openid": grant.openID, "scope": grant.scope,
	})
}

// user finds the authorisation whose token a call carries, and checks that it is of
// that user. An account's own token is none.
func (p *Platform) user(r *apiRequest) (*userGrant, errcode.Code) {
	value, openID := r.query.Get("access_token"), r.query.Get("openid")
	switch {
	case value == "":
		return nil, errcode.TokenMissing
	case openID == "":
		return nil, errcode.OpenIDMissing
	}
	for _, account := range p.state.accounts {
		grant := account.oauth.grant(value)
		if grant == nil {
			continue
		}
		r.account = account.AppID
		switch {
		case grant.revoked:
			return nil, errcode.OAuthRevoked
		case !r.now.Before(grant.tokenExpires):
			return nil, errcode.TokenExpired
		case grant.openID != openID:
			return nil, errcode.OpenID
		default:
			return grant, errcode.OK
		}
	}

	return nil, errcode.InvalidToken
}

// getUserProfile serves GET /sns/userinfo. All users have one name and one avatar,
// which doesn't open.
func (p *Platform) getUserProfile(r *apiRequest) apiAnswer {
	grant, code := p.user(r)
	switch {
	case code != errcode.OK:
		return refuse(code)
	case grant.scope != ScopeUserInfo:
		return refuse(errcode.Unauthorized)
	}

	return answer(map[string]any{
		"openid": grant.openID, "nickname": "微信用户", "sex": 0, "language": "", "city": "", "province": "", "country": "",
		"headimgurl": "https://thirdwx.qlogo.cn/mmopen/vi_32/simulator/132", "privilege": []string{},
	})
}

// checkUserToken serves GET /sns/auth.
func (p *Platform) checkUserToken(r *apiRequest) apiAnswer {
	_, code := p.user(r)

	return refuse(code)
}

// getSession serves GET /sns/jscode2session of mini programs (小程序登录).
func (p *Platform) getSession(r *apiRequest) apiAnswer {
	account, value, code := p.clientOf(r, "js_code")
	if code != errcode.OK {
		return refuse(code)
	}

	return answerSession(r, account, value)
}

// answerSession exchanges the code of a mini program's user.
func answerSession(r *apiRequest, account *accountState, value string) apiAnswer {
	redeemed, code := account.oauth.redeem(value, r.now)
	if code != errcode.OK {
		return refuse(code)
	}
	key := make([]byte, 16) // An AES key.
	_, _ = rand.Read(key)   // Never fails since Go 1.24.
	session := base64.StdEncoding.EncodeToString(key)
	r.hide(session)

	return answer(map[string]string{"session_key": session, "openid": redeemed.openID})
}
