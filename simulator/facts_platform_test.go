package simulator

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// component calls an interface of a third-party platform with its token.
func (w *world) component(name string, fields ...string) map[string]any {
	w.t.Helper()
	if w.token == "" {
		w.token = componentToken(w.t, w.Platform)
	}
	body := map[string]string{"component_appid": componentID}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		body[name] = value
	}

	return ask(w.t, w.Platform, name, w.token, body)
}

// authorize lets the account authorise the platform, and returns what the platform then has.
func (w *world) authorize(permissions ...PermissionSet) map[string]any {
	w.t.Helper()
	code, err := w.Authorize(componentID, field(w.t, w.component("api_create_preauthcode"), "pre_auth_code"), DefaultAppID, permissions...)
	if err != nil {
		w.t.Fatal(err)
	}
	info, _ := w.component("api_query_auth", "authorization_code="+code)["authorization_info"].(map[string]any)

	return info
}

// Third-party platforms (第三方平台), from the ticket to the withdrawal.
func TestFactsOfThirdPartyPlatforms(t *testing.T) {
	t.Parallel()
	facts{
		"(O) the verify ticket lives for twelve hours": func(t *testing.T, w *world) {
			ticket, err := w.IssueVerifyTicket(componentID)
			if err != nil {
				t.Fatal(err)
			}
			get := func() map[string]any {
				return ask(t, w.Platform, "api_component_token", "", map[string]string{
					"component_appid": componentID, "component_appsecret": componentSecret, "component_verify_ticket": ticket,
				})
			}
			w.later(12*time.Hour - time.Second)
			w.want(get(), errcode.OK)
			w.later(time.Second)
			w.want(get(), errcode.TicketExpired)
		},
		"(M) 61006 for a ticket that never was": func(t *testing.T, w *world) {
			w.want(ask(t, w.Platform, "api_component_token", "", map[string]string{
				"component_appid": componentID, "component_appsecret": componentSecret, "component_verify_ticket": "x",
			}), errcode.TicketInvalid)
		},
		"(O) a component_access_token lives for 7200 s": func(_ *testing.T, w *world) {
			w.want(w.component("api_create_preauthcode"), errcode.OK)
			w.later(tokenLifetime)
			w.want(w.component("api_create_preauthcode"), errcode.TokenExpired)
		},
		"(≠) a pre_auth_code lives for 1800 s": func(t *testing.T, w *world) {
			given := w.component("api_create_preauthcode")
			w.later(1800 * time.Second)
			if _, err := w.Authorize(componentID, textOf(given, "pre_auth_code"), DefaultAppID); err == nil || given["expires_in"] != 1800.0 {
				t.Errorf("after %v s: %v", given["expires_in"], err)
			}
		},
		"(O) a pre_auth_code is good once": func(t *testing.T, w *world) {
			code := textOf(w.component("api_create_preauthcode"), "pre_auth_code")
			_, first := w.Authorize(componentID, code, DefaultAppID)
			if _, again := w.Authorize(componentID, code, DefaultAppID); first != nil || again == nil {
				t.Errorf("first %v, again %v", first, again)
			}
		},
		"(M) 61009 for a code that was used, 61010 for one that expired": func(t *testing.T, w *world) {
			code, err := w.Authorize(componentID, textOf(w.component("api_create_preauthcode"), "pre_auth_code"), DefaultAppID)
			if err != nil {
				t.Fatal(err)
			}
			w.later(time.Hour)
			w.want(w.component("api_query_auth", "authorization_code="+code), errcode.AuthCodeExpired)
			w.authorize()
			w.want(w.component("api_query_auth", "authorization_code=x"), errcode.AuthCode)
		},
		"(O) the authorizer's token takes the place of an access_token, for two hours": func(_ *testing.T, w *world) {
			token := w.authorize()["authorizer_access_token"]
			w.good(token, errcode.OK)
			w.later(2 * time.Hour)
			w.good(token, errcode.TokenExpired)
		},
		"(O) whatever the latest refresh returned is valid, (M) 61023 for the one before": func(_ *testing.T, w *world) {
			first := textOf(w.authorize(), "authorizer_refresh_token")
			refresh := func(value string) map[string]any {
				return w.component("api_authorizer_token", "authorizer_appid="+DefaultAppID, "authorizer_refresh_token="+value)
			}
			second := refresh(first)
			w.want(second, errcode.OK)
			w.want(refresh(first), errcode.RefreshToken)
			w.want(refresh(textOf(second, "authorizer_refresh_token")), errcode.OK)
		},
		"(O) api_get_authorizer_list returns the refresh tokens again": func(t *testing.T, w *world) {
			token := textOf(w.authorize(), "authorizer_refresh_token")
			_, body := request(t, http.MethodPost, w.URL()+"/cgi-bin/component/api_get_authorizer_list?component_access_token="+w.token,
				`{"component_appid":"`+componentID+`","offset":0,"count":500}`)
			if !strings.Contains(string(body), token) {
				t.Error("the token isn't there")
			}
			_, body = request(t, http.MethodPost, w.URL()+"/cgi-bin/component/api_get_authorizer_list?component_access_token="+w.token,
				`{"component_appid":"`+componentID+`","offset":0,"count":501}`)
			if !strings.Contains(string(body), "40097") {
				t.Errorf("501 at once: %s", body)
			}
		},
		"(O) unauthorized voids everything, (M) 61003 afterwards": func(t *testing.T, w *world) {
			info := w.authorize()
			if err := w.Unauthorize(componentID, DefaultAppID); err != nil {
				t.Fatal(err)
			}
			w.good(info["authorizer_access_token"], errcode.InvalidToken)
			w.want(w.component("api_get_authorizer_info", "authorizer_appid="+DefaultAppID), errcode.NotAuthorized)
		},
		"(K) api_get_authorizer_info": func(t *testing.T, w *world) {
			w.authorize()
			given := w.component("api_get_authorizer_info", "authorizer_appid="+DefaultAppID)
			info, _ := given["authorizer_info"].(map[string]any)
			granted, _ := given["authorization_info"].(map[string]any)
			if info["user_name"] != DefaultAccount().OriginalID || granted["authorizer_appid"] != DefaultAppID {
				t.Errorf("%v", given)
			}
		},
		"(K) options of an authorizer": func(t *testing.T, w *world) {
			w.authorize()
			option := func(name string, fields ...string) map[string]any {
				return w.component("api_"+name+"_authorizer_option", append(fields, "authorizer_appid="+DefaultAppID)...)
			}
			w.want(option("set", "option_name=location_report", "option_value=2"), errcode.OK)
			w.want(option("set", "option_name=location_report", "option_value=3"), errcode.Arguments)
			w.want(option("get", "option_name=x"), errcode.Arguments)
			if got := option("get", "option_name=location_report")["option_value"]; got != "2" {
				t.Errorf("location_report is %v", got)
			}
			if got := option("get", "option_name=voice_recognize")["option_value"]; got != "0" {
				t.Errorf("voice_recognize is %v", got)
			}
		},
		"(M) 61011 for another platform's AppID": func(_ *testing.T, w *world) {
			w.want(w.component("api_create_preauthcode", "component_appid=wx9"), errcode.Component)
		},
		"(≠) the token may also be called access_token": func(t *testing.T, w *world) {
			token := componentToken(t, w.Platform)
			w.want(w.plain("/cgi-bin/component/api_create_preauthcode", url.Values{"access_token": {token}}, `{"component_appid":"`+componentID+`"}`), errcode.OK)
		},
		"(K) component/clear_quota/v2 spends the account's own allowance": func(_ *testing.T, w *world) {
			body := fmt.Sprintf(`{"appid":%q,"component_appid":%q,"appsecret":%q}`, DefaultAppID, componentID, componentSecret)
			w.want(w.plain("/cgi-bin/component/clear_quota/v2", nil, body), errcode.NotAuthorized)
			w.authorize()
			for range 10 {
				w.want(w.plain("/cgi-bin/component/clear_quota/v2", nil, body), errcode.OK)
			}
			w.token = ""
			w.want(w.call("/cgi-bin/clear_quota", `{"appid":"`+DefaultAppID+`"}`), errcode.QuotaClears)
		},
		"(O) a platform asks for its own quota and rids with its own token": func(t *testing.T, w *world) {
			w.want(w.component("api_query_auth", "authorization_code=x"), errcode.AuthCode)
			refused := w.component("api_query_auth", "authorization_code=x")
			_, rid, _ := strings.Cut(textOf(refused, "errmsg"), "rid: ")
			for name, elsewhere := range map[string]errcode.Code{"access_token": errcode.InvalidToken, "component_access_token": errcode.TokenMissing} {
				own := url.Values{name: {componentToken(t, w.Platform)}}
				w.want(w.plain("/cgi-bin/openapi/quota/get", own, `{"cgi_path":"/cgi-bin/user/get"}`), errcode.OK)
				w.want(w.plain("/cgi-bin/clear_quota", own, `{"appid":"`+componentID+`"}`), errcode.OK)
				w.want(w.plain("/cgi-bin/openapi/rid/get", own, `{"rid":"`+rid+`"}`), errcode.OK)
				w.want(w.plain("/cgi-bin/tags/get", own, ""), elsewhere)
			}
		},
	}.run(t)
}

