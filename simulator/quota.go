package simulator

import (
	"fmt"
	"maps"
	"math"
	"time"
)

// The paths whose calls are counted although they carry no token.
const (
	pathClassic = "/cgi-bin/token"
	pathStable  = "/cgi-bin/stable_token"
)

// dailyLimits are those of a newly registered account (接口调用频次限制), for the
// endpoints that the simulator has and whose limits are known. What was said of
// groups holds for tags.
func dailyLimits() map[string]int {
	return map[string]int{
		pathClassic:                            classicPerDay,
		pathStable:                             stablePerDay,
		"/cgi-bin/message/custom/send":         500_000,
		"/cgi-bin/message/template/send":       100_000,
		"/cgi-bin/message/mass/sendall":        100,
		"/cgi-bin/media/upload":                100_000,
		"/cgi-bin/media/get":                   200_000,
		"/cgi-bin/menu/create":                 1_000,
		"/cgi-bin/menu/get":                    10_000,
		"/cgi-bin/menu/delete":                 1_000,
		"/cgi-bin/menu/addconditional":         2_000,
		"/cgi-bin/menu/delconditional":         2_000,
		"/cgi-bin/menu/trymatch":               20_000,
		"/cgi-bin/qrcode/create":               100_000,
		"/cgi-bin/user/get":                    500,
		"/cgi-bin/user/info":                   5_000_000,
		"/cgi-bin/user/info/updateremark":      10_000,
		"/cgi-bin/tags/create":                 1_000,
		"/cgi-bin/tags/get":                    1_000,
		"/cgi-bin/tags/update":                 1_000,
		"/cgi-bin/tags/members/batchtagging":   100_000,
		"/cgi-bin/tags/members/batchuntagging": 100_000,
	}
}

// testLimits are those of a test account (接口测试号), where they are known and differ.
func testLimits() map[string]int {
	return map[string]int{
		pathClassic:                            200,
		"/cgi-bin/message/custom/send":         50_000,
		"/cgi-bin/media/upload":                500,
		"/cgi-bin/media/get":                   1_000,
		"/cgi-bin/menu/create":                 100,
		"/cgi-bin/menu/get":                    1_000,
		"/cgi-bin/menu/delete":                 100,
		"/cgi-bin/qrcode/create":               10_000,
		"/cgi-bin/user/get":                    100,
		"/cgi-bin/user/info":                   500_000,
		"/cgi-bin/tags/create":                 100,
		"/cgi-bin/tags/get":                    100,
		"/cgi-bin/tags/update":                 100,
		"/cgi-bin/tags/members/batchtagging":   1_000,
		"/cgi-bin/tags/members/batchuntagging": 1_000,
	}
}

// callBook counts the calls of one account by path and day. It is told the time.
type callBook struct {
	used   map[string]*quota
	limits map[string]int
}

func newCallBook(test bool) *callBook {
	book := &callBook{used: make(map[string]*quota), limits: dailyLimits()}
	if test {
		maps.Copy(book.limits, testLimits())
	}

	return book
}

// take counts a call and reports whether the account may still make it. Calls whose
// limit isn't known are counted and never refused.
func (b *callBook) take(path string, now time.Time) bool {
	limit, limited := b.limits[path]
	if !limited {
		limit = math.MaxInt
	}
	if b.used[path] == nil {
		b.used[path] = new(quota)
	}

	return b.used[path].take(dayOf(now), limit)
}

// report returns the limit of a path and how much of it is used; false if no limit
// is known.
func (b *callBook) report(path string, now time.Time) (limit, used int, known bool) {
	limit, known = b.limits[path]
	if counted := b.used[path]; counted != nil {
		used = counted.usedIn(dayOf(now))
	}

	return limit, used, known
}

// clear forgets all calls; the limits stay.
func (b *callBook) clear() { clear(b.used) }

// SetQuota sets how many calls of a path, such as /cgi-bin/user/get, the account may
// make a day of the books' time (China's midnight); further ones are answered with
// 45009. 0 lets none pass. The calls that were made today count. An empty account
// means the first one. Reset restores the limits of a newly registered account.
func (p *Platform) SetQuota(appID, path string, dailyLimit int) error {
	found, known := endpoints()[path]
	switch {
	case !known || (found.noToken && path != pathClassic && path != pathStable):
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
	account.calls.limits[path] = dailyLimit
	p.state.hub.publish(topicState)

	return nil
}

// getQuota serves POST /cgi-bin/openapi/quota/get (查询API调用额度).
func (p *Platform) getQuota(r *apiRequest) apiAnswer {
	var asked struct {
		Path string `json:"cgi_path"`
	}
	if code := r.decode(&asked); code != codeOK {
		return refuse(code)
	}
	limit, used, known := r.state.calls.report(asked.Path, r.now)
	if !known {
		return refuse(codeQuotaPath)
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
	if code := r.decode(&asked); code != codeOK {
		return refuse(code)
	}
	if _, _, known := r.state.calls.report(asked.Path, r.now); !known {
		return refuse(codeQuotaPath)
	}
	delete(r.state.calls.used, asked.Path)

	return refuse(codeOK)
}

// clearsPerMonth is how often an account's quotas may be cleared (清空api的调用quota),
// by whichever of the two interfaces.
const clearsPerMonth = 10

// clearQuota serves POST /cgi-bin/clear_quota.
func (p *Platform) clearQuota(r *apiRequest) apiAnswer {
	var asked struct {
		AppID string `json:"appid"`
	}
	if code := r.decode(&asked); code != codeOK {
		return refuse(code)
	}
	if asked.AppID != r.state.AppID {
		return refuse(codeAppID)
	}

	return refuse(r.state.tokens.clear(r.now))
}

// clearQuotaBySecret serves POST /cgi-bin/clear_quota/v2, for those whose quota of
// tokens is used up.
func (p *Platform) clearQuotaBySecret(r *apiRequest) apiAnswer {
	var asked struct {
		AppID  string `json:"appid"`
		Secret string `json:"appsecret"`
	}
	if code := r.decode(&asked); code != codeOK {
		return refuse(code)
	}
	account, code := p.authenticate(r, credentials{AppID: asked.AppID, Secret: asked.Secret, GrantType: grantClient})
	if code != codeOK {
		return refuse(code)
	}

	return refuse(account.tokens.clear(r.now))
}

// clearQuotaOfPlatform serves POST /cgi-bin/component/clear_quota/v2 of a third-party platform. The allowance of its
// authorizers is their own.
func (p *Platform) clearQuotaOfPlatform(r *apiRequest) apiAnswer {
	var asked struct {
		AppID     string `json:"appid"`
		Component string `json:"component_appid"`
		Secret    string `json:"appsecret"`
	}
	if code := r.decode(&asked); code != codeOK {
		return refuse(code)
	}
	platform, code := p.authenticateAs(KindPlatform, credentials{AppID: asked.Component, Secret: asked.Secret})
	if code != codeOK {
		return refuse(code)
	}
	account, known := p.state.accounts[asked.AppID]
	switch _, authorized := platform.component.refresh[asked.AppID]; {
	case !known:
		return refuse(codeAppID)
	case account != platform && !authorized:
		return refuse(codeNotAuthorized)
	}

	return refuse(account.tokens.clear(r.now))
}

// clear resets the daily quotas, if the month's allowance isn't used up.
func (b *tokenBook) clear(now time.Time) errcode {
	if !b.clears.take(now.In(chinaTime).Format("2006-01"), clearsPerMonth) {
		return codeQuotaClears
	}
	b.calls.clear()
	b.forceDay = quota{}

	return codeOK
}
