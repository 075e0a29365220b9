package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
)

// status answers with a status and a body.
func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// TestWhatOpensTheCircuit makes one kind of call after the other, and tells from the dials and requests
// whether the host was still asked.
func TestWhatOpensTheCircuit(t *testing.T) {
	t.Parallel()
	const html, busy = "<html>Bad Gateway</html>", `{"errcode":-1,"errmsg":"system error"}`
	long := strings.Repeat("x", 2*maxVerdict)
	silent := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server sees its client leave only after that.
		<-r.Context().Done()
	}
	tests := map[string]struct {
		handler http.HandlerFunc // nil: nobody listens.
		leave   time.Duration    // after which the caller leaves; 0: never.
		limit   time.Duration    // the caller's time; 0: none.
		err     error            // of each call.
		body    string
		reason  reason // empty: it stays closed.
	}{
		"no connection":                   {err: ErrUnreachable, reason: noConnection},
		"no answer":                       {handler: silent, err: ErrNoAnswer, reason: noAnswer},
		"broken connection":               {handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, err: ErrBroken, reason: broken},
		"5xx of a front end":              {handler: status(http.StatusBadGateway, html), body: html, reason: serverError},
		"5xx of a front end, long":        {handler: status(http.StatusBadGateway, long), body: long, reason: serverError},
		"5xx without a word":              {handler: status(http.StatusServiceUnavailable, ""), reason: serverError},
		"5xx that is a verdict":           {handler: status(http.StatusInternalServerError, busy), body: busy},
		"a verdict":                       {handler: status(http.StatusOK, busy), body: busy},
		"4xx":                             {handler: status(http.StatusNotFound, html), body: html},
		"callers who leave a silent host": {handler: silent, leave: 8 * time.Second, err: context.Canceled},
		"callers with little time":        {handler: silent, limit: 5*time.Second - 1, err: ErrNoAnswer},
		"callers with enough time":        {handler: silent, limit: 5*time.Second + time.Millisecond, err: ErrNoAnswer, reason: noAnswer},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				if tt.handler != nil {
					n.point("a:80", n.serve(t, tt.handler))
				}
				tel := telemetry.Discard()
				c := n.client(t, tel, "http://a")
				for i := range 2 * tripAfter {
					out := tt.reason != "" && i >= tripAfter
					dials := n.dialled()
					ctx, cancel := context.WithCancel(t.Context())
					if tt.leave > 0 {
						time.AfterFunc(tt.leave, cancel)
					}
					if tt.limit > 0 {
						ctx, cancel = context.WithTimeout(ctx, tt.limit)
					}
					body, err := text(ctx, c)
					cancel()
					switch {
					case out:
						checkOut(t, err)
						if n.dialled() != dials {
							t.Error("a host that is out was dialled")
						}
					case !errors.Is(err, tt.err) || body != tt.body:
						t.Errorf("call %d: %q, %v", i, body, err)
					}
				}
				checkShown(t, tel, tt.reason)
			})
		})
	}
}

// checkOut checks the error of a call that could go nowhere.
func checkOut(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrUnreachable) || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("error = %v, want ErrUnreachable", err)
	}
	if after := fault.RetryAfter(err); after <= 0 || after > openFor {
		t.Errorf("retry after %v, want until the circuit may be tried", after)
	}
	if err != nil && strings.Contains(err.Error(), "SECRET") {
		t.Errorf("error %v shows the query", err)
	}
}

// checkShown checks health and metrics; without a reason all must be well.
func checkShown(t *testing.T, tel *telemetry.Telemetry, why reason) {
	t.Helper()
	report, ready := tel.Health.Report()
	state := report.Components["upstream"]
	if !ready || (why == "") != (state == "up") || strings.Contains(state, "SECRET") {
		t.Errorf("component %q", state)
	}
	if why != "" && !strings.Contains(state, "a ("+string(why)+")") {
		t.Errorf("component %q does not name host and reason", state)
	}
	m := newMonitor(tel) // it finds the metrics that are registered.
	if up := testutil.ToFloat64(m.up.WithLabelValues("a")); (up == 1) != (why == "") {
		t.Errorf("apiproxy_upstream_host_up = %v", up)
	}
	for _, each := range failures() {
		want := 0.0
		if each == why {
			want = tripAfter
		}
		if got := testutil.ToFloat64(m.failures.WithLabelValues("a", string(each))); got != want {
			t.Errorf("apiproxy_upstream_failures_total %s = %v, want %v", each, got, want)
		}
	}
}

func TestAHostThatIsOutIsPassedOverAndComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		n.point("b:80", n.serve(t, say("b")))
		tel := telemetry.Discard()
		c := n.client(t, tel, "http://a", "http://b")
		ask := func(want string) {
			t.Helper()
			if got, err := text(t.Context(), c); err != nil || got != want {
				t.Errorf("answer %q, %v; want %s", got, err, want)
			}
		}
		for range tripAfter {
			ask("b")
			time.Sleep(cooldown) // so that a is asked first again.
		}
		dials := n.dialled()
		checkShown(t, tel, noConnection)
		n.point("a:80", n.serve(t, say("a")))
		ask("b") // the call must not be lost, so b goes on.
		if n.dialled() > dials+1 {
			t.Errorf("%d dials, want one at the most, to b", n.dialled()-dials)
		}
		time.Sleep(rarely)
		ask("a")
		if report, _ := tel.Health.Report(); report.Status != "ready" {
			t.Errorf("health %v", report)
		}
	})
}

func TestAllHostsOutComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		c := n.client(t, telemetry.Discard(), "http://a", "http://b")
		for range tripAfter {
			if _, err := text(t.Context(), c); !errors.Is(err, ErrUnreachable) {
				t.Errorf("error = %v", err)
			}
		}
		_, err := text(t.Context(), c)
		checkOut(t, err)
		n.point("b:80", n.serve(t, say("b")))
		time.Sleep(fault.RetryAfter(err) + 1)
		got, err := text(t.Context(), c)
		if diff := cmp.Diff("b", got); diff != "" || err != nil {
			t.Errorf("after the time that was told: %v\n%s", err, diff)
		}
	})
}
