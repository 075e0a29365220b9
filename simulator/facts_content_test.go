package simulator

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
	"github.com/wxstack/wxstack/simulator/internal/quota"
	"github.com/wxstack/wxstack/simulator/internal/verdict"
)

// send sends a customer-service text to the default follower.
func (w *world) send(content string) map[string]any {
	w.t.Helper()

	return w.call(sendPath, customText(DefaultFollower, content))
}

// act lets the default follower do something; the account's server answers success.
func (w *world) act(push Push) {
	w.t.Helper()
	if w.server == "" {
		server := httptest.NewServer(answerWith(verdict.SuccessBody))
		w.t.Cleanup(server.Close)
		w.server = server.URL
	}
	push.URL = w.server
	if _, err := w.Push(w.t.Context(), push); err != nil {
		w.t.Fatal(err)
	}
}

// The conventions of all APIs (api.md, section 2 of our notes).
func TestFactsOfConventions(t *testing.T) {
	t.Parallel()
	facts{
		"(O) absence of errcode means 0": func(t *testing.T, w *world) {
			if given := w.call("/cgi-bin/user/get", ""); given["errcode"] != nil || given["total"] != 1.0 {
				t.Errorf("%v", given)
			}
		},
		"(O) 44002 for an empty body": func(t *testing.T, w *world) {
			w.want(w.call("/cgi-bin/menu/get", ""), errcode.OK)
			w.want(api(t, w.Platform, http.MethodPost, sendPath, withToken(w.token), ""), errcode.EmptyBody)
		},
		"(O) 47001 for a malformed one":           func(_ *testing.T, w *world) { w.want(w.call(sendPath, "{"), errcode.JSON) },
		"(O) 43001 for POST, where GET is needed": func(_ *testing.T, w *world) { w.want(w.call("/cgi-bin/user/get", "{}"), errcode.NeedGET) },
		"(O) 43002 for GET, where POST is needed": func(_ *testing.T, w *world) { w.want(w.call(sendPath, ""), errcode.NeedPOST) },
		"(O) 40033 for \\uXXXX in texts": func(_ *testing.T, w *world) {
			w.act(Push{Content: "x"})
			w.want(w.call(sendPath, `{"touser":"`+DefaultFollower+`","msgtype":"text","text":{"content":"\u4f60"}}`), errcode.Charset)
			w.want(w.call("/cgi-bin/tags/create", `{"tag":{"name":"\u4f60"}}`), errcode.Charset)
			w.want(w.call("/cgi-bin/menu/create", `{"button":[{"type":"click","name":"\u4f60","key":"K"}]}`), errcode.Charset)
			for path, body := range map[string]string{
				"/cgi-bin/message/mass/sendall":      `{"filter":{"is_to_all":true},"msgtype":"text","text":{"content":"\u4f60"}}`,
				templatePath:                         `{"touser":"` + DefaultFollower + `","template_id":"` + DefaultTemplateID + `","data":{"a":{"value":"\u4f60"}}}`,
				"/cgi-bin/template/api_add_template": `{"template_id_short":"T1","keyword_name_list":["\u4f60"]}`,
				"/cgi-bin/draft/update":              `{"media_id":"x","index":0,"articles":{"title":"\u4f60"}}`,
				"/cgi-bin/shorten/gen":               `{"long_data":"\u4f60"}`,
				"/cgi-bin/qrcode/create":             `{"action_name":"QR_LIMIT_STR_SCENE","action_info":{"scene":{"scene_str":"\u4f60"}}}`,
				"/customservice/kfaccount/add":       `{"kf_account":"a@b","nickname":"\u4f60"}`,
			} {
				w.want(w.call(path, body), errcode.Charset)
			}
		},
		"(O) ids of 64 bits": func(t *testing.T, w *world) {
			_, body := request(t, http.MethodPost, w.URL()+templatePath+"?access_token="+stableToken(t, w.Platform), templateBody(DefaultFollower, DefaultTemplateID, `,"data":{}`))
			if !strings.Contains(string(body), `"msgid":1`) || len(string(body)) < len(`{"errcode":0,"errmsg":"ok","msgid":17641`)+6 {
				t.Errorf("%s", body)
			}
		},
		"(O) an unknown path is 40066": func(_ *testing.T, w *world) { w.want(w.call("/cgi-bin/unknown", ""), errcode.URL) },
	}.run(t)
}

// The daily limits of a new account (api.md, section 3 of our notes).
func TestFactsOfDailyLimits(t *testing.T) {
	t.Parallel()
	list := facts{
		"(O) over the limit 45009": func(t *testing.T, w *world) {
			for range 500 {
				w.want(w.call("/cgi-bin/user/get", ""), errcode.OK)
			}
			w.want(w.call("/cgi-bin/user/get", ""), errcode.DailyQuota)
		},
	}
	for name, limit := range map[string]struct {
		path string
		want float64
	}{
		"(O) 2,000 tokens": {quota.PathClassic, 2000}, "(O) 1,000 menus": {"/cgi-bin/menu/create", 1000}, "(O) 10,000 reads of menus": {"/cgi-bin/menu/get", 10_000},
		"(O) 1,000 deletions of menus": {"/cgi-bin/menu/delete", 1000}, "(O) 1,000 tags": {"/cgi-bin/tags/create", 1000},
		"(O) 100,000 times tagging": {"/cgi-bin/tags/members/batchtagging", 100_000}, "(≠) 100,000 uploads": {"/cgi-bin/media/upload", 100_000},
		"(≠) 200,000 downloads": {"/cgi-bin/media/get", 200_000}, "(O) 500,000 customer-service messages": {sendPath, 500_000},
		"(C) 100 mass messages": {"/cgi-bin/message/mass/sendall", 100}, "(C) 100,000 QR codes": {"/cgi-bin/qrcode/create", 100_000},
		"(C) 500 lists of followers": {"/cgi-bin/user/get", 500}, "(C) 5,000,000 followers": {"/cgi-bin/user/info", 5_000_000},
		"(C) 10,000 remarks": {"/cgi-bin/user/info/updateremark", 10_000}, "(C) 100,000 template messages": {templatePath, 100_000},
	} {
		list[name+" a day"] = func(t *testing.T, w *world) {
			w.token = stableToken(t, w.Platform)
			if got, _, _ := quotaOf(t, w.Platform, w.token, limit.path); got != limit.want {
				t.Errorf("%s: %v", limit.path, got)
			}
		}
	}
	for path, want := range map[string]float64{
		quota.PathClassic: 200, "/cgi-bin/menu/create": 100, "/cgi-bin/menu/get": 1000, "/cgi-bin/menu/delete": 100, "/cgi-bin/tags/create": 100,
		"/cgi-bin/tags/get": 100, "/cgi-bin/tags/update": 100, "/cgi-bin/tags/members/batchtagging": 1000, "/cgi-bin/media/upload": 500,
		"/cgi-bin/media/get": 1000, sendPath: 50_000, "/cgi-bin/qrcode/create": 10_000, "/cgi-bin/user/get": 100, "/cgi-bin/user/info": 500_000,
	} {
		list[fmt.Sprintf("(C) %.0f a day of %s for a test account", want, path)] = func(t *testing.T, w *world) {
			account := DefaultAccount()
			account.Test = true
			if err := w.SetAccount(account); err != nil {
				t.Fatal(err)
			}
			w.token = stableToken(t, w.Platform)
			if got, _, _ := quotaOf(t, w.Platform, w.token, path); got != want {
				t.Errorf("%v", got)
			}
		}
	}
	list.run(t)
}

