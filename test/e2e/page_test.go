package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
)

// desktop and phone are the widths at which the page is looked at.
var (
	desktop = [2]int64{1440, 900}
	phone   = [2]int64{390, 844}
)

// openAs opens the page in a language and a size.
func openAs(t *testing.T, url, lang string, size [2]int64) context.Context {
	t.Helper()
	ctx := browse(t)
	do(t, ctx, chromedp.EmulateViewport(size[0], size[1]), chromedp.Navigate(url+"?lang="+lang), chromedp.WaitVisible("#message-input"))
	waitFor(t, ctx, `document.querySelector("#connection").classList.contains("live")`)
	return ctx
}

// say writes a text on the phone at that position, from 0.
func say(t *testing.T, ctx context.Context, at int, text string) { //nolint:revive // t comes first in helpers.
	t.Helper()
	run(t, ctx, fmt.Sprintf(`(() => {
		const phone = document.querySelectorAll(".phone")[%d];
		phone.querySelector(".message").value = %q;
		phone.querySelector("form").requestSubmit();
	})()`, at, text))
}

// run runs a script in the page.
func run(t *testing.T, ctx context.Context, script string) { //nolint:revive // t comes first in helpers.
	t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("(() => { "+script+"; return true; })()")); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
}

// Several followers side by side each have a chat of their own.
func TestThePageShowsSeveralFollowers(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	do(t, ctx, chromedp.Click("#add-phone"))
	waitFor(t, ctx, `document.querySelectorAll(".phone").length === 2`)
	say(t, ctx, 0, "我是甲")
	say(t, ctx, 1, "我是乙")
	for at, texts := range map[int][2]string{0: {"我是甲", "我是乙"}, 1: {"我是乙", "我是甲"}} {
		waitFor(t, ctx, fmt.Sprintf(`(() => {
			const text = document.querySelectorAll(".phone")[%d].querySelector(".bubble.account")?.innerText || "";
			return text.includes(%q) && !text.includes(%q);
		})()`, at, texts[0], texts[1]))
	}
	run(t, ctx, `document.querySelectorAll(".phone")[1].querySelector("[aria-label='移除']").click()`)
	waitFor(t, ctx, `document.querySelectorAll(".phone").length === 1`)
}

// Every type can be sent by a form made of its fields, and a document of one's own as well.
func TestThePageSendsEveryType(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	send := func(entry, fill string) {
		t.Helper()
		do(t, ctx, chromedp.Click("#more"), chromedp.WaitVisible("#compose"))
		run(t, ctx, fmt.Sprintf(`document.querySelector("[data-type='%s']").click(); const form = document.querySelector(".type-form"); %s; form.requestSubmit()`, entry, fill))
		waitFor(t, ctx, `!document.querySelector("#compose").open`)
	}
	do(t, ctx, chromedp.Click("#more"), chromedp.WaitVisible("#compose"))
	waitFor(t, ctx, `document.querySelectorAll("#compose .types .type").length >= 85`)
	do(t, ctx, chromedp.SendKeys("#compose input[type=search]", "扫码"))
	waitFor(t, ctx, `[...document.querySelectorAll("#compose .types .type")].some(b => b.dataset.type === "event:scancode_waitmsg")`)
	waitFor(t, ctx, `document.querySelectorAll("#compose .types .type").length < 10`)
	run(t, ctx, `document.querySelector("[data-type='event:scancode_waitmsg']").click()`)
	screenshot(t, ctx, "simulator-compose.png")
	run(t, ctx, `document.querySelector("#compose").close()`)

	send("location", `form.elements["Label"].value = "北京天安门"`)
	waitFor(t, ctx, `document.querySelector(".bubble.follower .map")?.innerText.includes("北京天安门")`)
	send("event:scancode_waitmsg", `form.elements["ScanCodeInfo/ScanResult"].value = "6901234567892"`)
	waitFor(t, ctx, `[...document.querySelectorAll(".chat .event")].some(e => e.innerText.includes("扫码带提示"))`)
	send("voice.recognition", `form.elements["Recognition"].value = "今天天气"`)
	waitFor(t, ctx, `[...document.querySelectorAll(".bubble.follower")].some(b => b.querySelector(".play") && b.innerText.includes("今天天气"))`)
	send("free", `form.elements.document.value = "<xml><ToUserName>gh_dev000000001</ToUserName><FromUserName>oDEV000000000000000000000001</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content>自由文档</Content><MsgId>42</MsgId></xml>"`)
	waitFor(t, ctx, `[...document.querySelectorAll(".bubble.follower")].some(b => b.innerText === "自由文档")`)
}

