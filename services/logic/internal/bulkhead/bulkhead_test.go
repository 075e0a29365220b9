package bulkhead_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"

	"github.com/wxstack/wxstack/services/logic/internal/bulkhead"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// handler makes a function a route.Handler.
type handler func(ctx context.Context) error

func (h handler) Answer(ctx context.Context, _ *logicv1.ReplyRequest) (route.Answer, error) {
	return route.Answer{}, h(ctx)
}

// takes is a handler that needs a while.
func takes(d time.Duration) handler {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func metrics() *bulkhead.Metrics { return bulkhead.NewMetrics(prometheus.NewRegistry()) }

// askMany asks n times at once and returns what each asking came to.
func askMany(ctx context.Context, h route.Handler, n int) chan error {
	results := make(chan error, n)
	for range n {
		go func() {
			_, err := h.Answer(ctx, nil)
			results <- err
		}()
	}
	return results
}

// TestLimits: two are worked on, eight wait for their turn, and the rest learns at once that there is no room.
func TestLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		subject := bulkhead.New(takes(time.Second), "slow", bulkhead.Limits{Concurrency: 2, Timeout: time.Minute}, metrics())
		start := time.Now()
		results := askMany(t.Context(), subject, 13)
		for range 3 {
			if err := <-results; !errors.Is(err, bulkhead.ErrFull) || route.ReasonOf(err) != route.ReasonBusy || time.Since(start) != 0 {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
		}
		for range 10 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("ten of a second, two at a time, took %v", took)
		}
	})
}

// TestASlowHandlerStarvesNobody: another one answers at once while all places of the slow one are taken.
func TestASlowHandlerStarvesNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := metrics()
		slow := bulkhead.New(takes(time.Second), "slow", bulkhead.Limits{Concurrency: 1, Timeout: time.Minute}, shared)
		fast := bulkhead.New(takes(0), "fast", bulkhead.Limits{Concurrency: 1, Timeout: time.Minute}, shared)
		start := time.Now()
		results := askMany(t.Context(), slow, 5)
		synctest.Wait()
		if _, err := fast.Answer(t.Context(), nil); err != nil || time.Since(start) != 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		for range 5 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestWhoseTimeIsOver(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for name, test := range map[string]struct {
		handler handler
		caller  time.Duration // until the caller gives up
		want    error
		reason  route.Reason
	}{
		"the rule's":                            {takes(time.Minute), time.Hour, bulkhead.ErrTimeout, route.ReasonTimeout},
		"the caller's":                          {takes(time.Minute), time.Second, context.DeadlineExceeded, route.ReasonContent},
		"nobody's":                              {func(context.Context) error { return refused }, time.Hour, refused, route.ReasonContent},
		"none, and a failure of another reason": {func(context.Context) error { return route.Fail(route.ReasonBackend, refused) }, time.Hour, refused, route.ReasonBackend},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.caller)
				defer cancel()
				subject := bulkhead.New(test.handler, "a", bulkhead.Limits{Concurrency: 1, Timeout: 10 * time.Second}, metrics())
				_, err := subject.Answer(ctx, nil)
				if !errors.Is(err, test.want) || route.ReasonOf(err) != test.reason || errors.Is(err, bulkhead.ErrTimeout) != (test.reason == route.ReasonTimeout) {
					t.Errorf("want %v as %s, got %v as %s", test.want, test.reason, err, route.ReasonOf(err))
				}
			})
		})
	}
}

// TestWaitingCountsToo: whoever waits for a turn longer than the timeout is told so, and the place is free again.
func TestWaitingCountsToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ignorant := handler(func(context.Context) error {
			time.Sleep(30 * time.Second)
			return nil
		})
		subject := bulkhead.New(ignorant, "a", bulkhead.Limits{Concurrency: 1, Timeout: 10 * time.Second}, metrics())
		first := askMany(t.Context(), subject, 1)
		synctest.Wait()
		start := time.Now()
		if _, err := subject.Answer(t.Context(), nil); !errors.Is(err, bulkhead.ErrTimeout) || time.Since(start) != 10*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if err := <-first; err != nil {
			t.Error(err)
		}
		if _, err := subject.Answer(t.Context(), nil); err != nil {
			t.Errorf("the place was not given back: %v", err)
		}
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		subject := bulkhead.New(takes(time.Second), "slow", bulkhead.Limits{Concurrency: 2, Timeout: time.Minute}, bulkhead.NewMetrics(registry))
		results := askMany(t.Context(), subject, 3)
		synctest.Wait()
		if got := gauge(t, registry); got != 2 {
			t.Errorf("%v in flight, want 2", got)
		}
		for range 3 {
			<-results
		}
		if got := gauge(t, registry); got != 0 {
			t.Errorf("%v in flight at the end", got)
		}
		if n, err := testutil.GatherAndCount(registry, "logic_handler_duration_seconds"); n != 1 || err != nil {
			t.Errorf("%d durations, %v", n, err)
		}
	})
}

func gauge(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "logic_handler_in_flight" {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}