// Customer-service messages (客服消息). Which types and fields there are: TestCustomMessageTypes; the windows:
// TestCustomSendWindows.
func TestFactsOfCustomerService(t *testing.T) {
	t.Parallel()
	list := facts{
		"(O) 45015 outside of every window": func(_ *testing.T, w *world) { w.want(w.send("x"), errcode.WindowClosed) },
		"(M) one article, 45008 for more": func(_ *testing.T, w *world) {
			w.act(Push{Content: "x"})
			w.want(w.call(sendPath, `{"touser":"`+DefaultFollower+`","msgtype":"news","news":{"articles":[{"title":"a"},{"title":"b"}]}}`), errcode.Articles)
		},
		"(C) 45002 for a text over 2048 bytes": func(_ *testing.T, w *world) {
			w.act(Push{Content: "x"})
			w.want(w.send(strings.Repeat("x", 2048)), errcode.OK)
			w.want(w.send(strings.Repeat("x", 2049)), errcode.TextTooLong)
		},
		"(O) 40003 for a stranger": func(_ *testing.T, w *world) { w.want(w.call(sendPath, customText("oNOBODY", "x")), errcode.OpenID) },
		"(O) 43004 for somebody who left": func(_ *testing.T, w *world) {
			w.act(Push{Type: TypeEvent, Event: EventUnsubscribe})
			w.want(w.send("x"), errcode.NotFollowing)
		},
		"(O) a new trigger opens a new allowance": func(_ *testing.T, w *world) {
			w.spend(Push{Content: "x"}, 5)
			w.act(Push{Content: "y"})
			w.want(w.send("x"), errcode.OK)
		},
		"(O) the window of a message is 48 hours": func(_ *testing.T, w *world) { w.window(Push{Content: "x"}, 48*time.Hour) },
		"(O) the window of a menu press is 1 minute": func(_ *testing.T, w *world) {
			w.window(Push{Type: TypeEvent, Event: EventClick, EventKey: "K"}, time.Minute)
		},
		"(O) a tap in a menu message counts as a menu press": func(_ *testing.T, w *world) { w.spend(Push{Content: "满意", MenuEntryID: "101"}, 3) },
		"(O) 48002 when the user refuses": func(t *testing.T, w *world) {
			w.act(Push{Content: "x"})
			steer(t, w.Platform, http.MethodPost, "followers/refuse", `{"refuses":true}`, http.StatusOK)
			w.want(w.send("x"), errcode.Refused)
			steer(t, w.Platform, http.MethodPost, "followers/refuse", `{"refuses":false}`, http.StatusOK)
			w.want(w.send("x"), errcode.OK)
		},
		"(O) 43019 when the user is on the blacklist": func(_ *testing.T, w *world) {
			w.act(Push{Content: "x"})
			w.want(w.call("/cgi-bin/tags/members/batchblacklist", `{"openid_list":["`+DefaultFollower+`"]}`), errcode.OK)
			w.want(w.send("x"), errcode.Blacklisted)
		},
		"(K) business/send and business/typing": func(_ *testing.T, w *world) {
			w.act(Push{Content: "x"})
			w.want(w.call("/cgi-bin/message/custom/business/send", `{"businessid":1,"touser":"`+DefaultFollower+`","msgtype":"text","text":{"content":"x"}}`), errcode.OK)
			w.want(w.call("/cgi-bin/message/custom/business/typing", `{"businessid":1,"touser":"`+DefaultFollower+`","command":"Typing"}`), errcode.OK)
		},
		"(K) 45080 for typing without a message in the last 30 s": func(_ *testing.T, w *world) {
			typing := func() map[string]any {
				return w.call("/cgi-bin/message/custom/typing", `{"touser":"`+DefaultFollower+`","command":"Typing"}`)
			}
			w.want(typing(), errcode.TypingWindow)
			w.act(Push{Content: "x"})
			w.want(typing(), errcode.OK)
			w.want(typing(), errcode.TypingTwice)
			w.later(31 * time.Second)
			w.want(typing(), errcode.TypingWindow)
			w.want(w.call("/cgi-bin/message/custom/typing", `{"touser":"`+DefaultFollower+`","command":"x"}`), errcode.TypingCommand)
		},
		"(K) 65401 for an agent that doesn't exist, if there are any": func(_ *testing.T, w *world) {
			w.act(Push{Content: "x"})
			as := func(agent string) map[string]any {
				return w.call(sendPath, `{"touser":"`+DefaultFollower+`","msgtype":"text","text":{"content":"x"},"customservice":{"kf_account":"`+agent+`"}}`)
			}
			w.want(as("ming@wxdev"), errcode.OK)
			w.want(w.call("/customservice/kfaccount/add", `{"kf_account":"ming@wxdev","nickname":"小明"}`), errcode.OK)
			w.want(w.call("/customservice/kfaccount/add", `{"kf_account":"ming@wxdev","nickname":"小明"}`), errcode.AgentTwice)
			w.want(w.call("/customservice/kfaccount/add", `{"kf_account":"ming","nickname":"小明"}`), errcode.AgentName)
			w.want(as("hong@wxdev"), errcode.Agent)
			w.want(as("ming@wxdev"), errcode.OK)
			w.want(w.call("/customservice/kfaccount/del?kf_account=ming@wxdev", ""), errcode.OK)
			w.want(w.call("/customservice/kfaccount/update", `{"kf_account":"ming@wxdev","nickname":"大明"}`), errcode.Agent)
		},
	}
	for name, trigger := range map[string]struct {
		push  Push
		count int
	}{
		"(≠) five messages after a message":          {Push{Content: "x"}, 5},
		"(O) three after a menu press":               {Push{Type: TypeEvent, Event: EventClick, EventKey: "K"}, 3},
		"(O) three after scancode_push":              {Push{Type: TypeEvent, Event: "scancode_push", EventKey: "K"}, 3},
		"(O) three after scancode_waitmsg":           {Push{Type: TypeEvent, Event: "scancode_waitmsg", EventKey: "K"}, 3},
		"(O) three after a follow":                   {Push{Type: TypeEvent, Event: EventSubscribe}, 3},
		"(O) three after a scan":                     {Push{Type: TypeEvent, Event: EventScan, EventKey: "1"}, 3},
		"(O) none after a view":                      {Push{Type: TypeEvent, Event: EventView, EventKey: "https://example.com/"}, 0},
		"(O) none after pictures chosen in the menu": {Push{Type: TypeEvent, Event: "pic_weixin", EventKey: "K"}, 0},
	} {
		list[name] = func(_ *testing.T, w *world) { w.spend(trigger.push, trigger.count) }
	}
	list.run(t)
}

