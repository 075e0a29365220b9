package simulator

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/quota"
	"github.com/wxstack/wxstack/simulator/internal/token"
)

// The access tokens of /cgi-bin/token (获取 Access token).
func TestFactsOfTheClassicToken(t *testing.T) {
	t.Parallel()
	facts{
		"(O) every call issues a new token": func(t *testing.T, w *world) {
			first, second := w.classic(), w.classic()
			if first["access_token"] == second["access_token"] || first["expires_in"] != 7200.0 || second["expires_in"] != 7200.0 {
				t.Errorf("%v then %v", first["expires_in"], second["expires_in"])
			}
		},
		"(O) the former token works for five more minutes": func(_ *testing.T, w *world) {
			first, second := w.classic()["access_token"], w.classic()["access_token"]
			w.later(5*time.Minute - time.Second)
			w.good(first, errcode.OK)
			w.later(time.Second)
			w.good(first, errcode.InvalidToken)
			w.good(second, errcode.OK)
		},
		"(?) of the one before that nothing survives": func(_ *testing.T, w *world) {
			first := w.classic()["access_token"]
			w.classic()
			w.classic()
			w.good(first, errcode.InvalidToken)
		},
		"(O) a token ends after expires_in": func(_ *testing.T, w *world) {
			token := w.classic()["access_token"]
			w.later(tokenLifetime - time.Second)
			w.good(token, errcode.OK)
			w.later(time.Second)
			w.good(token, errcode.TokenExpired)
		},
		"(O) 2,000 calls a day, then 45009 until midnight in China": func(t *testing.T, w *world) {
			for range 2000 {
				if _, code := w.book.Classic(bookStart); code != errcode.OK {
					t.Fatalf("within the quota: %d", code)
				}
			}
			if _, code := w.book.Classic(bookStart); code != errcode.DailyQuota {
				t.Errorf("over the quota: %d", code)
			}
			if _, code := w.book.Classic(bookStart.Add(12 * time.Hour)); code != errcode.OK {
				t.Errorf("after midnight: %d", code)
			}
		},
		"(C) a test account has 200 calls a day": func(_ *testing.T, w *world) {
			account := DefaultAccount()
			account.Test = true
			if err := w.SetAccount(account); err != nil {
				w.t.Fatal(err)
			}
			for range 200 {
				w.want(w.classic(), errcode.OK)
			}
			w.want(w.classic(), errcode.DailyQuota)
		},
	}.run(t)
}

