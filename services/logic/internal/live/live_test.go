package live_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/telemetry"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/live"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	first  = "rules:\n  - {name: first, reply: {text: a}}\n"
	second = "rules:\n  - {name: second, reply: {text: a}}\n"
	wrong  = "rules:\n  - {name: third, reply: {txet: a}}\n"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	temporary := path + ".new"
	if err := os.WriteFile(temporary, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temporary, path); err != nil {
		t.Fatal(err)
	}
}

func inForce(rules *live.Rules) string {
	for rule := range rules.Current().Matching(route.Query{Message: &messagev1.Message{MsgType: "text"}}) {
		return rule.Name
	}

	return ""
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if _, err := live.Open(live.Source{Path: path}, telemetry.Discard()); err == nil || !strings.Contains(err.Error(), "WX_RULES_FILE") {
		t.Errorf("a missing file: want an error that names WX_RULES_FILE, got %v", err)
	}
	write(t, path, wrong)
	if _, err := live.Open(live.Source{Path: path}, telemetry.Discard()); err == nil || !strings.Contains(err.Error(), path+":2:") {
		t.Errorf("a wrong file: want an error with path and line, got %v", err)
	}
}

// TestChanges lets the file go through all that can happen to it.
func TestChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	write(t, path, first)
	var log bytes.Buffer
	tel := telemetry.ForTest(&log)
	rules, err := live.Open(live.Source{Path: path}, tel)
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name   string
		change func()
		rule   string
		status string
	}{
		{"nothing", func() {}, "first", "ready"},
		{"wrong", func() { write(t, path, wrong) }, "first", "degraded"},
		{"still wrong", func() {}, "first", "degraded"},
		{"back as it was", func() { write(t, path, first) }, "first", "ready"},
		{"gone", func() { _ = os.Remove(path) }, "first", "degraded"},
		{"new", func() { write(t, path, second) }, "second", "ready"},
	}
	for _, step := range steps {
		step.change()
		rules.Look()
		report, ready := tel.Health.Report()
		if got := inForce(rules); got != step.rule || report.Status != step.status || !ready {
			t.Errorf("%s: want rule %s and %s, got %s and %+v", step.name, step.rule, step.status, got, report)
		}
	}
	if got := strings.Count(log.String(), "rule file refused"); got != 2 {
		t.Errorf("each wrong state is told once: want 2 lines, got %d", got)
	}
}

// TestWrongFilesLeaveTheOldRules replaces the file by wrong ones of many kinds: each is refused with its line and
// a remedy, and what was in force stays.
func TestWrongFilesLeaveTheOldRules(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	write(t, path, first)
	tel := telemetry.Discard()
	rules, err := live.Open(live.Source{Path: path}, tel)
	if err != nil {
		t.Fatal(err)
	}
	const rule = "rules:\n  - {name: a, "
	wrong := map[string]string{
		"":                                       "the file is empty; it needs the key rules",
		"rules: []\n":                            "it needs at least one rule",
		"rulez: []\n":                            `did you mean "rules"?`,
		"rules:\n\t- name: a\n":                  "never tabs",
		"rules:\n  - {name: a\n":                 "",
		"rules:\n  - {reply: {text: b}}\n":       "add name:",
		rule + "}\n":                             "give it one of",
		rule + "echo: true, reply: {text: b}}\n": "it can have only one of them",
		rule + "reply: {txet: b}}\n":             `did you mean "text"?`,
		rule + "reply: {text: '{{ .Contnet }}'}}\n":                                                    `did you mean "Content"?`,
		rule + "reply: {image: {}}}\n":                                                                 "which WeChat requires",
		rule + "match: {type: picture}, reply: {text: b}}\n":                                           "known are: text, image",
		rule + "match: {event: subscirbe}, reply: {text: b}}\n":                                        `did you mean "subscribe"?`,
		rule + "match: {pattern: '('}, reply: {text: b}}\n":                                            "the syntax is RE2",
		rule + "match: {if: 'Contnet == 1'}, reply: {text: b}}\n":                                      `did you mean "Content"?`,
		rule + "match: {time: {hours: 9-18}}, reply: {text: b}}\n":                                     "write 09:00-18:00",
		rule + "match: {scene: x, event: CLICK}, reply: {text: b}}\n":                                  "only the events SCAN and subscribe have",
		rule + "rollout: {percent: 101}, reply: {text: b}}\n":                                          "a number from 0 to 100",
		rule + "forward: {url: example.com}}\n":                                                        "it begins with https://",
		rule + "forward: {url: http://x, secret_file: /none}}\n":                                       "no such file",
		rule + "assistant: {base_url: http://x, model: m, timeout: soon}}\n":                           "such as 500ms, 30s or 10m",
		rule + "menu: {choices: []}}\n":                                                                "it needs from 1 to 20",
		rule + "teach: {}}\n":                                                                          "moderat",
		rule + "dialogue: {reply: {text: b}}}\n":                                                       "it needs at least one question",
		"rules:\n  - {name: a, reply: {text: b}}\n  - {name: b, reply: {text: c}}\n":                   "never reached",
		"rules:\n  - {name: a, match: {text: x}, reply: {text: b}}\n  - {name: a, reply: {text: c}}\n": "give each rule its own",
	}
	line := regexp.MustCompile(`rules\.yaml(:\d+:\d+:|: \[\d+:\d+\])`)
	for text, remedy := range wrong {
		write(t, path, text)
		rules.Look()
		report, ready := tel.Health.Report()
		said := report.Components["rules"]
		if inForce(rules) != "first" || !ready || !line.MatchString(said) || !strings.Contains(said, remedy) {
			t.Errorf("%q: rule %s is in force, and the health says %q, want a line and %q", text, inForce(rules), said, remedy)
		}
	}
}

// TestRun finds a change by the system's notice, well before it would look by itself.
func TestRun(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	write(t, path, first)
	rules, err := live.Open(live.Source{Path: path}, telemetry.Discard())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- rules.Run(ctx) }()
	write(t, path, second)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for inForce(rules) != "second" {
		select {
		case <-t.Context().Done():
			t.Fatal("the change was never seen")
		case <-poll.C:
		}
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestRunWithoutFile(t *testing.T) {
	t.Parallel()
	rules, err := live.Open(live.Source{BuiltIn: []byte(first)}, telemetry.Discard())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := rules.Run(ctx); err != nil || inForce(rules) != "first" {
		t.Errorf("want the built-in rules, got %s, %v", inForce(rules), err)
	}
}