// spend pulls a trigger and sends as many messages as it allows; the next is refused.
func (w *world) spend(trigger Push, count int) {
	w.t.Helper()
	w.act(trigger)
	for range count {
		w.want(w.send("x"), errcode.OK)
	}
	refusal := errcode.CountSpent
	if count == 0 {
		refusal = errcode.WindowClosed
	}
	w.want(w.send("x"), refusal)
}

// window pulls a trigger and sends at the end of its window, and after it.
func (w *world) window(trigger Push, length time.Duration) {
	w.t.Helper()
	w.act(trigger)
	w.later(length - time.Second)
	w.token = ""
	w.want(w.send("x"), errcode.OK)
	w.later(time.Second)
	w.want(w.send("x"), errcode.WindowClosed)
}

// Custom menus (自定义菜单); conditional ones: TestConditionalMenus.
func TestFactsOfMenus(t *testing.T) {
	t.Parallel()
	button := func(fields string) string { return `{"button":[{"name":"一",` + fields + `}]}` }
	sub := func(fields string) string {
		return `{"button":[{"name":"一","sub_button":[{"name":"二",` + fields + `}]}]}`
	}
	many := func(count int, one string) string { return strings.TrimSuffix(strings.Repeat(one+",", count), ",") }
	const click = `{"type":"click","name":"一","key":"K"}`
	list := facts{
		"(O) 46003 when there is none": func(_ *testing.T, w *world) {
			w.want(w.call("/cgi-bin/menu/delete", ""), errcode.OK)
			w.want(w.call("/cgi-bin/menu/get", ""), errcode.NoMenu)
		},
		"(O) 65303 for a conditional menu without a default one": func(_ *testing.T, w *world) {
			w.call("/cgi-bin/menu/delete", "")
			w.want(w.call("/cgi-bin/menu/addconditional", `{"button":[`+click+`],"matchrule":{"tag_id":"2"}}`), errcode.NoDefaultMenu)
		},
		"(M) deletion takes the conditional menus as well": func(t *testing.T, w *world) {
			w.want(w.call("/cgi-bin/menu/addconditional", `{"button":[`+click+`],"matchrule":{"client_platform_type":"3"}}`), errcode.OK)
			w.call("/cgi-bin/menu/delete", "")
			w.want(w.call("/cgi-bin/menu/create", `{"button":[`+click+`]}`), errcode.OK)
			if given := w.call("/cgi-bin/menu/get", ""); given["conditionalmenu"] != nil {
				t.Errorf("%v", given)
			}
		},
		"(K) get_current_selfmenu_info has its entries in a list": func(t *testing.T, w *world) {
			w.want(w.call("/cgi-bin/menu/create", sub(`"type":"view","url":"https://example.com/"`)), errcode.OK)
			if got := fmt.Sprint(w.call("/cgi-bin/get_current_selfmenu_info", "")); !strings.Contains(got, "sub_button:map[list:[map[name:二 type:view url:https://example.com/]]]") {
				t.Error(got)
			}
		},
		"(O) every type that the documents have": func(_ *testing.T, w *world) {
			for _, kind := range []string{"click", "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select"} {
				w.want(w.call("/cgi-bin/menu/create", button(`"type":"`+kind+`","key":"K"`)), errcode.OK)
				w.want(w.call("/cgi-bin/menu/create", button(`"type":"`+kind+`"`)), errcode.MenuKey)
			}
			w.want(w.call("/cgi-bin/menu/create", button(`"type":"miniprogram","url":"https://example.com/","appid":"wx1","pagepath":"p"`)), errcode.OK)
			w.want(w.call("/cgi-bin/menu/create", button(`"type":"media_id","media_id":"`+DefaultNewsID+`"`)), errcode.OK)
			w.want(w.call("/cgi-bin/menu/create", button(`"type":"article_id","article_id":"A"`)), errcode.OK)
		},
	}
	for name, test := range map[string]struct {
		body string
		want errcode.Code
	}{
		"(O) three buttons":                  {`{"button":[` + many(3, click) + `]}`, errcode.OK},
		"(O) 40016 for four":                 {`{"button":[` + many(4, click) + `]}`, errcode.Buttons},
		"(O) 40016 for none":                 {`{"button":[]}`, errcode.Buttons},
		"(O) five entries":                   {`{"button":[{"name":"一","sub_button":[` + many(5, click) + `]}]}`, errcode.OK},
		"(O) 40023 for six":                  {`{"button":[{"name":"一","sub_button":[` + many(6, click) + `]}]}`, errcode.SubSize},
		"(O) 40022 for a third level":        {`{"button":[{"name":"一","sub_button":[{"name":"二","sub_button":[` + click + `]}]}]}`, errcode.SubLevel},
		"(≠) long names are cut by clients":  {`{"button":[{"type":"click","name":"` + strings.Repeat("名", 40) + `","key":"K"}]}`, errcode.OK},
		"(O) 40018 for no name":              {`{"button":[{"type":"click","key":"K"}]}`, errcode.MenuName},
		"(O) 40025 for an entry without one": {`{"button":[{"name":"一","sub_button":[{"type":"click","key":"K"}]}]}`, errcode.SubName},
		"(O) 40017 for an unknown type":      {button(`"type":"x"`), errcode.MenuType},
		"(O) 40024 for an entry of one":      {sub(`"type":"x"`), errcode.SubType},
		"(M) a key of 128 bytes":             {button(`"type":"click","key":"` + strings.Repeat("k", 128) + `"`), errcode.OK},
		"(M) 40019 for 129":                  {button(`"type":"click","key":"` + strings.Repeat("k", 129) + `"`), errcode.MenuKey},
		"(M) 40026 for an entry's":           {sub(`"type":"click","key":"` + strings.Repeat("k", 129) + `"`), errcode.SubKey},
		"(M) an address of 1024 bytes":       {button(`"type":"view","url":"https://e.cn/` + strings.Repeat("u", 1024-13) + `"`), errcode.OK},
		"(M) 40020 for 1025":                 {button(`"type":"view","url":"https://e.cn/` + strings.Repeat("u", 1024-12) + `"`), errcode.MenuURL},
		"(M) 40027 for an entry's":           {sub(`"type":"view","url":"x"`), errcode.SubURL},
		"(O) a mini program needs its appid": {button(`"type":"miniprogram","url":"https://e.cn/","pagepath":"p"`), errcode.AppID},
		"(O) and its pagepath":               {button(`"type":"miniprogram","url":"https://e.cn/","appid":"wx1"`), errcode.PagePath},
		"(O) material that exists":           {button(`"type":"media_id","media_id":"x"`), errcode.MediaID},
		"(O) an article_id":                  {button(`"type":"article_view_limited"`), errcode.ArticleID},
	} {
		list[name+" (menu/create)"] = func(_ *testing.T, w *world) { w.want(w.call("/cgi-bin/menu/create", test.body), test.want) }
	}
	list.run(t)
}