// The page on which an administrator authorises a third-party platform (第三方平台授权页).
func TestFactsOfTheAuthorisationPage(t *testing.T) {
	t.Parallel()
	facts{
		"(M) the authorisation page leads back with auth_code and expires_in, and the platform is told": func(t *testing.T, w *world) {
			component := DefaultAccount()
			component.Kind, component.AppID, component.OriginalID, component.AppSecret = KindPlatform, componentID, "", componentSecret
			server := newAccountServer(t, component, success)
			component.CallbackURL = server.start()
			if err := w.SetAccount(component); err != nil {
				t.Fatal(err)
			}
			query := url.Values{"component_appid": {componentID}, "pre_auth_code": {textOf(w.component("api_create_preauthcode"), "pre_auth_code")}, "redirect_uri": {"https://example.com/back?x=1"}, "auth_type": {"1"}}
			if body := w.page("/cgi-bin/componentloginpage", query); !strings.Contains(body, DefaultAppID) || !strings.Contains(body, "pre_auth_code") {
				t.Errorf("page %s", body)
			}
			query.Set("authorizer_appid", DefaultAppID)
			back := w.led("/cgi-bin/componentloginpage", query)
			if back.Host != "example.com" || back.Query().Get("x") != "1" || back.Query().Get("expires_in") != "3600" {
				t.Errorf("led to %s", back)
			}
			w.want(w.component("api_query_auth", "authorization_code="+back.Query().Get("auth_code")), errcode.OK)
			if got := <-server.seen; got.document.Value("InfoType") != "authorized" || got.document.Value("AuthorizationCode") != back.Query().Get("auth_code") {
				t.Errorf("the platform was told %s", got.document.XML())
			}
			if body := w.page("/cgi-bin/componentloginpage", query); !strings.Contains(body, "used or expired") {
				t.Errorf("a second time: %s", body)
			}
			query.Set("pre_auth_code", textOf(w.component("api_create_preauthcode"), "pre_auth_code"))
			query["func_info"] = []string{""}
			if body := w.page("/cgi-bin/componentloginpage", query); !strings.Contains(body, "至少选择一个权限集") {
				t.Errorf("with nothing granted: %s", body)
			}
			query["func_info"] = []string{"", "x"}
			if body := w.page("/cgi-bin/componentloginpage", query); !strings.Contains(body, "func_info 参数错误") {
				t.Errorf("with no number: %s", body)
			}
			query["func_info"] = []string{"", "2", "15"}
			code := w.led("/cgi-bin/componentloginpage", query).Query().Get("auth_code")
			if given := fmt.Sprint(w.component("api_query_auth", "authorization_code="+code)["authorization_info"]); !strings.Contains(given, "id:15") || strings.Contains(given, "id:11") {
				t.Errorf("with menus and users granted: %s", given)
			}
			query.Set("redirect_uri", "javascript:alert(1)")
			unknown := url.Values{"component_appid": {"wxNONE"}, "redirect_uri": {"https://example.com/"}}
			if body := w.page("/cgi-bin/componentloginpage", unknown); !strings.Contains(body, "component_appid 参数错误") {
				t.Errorf("a platform that nobody knows: %s", body)
			}
			if body := w.page("/cgi-bin/componentloginpage", query); !strings.Contains(body, "redirect_uri 参数错误") {
				t.Errorf("page %s", body)
			}
		},
	}.run(t)
}