// The inspector explains a delivery: decrypted, its signatures step by step, its time, and its repetitions.
func TestTheInspectorExplains(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	s.Platform.Push(harness.Push{Content: "解释一下", Mode: simulator.ModeSafe})
	waitFor(t, ctx, `document.querySelector("#records .push") !== null`)
	openRecords(t, ctx)
	waitFor(t, ctx, `[...document.querySelectorAll("#inspector .opened")].some(o => o.textContent.includes("解释一下"))`)
	run(t, ctx, `[...document.querySelectorAll("#inspector .push [data-testid=explain]")].forEach(b => b.click())`)
	waitFor(t, ctx, `[..."signature msg_signature decryption reply".split(" ")].every(part => document.querySelector("#inspector .steps[data-part=" + part + "]"))`)
	waitFor(t, ctx, `document.querySelectorAll("#inspector .steps li").length > 20 && document.querySelectorAll("#inspector .steps li.bad").length === 0`)
	waitFor(t, ctx, `!document.querySelector("#inspector .steps").innerText.includes("wxstack-dev-token")`)
	run(t, ctx, `document.querySelector("#inspector .reveal input").click()`)
	waitFor(t, ctx, `document.querySelector("#inspector .steps").innerText.includes("wxstack-dev-token")`)

	s.Platform.Callback("", "http://"+harness.FreeAddr(t)+"/wx")
	s.Platform.Push(harness.Push{Content: "有人吗"})
	waitFor(t, ctx, `document.querySelector("#inspector .record.push[data-attempts='3']") !== null`)
	run(t, ctx, `document.querySelector("#inspector .record.push[data-attempts='3'] details").open = true`)
	waitFor(t, ctx, `document.querySelectorAll("#inspector .record.push[data-attempts='3'] .lane").length === 3`)

	// Filter, search, pause.
	run(t, ctx, `document.querySelector("[data-filter=errors]").click()`)
	waitFor(t, ctx, `[...document.querySelectorAll("#records > .record:not([hidden])")].every(r => r.dataset.problem === "true")`)
	run(t, ctx, `document.querySelector("[data-filter=all]").click()`)
	do(t, ctx, chromedp.SendKeys("#inspector input[type=search]", "解释一下"))
	waitFor(t, ctx, `document.querySelectorAll("#records > .record:not([hidden])").length === 1`)
	run(t, ctx, `const search = document.querySelector("#inspector input[type=search]"); search.value = ""; search.dispatchEvent(new Event("input"))`)
	run(t, ctx, `document.querySelector("[data-testid=pause]").click()`)
	s.Platform.Push(harness.Push{Content: "暂停时"})
	waitFor(t, ctx, `/ [1-9]/.test(document.querySelector("[data-testid=pause]").innerText)`)
	waitFor(t, ctx, `![...document.querySelectorAll("#records .title")].some(n => n.innerText === "暂停时")`)
	run(t, ctx, `document.querySelector("[data-testid=pause]").click()`)
	waitFor(t, ctx, `[...document.querySelectorAll("#records .title")].some(n => n.innerText === "暂停时")`)
}

// A push is seen while its delivery runs against the five seconds.
func TestTheInspectorShowsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	answer := make(chan struct{})
	finish := sync.OnceFunc(func() { close(answer) })
	silent := serveOn(t, func(http.ResponseWriter, *http.Request) { <-answer })
	t.Cleanup(finish)
	s.Platform.Callback("", silent)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	say(t, ctx, 0, "慢慢来")
	waitFor(t, ctx, `document.querySelector("#pending .record .title")?.innerText === "慢慢来" && document.querySelector("#pending .elapsed").innerText.endsWith("s")`)
	waitFor(t, ctx, `!document.querySelector("#waiting").hidden`)
	finish()
	waitFor(t, ctx, `document.querySelector("#pending .record") === null && document.querySelector("#waiting").hidden`)
}