// Tags, followers and the blacklist (用户管理); see TestUsers, TestTags and TestTagLimits for what they answer.
func TestFactsOfUsers(t *testing.T) {
	t.Parallel()
	ids := func(count int) string {
		return `"` + strings.Repeat(DefaultFollower+`","`, count-1) + DefaultFollower + `"`
	}
	facts{
		"(O) a remark of 30 characters": func(_ *testing.T, w *world) {
			w.want(w.call("/cgi-bin/user/info/updateremark", `{"openid":"`+DefaultFollower+`","remark":"`+strings.Repeat("名", 30)+`"}`), errcode.OK)
			w.want(w.call("/cgi-bin/user/info/updateremark", `{"openid":"`+DefaultFollower+`","remark":"`+strings.Repeat("名", 31)+`"}`), errcode.Arguments)
		},
		"(O) 100 followers in one batchget": func(_ *testing.T, w *world) {
			list := func(count int) string {
				return `{"user_list":[` + strings.TrimSuffix(strings.Repeat(`{"openid":"`+DefaultFollower+`"},`, count), ",") + `]}`
			}
			w.want(w.call("/cgi-bin/user/info/batchget", list(100)), errcode.OK)
			w.want(w.call("/cgi-bin/user/info/batchget", list(101)), errcode.OpenIDs)
		},
		"(M) nickname and avatar are not filled": func(t *testing.T, w *world) {
			if given := w.call("/cgi-bin/user/info?openid="+DefaultFollower, ""); given["nickname"] != nil || given["headimgurl"] != nil || given["subscribe"] != 1.0 {
				t.Errorf("%v", given)
			}
		},
		"(O) 100 tags, then 45056": func(_ *testing.T, w *world) {
			for number := range 100 {
				w.want(w.call("/cgi-bin/tags/create", fmt.Sprintf(`{"tag":{"name":"t%d"}}`, number)), errcode.OK)
			}
			w.want(w.call("/cgi-bin/tags/create", `{"tag":{"name":"one more"}}`), errcode.TooManyTags)
		},
		"(O) a tag's name has 30 bytes, 45158": func(_ *testing.T, w *world) {
			w.want(w.call("/cgi-bin/tags/create", `{"tag":{"name":"`+strings.Repeat("x", 30)+`"}}`), errcode.OK)
			w.want(w.call("/cgi-bin/tags/create", `{"tag":{"name":"`+strings.Repeat("x", 31)+`"}}`), errcode.TagNameSize)
			w.want(w.call("/cgi-bin/tags/create", `{"tag":{"name":"`+strings.Repeat("x", 30)+`"}}`), errcode.TagName)
		},
		"(O) 45159 for a tag that isn't there": func(_ *testing.T, w *world) {
			w.want(w.call("/cgi-bin/tags/members/batchtagging", `{"openid_list":["`+DefaultFollower+`"],"tagid":7}`), errcode.TagID)
		},
		"(O) 50 followers tagged at once": func(_ *testing.T, w *world) {
			w.want(w.call("/cgi-bin/tags/members/batchtagging", `{"openid_list":[`+ids(50)+`],"tagid":2}`), errcode.OK)
			w.want(w.call("/cgi-bin/tags/members/batchtagging", `{"openid_list":[`+ids(51)+`],"tagid":2}`), errcode.OpenIDs)
		},
		"(M) 20 followers on the blacklist at once": func(t *testing.T, w *world) {
			w.want(w.call("/cgi-bin/tags/members/batchblacklist", `{"openid_list":[`+ids(21)+`]}`), errcode.OpenIDs)
			w.want(w.call("/cgi-bin/tags/members/batchblacklist", `{"openid_list":["oNOBODY"]}`), errcode.OpenID)
			w.want(w.call("/cgi-bin/tags/members/batchblacklist", `{"openid_list":[`+ids(20)+`]}`), errcode.OK)
			if given := w.call("/cgi-bin/tags/members/getblacklist", `{"begin_openid":""}`); given["total"] != 1.0 {
				t.Errorf("%v", given)
			}
			w.want(w.call("/cgi-bin/tags/members/batchunblacklist", `{"openid_list":["`+DefaultFollower+`"]}`), errcode.OK)
			if given := w.call("/cgi-bin/tags/members/getblacklist", `{}`); given["total"] != 0.0 {
				t.Errorf("%v", given)
			}
		},
		"(O) 100 OpenIDs in one changeopenid": func(_ *testing.T, w *world) {
			w.want(w.call("/cgi-bin/changeopenid", `{"from_appid":"wx1","openid_list":[`+ids(100)+`]}`), errcode.OK)
			w.want(w.call("/cgi-bin/changeopenid", `{"from_appid":"wx1","openid_list":[`+ids(101)+`]}`), errcode.OpenIDs)
		},
	}.run(t)
}

