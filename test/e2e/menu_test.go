package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

// menus runs the commands on the menu of the real binary against a real api-proxy.
type menus struct {
	t     *testing.T
	proxy string
	dir   string
}

func startMenus(t *testing.T) (*simulator.Platform, menus) {
	t.Helper()
	redisURL, _ := harness.Redis(t)
	p := simulator.Start(t)
	center, proxy := harness.FreeAddr(t), harness.FreeAddr(t)
	env := []string{"WX_ACCOUNTS_FILE=" + harness.WriteAccounts(t), "WX_API_BASE_URL=" + p.URL(), "REDIS_URL=" + redisURL}
	for name, own := range map[string][]string{
		"token-center": {"TOKEN_CENTER_LISTEN_ADDR=" + center},
		"api-proxy":    {"API_PROXY_LISTEN_ADDR=" + harness.FreeAddr(t), "API_PROXY_GRPC_LISTEN_ADDR=" + proxy, "TOKEN_CENTER_ADDR=" + center},
	} {
		debug := harness.FreeAddr(t)
		process := harness.Start(t, harness.Build(t, "./services/"+name+"/cmd/"+name), append(append(own, env...), "DEBUG_LISTEN_ADDR="+debug))
		t.Cleanup(func() {
			if err := harness.CheckLog(process.Output(), secrets(t, p)...); err != nil {
				t.Error(err)
			}
		})
		defer process.WaitHTTP(t, "http://"+debug+"/readyz")
	}
	return p, menus{t: t, proxy: proxy, dir: t.TempDir()}
}

// run returns what the command prints and its exit code.
func (m menus) run(args ...string) (out string, code int) {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), harness.Build(m.t, "./services/logic/cmd/logic"), append([]string{"menu"}, args...)...)
	// The rules are wrong, which is none of these commands' business.
	cmd.Env = append(os.Environ(), "API_PROXY_ADDR="+m.proxy, "WX_RULES_FILE=/nonexistent.yaml")
	cmd.Dir = m.dir
	text, err := cmd.CombinedOutput()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		m.t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func (m menus) write(text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, "menu.yaml"), []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// expect runs a command and compares exit code and parts of the output.
func (m menus) expect(code int, args string, parts ...string) {
	m.t.Helper()
	out, got := m.run(strings.Fields(args)...)
	if got != code {
		m.t.Errorf("menu %s: exit code %d, want %d:\n%s", args, got, code, out)
	}
	for _, part := range parts {
		if !strings.Contains(out, part) {
			m.t.Errorf("menu %s does not say %q:\n%s", args, part, out)
		}
	}
}

// changes are the calls that changed the menu, oldest first.
func changes(p *simulator.Platform) []string {
	var paths []string
	for _, call := range p.Calls() {
		if name, ok := strings.CutPrefix(call.Path, "/cgi-bin/menu/"); ok && name != "get" {
			paths = append(paths, name)
		}
	}
	return paths
}

func TestAMenuIsPulledComparedAndApplied(t *testing.T) {
	t.Parallel()
	p, m := startMenus(t)

	pulled, code := m.run("pull")
	if code != 0 || !strings.Contains(pulled, "- name: 帮助") {
		t.Fatalf("exit code %d:\n%s", code, pulled)
	}
	m.write(pulled)
	m.expect(0, "diff menu.yaml", "nothing to change", "└─ 官网  view: https://example.com/")
	m.expect(0, "apply menu.yaml", "nothing to change")
	if made := changes(p); len(made) > 0 {
		t.Errorf("although nothing changed, it called %v", made)
	}

	m.write(strings.Replace(pulled, "通知我", "提醒我", 1) + `conditional:
  - match: {client_platform_type: ios}
    menu: [{name: 苹果, click: IOS}]
  - match: {tag_id: 100}
    menu: [{name: 会员, buttons: [{name: 积分, view: "https://example.com/?a=1&b=<2>"}]}]
`)
	m.expect(2, "diff menu.yaml --account "+account.DevelopmentAppID, "-   通知我  click: MENU_NOTIFY", "+   提醒我  click: MENU_NOTIFY", "+ for {tag_id: 100}", "logic menu apply makes it so")
	m.expect(0, "apply menu.yaml", "done: create the default menu", "done: add the conditional menu for {client_platform_type: ios}")
	m.expect(0, "diff menu.yaml", "nothing to change")
	again, _ := m.run("pull")
	m.write(again)
	m.expect(0, "diff menu.yaml", "nothing to change")

	m.write(strings.Replace(again, "name: 苹果", "name: 苹果用户", 1))
	m.expect(0, "apply menu.yaml", "default menu (unchanged)", "+   苹果用户  click: IOS", "for {tag_id: 100} (unchanged)")
	want := "create addconditional addconditional delconditional addconditional"
	if made := strings.Join(changes(p), " "); made != want {
		t.Errorf("calls %s, want %s", made, want)
	}

	m.write("menu: []\n")
	m.expect(1, "apply menu.yaml", "nothing was changed; with --delete")
	m.expect(0, "apply menu.yaml --delete", "done: delete the menu")
	m.expect(0, "diff menu.yaml", "nothing to change")
	m.expect(0, "pull", "menu: []", "made in the console")
}

func TestAMenuThatIsWrongOrRefused(t *testing.T) {
	t.Parallel()
	p, m := startMenus(t)
	m.write("menu:\n  - {name: 帮助, clik: K}\n")
	m.expect(1, "apply menu.yaml", `menu.yaml:2:16: button "帮助": unknown key "clik" in a button; did you mean "click"?`)
	if made := len(p.Calls()); made > 1 { // the token.
		t.Errorf("a wrong file made %d calls", made)
	}
	m.write("menu: [{name: 官网, view: 'https://example.com/'}]\nconditional: [{match: {tag_id: 7}, menu: [{name: 网, view: 'https://example.com/'}]}]\n")
	m.expect(1, "diff menu.yaml --account wx0000000000000009", "wx0000000000000009")
	if err := p.SetFault(simulator.Fault{Path: "/cgi-bin/menu/addconditional", ErrCode: 65317, ErrMsg: "invalid url", Count: 1}); err != nil {
		t.Fatal(err)
	}
	m.expect(1, "apply menu.yaml", "done: create the default menu", "add the conditional menu for {tag_id: 7}: WeChat refused it with errcode 65317",
		`which is about "网"`, "1 of 2 changes were made; running it again is safe")
	m.expect(0, "apply menu.yaml", "default menu (unchanged)", "done: add the conditional menu for {tag_id: 7}")
	if made := strings.Join(changes(p), " "); made != "create addconditional addconditional" {
		t.Errorf("calls %s", made)
	}
	m.expect(1, "diff none.yaml", "menu file: open none.yaml")
}