// Faults are set and removed through the page; the call that one hits is marked.
func TestThePageSetsFaults(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	do(t, ctx, chromedp.Click("#tab-faults"), chromedp.WaitVisible("#fault-form"))
	run(t, ctx, `const f = document.querySelector("#fault-form"); f.elements.path.value = "/cgi-bin/getcallbackip"; f.elements.errcode.value = "-1"; f.elements.count.value = "1"; f.requestSubmit()`)
	waitFor(t, ctx, `document.querySelector("#fault-list").innerText.includes("/cgi-bin/getcallbackip") && document.querySelector("#fault-list").innerText.includes("-1")`)
	resp, err := http.Get(s.SimulatorURL + "/cgi-bin/getcallbackip?access_token=x")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	do(t, ctx, chromedp.Click("#tab-inspector"))
	waitFor(t, ctx, `[...document.querySelectorAll("#records .call")].some(c => c.dataset.errcode === "-1" && c.innerText.includes("故障注入"))`)
	do(t, ctx, chromedp.Click("#tab-faults"))
	waitFor(t, ctx, `document.querySelector("#fault-list").innerText.includes("没有故障")`)
	run(t, ctx, `const f = document.querySelector("#fault-form"); f.elements.path.value = "*"; f.elements.latency_ms.value = "5"; f.elements.errcode.value = ""; f.elements.count.value = "0"; f.requestSubmit()`)
	waitFor(t, ctx, `document.querySelectorAll("#fault-list code").length === 1`)
	do(t, ctx, chromedp.Click("[data-testid=clear-faults]"))
	waitFor(t, ctx, `document.querySelector("#fault-list").innerText.includes("没有故障")`)
}

// A load is started on the page, and its report tells what became of it.
func TestThePageRunsALoad(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	do(t, ctx, chromedp.Click("#tab-load"), chromedp.WaitVisible("#load-form"))
	run(t, ctx, `const f = document.querySelector("#load-form"); f.elements.count.value = "40"; f.elements.settle.value = "0.1"; f.elements.mix.value = "text=3,event:CLICK:MENU_HELP=1"; f.elements.expect.value = "reply"; f.requestSubmit()`)
	waitFor(t, ctx, `document.querySelector("#load-report [data-testid=load-state]")?.innerText.includes("已结束")`)
	waitFor(t, ctx, `document.querySelector("#load-report .figure strong").innerText === "40"`)
	waitFor(t, ctx, `document.querySelector("#load-report").innerText.includes("CLICK 10/10")`)
	waitFor(t, ctx, `document.querySelectorAll("#load-report .problems .figure.good").length === 6`)

	// One that finds something: the answer isn't the message again.
	silent := serveOn(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("success")) })
	s.Platform.Callback("", silent)
	run(t, ctx, `const f = document.querySelector("#load-form"); f.elements.count.value = "5"; f.elements.mix.value = "text"; f.elements.expect.value = "echo"; f.requestSubmit()`)
	waitFor(t, ctx, `document.querySelector("#load-report [data-problem=lost]")?.classList.contains("bad") && document.querySelectorAll("#load-report .findings li").length === 5`)
	screenshot(t, ctx, "simulator-load.png")

	// And one that would go on for long is stopped.
	run(t, ctx, `const f = document.querySelector("#load-form"); f.elements.count.value = ""; f.elements.duration.value = "600"; f.elements.rate.value = "20"; f.elements.expect.value = "any"; f.requestSubmit()`)
	waitFor(t, ctx, `document.querySelector("#load-report [data-testid=load-state]")?.innerText.includes("进行中")`)
	do(t, ctx, chromedp.Click("[data-testid=stop-load]"))
	waitFor(t, ctx, `document.querySelector("#load-report [data-testid=load-state]")?.innerText.includes("已结束")`)
}