// Material (素材管理); what it answers: TestMaterial and TestUploadRefusals.
func TestFactsOfMaterial(t *testing.T) {
	t.Parallel()
	put := func(w *world, path string, data []byte, description string) map[string]any {
		if w.token == "" {
			w.token = stableToken(w.t, w.Platform)
		}
		contentType, body := uploadBody(w.t, data, description)

		return upload(w.t, w.Platform, path+"access_token="+w.token, contentType, body)
	}
	temporary := func(w *world, kind string, data []byte) map[string]any {
		return put(w, "/cgi-bin/media/upload?type="+kind+"&", data, "")
	}
	filled := func(kind string, length int) []byte {
		data := media.Sample(kind)
		if kind == media.Voice { // MP3 at 320 kbit/s, because 2 MB of AMR play longer than a voice may.
			data = bytes.Repeat(append([]byte{0xFF, 0xFB, 0xE4}, make([]byte, 957)...), length/960)
		}

		return append(data, make([]byte, length-len(data))...)
	}
	list := facts{
		"(O) temporary material is kept for three days": func(_ *testing.T, w *world) {
			id := textOf(temporary(w, media.Image, media.SamplePicture()), "media_id")
			w.later(3*24*time.Hour - time.Second)
			w.token = ""
			status, _ := request(w.t, http.MethodGet, w.URL()+"/cgi-bin/media/get?media_id="+id+"&access_token="+stableToken(w.t, w.Platform), "")
			if status != http.StatusOK {
				w.t.Errorf("status %d", status)
			}
			w.later(2 * time.Second)
			w.want(w.call("/cgi-bin/media/get?media_id="+id, ""), errcode.MediaID)
		},
		"(O) a temporary video is given by its address": func(t *testing.T, w *world) {
			film := media.Sample(media.Video)
			given := w.call("/cgi-bin/media/get?media_id="+textOf(temporary(w, media.Video, film), "media_id"), "")
			if _, data := request(t, http.MethodGet, textOf(given, "video_url"), ""); !strings.HasPrefix(string(data), "\x00\x00\x00\x18ftyp") {
				t.Errorf("%v: %d bytes", given, len(data))
			}
		},
		"(M) a thumb has a thumb_media_id": func(t *testing.T, w *world) {
			if given := temporary(w, media.Thumb, media.Sample(media.Thumb)); textOf(given, "thumb_media_id") == "" || given["created_at"] == nil {
				t.Errorf("%v", given)
			}
		},
		"(O) media/get/jssdk gives voices": func(_ *testing.T, w *world) {
			id := textOf(temporary(w, media.Voice, media.Sample(media.Voice)), "media_id")
			if _, data := request(w.t, http.MethodGet, w.URL()+"/cgi-bin/media/get/jssdk?media_id="+id+"&access_token="+w.token, ""); !strings.HasPrefix(string(data), "#!AMR") {
				w.t.Errorf("%d bytes", len(data))
			}
			w.want(w.call("/cgi-bin/media/get/jssdk?media_id=x", ""), errcode.MediaID)
		},
		"(C) a picture in an article is under 1 MB, JPG or PNG": func(_ *testing.T, w *world) {
			w.want(put(w, "/cgi-bin/media/uploadimg?", media.SamplePicture(), ""), errcode.OK)
			w.want(put(w, "/cgi-bin/media/uploadimg?", filled(media.Image, 1<<20), ""), errcode.PictureSize)
			w.want(put(w, "/cgi-bin/media/uploadimg?", []byte("GIF89a"), ""), errcode.FileType)
		},
		"(O) a permanent video brings its description": func(_ *testing.T, w *world) {
			w.want(put(w, "/cgi-bin/material/add_material?type=video&", media.Sample(media.Video), ""), errcode.Arguments)
			w.want(put(w, "/cgi-bin/material/add_material?type=video&", media.Sample(media.Video), `{"title":"t","introduction":"i"}`), errcode.OK)
		},
		"(M) 45001 when the library is full": func(_ *testing.T, w *world) {
			account := w.state.accounts[DefaultAppID]
			for number := range maxLibrary[media.Voice] {
				account.library.Add(&media.Item{ID: strconv.Itoa(number), Kind: media.Voice})
			}
			w.want(put(w, "/cgi-bin/material/add_material?type=voice&", media.Sample(media.Voice), ""), errcode.LibraryFull)
			w.want(put(w, "/cgi-bin/material/add_material?type=image&", media.SamplePicture(), ""), errcode.OK)
			account.library.Add(&media.Item{ID: "large", Kind: media.Video, Data: make([]byte, 64<<20-1000)})
			w.want(put(w, "/cgi-bin/material/add_material?type=image&", media.SamplePicture(), ""), errcode.LibraryFull)
		},
		"(O) 20 at most in a list": func(_ *testing.T, w *world) {
			w.want(w.call("/cgi-bin/material/batchget_material", `{"type":"image","offset":0,"count":20}`), errcode.OK)
			w.want(w.call("/cgi-bin/material/batchget_material", `{"type":"image","offset":0,"count":21}`), errcode.Arguments)
			w.want(w.call("/cgi-bin/material/batchget_material", `{"type":"image","offset":0,"count":0}`), errcode.Arguments)
		},
		"(O) 48005 for material that a menu uses": func(_ *testing.T, w *world) {
			w.want(w.call("/cgi-bin/menu/create", `{"button":[{"name":"一","type":"media_id","media_id":"`+DefaultNewsID+`"}]}`), errcode.OK)
			w.want(w.call("/cgi-bin/material/del_material", `{"media_id":"`+DefaultNewsID+`"}`), errcode.MediaInUse)
		},
		"(O) a voice of 60 s, (M) 45007 for a longer one": func(_ *testing.T, w *world) {
			const opening = "#!AMR\n"
			second := media.Sample(media.Voice)[len(opening):]
			voice := func(seconds int) []byte {
				return append([]byte(opening), bytes.Repeat(second, seconds)...)
			}
			w.want(temporary(w, media.Voice, voice(60)), errcode.OK)
			w.want(temporary(w, media.Voice, voice(61)), errcode.Playtime)
			w.want(put(w, "/cgi-bin/material/add_material?type=voice&", voice(61), ""), errcode.Playtime)
		},
		"(M) 41005 without a Content-Length": func(t *testing.T, w *world) {
			contentType, body := uploadBody(t, media.SamplePicture(), "")
			given := upload(t, w.Platform, "/cgi-bin/media/upload?type=image&access_token="+stableToken(t, w.Platform), contentType, struct{ *strings.Reader }{strings.NewReader(body.String())})
			w.want(given, errcode.MediaMissing)
		},
	}
	for name, test := range map[string]struct {
		kind   string
		length int
		want   errcode.Code
	}{
		"(≠) a picture of 10 MB": {media.Image, 10 << 20, errcode.OK}, "(≠) 40006 for a larger one": {media.Image, 10<<20 + 1, errcode.FileSize},
		"(O) a voice of 2 MB": {media.Voice, 2 << 20, errcode.OK}, "(O) 40006 for a longer one": {media.Voice, 2<<20 + 1, errcode.FileSize},
		"(O) a video of 10 MB": {media.Video, 10 << 20, errcode.OK}, "(O) 40006 for a longer video": {media.Video, 10<<20 + 1, errcode.FileSize},
		"(O) a thumb of 64 KB": {media.Thumb, 64 << 10, errcode.OK}, "(O) 40006 for a larger thumb": {media.Thumb, 64<<10 + 1, errcode.FileSize},
	} {
		list[name] = func(_ *testing.T, w *world) {
			w.want(temporary(w, test.kind, filled(test.kind, test.length)), test.want)
		}
	}
	for kind, other := range map[string][]byte{media.Image: []byte("text"), media.Thumb: media.SamplePicture(), media.Voice: []byte("text"), media.Video: []byte("text")} {
		list["(O) 40005 for another format than "+kind] = func(_ *testing.T, w *world) { w.want(temporary(w, kind, other), errcode.FileType) }
	}
	list.run(t)
}

// reported starts a server that passes on the events which the platform reports to the account.
func (w *world) reported() <-chan receivedPush {
	w.t.Helper()
	account := DefaultAccount()
	server := newAccountServer(w.t, account, success)
	account.CallbackURL = server.start()
	if err := w.SetAccount(account); err != nil {
		w.t.Fatal(err)
	}

	return server.seen
}