// What a third-party platform may do: from which addresses, and for what (权限集).
func TestFactsOfPermissions(t *testing.T) {
	t.Parallel()
	facts{
		"(M) 61004 for a platform's own calls from an address that isn't on its list": func(t *testing.T, w *world) {
			authorizer := w.authorize()
			for list, want := range map[string]errcode.Code{"203.0.113.0/24": errcode.IPUnregistered, "127.0.0.0/8": errcode.OK} {
				if err := w.SetIPAllowList(componentID, []string{list}); err != nil {
					t.Fatal(err)
				}
				w.want(w.component("api_create_preauthcode"), want)
				w.good(authorizer["authorizer_access_token"], errcode.OK)
			}
			if err := w.SetIPAllowList(componentID, []string{"203.0.113.1"}); err != nil {
				t.Fatal(err)
			}
			ticket, err := w.IssueVerifyTicket(componentID)
			if err != nil {
				t.Fatal(err)
			}
			w.want(ask(t, w.Platform, "api_component_token", "", map[string]string{
				"component_appid": componentID, "component_appsecret": componentSecret, "component_verify_ticket": ticket,
			}), errcode.IPUnregistered)
		},
		"(M) 61007 for what the account hasn't granted, by func_info": func(t *testing.T, w *world) {
			const menu, tags, quota = "/cgi-bin/menu/get", "/cgi-bin/tags/get", "/cgi-bin/getcallbackip"
			token := textOf(w.authorize(PermitUsers, PermitMaterial), "authorizer_access_token")
			info, _ := w.component("api_get_authorizer_info", "authorizer_appid="+DefaultAppID)["authorization_info"].(map[string]any)
			if got, want := fmt.Sprint(info["func_info"]), "[map[funcscope_category:map[id:2]] map[funcscope_category:map[id:11]]]"; got != want {
				t.Errorf("func_info is %s, want %s", got, want)
			}
			for path, want := range map[string]errcode.Code{menu: errcode.NotGranted, tags: errcode.OK, quota: errcode.OK} {
				w.want(w.plain(path, url.Values{"access_token": {token}}, ""), want)
				w.want(w.plain(path, url.Values{"access_token": {stableToken(t, w.Platform)}}, ""), errcode.OK)
			}
			w.authorize(PermitMenus)
			w.want(w.plain(menu, url.Values{"access_token": {token}}, ""), errcode.OK)
			w.want(w.plain(tags, url.Values{"access_token": {token}}, ""), errcode.NotGranted)
			if _, err := w.Authorize(componentID, "x", DefaultAppID, 99); err == nil || !strings.Contains(err.Error(), "func_info has 99") {
				t.Errorf("an unknown set: %v", err)
			}
		},
	}.run(t)
}

