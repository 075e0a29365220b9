package proxies

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"testing"

	"github.com/wxstack/wxstack/test/harness"
)

const slowLimit = `
callers:
  - {name: crm, accounts: "*", apis: "*", limits: [` + tenAtOnce + `]}
`

// Without Redis what the callers file says holds, and shows; see without_redis in docs/callers.md.
func TestWithoutRedisTheChosenRuleHoldsAndShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "without_redis: local"+slowLimit)
	limited := send("crm", "shared")
	if got := w.through(t, limited, 4); got != 10 {
		t.Errorf("with Redis %d calls got through, want 10", got)
	}
	w.redis.Kill()
	w.health("degraded")
	limited.says = "local"
	if got := w.through(t, limited, 12); got != 10*replicas {
		t.Errorf("with the rule local %d calls got through, want 10 for each replica", got)
	}
	w.decided("local", 1)

	w.change("without_redis: closed" + slowLimit)
	for i, c := range w.mixed(2 * replicas) {
		if r := c.do(t.Context(), send("crm", "closed-"+strconv.Itoa(i))); r.outcome != away || r.after <= 0 {
			t.Errorf("with the rule closed: %v, want it to be refused for now", r)
		}
		if r := c.do(t.Context(), read("crm")); r.outcome != done {
			t.Errorf("with the rule closed, what has no limit: %v", r)
		}
	}
	if got := len(w.wechat.arrivals("closed")); got != 0 {
		t.Errorf("with the rule closed %d calls reached WeChat", got)
	}
	w.decided("closed", 2)

	w.change("without_redis: open" + slowLimit)
	limited.says = "open"
	if got := w.through(t, limited, 12); got != 2*replicas*12 {
		t.Errorf("with the rule open %d calls got through, want all", got)
	}

	w.redis = harness.RedisAt(t, w.redisAddr)
	w.health("ready")
	limited.says = "back"
	if got := w.through(t, limited, 4); got != 10 {
		t.Errorf("with a new Redis %d calls got through, want 10", got)
	}
}

// health waits until every replica says that it is so.
func (w *world) health(want string) {
	w.t.Helper()
	for _, r := range w.proxies {
		harness.Eventually(w.t, "health "+want, func() error {
			var report struct {
				Status string `json:"status"`
			}
			if err := json.Unmarshal(w.fetch(r.DebugURL+"/readyz"), &report); err != nil || report.Status != want {
				return fmt.Errorf("it is %q, %w", report.Status, err)
			}
			return nil
		})
	}
}

// change writes another callers file and waits until it is in force everywhere.
func (w *world) change(callers string) {
	w.t.Helper()
	const loaded = `apiproxy_caller_reloads_total\{outcome="loaded"\}`
	before := make([]float64, len(w.proxies))
	for i, r := range w.proxies {
		before[i] = w.metric(r, loaded)
	}
	w.allow(callers)
	for i, r := range w.proxies {
		harness.Eventually(w.t, "the new callers file", func() error {
			if now := w.metric(r, loaded); now != before[i]+1 {
				return fmt.Errorf("%v reloads after %v", now, before[i])
			}
			return nil
		})
	}
}

// decided checks that every replica has counted at least so many decisions by a rule.
func (w *world) decided(rule string, atLeast float64) {
	w.t.Helper()
	for i, r := range w.proxies {
		if got := w.metric(r, `apiproxy_limit_decisions_total\{by="`+rule+`"\}`); got < atLeast {
			w.t.Errorf("replica %d counts %v decisions by the rule %s, want %v at least", i, got, rule, atLeast)
		}
	}
}

// metric returns the value of a metric of a replica, 0 if it is not there.
func (w *world) metric(r *harness.Replica, pattern string) float64 {
	w.t.Helper()
	found := regexp.MustCompile(`(?m)^` + pattern + ` (\S+)$`).FindSubmatch(w.fetch(r.DebugURL + "/metrics"))
	if found == nil {
		return 0
	}
	value, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		w.t.Fatal(err)
	}
	return value
}

func (w *world) fetch(url string) []byte {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(w.t.Context()), http.MethodGet, url, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return body
}
