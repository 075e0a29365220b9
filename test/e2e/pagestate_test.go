package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
)

// What changes elsewhere on the platform takes neither an open menu nor the focus away.
func TestThePageKeepsAnOpenMenu(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	waitFor(t, ctx, `document.querySelector("#menu [aria-haspopup]") !== null`)
	run(t, ctx, `window.opener0 = document.querySelector("#menu [aria-haspopup]"); opener0.click()`)
	waitFor(t, ctx, `document.activeElement.dataset.testid === "submenu-entry"`)
	run(t, ctx, `window.requested = performance.getEntriesByType("resource").filter(e => e.name.includes("/sim/v1/menu")).length`)
	post(t, s.SimulatorURL+"/sim/v1/faults", `{"path":"/cgi-bin/getcallbackip","busy":true,"count":1}`)
	waitFor(t, ctx, `document.querySelector("#fault-list").textContent.includes("/cgi-bin/getcallbackip")`)
	waitFor(t, ctx, `performance.getEntriesByType("resource").filter(e => e.name.includes("/sim/v1/menu")).length > requested`)
	waitFor(t, ctx, `opener0.isConnected && opener0.getAttribute("aria-expanded") === "true" && document.activeElement.dataset.testid === "submenu-entry"`)

	// It closes when the focus goes elsewhere.
	do(t, ctx, chromedp.Click("#message-input"))
	waitFor(t, ctx, `opener0.getAttribute("aria-expanded") === "false" && document.querySelector("#menu .submenu").hidden`)
}

// Browsers drop what is under way when the machine's networks change, as they do while containers start: whatever the page
// asks for is lost the first time, and it is complete all the same.
func TestThePageOutlastsLostRequests(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	to, err := url.Parse(s.SimulatorURL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	var lost sync.Map
	lossy := serveOn(t, func(w http.ResponseWriter, r *http.Request) {
		switch _, again := lost.LoadOrStore(r.URL.Path, true); {
		case again || r.Method != http.MethodGet || r.URL.Path == "/":
			proxy.ServeHTTP(w, r)
		case r.URL.Path == "/sim/v1/events": // As a proxy answers while nobody is behind it.
			w.WriteHeader(http.StatusBadGateway)
		default:
			panic(http.ErrAbortHandler)
		}
	})
	ctx := openAs(t, strings.TrimSuffix(lossy, "/wx"), "zh", desktop)
	waitFor(t, ctx, `document.querySelector("#incomplete") === null && getComputedStyle(document.querySelector(".toast")).position === "fixed"`)
	waitFor(t, ctx, `document.querySelector("#menu .menu-entry") !== null && document.querySelector("#mode").innerText !== ""`)
	say(t, ctx, 0, "还在吗")
	waitFor(t, ctx, `document.querySelector(".bubble.account")?.innerText.includes("还在吗")`)
	for _, path := range []string{"/static/begin.js", "/static/phone.js", "/static/style.css", "/sim/v1/events", "/sim/v1/types", "/sim/v1/menu"} {
		if _, asked := lost.Load(path); !asked {
			t.Errorf("%s was never asked for, and so never lost", path)
		}
	}
}

// After a restart of the platform the page shows the new one, also where that counts its records from 1 again.
func TestThePageComesBackAfterARestart(t *testing.T) {
	t.Parallel()
	before, after := harness.StartStandalone(t), harness.StartStandalone(t)
	var current atomic.Pointer[url.URL]
	turnTo := func(s *harness.Standalone) {
		t.Helper()
		to, err := url.Parse(s.SimulatorURL)
		if err != nil {
			t.Fatal(err)
		}
		current.Store(to)
	}
	turnTo(before)
	server := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(current.Load()) }})
	t.Cleanup(server.Close)
	ctx := openAs(t, server.URL, "zh", desktop)
	const pushes = 5
	for range pushes {
		before.Platform.Push(harness.Push{Content: "重启之前"})
		after.Platform.Push(harness.Push{Content: "重启之后"})
	}
	says := func(text string) string {
		return fmt.Sprintf(`(() => {
			const texts = [...document.querySelectorAll(".bubble.account")].map(b => b.innerText);
			return texts.length === %d && texts.every(text => text.includes(%q));
		})()`, pushes, text)
	}
	waitFor(t, ctx, says("重启之前"))
	turnTo(after)
	server.CloseClientConnections()
	waitFor(t, ctx, says("重启之后"))
	waitFor(t, ctx, fmt.Sprintf(`document.querySelectorAll("#records .push").length === %d`, pushes))
}

// Followers who were added are still there in the other language, and those who were removed aren't.
func TestThePageRemembersItsFollowers(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	do(t, ctx, chromedp.Click("#add-phone"), chromedp.Click("#add-phone"))
	waitFor(t, ctx, `document.querySelectorAll(".phone").length === 3`)
	run(t, ctx, `document.querySelectorAll(".phone")[1].querySelector("[aria-label='移除']").click()`)
	waitFor(t, ctx, `document.querySelectorAll(".phone").length === 2`)
	run(t, ctx, `sessionStorage.setItem("kept", document.querySelectorAll(".phone")[1].getAttribute("aria-label"))`)
	do(t, ctx, chromedp.Click("#language"), chromedp.WaitVisible("#message-input"))
	waitFor(t, ctx, `document.documentElement.lang === "en" && document.querySelectorAll(".phone").length === 2`)
	waitFor(t, ctx, `document.querySelectorAll(".phone")[1].getAttribute("aria-label") === sessionStorage.getItem("kept")`)
	say(t, ctx, 1, "still here")
	waitFor(t, ctx, `document.querySelectorAll(".phone")[1].querySelector(".bubble.account")?.innerText.includes("still here")`)
	waitFor(t, ctx, `document.querySelector("#records .push .attempts")?.textContent === "1 delivery"`)
}

// The phone says that the account is typing, until it doesn't any more.
func TestThePageShowsTyping(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	say(t, ctx, 0, "在吗")
	waitFor(t, ctx, `document.querySelector(".bubble.account") !== null`)
	typing := func(command string) {
		t.Helper()
		token := s.Platform.Tokens(simulator.DefaultAppID).Tokens[0].Value
		post(t, s.SimulatorURL+"/cgi-bin/message/custom/typing?access_token="+token, `{"touser":"`+simulator.DefaultFollower+`","command":"`+command+`"}`)
	}
	typing("Typing")
	waitFor(t, ctx, `document.querySelector(".phone .name").innerText === "对方正在输入…"`)
	typing("CancelTyping")
	waitFor(t, ctx, `document.querySelector(".phone .name").innerText === "gh_dev000000001"`)
}

// Copying works where browsers give no clipboard: over plain HTTP, from another machine.
func TestThePageCopiesWithoutAClipboard(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	s.Platform.Push(harness.Push{Content: "抄下来"})
	waitFor(t, ctx, `document.querySelector("#records .push") !== null`)
	run(t, ctx, `document.querySelector("#records .push details").open = true;
		Object.defineProperty(navigator, "clipboard", {value: undefined});
		document.addEventListener("copy", () => { window.copiedText = document.activeElement.value; })`)
	waitFor(t, ctx, `document.querySelector("#records .push .copy") !== null`)
	do(t, ctx, chromedp.Click("#records .push .copy"))
	waitFor(t, ctx, `window.copiedText?.includes("抄下来") && document.querySelector("#toast").innerText === "已复制"`)
	waitFor(t, ctx, `document.querySelector("body > textarea") === null && document.activeElement.classList.contains("copy")`)
}

// post sends JSON past the page.
func post(t *testing.T, url, body string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s", url, resp.Status)
	}
}
