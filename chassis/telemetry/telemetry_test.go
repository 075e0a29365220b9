package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestReadinessFollowsTheComponents(t *testing.T) {
	t.Parallel()
	down := errors.New("connection refused")
	tests := map[string]struct {
		change func(redis, rules *telemetry.Component, h *telemetry.Health)
		code   int
		want   telemetry.Report
	}{
		"all up": {
			func(_, _ *telemetry.Component, _ *telemetry.Health) {},
			http.StatusOK, telemetry.Report{Status: "ready", Components: map[string]string{"redis": "up", "rules": "up"}},
		},
		"one down": {
			func(redis, _ *telemetry.Component, _ *telemetry.Health) { redis.Report(down) },
			http.StatusOK, telemetry.Report{Status: "degraded", Components: map[string]string{"redis": "down: connection refused", "rules": "up"}},
		},
		"up again": {
			func(_, rules *telemetry.Component, _ *telemetry.Health) { rules.Report(down); rules.Report(nil) },
			http.StatusOK, telemetry.Report{Status: "ready", Components: map[string]string{"redis": "up", "rules": "up"}},
		},
		"draining": {
			func(_, _ *telemetry.Component, h *telemetry.Health) { h.Drain() },
			http.StatusServiceUnavailable, telemetry.Report{Status: "draining", Components: map[string]string{"redis": "up", "rules": "up"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := telemetry.Discard().Health
			tt.change(h.Component("redis"), h.Component("rules"), h)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
			var got telemetry.Report
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || w.Code != tt.code {
				t.Errorf("status %d, want %d\n%s", w.Code, tt.code, diff)
			}
		})
	}
}

func TestAChangeOfStateIsOneLogLine(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	c := telemetry.ForTest(&log).Health.Component("redis")
	for range 100 {
		c.Report(errors.New("refused"))
	}
	for range 100 {
		c.Report(nil)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want 2:\n%s", n, log.String())
	}
}

func TestAStartThatTakesItsNormalCourseIsNoWarning(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		then error
		want string
	}{
		"comes up": {nil, `"level":"INFO"`},
		"does not": {errors.New("refused"), `"level":"WARN"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			tel := telemetry.ForTest(&log)
			c := tel.Health.Component("tokens")
			c.Pending(errors.New("none yet"))
			if report, _ := tel.Health.Report(); len(report.Down()) != 1 || log.Len() != 0 {
				t.Errorf("down %v, log %q; want it down without a word", report.Down(), log.String())
			}
			c.Report(tt.then)
			if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), tt.want) {
				t.Errorf("log %q, want one line with %s", log.String(), tt.want)
			}
		})
	}
}

func TestRegisterSharesWhatIsThereAlready(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	first := telemetry.Register(registry, prometheus.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "x"}))
	second := telemetry.Register(registry, prometheus.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: "x"}))
	if first != second {
		t.Error("two parts of one kind count apart")
	}
}

func TestDebugListener(t *testing.T) {
	t.Parallel()
	tel, err := telemetry.New(t.Context(), "test", telemetry.Config{DebugAddr: "127.0.0.1:0", LogFormat: "text"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- tel.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": `"status":"ready"`, "/metrics": "go_goroutines", "/debug/pprof/": "goroutine"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+tel.Addr()+path, http.NoBody)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s, body lacks %q", path, resp.Status, want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestATakenPortIsNamed(t *testing.T) {
	t.Parallel()
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	_, err := telemetry.New(t.Context(), "test", telemetry.Config{DebugAddr: taken.Listener.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "DEBUG_LISTEN_ADDR") || !strings.Contains(err.Error(), "in use") {
		t.Errorf("error = %v", err)
	}
}

func TestARemovedComponentIsForgotten(t *testing.T) {
	t.Parallel()
	tel := telemetry.ForTest(io.Discard)
	old := tel.Health.Component("logic b")
	old.Report(errors.New("unreachable"))
	old.Remove()
	old.Remove()
	old.Report(errors.New("unreachable still"))
	old.Pending(errors.New("not yet"))
	if report, _ := tel.Health.Report(); report.Status != "ready" || len(report.Components) != 0 {
		t.Errorf("health: %+v", report)
	}
	if families, err := tel.Metrics.Gather(); err != nil || len(families) != 0 {
		t.Errorf("metrics: %v, %v", families, err)
	}
	tel.Health.Component("logic b")
	old.Remove()
	if report, _ := tel.Health.Report(); report.Components["logic b"] != "up" {
		t.Errorf("health: %+v", report)
	}
}