// Template messages (模板消息) and subscription messages (订阅通知).
func TestFactsOfTemplates(t *testing.T) {
	t.Parallel()
	send := func(w *world, id string) map[string]any {
		return w.call(templatePath, templateBody(DefaultFollower, id, `,"data":{"keyword1":{"value":"一"}}`))
	}
	facts{
		"(K) TEMPLATESENDJOBFINISH success": func(t *testing.T, w *world) {
			seen := w.reported()
			w.want(send(w, DefaultTemplateID), errcode.OK)
			if got := <-seen; got.document.Value("Event") != "TEMPLATESENDJOBFINISH" || got.document.Value("Status") != "success" || got.document.Value("FromUserName") != DefaultFollower {
				t.Errorf("%s", got.document.XML())
			}
		},
		"(K) TEMPLATESENDJOBFINISH failed:user block": func(t *testing.T, w *world) {
			seen := w.reported()
			if err := w.SetRefusal("", "", true); err != nil {
				t.Fatal(err)
			}
			w.want(send(w, DefaultTemplateID), errcode.OK)
			refused := <-seen
			if got := refused.document.Value("Status"); got != "failed:user block" || len(w.Chat(DefaultFollower)) != 0 {
				t.Errorf("status %q", got)
			}
		},
		"(C) 25 templates": func(t *testing.T, w *world) {
			for range 24 {
				given := w.call("/cgi-bin/template/api_add_template", `{"template_id_short":"TM00015","keyword_name_list":["订单"]}`)
				w.want(given, errcode.OK)
				w.want(send(w, textOf(given, "template_id")), errcode.OK)
			}
			w.want(w.call("/cgi-bin/template/api_add_template", `{"template_id_short":"TM00015"}`), errcode.TemplateCount)
			w.want(w.call("/cgi-bin/template/del_private_template", `{"template_id":"`+DefaultTemplateID+`"}`), errcode.OK)
			w.want(send(w, DefaultTemplateID), errcode.TemplateID)
		},
		"(O) industries": func(t *testing.T, w *world) {
			w.want(w.call("/cgi-bin/template/api_set_industry", `{"industry_id1":"1","industry_id2":"4"}`), errcode.OK)
			if got := fmt.Sprint(w.call("/cgi-bin/template/get_industry", "")); !strings.Contains(got, "second_class:4") {
				t.Error(got)
			}
		},
		"(O) subscribe_msg_sent_event": func(t *testing.T, w *world) {
			seen := w.reported()
			w.want(w.call("/cgi-bin/message/subscribe/bizsend", templateBody(DefaultFollower, DefaultTemplateID, `,"data":{}`)), errcode.OK)
			if got := <-seen; got.document.Value("Event") != "subscribe_msg_sent_event" || !strings.Contains(got.document.XML(), DefaultTemplateID) {
				t.Errorf("%s", got.document.XML())
			}
			w.want(w.call("/cgi-bin/message/subscribe/bizsend", templateBody(DefaultFollower, "x", `,"data":{}`)), errcode.TemplateID)
		},
		"(O) one-off subscriptions": func(_ *testing.T, w *world) {
			w.want(w.call("/cgi-bin/message/template/subscribe", templateBody(DefaultFollower, DefaultTemplateID, `,"scene":"1","title":"t","data":{}`)), errcode.OK)
			w.want(w.call("/cgi-bin/message/template/subscribe", templateBody(DefaultFollower, DefaultTemplateID, `,"data":{}`)), errcode.Arguments)
			w.want(w.call("/cgi-bin/message/template/subscribe", templateBody("oNOBODY", DefaultTemplateID, `,"data":{}`)), errcode.OpenID)
		},
	}.run(t)
}

