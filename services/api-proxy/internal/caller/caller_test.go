package caller_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"

	"github.com/wxstack/wxstack/services/api-proxy/internal/caller"
	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/limit"
	"github.com/wxstack/wxstack/services/api-proxy/internal/virtual"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	keyA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	keyB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// write writes the file and the keys a and b; in the text DIR stands for their folder.
func write(t *testing.T, dir, text string) string {
	t.Helper()
	for name, content := range map[string]string{"a": keyA, "b": keyB, "callers.yaml": strings.ReplaceAll(text, "DIR", dir)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "callers.yaml")
}

func table(t *testing.T) *endpoint.Table {
	t.Helper()
	builtIn, err := endpoint.Default()
	if err != nil {
		t.Fatal(err)
	}
	return builtIn
}

func load(t *testing.T, text string) (*caller.Directory, error) {
	t.Helper()
	return caller.Load(write(t, t.TempDir(), text), table(t))
}

func known(t *testing.T, d *caller.Directory, key string) caller.Caller {
	t.Helper()
	c, err := d.Identify(rpc.Caller{Key: config.NewSecret(key)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const sample = `without_redis: closed
reserve: 25%
limits:
  - {class: "*", rate: 100/s, burst: 8}
callers:
  - name: crm
    key_file: DIR/a
    accounts: [wx1, wx2]
    apis: [/cgi-bin/message/*]
    limits:
      - {class: custom_message, accounts: wx1, rate: 20/s}
      - {class: "*", rate: 600/m, burst: 30}
    daily:
      - {path: /cgi-bin/message/custom/send, share: 12.5%, calls: 1000}
  - name: job
    key_file: DIR/b
    accounts: "*"
    apis: "*"
    priority: batch
`

func TestACallCountsTowardsEveryLimitThatConcernsIt(t *testing.T) {
	t.Parallel()
	d, err := load(t, sample)
	if err != nil {
		t.Fatal(err)
	}
	send := table(t).Find(http.MethodPost, "/cgi-bin/message/custom/send")
	all := limit.Bucket{Name: "all:*", Rate: limit.Rate{Calls: 100, Per: time.Second, Burst: 8}}
	for name, tt := range map[string]struct {
		key, appID string
		want       limit.Ask
	}{
		"its own limits of that account": {keyA, "wx1", limit.Ask{
			AppID: "wx1", Day: limit.Day{Date: "today", Endpoint: "/cgi-bin/message/custom/send", Caller: "crm", Known: 500_000, Max: 1000, Share: 125},
			Buckets: []limit.Bucket{
				all,
				{Name: "crm:custom_message", Rate: limit.Rate{Calls: 20, Per: time.Second, Burst: 20}},
				{Name: "crm:*", Rate: limit.Rate{Calls: 600, Per: time.Minute, Burst: 30}},
			},
		}},
		"another account": {keyA, "wx2", limit.Ask{
			AppID: "wx2", Day: limit.Day{Date: "today", Endpoint: "/cgi-bin/message/custom/send", Caller: "crm", Known: 500_000, Max: 1000, Share: 125},
			Buckets: []limit.Bucket{all, {Name: "crm:*", Rate: limit.Rate{Calls: 600, Per: time.Minute, Burst: 30}}},
		}},
		"a batch job leaves a quarter": {keyB, "wx1", limit.Ask{
			AppID: "wx1", Day: limit.Day{Date: "today", Endpoint: "/cgi-bin/message/custom/send", Caller: "job", Known: 500_000, Leave: 250},
			Buckets: []limit.Bucket{{Name: "all:*", Rate: all.Rate, Leave: 2}},
		}},
	} {
		got, fallback := known(t, d, tt.key).Ask(tt.appID, "today", send)
		if diff := cmp.Diff(tt.want, got); diff != "" || fallback != limit.Closed {
			t.Errorf("%s: fallback %s, (-want +got):\n%s", name, fallback, diff)
		}
	}
}

func TestWithoutAFileEverybodyMayCallEverything(t *testing.T) {
	t.Parallel()
	d, err := caller.Load("", table(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]rpc.Caller{"anybody": {}, "job.internal": {Names: []string{"job.internal"}}} {
		c, err := d.Identify(from)
		if err != nil || c.Name != name || c.Label() != "unlisted" || !c.MayUse("wx9") || c.OnlyAccount() != "" {
			t.Errorf("caller %+v, error %v", c, err)
		}
		if !c.MayCall(endpoint.Endpoint{Path: endpoint.Other}, http.MethodPost, "/unheard/of") {
			t.Error("a path that is not listed is refused")
		}
	}
	token := virtual.Token{Caller: "anybody", AppID: "wx1", Generation: 1, Expires: 1}
	written, ok := d.Issue(token)
	read, text, signature, err := virtual.Split(written)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, ok := d.Verify(read, text, signature); !ok {
		t.Error("a token of this house is refused")
	}
}

func TestTheZeroCallerMayDoNothing(t *testing.T) {
	t.Parallel()
	c := caller.FromContext(t.Context())
	if c.MayUse("wx1") || c.MayUse("") || c.MayCall(table(t).Find(http.MethodGet, "/cgi-bin/menu/get"), http.MethodGet, "/cgi-bin/menu/get") {
		t.Error("nobody may do something")
	}
}

func TestWhatIsWrongIsNamedWithItsLineAndRemedy(t *testing.T) {
	t.Parallel()
	const one = "callers:\n  - name: crm\n    key_file: DIR/a\n    accounts: wx1\n    apis: \"*\"\n"
	for text, want := range map[string]string{
		"callers: []": "the list is empty",
		"callers:\n  - {name: crm, key_file: DIR/a, apis: \"*\"}":                                              `:2: callers[0].accounts: not set; write a list of AppIDs, or "*"`,
		"callers:\n  - {name: crm, key_file: DIR/a, accounts: \"*\"}":                                          `:2: callers[0].apis: not set; write a list such as`,
		"callers:\n  - {name: crm, accounts: \"*\", apis: \"*\"}":                                              "neither key_file nor certificate",
		strings.Replace(one, `"*"`, "[cgi-bin/menu/get]", 1):                                                   `callers[0].apis[0]: "cgi-bin/menu/get" is no path; write`,
		strings.Replace(one, `"*"`, "[FETCH /cgi-bin/menu/get]", 1):                                            "begins with no method of HTTP",
		one + "    except: [/cgi-bin/*/get]":                                                                   `:6: callers[0].except[0]: "/cgi-bin/*/get" is no path`,
		one + "    priority: high":                                                                             `:6: callers[0].priority: "high" is neither interactive nor batch`,
		one + "    limits: [{class: menus, rate: 1/s}]":                                                        `callers[0].limits[0].class: "menus" is none of agent, comment,`,
		one + "    limits: [{class: menu}]":                                                                    `callers[0].limits[0].rate: "" is no rate; write calls per second`,
		one + "    limits: [{class: menu, rate: 20}]":                                                          `"20" is no rate`,
		one + "    limits: [{class: menu, rate: 20/d}]":                                                        `"20/d" is no rate`,
		one + "    limits: [{class: menu, rate: 0/s}]":                                                         `"0/s" is no rate`,
		one + "    limits: [{class: menu, rate: -1/s}]":                                                        `"-1/s" is no rate`,
		one + "    limits: [{class: menu, rate: 1/s, burst: -1}]":                                              "burst -1 is not between",
		one + "    limits: [{class: menu, rate: 1/s}, {class: menu, rate: 2/s}]":                               `callers[0].limits[1].class: "menu" has a limit already`,
		one + "    limits: [{class: menu, accounts: wx1, rate: 1/s}, {class: menu, accounts: wx1, rate: 2/s}]": "for the same accounts",
		one + "    daily: [{path: /cgi-bin/menus, calls: 1}]":                                                  `callers[0].daily[0].path: "/cgi-bin/menus" is not listed`,
		one + "    daily: [{path: /cgi-bin/menu/get}]":                                                         "neither calls nor share says how much",
		one + "    daily: [{path: /cgi-bin/menu/get, share: 30}]":                                              `"30" is no share; write a percentage like 30%`,
		one + "    daily: [{path: /cgi-bin/menu/get, share: 130%}]":                                            `"130%" is no share`,
		one + "    daily: [{path: /cgi-bin/menu/get, calls: 1}, {path: /cgi-bin/menu/get, calls: 2}]":          "has a daily allowance already",
		one + "without_redis: maybe":                                                                           `:6: without_redis: "maybe" is none of local, open, closed`,
		one + "reserve: much":                                                                                  `reserve: "much" is no share`,
		one + "    kinds: [x]":                                                                                 `unknown field "kinds"`,
		"anonymous: [/cgi-bin/menu/get]\n" + one:                                                               `:1: anonymous[0]: "/cgi-bin/menu/get" is not below /sns/`,
		"anonymous: \"*\"\n" + one:                                                                             `anonymous[0]: "*" is not below /sns/`,
		strings.Replace(one, "crm", "anonymous", 1):                                                            `callers[0].name: "anonymous" is the name of those`,
		"limits: [{class: x, rate: 1/s}]\n" + one:                                                              `:1: limits[0].class: "x" is none of`,
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "WX_CALLERS_FILE: ") {
			t.Errorf("%s\ngave %v, want %q", text, err, want)
		}
	}
}

func TestAChangeCountsAndAWrongOneDoesNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := write(t, dir, sample)
	tel := telemetry.Discard()
	live, err := caller.Open(path, table(t), tel)
	if err != nil {
		t.Fatal(err)
	}
	mayCall := func(path string) bool {
		return known(t, live.Current(), keyA).MayCall(table(t).Find(http.MethodGet, path), http.MethodGet, path)
	}
	write(t, dir, strings.Replace(sample, "/cgi-bin/message/*", "/cgi-bin/menu/*", 1))
	live.Look()
	if !mayCall("/cgi-bin/menu/get") || mayCall("/cgi-bin/message/mass/get") {
		t.Error("the changed permissions are not in force")
	}
	write(t, dir, strings.Replace(sample, "/cgi-bin/message/*", "message", 1))
	live.Look()
	if !mayCall("/cgi-bin/menu/get") {
		t.Error("a wrong file has changed something")
	}
	if report, _ := tel.Health.Report(); !strings.Contains(report.Components["callers"], "the old callers stay in force") {
		t.Errorf("health says %v", report.Components)
	}
}

func FuzzCallersFile(f *testing.F) {
	f.Add(sample)
	f.Add("callers: [{name: x, accounts: {}}]")
	builtIn, err := endpoint.Default()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		d, err := caller.Load(write(t, dir, text), builtIn)
		if (d == nil) != (err != nil) {
			t.Errorf("directory %v, error %v", d, err)
		}
	})
}

// The files that people copy from are right.
func TestTheDocumentedFilesAreValid(t *testing.T) {
	t.Parallel()
	const root = "../../../../"
	page, err := os.ReadFile(root + "docs/callers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, fromPage, _ := strings.Cut(string(page), "```yaml\n")
	fromPage, _, _ = strings.Cut(fromPage, "```")
	example, err := os.ReadFile(root + "deploy/production/config/api-callers.yaml.example")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"docs/callers.md": fromPage, "api-callers.yaml.example": string(example)} {
		dir := t.TempDir()
		// Each caller has a key of its own.
		for i, line := range strings.Split(text, "\n") {
			if before, after, ok := strings.Cut(line, "key_file: /run/secrets/"); ok && !strings.HasPrefix(strings.TrimSpace(before), "#") {
				key := strings.Fields(after)[0]
				if err := os.WriteFile(filepath.Join(dir, key), []byte(keyA+strings.Repeat("x", i)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		d, err := load(t, strings.ReplaceAll(text, "/run/secrets", dir))
		if err != nil || d == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