// The console's part: tokens, examination, configuration, clock.
func TestThePagePullsThePlatformsLevers(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	do(t, ctx, chromedp.Click("#tab-tokens"))
	waitFor(t, ctx, `document.querySelector(".generation[data-state=current]") !== null`)
	do(t, ctx, chromedp.Click("#rotate"))
	waitFor(t, ctx, `document.querySelector(".generation[data-state=dead]") !== null`)
	do(t, ctx, chromedp.Click("#tab-platform"), chromedp.Click("#examine"))
	waitFor(t, ctx, `document.querySelectorAll(".checks .ok").length >= 3 && document.querySelectorAll(".checks .problem").length === 0`)
	screenshot(t, ctx, "simulator-platform.png")
	run(t, ctx, `const f = document.querySelector("#account-form"); f.elements.encoding_aes_key.value = "short"; f.requestSubmit()`)
	waitFor(t, ctx, `!document.querySelector("#toast").hidden && document.querySelector("#toast").innerText.includes("43")`)
	run(t, ctx, `const f = document.querySelector("#account-form"); f.elements.encoding_aes_key.value = ""; f.elements.mode.value = "safe"; f.requestSubmit()`)
	waitFor(t, ctx, `document.querySelector("#mode").innerText === "安全模式"`)
	run(t, ctx, `document.querySelector("[data-seconds='7200']").click()`)
	do(t, ctx, chromedp.Click("#tab-tokens"))
	waitFor(t, ctx, `document.querySelector(".generation[data-state=expired]") !== null`)
}

// Chinese is the default; English is a switch, which lasts.
func TestThePageSpeaksTwoLanguages(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	waitFor(t, ctx, `document.querySelector("h1").innerText === "微信模拟器" && document.documentElement.lang === "zh-CN"`)
	do(t, ctx, chromedp.Click("#language"), chromedp.WaitVisible("#message-input"))
	waitFor(t, ctx, `document.querySelector("h1").innerText === "WeChat simulator" && document.documentElement.lang === "en"`)
	do(t, ctx, chromedp.Navigate(s.SimulatorURL), chromedp.WaitVisible("#message-input"))
	waitFor(t, ctx, `document.querySelector("#tab-inspector").innerText === "Inspector"`)
	say(t, ctx, 0, "hello")
	waitFor(t, ctx, `document.querySelector("#records .push .badge.outcome")?.innerText === "answered"`)
}

// With a keyboard alone: everything is reached by Tab, tabs and menus by arrows, and dialogues end with Escape.
func TestThePageWorksByKeyboard(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	reached := func(selector string) {
		t.Helper()
		for range 40 {
			press(t, ctx, "\t")
			if at, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(`document.activeElement.matches(%q)`, selector))); err == nil && at {
				return
			}
		}
		t.Fatalf("Tab never reaches %s", selector)
	}
	reached("#message-input")
	press(t, ctx, "键盘也行\r")
	waitFor(t, ctx, `[...document.querySelectorAll(".bubble.account")].some(b => b.innerText.includes("键盘也行"))`)
	reached("#more")
	press(t, ctx, "\r")
	waitFor(t, ctx, `document.querySelector("#compose").open && document.activeElement.type === "search"`)
	press(t, ctx, "\u001b")
	waitFor(t, ctx, `!document.querySelector("#compose").open && document.activeElement.id === "more"`)
	reached("[data-testid=menu-entry][aria-expanded]")
	press(t, ctx, "\r")
	waitFor(t, ctx, `document.activeElement.dataset.testid === "submenu-entry"`)
	press(t, ctx, "\u001b")
	waitFor(t, ctx, `document.activeElement.getAttribute("aria-expanded") === "false"`)
	reached("#tab-inspector")
	run(t, ctx, `document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}))`)
	waitFor(t, ctx, `document.activeElement.id === "tab-tokens" && !document.querySelector("#tokens-panel").hidden`)
}

// press types keys into whatever has the focus.
func press(t *testing.T, ctx context.Context, keys string) { //nolint:revive // t comes first in helpers.
	t.Helper()
	do(t, ctx, chromedp.KeyEvent(keys))
}