// The access tokens of /cgi-bin/stable_token (获取稳定版接口调用凭据).
func TestFactsOfTheStableToken(t *testing.T) {
	t.Parallel()
	facts{
		"(O) normal mode returns the same token, its expires_in shrinking": func(t *testing.T, w *world) {
			first := w.stable(false)
			w.later(time.Hour)
			again := w.stable(false)
			if again["access_token"] != first["access_token"] || again["expires_in"].(float64) > 3600 {
				t.Errorf("%v s left, the same %t", again["expires_in"], again["access_token"] == first["access_token"])
			}
		},
		"(O) it is renewed five minutes before its end": func(t *testing.T, w *world) {
			first := w.stable(false)["access_token"]
			w.later(tokenLifetime - 5*time.Minute - time.Second)
			if w.stable(false)["access_token"] != first {
				t.Error("renewed too early")
			}
			w.later(time.Second)
			if w.stable(false)["access_token"] == first {
				t.Error("not renewed")
			}
		},
		"(M) the old one lives to its own end": func(_ *testing.T, w *world) {
			first := w.stable(false)["access_token"]
			w.later(tokenLifetime - 4*time.Minute)
			w.stable(false)
			w.good(first, errcode.OK)
			w.later(4 * time.Minute)
			w.good(first, errcode.TokenExpired)
		},
		"(O) a forced refresh kills the former token at once": func(_ *testing.T, w *world) {
			first := w.stable(false)["access_token"]
			second := w.stable(true)["access_token"]
			w.good(first, errcode.InvalidToken)
			w.good(second, errcode.OK)
		},
		"(M) within 30 s of a forced refresh nothing is refreshed": func(t *testing.T, w *world) {
			first := w.stable(true)["access_token"]
			w.later(29 * time.Second)
			if again := w.stable(true); again["access_token"] != first {
				t.Errorf("%v", again)
			}
			w.good(first, errcode.OK)
			w.later(time.Second)
			if again := w.stable(true); again["access_token"] == first {
				t.Error("after 30 s nothing was refreshed")
			}
		},
		"(O) 20 forced refreshes a day, (C) then 45009": func(t *testing.T, w *world) {
			now := bookStart
			for range 20 {
				if _, code := w.book.Force(now); code != errcode.OK {
					t.Fatalf("within the budget: %d", code)
				}
				now = now.Add(30 * time.Second)
			}
			if _, code := w.book.Force(now); code != errcode.DailyQuota {
				t.Errorf("the 21st: %d", code)
			}
			if current, code := w.book.Stable(now); code != errcode.OK || current.Verdict(now) != errcode.OK {
				t.Errorf("normal mode after that: %d", code)
			}
		},
		"(O) 10,000 calls a minute, then 45011": func(t *testing.T, w *world) {
			for range 10_000 {
				if _, code := w.book.Stable(bookStart); code != errcode.OK {
					t.Fatalf("within the quota: %d", code)
				}
			}
			if _, code := w.book.Stable(bookStart); code != errcode.MinuteQuota {
				t.Errorf("over the quota: %d", code)
			}
			if _, code := w.book.Stable(bookStart.Add(time.Minute)); code != errcode.OK {
				t.Errorf("a minute later: %d", code)
			}
		},
		"(O) 500,000 calls a day, then 45009": func(_ *testing.T, w *world) {
			for range 500_000 {
				w.calls.Take(quota.PathStable, bookStart)
			}
			if _, code := w.book.Stable(bookStart); code != errcode.DailyQuota {
				w.t.Errorf("over the quota: %d", code)
			}
		},
		"(O) the two kinds don't invalidate each other, and both work everywhere": func(_ *testing.T, w *world) {
			classic, stable := w.classic()["access_token"], w.stable(false)["access_token"]
			w.stable(true)
			w.good(classic, errcode.OK)
			w.good(stable, errcode.InvalidToken)
			w.classic()
			w.good(w.stable(false)["access_token"], errcode.OK)
		},
		"(O) a token works for its own account only": func(_ *testing.T, w *world) {
			other := Account{AppID: "wx0000000000000002", OriginalID: "gh_2", AppSecret: "s", Mode: ModePlain}
			if err := w.SetAccount(other); err != nil {
				w.t.Fatal(err)
			}
			w.follow("oONLYHERS", other.AppID)
			w.want(w.call("/cgi-bin/user/info?openid=oONLYHERS", ""), errcode.OpenID)
		},
	}.run(t)
}

