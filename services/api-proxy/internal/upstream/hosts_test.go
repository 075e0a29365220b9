package upstream

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// audience remembers what it was told.
type audience struct {
	counted []string
	outage  error
}

func (a *audience) failed(host string, why reason) {
	a.counted = append(a.counted, host+" "+string(why))
}
func (a *audience) changed(all []*host) { a.outage = outage(all) }

// listOf makes hosts with the given names.
func listOf(t *testing.T, names ...string) (*hosts, *audience) {
	t.Helper()
	bases := make([]string, len(names))
	for i, name := range names {
		bases[i] = "http://" + name
	}
	told := &audience{}
	h, err := newHosts(bases, told)
	if err != nil {
		t.Fatal(err)
	}
	return h, told
}

// report ends an attempt, and tells whether one was allowed.
func (h *hosts) report(i int, end reason) bool {
	report, ok := h.admit(h.list[i])
	if ok {
		report(end)
	}
	return ok
}

func names(list []*host) string {
	var text []string
	for _, one := range list {
		text = append(text, one.base.Host)
	}
	return strings.Join(text, " ")
}

func TestOrder(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		failed map[string]time.Duration // how long ago
		out    string
		safe   bool
		want   string
	}{
		{name: "all well", want: "a b c"},
		{name: "first failed", failed: map[string]time.Duration{"a": time.Second}, want: "b c a"},
		{name: "first recovered", failed: map[string]time.Duration{"a": cooldown}, want: "a b c"},
		{name: "all failed", failed: map[string]time.Duration{"a": 1, "b": 3, "c": 2}, want: "b c a"},
		{name: "last is out", failed: map[string]time.Duration{"c": cooldown - 1}, out: "c", safe: true, want: "a b c"},
		{name: "last is out, and a safe call tries it", failed: map[string]time.Duration{"c": cooldown}, out: "c", safe: true, want: "c a b"},
		{name: "last is out, and an unsafe call keeps away", failed: map[string]time.Duration{"c": cooldown}, out: "c", want: "a b c"},
		{name: "first is out, and an unsafe call keeps away", failed: map[string]time.Duration{"a": cooldown}, out: "a", want: "b c a"},
		{name: "last is out, and no safe call came for long", failed: map[string]time.Duration{"c": rarely}, out: "c", want: "c a b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, _ := listOf(t, "a", "b", "c")
			for _, one := range h.list {
				if ago, ok := tt.failed[one.base.Host]; ok {
					one.failedAt = now.Add(-ago)
				}
				if one.base.Host == tt.out {
					one.openedAt = one.failedAt
				}
			}
			if got := names(h.order(now, tt.safe)); got != tt.want {
				t.Errorf("order %s, want %s", got, tt.want)
			}
		})
	}
}

func TestASuccessClearsAFailure(t *testing.T) {
	t.Parallel()
	h, told := listOf(t, "a", "b")
	h.report(0, broken)
	if got := names(h.order(time.Now(), true)); got != "b a" {
		t.Errorf("order after a failure: %s", got)
	}
	h.report(0, callerLeft)
	if got := names(h.order(time.Now(), true)); got != "b a" {
		t.Errorf("order after a caller left: %s", got)
	}
	h.report(0, worked)
	if got := names(h.order(time.Now(), true)); got != "a b" {
		t.Errorf("order after a success: %s", got)
	}
	if diff := cmp.Diff([]string{"a broken"}, told.counted); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

// TestTheCircuit walks one host through its states.
func TestTheCircuit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, told := listOf(t, "a")
		steps := []struct {
			name    string
			after   time.Duration
			end     reason
			allowed bool
			out     bool
		}{
			{"one failure is chance", 0, noConnection, true, false},
			{"a success begins the count anew", 0, worked, true, false},
			{"1", 0, noConnection, true, false},
			{"2", time.Hour, noAnswer, true, false},
			{"3", 0, broken, true, false},
			{"4", 0, serverError, true, false},
			{"a caller who leaves is no failure", 0, callerLeft, true, false},
			{"5", 0, noConnection, true, true},
			{"at once", 0, worked, false, true},
			{"just before the time", openFor, worked, false, true},
			{"a try by a caller who leaves decides nothing", time.Nanosecond, callerLeft, true, true},
			{"a try that fails", 0, noAnswer, true, true},
			{"open again", openFor, worked, false, true},
			{"a try that succeeds", time.Nanosecond, worked, true, false},
			{"1 again", 0, noAnswer, true, false},
			{"2 again", 0, noAnswer, true, false},
		}
		for _, step := range steps {
			time.Sleep(step.after)
			if allowed := h.report(0, step.end); allowed != step.allowed {
				t.Errorf("%s: allowed = %v", step.name, allowed)
			}
			if out := told.outage != nil; out != step.out {
				t.Errorf("%s: outage = %v", step.name, told.outage)
			}
		}
	})
}

func TestOneCallAtATimeTriesAHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, told := listOf(t, "a", "b")
		for range tripAfter {
			h.report(0, noAnswer)
		}
		time.Sleep(time.Second)
		for range tripAfter {
			h.report(1, serverError)
		}
		if got := h.wait(time.Now()); got != openFor-time.Second {
			t.Errorf("wait %v, want until the first may be tried", got)
		}
		if told.outage == nil || !strings.Contains(told.outage.Error(), "a (no_answer), b (http_5xx)") {
			t.Errorf("outage = %v, want both with their reasons", told.outage)
		}
		time.Sleep(openFor)
		report, ok := h.admit(h.list[0])
		if _, second := h.admit(h.list[0]); !ok || second {
			t.Errorf("a first call was let through = %v, and a second one = %v", ok, second)
		}
		if got := h.wait(time.Now()); got != leastWait {
			t.Errorf("wait %v, want %v", got, leastWait)
		}
		report(worked)
		if told.outage == nil || strings.Contains(told.outage.Error(), "a (") {
			t.Errorf("outage = %v, want b alone", told.outage)
		}
		if !h.report(0, worked) {
			t.Error("the host is not back in use")
		}
	})
}

func TestPatienceGrowsWithTheBody(t *testing.T) {
	t.Parallel()
	c := &Client{timeout: 10 * time.Second}
	if got := c.patience(0); got != 10*time.Second {
		t.Errorf("patience(0) = %v", got)
	}
	if got := c.patience(32 << 20); got != 74*time.Second {
		t.Errorf("patience(32 MiB) = %v, want 74s", got)
	}
}
