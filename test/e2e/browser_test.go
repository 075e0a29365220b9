package e2e

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wxstack/wxstack/test/harness"
)

// chromiumNames are the names under which distributions install the browser.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	harness.Missing(t, "no browser is installed: apt-get install chromium")
	return ""
}

// browserTimeout covers the start of a browser on a busy machine.
const browserTimeout = 2 * time.Minute

// browse starts a browser.
func browse(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.WindowSize(1280, 860))
	ctx, cancel := context.WithTimeout(t.Context(), browserTimeout)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	told := tell(t, ctx)
	t.Cleanup(func() { cancel(); <-told })
	return ctx
}

// tell logs what the browser complains of, until ctx ends: a part of the page that it couldn't load
// would look like a hang otherwise.
func tell(t *testing.T, ctx context.Context) (done <-chan struct{}) { //nolint:revive // t comes first in helpers.
	t.Helper()
	messages := chromedp.Console(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		for message, err := range messages {
			if err != nil {
				return
			}
			t.Log("browser:", message, message.URL)
		}
	}()
	return told
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) { //nolint:revive // t comes first in helpers.
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// waitFor waits until the JavaScript expression is true in the page, also over a reload of it.
func waitFor(t *testing.T, ctx context.Context, expression string) { //nolint:revive // t comes first in helpers.
	t.Helper()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(30*time.Second)))
		if err == nil {
			return
		}
		if text := err.Error(); strings.Contains(text, "Inspected target navigated") || strings.Contains(text, "Cannot find context") {
			continue
		}
		shown, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
		t.Fatalf("%s: %v; the page shows:\n%s", expression, err, shown)
	}
}

// A newcomer's first minutes: everything that the README promises of the chat page.
func TestTheChatPage(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)

	do(t, ctx, chromedp.SendKeys("#message-input", "你好，公众号"), chromedp.Click("#send"))
	waitFor(t, ctx, `[...document.querySelectorAll(".bubble.account")].some(b => b.innerText.includes("你好，公众号"))`)

	do(t, ctx, chromedp.SetUploadFiles("#picture", []string{picture(t)}))
	waitFor(t, ctx, `(() => {
		const sources = side => [...document.querySelectorAll(".bubble." + side + " img")].map(i => i.src);
		const [sent, shown] = [sources("follower"), sources("account")];
		return sent.length === 1 && shown.length === 1 && sent[0] === shown[0];
	})()`)
	waitFor(t, ctx, `[...document.querySelectorAll(".bubble.account img")].every(i => i.complete && i.naturalWidth > 0)`)

	do(t, ctx, chromedp.Click("#unfollow"))
	waitFor(t, ctx, `!document.querySelector(".phone").classList.contains("following")`)
	do(t, ctx, chromedp.Click("#follow"))
	waitFor(t, ctx, `[...document.querySelectorAll(".bubble.account")].some(b => b.innerText.includes("欢迎关注"))`)

	clickMenu(t, ctx, "帮助")
	waitFor(t, ctx, `[...document.querySelectorAll(".bubble.account")].some(b => b.innerText.includes("使用帮助"))`)

	// The inspector shows what went over the wire.
	openRecords(t, ctx)
	waitFor(t, ctx, `document.querySelector("#inspector .delivery .request-url").textContent.includes("signature=")`)
	waitFor(t, ctx, `[...document.querySelectorAll("#inspector .delivery .response")].some(r => r.textContent.includes("<xml>"))`)
	waitFor(t, ctx, `[...document.querySelectorAll("#inspector .delivery .status")].every(r => r.textContent === "HTTP 200")`)
}

// A question with choices, asked both ways: what the follower taps is answered by the choice's own reply.
func TestAFollowerTapsAChoice(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	const file = `rules:
  - name: rate
    match: {text: 评价}
    menu:
      head: 满意吗？
      choices: [{id: "101", text: 满意, reply: {text: 谢谢夸奖}}, {id: "102", text: 不满意, reply: {text: 我们会改进}}]
  - name: time
    match: {text: 预约}
    menu: {as: links, choices: [{id: am, text: 上午, reply: {text: 上午见}}]}
`
	if err := os.WriteFile(rules, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.StartStandalone(t, "--rules", rules)
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	for _, one := range []struct{ write, tap, read string }{{"评价", "不满意", "我们会改进"}, {"预约", "上午", "上午见"}} {
		do(t, ctx, chromedp.SendKeys("#message-input", one.write), chromedp.Click("#send"))
		entry := fmt.Sprintf(`[...document.querySelectorAll(".bubble.account .tap")].find(b => b.innerText === %q)`, one.tap)
		waitFor(t, ctx, entry+" !== undefined")
		run(t, ctx, entry+".click()")
		waitFor(t, ctx, fmt.Sprintf(`[...document.querySelectorAll(".bubble.account")].some(b => b.innerText.includes(%q))`, one.read))
	}
	screenshot(t, ctx, "choices.png")
}

// What the follower sees when nobody answers, and that it takes three deliveries.
func TestTheChatPageShowsWhatANotAnsweredFollowerSees(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	s.Platform.Callback("", "http://"+harness.FreeAddr(t)+"/wx")
	ctx := openAs(t, s.SimulatorURL, "zh", desktop)
	do(t, ctx, chromedp.SendKeys("#message-input", "有人吗"), chromedp.Click("#send"))
	waitFor(t, ctx, `document.querySelector(".notice")?.innerText.includes("该公众号暂时无法提供服务，请稍后再试")`)
	// The record comes a moment after the notice, and is not the first: a token has been fetched before.
	waitFor(t, ctx, `[...document.querySelectorAll("#inspector details")].some(d => d.innerText.includes("服务故障"))`)
	openRecords(t, ctx)
	waitFor(t, ctx, `document.querySelectorAll("#inspector .delivery").length === 3`)
}

// openRecords unfolds what the inspector lists.
func openRecords(t *testing.T, ctx context.Context) { //nolint:revive // t comes first in helpers.
	t.Helper()
	waitFor(t, ctx, `document.querySelector("#inspector details") !== null`)
	run(t, ctx, `document.querySelectorAll("#inspector details").forEach(record => { record.open = true; })`)
}

func clickMenu(t *testing.T, ctx context.Context, name string) { //nolint:revive // t comes first in helpers.
	t.Helper()
	entry := fmt.Sprintf(`[...document.querySelectorAll("#menu .menu-entry")].find(e => e.innerText.trim() === %q)`, name)
	waitFor(t, ctx, entry+" !== undefined")
	run(t, ctx, entry+".click()")
}

// picture writes a small PNG and returns its path.
func picture(t *testing.T) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 160, 120))
	for x := range 160 {
		for y := range 120 {
			img.Set(x, y, color.RGBA{R: 7, G: uint8(100 + y), B: uint8(80 + x), A: 255})
		}
	}
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, img); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "picture.png")
	if err := os.WriteFile(path, encoded.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// screenshot writes the page into the folder SCREENSHOT_DIR, from which `make screenshots` refreshes
// the one in the README.
func screenshot(t *testing.T, ctx context.Context, name string) { //nolint:revive // t comes first in helpers.
	t.Helper()
	dir := os.Getenv("SCREENSHOT_DIR")
	if dir == "" {
		return
	}
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), shot, 0o600); err != nil {
		t.Fatal(err)
	}
}

// serveOn runs an account's server of a test and returns its callback URL.
func serveOn(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL + "/wx"
}
