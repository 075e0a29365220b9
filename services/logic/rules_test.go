package logic_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/lifecycle"

	"github.com/wxstack/wxstack/services/logic"
)

// runCommand runs one of the rules commands with its arguments, as a command line would.
func runCommand(t *testing.T, commands []lifecycle.Command, args ...string) (string, error) {
	t.Helper()
	known := make([]config.Command, 0, len(commands))
	for _, c := range commands {
		known = append(known, c.Command)
	}
	name, err := config.Parse("logic", "", args, new(struct{}), known...)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(commands, func(c lifecycle.Command) bool { return c.Name == name })
	var out strings.Builder
	err = commands[i].Run(context.WithoutCancel(t.Context()), &out)

	return out.String(), err
}

const tried = `rules:
  - name: night
    match: {type: text, time: {hours: 22:00-06:00}}
    reply: {text: "现在是{{ .Time.Format \"15:04\" }}，明天见"}
  - name: vip
    match: {text: 价格, tag: VIP}
    reply: {text: 您的专属价}
  - name: trial
    match: {text: 价格}
    rollout: {followers: [oTEST]}
    reply: {text: 新价格}
    send:
      - image: {media_id: P1}
  - name: picture
    match: {type: image}
    echo: true
  - name: scene
    match: {event: [SCAN, subscribe], scene: shop-7}
    reply: {text: "门店 {{ .Scene }}"}
  - name: short
    match: {if: 'split(Content, " ")[1] == "x"'}
    reply: {text: x}
  - name: backend
    match: {type: location}
    forward: {url: http://localhost:1}
  - name: rest
    reply: {silence: true}
`

func TestRulesTry(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(tried), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		want string
	}{
		"at night": {
			[]string{"--text=价格", "--at=2026-12-24 23:30", "--follower=oTEST"},
			"rule \"night\" in line 2 answers:\n    现在是23:30，明天见\nwould match too, were it not for that one: \"trial\" (line 8), \"rest\" (line 26)\n",
		},
		"by tag": {
			[]string{"--text=价格", "--at=2026-12-24 12:00", "--tag=101", "--tag=VIP"},
			"rule \"vip\" in line 5 answers:\n    您的专属价\nwould match too, were it not for that one: \"rest\" (line 26)\n",
		},
		"test user": {
			[]string{"--text=价格", "--at=2026-12-24 12:00", "--follower=oTEST"},
			"rule \"trial\" in line 8 answers:\n    新价格\nand sends:\n    {\"image\":{\"media_id\":\"P1\"}}\n",
		},
		"picture":      {[]string{"--type=image", "--media-id=P2"}, "{\"image\":{\"media_id\":\"P2\"}}"},
		"scan":         {[]string{"--event=SCAN", "--scene=shop-7"}, "    门店 shop-7\n"},
		"follow":       {[]string{"--event=subscribe", "--scene=shop-7"}, "    门店 shop-7\n"},
		"not to judge": {[]string{"--text=短", "--at=2026-12-24 12:00"}, "rule \"short\" in line 20 cannot be judged, the next one is asked: if: "},
		"handler":      {[]string{"--type=location"}, "rule \"backend\" in line 23 has it answered by forward\nasked next, should that one have no answer: \"rest\" (line 26)\n"},
		"silence":      {[]string{"--event=unsubscribe", "--key=x"}, "rule \"rest\" in line 26 answers:\n    (nothing: success)\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := runCommand(t, logic.RulesCommands(new(logic.Config)), append([]string{"rules", "try", path}, test.args...)...)
			// protobuf puts spaces into its JSON at random, so that nobody relies on there being none.
			if err != nil || !strings.Contains(strings.ReplaceAll(got, `": `, `":`), test.want) {
				t.Errorf("want %q, got %q, %v", test.want, got, err)
			}
		})
	}
}

func TestRulesCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	wrong := "rules:\n" + strings.Repeat("  - name: /\n", 9)
	for path, text := range map[string]string{good: tried, bad: wrong} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := func(cfg logic.Config, args ...string) (string, error) {
		return runCommand(t, logic.RulesCommands(&cfg), append([]string{"rules", "check"}, args...)...)
	}
	if got, err := check(logic.Config{}, good); err != nil || got != good+": 8 rules, nothing wrong\n" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := check(logic.Config{RulesFile: good}); err != nil || !strings.Contains(got, "8 rules") {
		t.Errorf("without a file that of the settings is checked: %q, %v", got, err)
	}
	if got, err := check(logic.Config{}); err != nil || !strings.Contains(got, "built-in rules: 6 rules") {
		t.Errorf("without any the built-in rules are: %q, %v", got, err)
	}
	got, err := check(logic.Config{}, bad)
	if err == nil || !strings.Contains(err.Error(), "wrong in 18 place(s)") || strings.Count(got, "\n") != 18 || !strings.HasPrefix(got, bad+":2:") {
		t.Errorf("all faults are shown, with their lines: %q, %v", got, err)
	}
	if _, err := check(logic.Config{}, filepath.Join(dir, "none.yaml")); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestRulesSchema(t *testing.T) {
	t.Parallel()
	got, err := runCommand(t, logic.RulesCommands(new(logic.Config)), "rules", "schema")
	if err != nil || !strings.Contains(got, `"title": "wxstack rule file"`) || !strings.HasSuffix(got, "}\n") {
		t.Errorf("%q, %v", got, err)
	}
}