// The refusals of the token endpoints (table of return codes of both pages).
func TestFactsOfTheTokenEndpointsRefusals(t *testing.T) {
	t.Parallel()
	list := facts{
		"(O) 41002 without an appid":           func(_ *testing.T, w *world) { w.want(w.classic("appid="), errcode.AppIDMissing) },
		"(O) 41004 without a secret":           func(_ *testing.T, w *world) { w.want(w.classic("secret="), errcode.SecretMissing) },
		"(O) 40002 for another grant_type":     func(_ *testing.T, w *world) { w.want(w.classic("grant_type=client"), errcode.GrantType) },
		"(O) 40013 for an unknown appid":       func(_ *testing.T, w *world) { w.want(w.classic("appid=wx"), errcode.AppID) },
		"(O) 40125 for another secret":         func(_ *testing.T, w *world) { w.want(w.classic("secret=x"), errcode.AppSecret) },
		"(O) 43002 for a GET of stable_token":  func(_ *testing.T, w *world) { w.want(w.plain(quota.PathStable, nil, ""), errcode.NeedPOST) },
		"(O) 47001 for a body that isn't JSON": func(_ *testing.T, w *world) { w.want(w.plain(quota.PathStable, nil, "appid=1"), errcode.JSON) },
		"(K) 61024 to a component, at either endpoint": func(_ *testing.T, w *world) {
			w.want(w.classic("appid="+componentID, "secret="+componentSecret), errcode.ComponentOnly)
			w.want(w.plain(quota.PathStable, nil, fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q}`, componentID, componentSecret)), errcode.ComponentOnly)
		},
		"(O) 40164 names the address that isn't in the allow-list": func(t *testing.T, w *world) {
			steer(t, w.Platform, http.MethodPost, "accounts/ip_allow_list", `{"addresses":["203.0.113.1","10.0.0.0/8"]}`, http.StatusOK)
			for _, given := range []map[string]any{w.classic(), w.stable(false)} {
				w.want(given, errcode.IPNotAllowed)
				if said := textOf(given, "errmsg"); !strings.HasPrefix(said, "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist rid: ") {
					t.Errorf("it says %q", said)
				}
			}
			steer(t, w.Platform, http.MethodPost, "accounts/ip_allow_list", `{"addresses":["127.0.0.0/8"]}`, http.StatusOK)
			w.want(w.classic(), errcode.OK)
		},
		"(M) calls with a valid token aren't checked by address": func(_ *testing.T, w *world) {
			token := w.stable(false)["access_token"]
			if err := w.SetIPAllowList("", []string{"203.0.113.1"}); err != nil {
				w.t.Fatal(err)
			}
			w.good(token, errcode.OK)
		},
		"(O) 40243 freezes the AppSecret, existing authorisations go on": func(_ *testing.T, w *world) {
			token := w.stable(false)["access_token"]
			steer(w.t, w.Platform, http.MethodPost, "accounts/condition", `{"errcode":40243}`, http.StatusOK)
			w.want(w.classic(), errcode.SecretFrozen)
			w.want(w.stable(true), errcode.SecretFrozen)
			w.good(token, errcode.OK)
			steer(w.t, w.Platform, http.MethodPost, "accounts/condition", `{}`, http.StatusOK)
			w.want(w.classic(), errcode.OK)
		},
		"(O) errors come with status 200 and a rid": func(t *testing.T, w *world) {
			if said := textOf(w.classic("appid=wx"), "errmsg"); !strings.HasPrefix(said, "invalid appid rid: ") || len(said) != len("invalid appid rid: ")+26 {
				t.Errorf("it says %q", said)
			}
		},
		"(O) -1 when the system is busy": func(t *testing.T, w *world) {
			steer(t, w.Platform, http.MethodPost, "faults", `{"path":"/cgi-bin/token","busy":true,"count":1}`, http.StatusOK)
			w.want(w.classic(), errcode.Busy)
			w.want(w.classic(), errcode.OK)
		},
	}
	for code, what := range map[errcode.Code]string{
		errcode.TokenForbidden: "the endpoint is forbidden", errcode.AccountFrozen: "the account is frozen", errcode.IPWaits: "the address waits for the administrator",
		errcode.IPUnconfirmed: "the address must be confirmed", errcode.IPRefusedTwice: "the address was refused twice", errcode.IPRefused: "the address was refused",
	} {
		list[fmt.Sprintf("(O) %d when %s", code, what)] = func(_ *testing.T, w *world) {
			if err := w.SetCondition("", Condition{ErrCode: int(code)}); err != nil {
				w.t.Fatal(err)
			}
			w.want(w.stable(false), code)
			w.want(w.classic(), code)
		}
	}
	list.run(t)
}

// The refusals of APIs that are called with a token.
func TestFactsOfUsingAToken(t *testing.T) {
	t.Parallel()
	list := facts{
		"(O) 41001 without a token":                    func(_ *testing.T, w *world) { w.good("", errcode.TokenMissing) },
		"(O) 40014 for a malformed token":              func(_ *testing.T, w *world) { w.good("nonsense", errcode.MalformedToken) },
		"(O) 40001 for one that was never issued":      func(_ *testing.T, w *world) { w.good(token.NewValue(1), errcode.InvalidToken) },
		"(M) a component's own token is good for none": func(t *testing.T, w *world) { w.good(componentToken(t, w.Platform), errcode.InvalidToken) },
		"(O) 40001 after somebody else refreshed it":   func(_ *testing.T, w *world) { w.rotated(TokenStable, errcode.InvalidToken) },
		"(O) a foreign classic refresh leaves five minutes": func(_ *testing.T, w *world) {
			w.rotated(TokenClassic, errcode.OK)
			w.later(5 * time.Minute)
			w.good(w.token, errcode.InvalidToken)
		},
		"(O) 42001 after its end": func(_ *testing.T, w *world) {
			token := w.stable(false)["access_token"]
			w.later(tokenLifetime)
			w.good(token, errcode.TokenExpired)
		},
		"(O) 48001 for an API that isn't authorised, others go on": func(_ *testing.T, w *world) {
			if err := w.SetCondition("", Condition{ErrCode: 48001, Path: "/cgi-bin/user/get"}); err != nil {
				w.t.Fatal(err)
			}
			w.want(w.call("/cgi-bin/user/get", ""), errcode.Unauthorized)
			w.want(w.call("/cgi-bin/menu/get", ""), errcode.OK)
		},
	}
	for _, code := range []errcode.Code{errcode.Banned, errcode.UserRestricted, errcode.Restricted} {
		list[fmt.Sprintf("(O) %d for an account that is stopped", code)] = func(_ *testing.T, w *world) {
			if err := w.SetCondition("", Condition{ErrCode: int(code)}); err != nil {
				w.t.Fatal(err)
			}
			w.want(w.call("/cgi-bin/menu/get", ""), code)
			w.want(w.classic(), errcode.OK)
		}
	}
	list.run(t)
}

// rotated fetches a token of a kind, lets somebody else fetch one, and looks at the first.
func (w *world) rotated(kind TokenKind, code errcode.Code) {
	w.t.Helper()
	given := w.stable(false)
	if kind == TokenClassic {
		given = w.classic()
	}
	w.token = textOf(given, "access_token")
	if err := w.RotateToken("", kind); err != nil {
		w.t.Fatal(err)
	}
	w.good(w.token, code)
}

// The JS-SDK's tickets and signatures (JS-SDK 使用权限签名算法).
func TestFactsOfTickets(t *testing.T) {
	t.Parallel()
	ticket := func(w *world, kind string) map[string]any { return w.call("/cgi-bin/ticket/getticket?type="+kind, "") }
	facts{
		"(O) one for each type, for 7200 s": func(t *testing.T, w *world) {
			jsapi, card := ticket(w, "jsapi"), ticket(w, "wx_card")
			if jsapi["ticket"] == card["ticket"] || jsapi["expires_in"] != 7200.0 || textOf(card, "ticket") == "" || jsapi["errmsg"] != "ok" {
				t.Errorf("%v, %v", jsapi["expires_in"], card["expires_in"])
			}
		},
		"(M) it doesn't depend on later tokens": func(t *testing.T, w *world) {
			first := ticket(w, "jsapi")["ticket"]
			w.rotated(TokenStable, errcode.InvalidToken)
			w.token = ""
			if again := ticket(w, "jsapi")["ticket"]; again != first {
				t.Error("another token brought another ticket")
			}
		},
		"(M) the same while it lives, then another": func(t *testing.T, w *world) {
			first := ticket(w, "jsapi")["ticket"]
			w.later(tokenLifetime)
			w.token = ""
			if ticket(w, "jsapi")["ticket"] == first {
				t.Error("the ticket outlived its time")
			}
		},
		"(V) the vectors of the signature": func(t *testing.T, _ *world) {
			const value = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
			for page, want := range map[string]string{
				"http://mp.weixin.qq.com":              "f4d90daf4b3bca3078ab155816175ba34c443a7b",
				"http://mp.weixin.qq.com?params=value": "0f9de62fce790f9a083d5c99e95740ceb90c27ed",
			} {
				asked := JSSDKSignature{URL: page, Timestamp: "1414587457", NonceStr: "Wm3WZYTPz0wzccnW", Signature: want}
				if got := asked.judge(anHourOf(value), nil, bookStart); !got.OK {
					t.Errorf("%s: %s", page, got.Reason)
				}
			}
		},
		"(O) the address is signed without its fragment": func(t *testing.T, w *world) {
			value := textOf(ticket(w, "jsapi"), "ticket")
			checkJSSDK(t, w, value, "https://example.com/a?b=c#d", "https://example.com/a?b=c", true, "fits")
			checkJSSDK(t, w, value, "https://example.com/a?b=c#d", "https://example.com/a?b=c#d", false, "sign the part before #")
		},
		"(O) and with its query": func(t *testing.T, w *world) {
			checkJSSDK(t, w, textOf(ticket(w, "jsapi"), "ticket"), "https://example.com/a?b=c", "https://example.com/a", false, "without its query")
		},
		"(O) with the ticket, which is the newest": func(t *testing.T, w *world) {
			old := textOf(ticket(w, "jsapi"), "ticket")
			checkJSSDK(t, w, "an access_token", "https://example.com/", "https://example.com/", false, "not with the access_token")
			w.later(tokenLifetime)
			checkJSSDK(t, w, old, "https://example.com/", "https://example.com/", false, "has expired")
			w.token = ""
			ticket(w, "jsapi")
			checkJSSDK(t, w, old, "https://example.com/", "https://example.com/", false, "a ticket of the past")
		},
		"(O) the signed name is noncestr": func(t *testing.T, w *world) {
			value := textOf(ticket(w, "jsapi"), "ticket")
			wrong := sign("jsapi_ticket=" + value + "&nonceStr=n&timestamp=1&url=https://example.com/")
			got, err := w.CheckJSSDK(JSSDKSignature{URL: "https://example.com/", Timestamp: "1", NonceStr: "n", Signature: wrong})
			if err != nil || got.OK || !strings.Contains(got.Reason, "the name is noncestr") {
				t.Errorf("%+v, %v", got, err)
			}
		},
		"(?) another type is 40097": func(_ *testing.T, w *world) { w.want(ticket(w, "card"), errcode.Arguments) },
	}.run(t)
}

// anHourOf is a ticket that lives for an hour.
func anHourOf(value string) ticket {
	return ticket{value: value, expires: bookStart.Add(time.Hour)}
}

// checkJSSDK signs one address and lets the platform judge it for another.
func checkJSSDK(t *testing.T, w *world, ticket, page, signed string, ok bool, reason string) {
	t.Helper()
	asked := JSSDKSignature{URL: page, Timestamp: "1414587457", NonceStr: "n"}
	asked.Signature = sign(asked.text(ticket, signed))
	body := fmt.Sprintf(`{"url":%q,"timestamp":%q,"noncestr":%q,"signature":%q}`, asked.URL, asked.Timestamp, asked.NonceStr, asked.Signature)
	got := steer(t, w.Platform, http.MethodPost, "jssdk/check", body, http.StatusOK)
	if got["ok"] != ok || !strings.Contains(textOf(got, "reason"), reason) {
		t.Errorf("%s signed for %s: %v", signed, page, got)
	}
}

// The calls of a diagnosis (token.md, section 6 of our notes).
func TestFactsOfDiagnostics(t *testing.T) {
	t.Parallel()
	facts{
		"(O) 40201 without a callback URL": func(_ *testing.T, w *world) {
			account := DefaultAccount()
			account.CallbackURL = ""
			if err := w.SetAccount(account); err != nil {
				w.t.Fatal(err)
			}
			w.want(w.call("/cgi-bin/callback/check", `{"action":"all","check_operator":"DEFAULT"}`), errcode.NoCallbackURL)
		},
		"(O) 40202 for another action": func(_ *testing.T, w *world) {
			w.want(w.call("/cgi-bin/callback/check", `{"action":"x","check_operator":"CAP"}`), errcode.CheckAction)
		},
		"(O) 40203 for another operator": func(_ *testing.T, w *world) {
			w.want(w.call("/cgi-bin/callback/check", `{"action":"dns","check_operator":"x"}`), errcode.CheckOperator)
		},
		"(O) the check looks the host up and sends one packet": func(t *testing.T, w *world) {
			server := newAccountServer(t, DefaultAccount(), success)
			if err := w.SetCallback("", server.start(), ""); err != nil {
				t.Fatal(err)
			}
			ask := func(action string) string {
				return fmt.Sprint(w.call("/cgi-bin/callback/check", `{"action":"`+action+`","check_operator":"DEFAULT"}`))
			}
			if got := ask("all"); !strings.Contains(got, "package_loss:0%") || !strings.Contains(got, "ip:127.0.0.1") || !strings.Contains(got, "real_operator:") {
				t.Errorf("a server that listens: %s", got)
			}
			if got := ask("dns"); strings.Contains(got, "ping") {
				t.Errorf("dns alone: %s", got)
			}
			if err := w.SetCallback("", "http://127.0.0.1:1/", ""); err != nil {
				t.Fatal(err)
			}
			if got := ask("ping"); !strings.Contains(got, "package_loss:100%") || strings.Contains(got, "dns") {
				t.Errorf("a server that doesn't: %s", got)
			}
		},
		"(O) get_api_domain_ip and getcallbackip give lists, (O) which may hold blocks": func(t *testing.T, w *world) {
			for _, path := range []string{"/cgi-bin/get_api_domain_ip", "/cgi-bin/getcallbackip"} {
				if list, _ := w.call(path, "")["ip_list"].([]any); len(list) == 0 || !strings.Contains(fmt.Sprint(list), "/24") {
					t.Errorf("%s: %v", path, list)
				}
			}
		},
		"(O) clear_quota resets all counters, ten times a month by either way, then 48006": func(_ *testing.T, w *world) {
			w.call("/cgi-bin/user/get", "")
			for turn := range 10 {
				if turn%2 == 0 {
					w.want(w.call("/cgi-bin/clear_quota", `{"appid":"`+DefaultAppID+`"}`), errcode.OK)
				} else {
					w.want(w.plain("/cgi-bin/clear_quota/v2", nil, fmt.Sprintf(`{"appid":%q,"appsecret":%q}`, DefaultAppID, DefaultAccount().AppSecret)), errcode.OK)
				}
			}
			if _, used, _ := quotaOf(w.t, w.Platform, w.token, "/cgi-bin/user/get"); used != 0 {
				w.t.Errorf("%v calls are still counted", used)
			}
			w.want(w.call("/cgi-bin/clear_quota", `{"appid":"`+DefaultAppID+`"}`), errcode.QuotaClears)
			w.later(31 * 24 * time.Hour)
			w.token = ""
			w.want(w.call("/cgi-bin/clear_quota", `{"appid":"`+DefaultAppID+`"}`), errcode.OK)
		},
		"(O) 40013 when clear_quota names another account": func(_ *testing.T, w *world) { w.want(w.call("/cgi-bin/clear_quota", `{"appid":"wx"}`), errcode.AppID) },
		"(O) 76003 for a path without its slash": func(_ *testing.T, w *world) {
			w.want(w.call("/cgi-bin/openapi/quota/get", `{"cgi_path":"cgi-bin/user/get"}`), errcode.QuotaPath)
		},
		"(?) openapi/quota/clear resets one path, any of them": func(_ *testing.T, w *world) {
			w.call("/cgi-bin/user/get", "")
			w.call("/cgi-bin/menu/get", "")
			w.want(w.call("/cgi-bin/openapi/quota/clear", `{"cgi_path":"/cgi-bin/user/get"}`), errcode.OK)
			_, users, _ := quotaOf(w.t, w.Platform, w.token, "/cgi-bin/user/get")
			if _, menus, _ := quotaOf(w.t, w.Platform, w.token, "/cgi-bin/menu/get"); users != 0 || menus != 1 {
				w.t.Errorf("%v and %v calls are counted", users, menus)
			}
			w.want(w.call("/cgi-bin/openapi/quota/clear", `{"cgi_path":"x"}`), errcode.QuotaPath)
		},
		"(O) rid/get tells what was asked, (M) for seven days": func(t *testing.T, w *world) {
			said := textOf(w.call("/cgi-bin/user/info?openid=oUNKNOWN", ""), "errmsg")
			_, rid, _ := strings.Cut(said, "rid: ")
			got := fmt.Sprint(w.call("/cgi-bin/openapi/rid/get", `{"rid":"`+rid+`"}`))
			if !strings.Contains(got, "openid=oUNKNOWN") || !strings.Contains(got, "invalid openid") || strings.Contains(got, w.token) {
				t.Errorf("rid %s: %s", rid, got)
			}
			w.want(w.call("/cgi-bin/openapi/rid/get", `{"rid":"0-0-0"}`), errcode.RID)
			w.later(7 * 24 * time.Hour)
			w.token = ""
			w.want(w.call("/cgi-bin/openapi/rid/get", `{"rid":"`+rid+`"}`), errcode.RID)
		},
	}.run(t)
}

// WeChat Work (企业微信) on its own terms: see TestWorkToken for the token.
func TestFactsOfWorkTickets(t *testing.T) {
	t.Parallel()
	facts{
		"(O) 100 tickets an hour for an application": func(t *testing.T, w *world) {
			if err := w.SetAccount(Account{Kind: KindWork, AppID: "ww1", AppSecret: "s"}); err != nil {
				t.Fatal(err)
			}
			w.token = textOf(w.plain("/cgi-bin/gettoken", url.Values{"corpid": {"ww1"}, "corpsecret": {"s"}}, ""), "access_token")
			for turn := range 100 {
				path := "/cgi-bin/get_jsapi_ticket"
				if turn%2 == 0 {
					path = "/cgi-bin/ticket/get?type=agent_config"
				}
				w.want(w.call(path, ""), errcode.OK)
			}
			w.want(w.call("/cgi-bin/get_jsapi_ticket", ""), errcode.DailyQuota)
			w.later(time.Hour)
			w.want(w.call("/cgi-bin/get_jsapi_ticket", ""), errcode.OK)
			w.want(w.call("/cgi-bin/ticket/get?type=x", ""), errcode.Arguments)
		},
	}.run(t)
}