// Mass messages (群发) and publishing (发布).
func TestFactsOfMassMessagesAndPublishing(t *testing.T) {
	t.Parallel()
	const all = "/cgi-bin/message/mass/sendall"
	const toAll = `{"filter":{"is_to_all":true},"msgtype":"text","text":{"content":"群发"}}`
	some := func(count int) string {
		return `{"touser":["` + strings.Repeat(DefaultFollower+`","`, count-1) + DefaultFollower + `"],"msgtype":"text","text":{"content":"群发"}}`
	}
	articles := func(w *world, title, content string, count int) map[string]any {
		contentType, body := uploadBody(w.t, media.SamplePicture(), "")
		w.token = stableToken(w.t, w.Platform)
		cover := textOf(upload(w.t, w.Platform, "/cgi-bin/material/add_material?type=image&access_token="+w.token, contentType, body), "media_id")
		one := fmt.Sprintf(`{"title":%q,"content":%q,"thumb_media_id":%q}`, title, content, cover)

		return w.call("/cgi-bin/draft/add", `{"articles":[`+strings.TrimSuffix(strings.Repeat(one+",", count), ",")+`]}`)
	}
	article := func(w *world, title, content string) map[string]any { return articles(w, title, content, 1) }
	facts{
		"(O) MASSSENDJOBFINISH with its counts": func(t *testing.T, w *world) {
			seen := w.reported()
			w.follow("oREFUSES", DefaultAppID)
			w.follow("oBLACK", DefaultAppID)
			if err := w.SetRefusal("", "oREFUSES", true); err != nil {
				t.Fatal(err)
			}
			w.want(w.call("/cgi-bin/tags/members/batchblacklist", `{"openid_list":["oBLACK"]}`), errcode.OK)
			w.want(w.call(all, toAll), errcode.OK)
			got := (<-seen).document
			counts := []string{got.Value("Event"), got.Value("FromUserName"), got.Value("Status"), got.Value("TotalCount"), got.Value("FilterCount"), got.Value("SentCount"), got.Value("ErrorCount")}
			if diff := cmp.Diff([]string{"MASSSENDJOBFINISH", "mphelper", "send success", "3", "2", "1", "1"}, counts); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		},
		"(C) a subscription account sends once a day": func(_ *testing.T, w *world) {
			account := DefaultAccount()
			account.Subscription = true
			if err := w.SetAccount(account); err != nil {
				w.t.Fatal(err)
			}
			w.want(w.call(all, toAll), errcode.OK)
			w.want(w.call(all, toAll), errcode.MassQuota)
			w.later(24 * time.Hour)
			w.token = ""
			w.want(w.call(all, toAll), errcode.OK)
		},
		"(C) a follower of a service account gets four a month": func(t *testing.T, w *world) {
			for range 5 {
				w.want(w.call(all, toAll), errcode.OK)
			}
			if got := len(w.Chat(DefaultFollower)); got != 4 {
				t.Errorf("%d arrived", got)
			}
		},
		"(O) a draft is sent as mpnews, but not as a customer-service message": func(t *testing.T, w *world) {
			w.follow(DefaultFollower, DefaultAppID)
			id := textOf(article(w, "标题", "<p>正文</p>"), "media_id")
			w.want(w.call("/cgi-bin/message/mass/preview", `{"touser":"`+DefaultFollower+`","msgtype":"mpnews","mpnews":{"media_id":"`+id+`"}}`), errcode.OK)
			w.want(w.call(all, `{"filter":{"is_to_all":true},"msgtype":"mpnews","mpnews":{"media_id":"`+id+`"}}`), errcode.OK)
			w.want(w.call(all, `{"filter":{"is_to_all":true},"msgtype":"mpnews","mpnews":{"media_id":"x"}}`), errcode.MediaID)
			if chat := w.Chat(DefaultFollower); chat[len(chat)-1].MediaID != id {
				t.Errorf("the follower saw %+v", chat[len(chat)-1])
			}
			w.want(w.call(sendPath, `{"touser":"`+DefaultFollower+`","msgtype":"mpnews","mpnews":{"media_id":"`+id+`"}}`), errcode.MediaID)
		},
		"(C) 60 calls a minute": func(t *testing.T, w *world) {
			book := newMassBook()
			for range 60 {
				if code := book.admit(Account{}, "", bookStart); code != errcode.OK {
					t.Fatal(code)
				}
			}
			if code := book.admit(Account{}, "", bookStart); code != errcode.MinuteQuota {
				t.Error(code)
			}
		},
		"(C) 45066 for a clientmsgid within a minute, then 45065 with what was sent": func(t *testing.T, w *world) {
			send := func() map[string]any { return w.call(all, `{"clientmsgid":"a",`+toAll[1:]) }
			first := send()
			w.want(first, errcode.OK)
			w.later(time.Minute - time.Second)
			w.want(send(), errcode.MassTooFast)
			w.later(time.Second)
			again := send()
			w.want(again, errcode.MassTwice)
			if again["msg_id"] != first["msg_id"] {
				t.Errorf("msg_id is %v, want %v", again["msg_id"], first["msg_id"])
			}
		},
		"(C) 45067 for a clientmsgid of more than 64 bytes": func(_ *testing.T, w *world) {
			w.want(w.call(all, `{"clientmsgid":"`+strings.Repeat("a", 65)+`",`+toAll[1:]), errcode.MassLongID)
			w.want(w.call(all, `{"clientmsgid":"`+strings.Repeat("a", 64)+`",`+toAll[1:]), errcode.OK)
		},
		"(M) 2 to 10,000 OpenIDs": func(_ *testing.T, w *world) {
			w.want(w.call("/cgi-bin/message/mass/send", some(1)), errcode.MassUsers)
			w.want(w.call("/cgi-bin/message/mass/send", some(2)), errcode.OK)
			w.want(w.call("/cgi-bin/message/mass/send", some(10_000)), errcode.OK)
			w.want(w.call("/cgi-bin/message/mass/send", some(10_001)), errcode.OpenIDs)
		},
		"(K) the state of a mass message, and its deletion": func(t *testing.T, w *world) {
			// The id has more digits than JavaScript's numbers, and Go's float64, can hold.
			_, body := request(t, http.MethodPost, w.URL()+all+"?access_token="+stableToken(t, w.Platform), toAll)
			_, id, _ := strings.Cut(string(body), `"msg_id":`)
			id = strings.TrimRight(id, "}")
			if got := w.call("/cgi-bin/message/mass/get", `{"msg_id":"`+id+`"}`)["msg_status"]; got != "SEND_SUCCESS" {
				t.Errorf("status %v", got)
			}
			w.want(w.call("/cgi-bin/message/mass/delete", `{"msg_id":`+id+`}`), errcode.OK)
			if got := w.call("/cgi-bin/message/mass/get", `{"msg_id":`+id+`}`)["msg_status"]; got != "DELETE" {
				t.Errorf("status %v", got)
			}
			w.want(w.call("/cgi-bin/message/mass/get", `{"msg_id":1}`), errcode.Arguments)
		},
		"(O) a speed of 0 to 4": func(_ *testing.T, w *world) {
			w.want(w.call("/cgi-bin/message/mass/speed/set", `{"speed":4}`), errcode.OK)
			w.want(w.call("/cgi-bin/message/mass/speed/set", `{"speed":5}`), errcode.Speed)
			w.want(w.call("/cgi-bin/message/mass/speed/set", `{}`), errcode.SpeedMissing)
		},
		"(C) PUBLISHJOBFINISH with the article": func(t *testing.T, w *world) {
			seen := w.reported()
			given := w.call("/cgi-bin/freepublish/submit", `{"media_id":"`+textOf(article(w, "标题", "内容"), "media_id")+`"}`)
			w.want(given, errcode.OK)
			got := (<-seen).document
			info := got.Find("PublishEventInfo")
			if got.Value("FromUserName") != "mphelper" || info.Value("publish_status") != "0" {
				t.Errorf("%s", got.XML())
			}
			if read := w.call("/cgi-bin/freepublish/getarticle", `{"article_id":"`+info.Value("article_id")+`"}`); !strings.Contains(fmt.Sprint(read), "标题") {
				t.Errorf("%v", read)
			}
			w.want(w.call("/cgi-bin/freepublish/delete", `{"article_id":"`+info.Value("article_id")+`"}`), errcode.OK)
			if state := w.call("/cgi-bin/freepublish/get", `{"publish_id":"`+info.Value("publish_id")+`"}`); state["publish_status"] != 5.0 {
				t.Errorf("%v", state)
			}
		},
		"(C) PUBLISHJOBFINISH counts all articles": func(t *testing.T, w *world) {
			seen := w.reported()
			w.want(w.call("/cgi-bin/freepublish/submit", `{"media_id":"`+textOf(articles(w, "标题", "内容", 3), "media_id")+`"}`), errcode.OK)
			document := (<-seen).document
			detail := document.Find("PublishEventInfo").Find("article_detail")
			if got := len(detail.Children); got != 4 || detail.Value("count") != "3" {
				t.Fatalf("%s", document.XML())
			}
			for position, item := range detail.Children[1:] {
				if number := strconv.Itoa(position + 1); item.Value("idx") != number || !strings.HasSuffix(item.Value("article_url"), number) {
					t.Errorf("article %s is %s", number, document.XML())
				}
			}
		},
		"(O) 53502 for an unknown publish_id, 53600 for an unknown article": func(_ *testing.T, w *world) {
			w.want(w.call("/cgi-bin/freepublish/get", `{"publish_id":1}`), errcode.PublishID)
			w.want(w.call("/cgi-bin/freepublish/getarticle", `{"article_id":"x"}`), errcode.ArticleID)
		},
		"(O) a draft needs a title, content, and a permanent cover": func(_ *testing.T, w *world) {
			w.want(article(w, "", "x"), errcode.TitleSize)
			w.want(article(w, strings.Repeat("题", 65), "x"), errcode.TitleSize)
			w.want(article(w, "t", ""), errcode.EmptyArticle)
			w.want(article(w, "t", strings.Repeat("x", 20_000)), errcode.TextTooLong)
			w.want(w.call("/cgi-bin/draft/add", `{"articles":[{"title":"t","content":"c","thumb_media_id":"x"}]}`), errcode.MediaID)
			w.want(w.call("/cgi-bin/draft/add", `{"articles":[]}`), errcode.Articles)
		},
		"(O) drafts can be read, changed, listed and deleted": func(t *testing.T, w *world) {
			id := textOf(article(w, "旧", "内容"), "media_id")
			cover := fmt.Sprint(w.call("/cgi-bin/draft/get", `{"media_id":"`+id+`"}`))
			cover = cover[strings.Index(cover, "thumb_media_id:")+len("thumb_media_id:"):]
			cover, _, _ = strings.Cut(cover, " ")
			w.want(w.call("/cgi-bin/draft/update", `{"media_id":"`+id+`","index":0,"articles":{"title":"新","content":"c","thumb_media_id":"`+cover+`"}}`), errcode.OK)
			w.want(w.call("/cgi-bin/draft/update", `{"media_id":"`+id+`","index":1,"articles":{}}`), errcode.Arguments)
			if list := w.call("/cgi-bin/draft/batchget", `{"offset":0,"count":20,"no_content":0}`); list["total_count"] != 1.0 || !strings.Contains(fmt.Sprint(list), "新") {
				t.Errorf("%v", list)
			}
			if list := w.call("/cgi-bin/draft/batchget", `{"offset":0,"count":20,"no_content":1}`); strings.Contains(fmt.Sprint(list), "新") {
				t.Errorf("%v", list)
			}
			w.want(w.call("/cgi-bin/draft/batchget", `{"offset":0,"count":21}`), errcode.Arguments)
			w.want(w.call("/cgi-bin/draft/delete", `{"media_id":"`+id+`"}`), errcode.OK)
			if count := w.call("/cgi-bin/draft/count", ""); count["total_count"] != 0.0 {
				t.Errorf("%v", count)
			}
			w.want(w.call("/cgi-bin/draft/get", `{"media_id":"`+id+`"}`), errcode.MediaID)
		},
	}.run(t)
}

