package accounts_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/gateway/internal/accounts"
	"github.com/wxstack/wxstack/wechat/signature"
)

const one = `accounts:
  - app_id: wx1
    original_id: gh_1
    encryption: plain
    callback_token_file: "$DIR/..data/token"
`

const two = one + `  - app_id: wx2
    original_id: gh_2
    encryption: plain
    callback_token_file: "$DIR/..data/token"
`

// TestLive lets the files go through what can happen to them.
func TestLive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "accounts.yaml")
	write := func(content string) {
		must(os.WriteFile(path, []byte(strings.ReplaceAll(content, "$DIR", dir)), 0o600))
	}
	// swap makes a new version of the secrets as Kubernetes does, by changing a symlink.
	swap := func(version, token string) {
		must(os.Mkdir(filepath.Join(dir, version), 0o700))
		must(os.WriteFile(filepath.Join(dir, version, "token"), []byte(token), 0o600))
		must(os.Symlink(version, filepath.Join(dir, "..new")))
		must(os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")))
	}
	swap("v1", "first")
	write(two)
	var log bytes.Buffer
	tel := telemetry.ForTest(&log)
	live, err := accounts.Open(path, true, tel)
	must(err)

	steps := []struct {
		name   string
		change func()
		token  string // that is accepted, of those that occur here
		appIDs string
		status string
		log    string // what the one line about it says; empty: no line
	}{
		{"nothing", func() {}, "first", "wx1 wx2", "ready", ""},
		{"a secret is rotated", func() { swap("v2", "second") }, "second", "wx1 wx2", "ready", "in force"},
		{"an account goes", func() { write(one) }, "second", "wx1", "ready", "in force"},
		{"a key that nobody knows", func() { write(two + "    callback_token: third\n") }, "second", "wx1", "degraded", path + ": [10:5] unknown field"},
		{"a word that nobody knows", func() { write(strings.Replace(two, "plain", "clear", 1)) }, "second", "wx1", "degraded", path + ":4: accounts[0].encryption"},
		{"nothing more", func() {}, "second", "wx1", "degraded", ""},
		{"an empty secret", func() { write(two); swap("v3", "") }, "second", "wx1", "degraded", path + ":2: accounts[0]: account wx1: callback_token_file"},
		{"a secret again", func() { swap("v4", "third") }, "third", "wx1 wx2", "ready", "in force"},
		{"the file is gone", func() { must(os.Remove(path)) }, "third", "wx1 wx2", "degraded", path + ": no such file"},
		{"the same file again", func() { write(two) }, "third", "wx1 wx2", "ready", "in force"},
	}
	for _, step := range steps {
		log.Reset()
		before := live.Current()
		step.change()
		live.Look()
		now := live.Current()
		if got := strings.Join(now.AppIDs(), " "); got != step.appIDs {
			t.Errorf("%s: accounts %s, want %s", step.name, got, step.appIDs)
		}
		for _, token := range []string{"first", "second", "third"} {
			if _, ok := now.Verifying(signature.Sign(token, "1", "2"), "1", "2"); ok != (token == step.token) {
				t.Errorf("%s: Token %s accepted: %v", step.name, token, ok)
			}
		}
		report, ready := tel.Health.Report()
		if report.Status != step.status || !ready || (step.status == "ready") != (report.Components["accounts"] == "up") {
			t.Errorf("%s: health %+v, want %s", step.name, report, step.status)
		}
		lines := 0
		for line := range strings.Lines(log.String()) {
			if !strings.Contains(line, `"msg":"component `) {
				lines++
			}
		}
		if want := min(len(step.log), 1); lines != want || !strings.Contains(log.String(), step.log) {
			t.Errorf("%s: %d lines, want %d with %q:\n%s", step.name, lines, want, step.log, log.String())
		}
		for _, secret := range []string{"first", "second", "third"} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("%s: a secret is logged:\n%s", step.name, log.String())
			}
		}
		if step.status == "degraded" && before != now {
			t.Errorf("%s: the accounts in force were replaced", step.name)
		}
	}
	for metric, want := range map[string]float64{`"loaded"`: 4, `"refused"`: 4} {
		if got := reloads(t, tel, metric); got != want {
			t.Errorf("gateway_account_reloads_total{outcome=%s} = %v, want %v", metric, got, want)
		}
	}
}

// reloads is the count of reloads with that outcome.
func reloads(t *testing.T, tel *telemetry.Telemetry, outcome string) float64 {
	t.Helper()
	families, err := tel.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "gateway_account_reloads_total" && strings.Contains(metric.String(), outcome) {
				return metric.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestOpenNeedsRightAccountsToBeginWith(t *testing.T) {
	t.Parallel()
	if _, err := accounts.Open(filepath.Join(t.TempDir(), "none"), false, telemetry.Discard()); err == nil || !strings.Contains(err.Error(), "WX_ACCOUNTS_FILE") {
		t.Errorf("error = %v", err)
	}
}

// TestTheDirectoryInForceCostsNothing is about the way of every message.
func TestTheDirectoryInForceCostsNothing(t *testing.T) { // testing.AllocsPerRun cannot run in parallel.
	dir := t.TempDir()
	path := filepath.Join(dir, "accounts.yaml")
	token := filepath.Join(dir, "token")
	file := "accounts: [{app_id: wx1, original_id: gh_1, encryption: plain, callback_token_file: '" + token + "'}]"
	if err := os.WriteFile(token, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	live, err := accounts.Open(path, true, telemetry.Discard())
	if err != nil {
		t.Fatal(err)
	}
	current := live.Current
	if n := testing.AllocsPerRun(100, func() { _, _ = current().Find("wx1") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
