package simulator

import (
	"fmt"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/quota"
)

// SetQuota sets how many calls of a path, such as /cgi-bin/user/get, the account may
// make a day of the books' time (China's midnight); further ones are answered with
// 45009. 0 lets none pass. The calls that were made today count. An empty account
// means the first one. Reset restores the limits of a newly registered account.
func (p *Platform) SetQuota(appID, path string, dailyLimit int) error {
	found, known := endpoints()[path]
	switch {
	case !known || (found.noToken && path != quota.PathClassic && path != quota.PathStable):
		return fmt.Errorf("%w: path %q is no API that is counted for an account, use one like /cgi-bin/user/get", ErrInvalid, path)
	case dailyLimit < 0:
		return fmt.Errorf("%w: daily_limit is %d, must not be negative", ErrInvalid, dailyLimit)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(appID)
	if err != nil {
		return err
	}
	account.calls.SetLimit(path, dailyLimit)
	p.state.hub.publish(topicState)

	return nil
}

// getQuota serves POST /cgi-bin/openapi/quota/get (查询API调用额度).
func (p *Platform) getQuota(r *apiRequest) apiAnswer {
	var asked struct {
		Path string `json:"cgi_path"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	limit, used, known := r.state.calls.Report(asked.Path, r.now)
	if !known {
		return refuse(errcode.QuotaPath)
	}

	return answerOK(map[string]any{
		"quota": map[string]int{"daily_limit": limit, "used": used, "remain": max(limit-used, 0)},
	})
}

// clearQuotaOfPath serves POST /cgi-bin/openapi/quota/clear (重置指定API调用次数). The documents name it for the paths of
// shops only; here it does for every path that is counted.
func (p *Platform) clearQuotaOfPath(r *apiRequest) apiAnswer {
	var asked struct {
		Path string `json:"cgi_path"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	if _, _, known := r.state.calls.Report(asked.Path, r.now); !known {
		return refuse(errcode.QuotaPath)
	}
	r.state.calls.Forget(asked.Path)

	return refuse(errcode.OK)
}

// clearQuota serves POST /cgi-bin/clear_quota.
func (p *Platform) clearQuota(r *apiRequest) apiAnswer {
	var asked struct {
		AppID string `json:"appid"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	if asked.AppID != r.state.AppID {
		return refuse(errcode.AppID)
	}

	return refuse(r.state.tokens.Clear(r.now))
}

// clearQuotaBySecret serves POST /cgi-bin/clear_quota/v2, for those whose quota of
// tokens is used up.
func (p *Platform) clearQuotaBySecret(r *apiRequest) apiAnswer {
	var asked struct {
		AppID  string `json:"appid"`
		Secret string `json:"appsecret"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	account, code := p.authenticate(r, credentials{AppID: asked.AppID, Secret: asked.Secret, GrantType: grantClient})
	if code != errcode.OK {
		return refuse(code)
	}

	return refuse(account.tokens.Clear(r.now))
}

// clearQuotaOfPlatform serves POST /cgi-bin/component/clear_quota/v2 of a third-party platform. The allowance of its
// authorizers is their own.
func (p *Platform) clearQuotaOfPlatform(r *apiRequest) apiAnswer {
	var asked struct {
		AppID     string `json:"appid"`
		Component string `json:"component_appid"`
		Secret    string `json:"appsecret"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	platform, code := p.authenticateAs(KindPlatform, credentials{AppID: asked.Component, Secret: asked.Secret})
	if code != errcode.OK {
		return refuse(code)
	}
	account, known := p.state.accounts[asked.AppID]
	switch _, authorized := platform.component.refresh[asked.AppID]; {
	case !known:
		return refuse(errcode.AppID)
	case account != platform && !authorized:
		return refuse(errcode.NotAuthorized)
	}

	return refuse(account.tokens.Clear(r.now))
}