// QR codes with parameters (带参数二维码); their limits: TestQRCodeRules.
func TestFactsOfQRCodes(t *testing.T) {
	t.Parallel()
	code := func(w *world, scene string) string {
		return textOf(w.call("/cgi-bin/qrcode/create", `{"expire_seconds":60,"action_name":"`+map[bool]string{true: "QR_STR_SCENE", false: "QR_SCENE"}[strings.Contains(scene, "scene_str")]+`","action_info":{"scene":{`+scene+`}}}`), "ticket")
	}
	facts{
		"(O) a follower's scan is SCAN with the scene": func(t *testing.T, w *world) {
			seen := w.reported()
			ticket := code(w, `"scene_id":123`)
			steer(t, w.Platform, http.MethodPost, "scan", `{"ticket":"`+ticket+`"}`, http.StatusOK)
			if got := (<-seen).document; got.Value("Event") != EventScan || got.Value("EventKey") != "123" || got.Value("Ticket") != ticket {
				t.Errorf("%s", got.XML())
			}
		},
		"(M) a text of digits stays a text; following otherwise has no scene": func(t *testing.T, w *world) {
			w.reported()
			if _, err := w.Scan(t.Context(), code(w, `"scene_str":"123"`), "oDIGITS"); err != nil {
				t.Fatal(err)
			}
			if info := w.call("/cgi-bin/user/info?openid=oDIGITS", ""); info["qr_scene_str"] != "123" || info["qr_scene"] != 0.0 {
				t.Errorf("%v", info)
			}
			for _, push := range []Push{{Event: EventUnsubscribe}, {Event: EventClick, EventKey: "KEY"}} {
				push.Type, push.From = TypeEvent, "oDIGITS"
				if _, err := w.Push(t.Context(), push); err != nil {
					t.Fatal(err)
				}
			}
			if info := w.call("/cgi-bin/user/info?openid=oDIGITS", ""); info["qr_scene_str"] != "" || info["subscribe_scene"] != "ADD_SCENE_SEARCH" {
				t.Errorf("after following anew: %v", info)
			}
		},
		"(O) anybody else's is subscribe with qrscene_, and user/info tells the scene": func(t *testing.T, w *world) {
			seen := w.reported()
			for openID, scene := range map[string]string{"oNUMBER": `"scene_id":7`, "oLETTERS": `"scene_str":"柜台"`} {
				if _, err := w.Scan(t.Context(), code(w, scene), openID); err != nil {
					t.Fatal(err)
				}
				if got := (<-seen).document; got.Value("Event") != EventSubscribe || !strings.HasPrefix(got.Value("EventKey"), "qrscene_") {
					t.Errorf("%s", got.XML())
				}
			}
			if info := w.call("/cgi-bin/user/info?openid=oNUMBER", ""); info["qr_scene"] != 7.0 || info["subscribe_scene"] != "ADD_SCENE_QR_CODE" {
				t.Errorf("%v", info)
			}
			if info := w.call("/cgi-bin/user/info?openid=oLETTERS", ""); info["qr_scene_str"] != "柜台" || info["qr_scene"] != 0.0 {
				t.Errorf("%v", info)
			}
		},
		"(O) it can't be scanned after its end": func(t *testing.T, w *world) {
			ticket := code(w, `"scene_id":1`)
			w.later(time.Minute)
			if _, err := w.Scan(t.Context(), ticket, ""); err == nil {
				t.Error("it was scanned")
			}
			if body := steer(t, w.Platform, http.MethodPost, "scan", `{"ticket":"x"}`, http.StatusBadRequest); !strings.Contains(textOf(body, "error"), "unknown or has ended") {
				t.Errorf("%v", body)
			}
		},
		"(O) short keys: 4 KB, 9410010; 30 days, 9410011; 15 characters": func(t *testing.T, w *world) {
			gen := func(length, life int) map[string]any {
				return w.call("/cgi-bin/shorten/gen", fmt.Sprintf(`{"long_data":%q,"expire_seconds":%d}`, strings.Repeat("x", length), life))
			}
			key := textOf(gen(4<<10, 2_592_000), "short_key")
			w.want(gen(4<<10+1, 60), errcode.LongData)
			w.want(gen(1, 2_592_001), errcode.ShortLife)
			if got := textOf(w.call("/cgi-bin/shorten/fetch", `{"short_key":"`+key+`"}`), "long_data"); len(got) != 4<<10 || len(key) != 15 {
				t.Errorf("key %q, %d bytes", key, len(got))
			}
			short := textOf(gen(1, 60), "short_key")
			w.later(time.Minute)
			w.want(w.call("/cgi-bin/shorten/fetch", `{"short_key":"`+short+`"}`), errcode.Arguments)
		},
	}.run(t)
}