// On a phone there is one view at a time, and nothing is wider than the screen.
func TestThePageFitsAPhone(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	ctx := openAs(t, s.SimulatorURL, "zh", phone)
	say(t, ctx, 0, "手机上")
	for view, visible := range map[string]string{"phones": ".phone", "inspector": "#inspector", "controls": "#tokens-panel"} {
		run(t, ctx, fmt.Sprintf(`document.querySelector(".views [data-view=%s]").click()`, view))
		waitFor(t, ctx, fmt.Sprintf(`document.querySelector(%q).offsetParent !== null`, visible))
		waitFor(t, ctx, `document.documentElement.scrollWidth <= innerWidth`)
	}
	waitFor(t, ctx, `document.querySelector(".phone").offsetParent === null || document.body.dataset.view === "phones"`)
}

// What an account says is text, whatever it looks like.
func TestHostileTextsStayText(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	const hostile = `<img src=x onerror="window.hit=1"><script>window.hit=1</script><a href="javascript:window.hit=1">点我</a>`
	server := serveOn(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "<xml><ToUserName>%s</ToUserName><FromUserName>gh_dev000000001</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content><![CDATA[%s]]></Content></xml>",
			r.URL.Query().Get("openid"), hostile)
	})
	s.Platform.Callback("", server)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	say(t, ctx, 0, hostile)
	waitFor(t, ctx, `document.querySelector(".bubble.account")?.innerText.includes("<img src=x") && document.querySelector("#records .push") !== null`)
	openRecords(t, ctx)
	waitFor(t, ctx, `document.querySelector("#inspector .response")?.textContent.includes("onerror")`)
	// A document of one's own may call its type anything; the chat goes on.
	for _, name := range []string{"__proto__", "constructor"} {
		post(t, s.SimulatorURL+"/sim/v1/push", `{"from":"`+simulator.DefaultFollower+`","xml":"<xml><ToUserName>gh_dev000000001</ToUserName><FromUserName>`+
			simulator.DefaultFollower+`</FromUserName><CreateTime>1</CreateTime><MsgType>`+name+`</MsgType><MsgId>42</MsgId></xml>"}`)
	}
	say(t, ctx, 0, "还在吗")
	waitFor(t, ctx, `[...document.querySelectorAll(".bubble.follower")].some(b => b.innerText === "还在吗")`)
	waitFor(t, ctx, `window.hit === undefined && document.querySelectorAll(".bubble.account a, .bubble img, #inspector img, #inspector a").length === 0`)
}

// The pictures of the documentation: both widths, both languages.
func TestScreenshotsOfThePage(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	for _, lang := range []string{"zh", "en"} {
		for name, size := range map[string][2]int64{"desktop": desktop, "phone": phone} {
			s.Platform.Reset()
			ctx := openAs(t, s.SimulatorURL, lang, size)
			say(t, ctx, 0, map[string]string{"zh": "你好，公众号", "en": "Hello, account"}[lang])
			waitFor(t, ctx, `document.querySelectorAll(".bubble.account").length === 1`)
			s.Platform.Push(harness.Push{Type: simulator.TypeImage})
			s.Platform.Push(harness.Push{Type: simulator.TypeEvent, Event: simulator.EventClick, EventKey: "MENU_HELP"})
			waitFor(t, ctx, `document.querySelectorAll("#records .push").length === 3`)
			if name == "desktop" {
				run(t, ctx, `[...document.querySelectorAll("#records .push details")].at(-1).open = true`)
				waitFor(t, ctx, `document.querySelector("#inspector [data-testid=explain]") !== null`)
				run(t, ctx, `document.querySelector("#inspector [data-testid=explain]").click()`)
				waitFor(t, ctx, `document.querySelector("#inspector .steps") !== null`)
			} else {
				run(t, ctx, `document.querySelector(".chat").scrollTop = 1e6`)
			}
			screenshot(t, ctx, strings.Join([]string{"simulator", name, lang}, "-")+".png")
		}
	}
}
