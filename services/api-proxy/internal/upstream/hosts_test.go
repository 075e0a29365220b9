package upstream

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOrder(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		failed map[string]time.Duration // how long ago
		want   []string
	}{
		{"all well", nil, []string{"a", "b", "c"}},
		{"first failed", map[string]time.Duration{"a": time.Second}, []string{"b", "c", "a"}},
		{"first recovered", map[string]time.Duration{"a": cooldown}, []string{"a", "b", "c"}},
		{"all failed", map[string]time.Duration{"a": 1, "b": 3, "c": 2}, []string{"b", "c", "a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var h hosts
			for _, name := range []string{"a", "b", "c"} {
				one := &host{base: &url.URL{Host: name}}
				h.list = append(h.list, one)
				if ago, ok := tt.failed[name]; ok {
					h.report(one, now.Add(-ago), true)
				}
			}
			var got []string
			for _, one := range h.order(now) {
				got = append(got, one.base.Host)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}

func TestASuccessClearsAFailure(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	h := hosts{list: []*host{{base: &url.URL{Host: "a"}}, {base: &url.URL{Host: "b"}}}}
	h.report(h.list[0], now, true)
	h.report(h.list[0], now, false)
	if got := h.order(now)[0].base.Host; got != "a" {
		t.Errorf("first host is %s, want a", got)
	}
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