// (O) tickets arrive every ten minutes once they were asked for: not on the wire, because time stands still there.
func TestFactsOfTicketPushes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var pushed atomic.Int32
		waiting := make(chan string, 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go pushTickets(ctx, waiting, func() []string { return []string{"wx1", "wx2"} }, func(appID string) {
			if appID != "wx2" {
				pushed.Add(1)
			}
		})
		waiting <- "wx1"
		synctest.Wait()
		if pushed.Load() != 1 {
			t.Errorf("%d were pushed at once", pushed.Load())
		}
		time.Sleep(10*time.Minute - time.Second)
		synctest.Wait()
		if pushed.Load() != 1 {
			t.Errorf("%d before ten minutes were over", pushed.Load())
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if pushed.Load() != 2 {
			t.Errorf("%d after ten minutes", pushed.Load())
		}
	})
}

// OAuth2 (网页授权): the page, the code and the user's tokens.
func TestFactsOfOAuth(t *testing.T) {
	t.Parallel()
	asked := func(changes ...string) url.Values {
		query := url.Values{"appid": {DefaultAppID}, "redirect_uri": {"https://example.com/back?x=1"}, "response_type": {"code"}, "scope": {ScopeBase}, "state": {"s1"}}
		for _, change := range changes {
			name, value, _ := strings.Cut(change, "=")
			query.Set(name, value)
		}

		return query
	}
	const page = "/connect/oauth2/authorize"
	exchange := func(w *world, code string) map[string]any {
		return w.plain("/sns/oauth2/access_token", url.Values{"appid": {DefaultAppID}, "secret": {DefaultAccount().AppSecret}, "code": {code}, "grant_type": {grantCode}}, "")
	}
	facts{
		"(O) snsapi_base asks nobody and leads back with code and state": func(t *testing.T, w *world) {
			back := w.led(page, asked())
			if back.Host != "example.com" || back.Query().Get("state") != "s1" || back.Query().Get("x") != "1" {
				t.Fatalf("led to %s", back)
			}
			if given := exchange(w, back.Query().Get("code")); given["openid"] != DefaultFollower || given["scope"] != ScopeBase {
				t.Errorf("%v", given)
			}
		},
		"(O) snsapi_userinfo asks the user, who may refuse": func(t *testing.T, w *world) {
			w.follow("oCHOSEN", DefaultAppID)
			query := asked("scope=" + ScopeUserInfo)
			if body := w.page(page, query); !strings.Contains(body, "oCHOSEN") || !strings.Contains(body, "允许") {
				t.Errorf("page %s", body)
			}
			query.Set("openid", "oCHOSEN")
			query.Set("agree", "no")
			if body := w.page(page, query); !strings.Contains(body, "用户拒绝了授权") {
				t.Errorf("page %s", body)
			}
			query.Set("agree", "yes")
			if given := exchange(w, w.led(page, query).Query().Get("code")); given["openid"] != "oCHOSEN" || given["scope"] != ScopeUserInfo {
				t.Errorf("%v", given)
			}
		},
		"(O) wrong parameters show an error page and lead nowhere": func(t *testing.T, w *world) {
			for change, want := range map[string]string{
				"appid=wx": "AppID 参数错误", "redirect_uri=javascript:alert(1)": "redirect_uri 参数错误", "redirect_uri=//x": "redirect_uri 参数错误",
				"response_type=token": "response_type", "scope=all": "Scope 参数错误", "component_appid=wx": "component_appid",
				"component_appid=" + componentID: "没有授权给此第三方平台", "openid=?": "isn't an OpenID",
			} {
				if body := w.page(page, asked(change)); !strings.Contains(body, strings.ReplaceAll(want, "'", "&#39;")) {
					t.Errorf("%s: %s", change, body)
				}
			}
		},
		"(O) a code is good once, 40163, and for five minutes, 42003": func(_ *testing.T, w *world) {
			code := w.led(page, asked()).Query().Get("code")
			w.want(exchange(w, code), errcode.OK)
			w.want(exchange(w, code), errcode.OAuthUsed)
			code = w.led(page, asked()).Query().Get("code")
			w.later(5 * time.Minute)
			w.want(exchange(w, code), errcode.OAuthExpired)
			w.want(exchange(w, "x"), errcode.OAuthCode)
			w.want(exchange(w, ""), errcode.OAuthCodeMissing)
		},
		"(O) a user's token lives for 7200 s, the refresh_token for 30 days": func(_ *testing.T, w *world) {
			given := exchange(w, w.led(page, asked()).Query().Get("code"))
			refresh := func() map[string]any {
				return w.plain("/sns/oauth2/refresh_token", url.Values{"appid": {DefaultAppID}, "grant_type": {grantRefresh}, "refresh_token": {textOf(given, "refresh_token")}}, "")
			}
			auth := func(token any) map[string]any {
				return w.plain("/sns/auth", url.Values{"access_token": {fmt.Sprint(token)}, "openid": {DefaultFollower}}, "")
			}
			w.want(auth(given["access_token"]), errcode.OK)
			w.later(7200 * time.Second)
			w.want(auth(given["access_token"]), errcode.TokenExpired)
			w.want(auth(refresh()["access_token"]), errcode.OK)
			w.later(30 * 24 * time.Hour)
			w.want(refresh(), errcode.OAuthRefreshExpired)
		},
		"(O) 42007 when the user has changed the password of WeChat": func(t *testing.T, w *world) {
			given := exchange(w, w.led(page, asked()).Query().Get("code"))
			steer(t, w.Platform, http.MethodPost, "oauth/revoke", `{}`, http.StatusOK)
			user := url.Values{"access_token": {textOf(given, "access_token")}, "openid": {DefaultFollower}}
			w.want(w.plain("/sns/auth", user, ""), errcode.OAuthRevoked)
			w.want(w.plain("/sns/userinfo", user, ""), errcode.OAuthRevoked)
			w.want(w.plain("/sns/oauth2/refresh_token", url.Values{"appid": {DefaultAppID}, "grant_type": {grantRefresh}, "refresh_token": {textOf(given, "refresh_token")}}, ""), errcode.OAuthRevoked)
			w.want(exchange(w, w.led(page, asked()).Query().Get("code")), errcode.OK)
			steer(t, w.Platform, http.MethodPost, "oauth/revoke", `{"openid":"oSTRANGER00000000000000000001"}`, http.StatusBadRequest)
		},
		"(O) the account's own token is no user's token": func(t *testing.T, w *world) {
			w.want(w.plain("/sns/userinfo", url.Values{"access_token": {stableToken(t, w.Platform)}, "openid": {DefaultFollower}}, ""), errcode.InvalidToken)
		},
		"(O) a third-party platform exchanges with its own token": func(t *testing.T, w *world) {
			w.authorize()
			code := w.led(page, asked("component_appid="+componentID)).Query().Get("code")
			call := func(path string, changes ...string) map[string]any {
				query := url.Values{"appid": {DefaultAppID}, "grant_type": {grantCode}, "component_appid": {componentID}, "component_access_token": {w.token}}
				for _, change := range changes {
					name, value, _ := strings.Cut(change, "=")
					query.Set(name, value)
				}

				return w.plain(path, query, "")
			}
			given := call("/sns/oauth2/component/access_token", "code="+code)
			if given["openid"] != DefaultFollower {
				t.Fatalf("%v", given)
			}
			w.want(call("/sns/oauth2/component/refresh_token", "grant_type="+grantRefresh, "refresh_token="+textOf(given, "refresh_token")), errcode.OK)
			code, err := w.IssueOAuthCode("", "", "")
			if err != nil {
				t.Fatal(err)
			}
			w.want(call("/sns/component/jscode2session", "js_code="+code), errcode.OK)
			w.want(call("/sns/oauth2/component/access_token", "code="), errcode.OAuthCodeMissing)
			w.want(call("/sns/oauth2/component/access_token", "code=x", "grant_type=x"), errcode.GrantType)
			w.want(call("/sns/oauth2/component/access_token", "code=x", "component_appid=wx"), errcode.Component)
			w.want(call("/sns/oauth2/component/access_token", "code=x", "appid="), errcode.AppIDMissing)
			w.want(call("/sns/oauth2/component/refresh_token", "grant_type="+grantRefresh), errcode.OAuthRefreshMissing)
			if err := w.Unauthorize(componentID, DefaultAppID); err != nil {
				t.Fatal(err)
			}
			w.want(call("/sns/oauth2/component/access_token", "code=x"), errcode.NotAuthorized)
		},
	}.run(t)
}

// page opens a page and returns its text.
func (w *world) page(path string, query url.Values) string {
	w.t.Helper()
	status, body := request(w.t, http.MethodGet, w.URL()+path+"?"+query.Encode(), "")
	if status != http.StatusOK {
		w.t.Fatalf("status %d: %s", status, body)
	}

	return string(body)
}

// led opens a page that leads elsewhere and returns where.
func (w *world) led(path string, query url.Values) *url.URL {
	w.t.Helper()
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Get(w.URL() + path + "?" + query.Encode())
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	back, err := response.Location()
	if err != nil {
		body, _ := io.ReadAll(response.Body)
		w.t.Fatalf("status %d: %s", response.StatusCode, body)
	}

	return back
}
