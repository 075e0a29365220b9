package lifecycle_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/lifecycle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal notes in which order parts stop.
type journal struct {
	mu      sync.Mutex
	entries []string
}

func (j *journal) add(entry string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry)
}

func (j *journal) untilAsked(name string, drain time.Duration) lifecycle.Part {
	return lifecycle.Func(func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(drain)
		j.add(name)
		return nil
	})
}

func TestPartsStopInReverseOrderEachAfterTheOtherHasDrained(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j journal
		g := lifecycle.NewGroup(slog.New(slog.DiscardHandler))
		g.Add("redis", j.untilAsked("redis", 0))
		g.Add("server", j.untilAsked("server", 10*time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := g.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"server", "redis"}, j.entries); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTheFirstFailureStopsTheOthersAndIsNamed(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	tests := map[string]struct {
		part lifecycle.Func
		want error
		text string
	}{
		"error":       {func(context.Context) error { return boom }, boom, "bad: boom"},
		"panic":       {func(context.Context) error { panic("ouch") }, nil, "bad: panic: ouch"},
		"ends itself": {func(context.Context) error { return nil }, lifecycle.ErrStopped, "bad: stopped"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var j journal
			g := lifecycle.NewGroup(slog.New(slog.DiscardHandler))
			g.Add("good", j.untilAsked("good", 0))
			g.Add("bad", tt.part)
			err := g.Run(t.Context())
			if err == nil || !strings.HasPrefix(err.Error(), tt.text) {
				t.Fatalf("error = %v, want prefix %q", err, tt.text)
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error %v is not %v", err, tt.want)
			}
			if diff := cmp.Diff([]string{"good"}, j.entries); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAPartThatDoesNotStopIsNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		g := lifecycle.NewGroup(slog.New(slog.DiscardHandler))
		g.Add("stuck", lifecycle.Func(func(context.Context) error { <-release; return nil }))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := g.Run(ctx)
		close(release)
		if err == nil || !strings.Contains(err.Error(), "stuck: still running") {
			t.Errorf("error = %v", err)
		}
	})
}
