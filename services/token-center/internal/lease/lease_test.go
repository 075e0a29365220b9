package lease_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/services/token-center/internal/lease"
	"github.com/wxstack/wxstack/services/token-center/internal/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const name = "wx:{wx1}:lease"

type subject interface {
	Do(ctx context.Context, name string, do func(ctx context.Context) error) error
}

// world is an implementation and the lever that takes a lease away.
type world struct {
	subject
	breakLease func()
}

// ttl is long enough for a slow machine not to lose a lease by itself.
const ttl = 2 * time.Second

func TestConformance(t *testing.T) {
	t.Parallel()
	worlds := map[string]func(t *testing.T) world{
		"memory": func(*testing.T) world {
			m := lease.NewMemory(ttl)
			return world{m, func() { m.Break(name) }}
		},
		"miniredis": func(t *testing.T) world {
			client, server := redistest.Mini(t)
			return world{lease.NewElector(client, ttl), func() { server.Del(name) }}
		},
		"redis": func(t *testing.T) world {
			client, _ := redistest.Real(t)
			return world{lease.NewElector(client, ttl), func() { client.Del(context.WithoutCancel(t.Context()), name) }}
		},
	}
	cases := map[string]func(t *testing.T, w world){
		"one at a time":           testOneAtATime,
		"errors pass":             testErrorsPass,
		"loss cancels the work":   testLossCancelsTheWork,
		"released when cancelled": testReleasedWhenCancelled,
	}
	for worldName, open := range worlds {
		for caseName, run := range cases {
			t.Run(worldName+"/"+caseName, func(t *testing.T) {
				t.Parallel()
				run(t, open(t))
			})
		}
	}
}

func testOneAtATime(t *testing.T, w world) {
	t.Helper()
	err := w.Do(t.Context(), name, func(ctx context.Context) error {
		inner := w.Do(ctx, name, func(context.Context) error {
			t.Error("two holders at once")
			return nil
		})
		if !errors.Is(inner, lease.ErrHeld) {
			t.Errorf("the second got %v", inner)
		}
		return w.Do(ctx, name+":other", func(context.Context) error { return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	ran := false
	if err := w.Do(t.Context(), name, func(context.Context) error { ran = true; return nil }); err != nil || !ran {
		t.Errorf("after release: %v, ran %v", err, ran)
	}
}

func testErrorsPass(t *testing.T, w world) {
	t.Helper()
	boom := errors.New("boom")
	if err := w.Do(t.Context(), name, func(context.Context) error { return boom }); !errors.Is(err, boom) || errors.Is(err, lease.ErrLost) {
		t.Errorf("error = %v", err)
	}
}

func testLossCancelsTheWork(t *testing.T, w world) {
	t.Helper()
	err := w.Do(t.Context(), name, func(ctx context.Context) error {
		w.breakLease()
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), lease.ErrLost) {
			t.Errorf("cancelled because %v", context.Cause(ctx))
		}
		return ctx.Err()
	})
	if !errors.Is(err, lease.ErrLost) || !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

func testReleasedWhenCancelled(t *testing.T, w world) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	err := w.Do(ctx, name, func(ctx context.Context) error {
		cancel()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, lease.ErrLost) {
		t.Errorf("error = %v", err)
	}
	if err := w.Do(t.Context(), name, func(context.Context) error { return nil }); err != nil {
		t.Errorf("still held after the holder was cancelled: %v", err)
	}
}

func TestALeaseOutlivesItsTTLWhileTheWorkGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := lease.NewMemory(ttl)
		err := m.Do(t.Context(), name, func(ctx context.Context) error {
			time.Sleep(100 * ttl)
			if other := m.Do(ctx, name, func(context.Context) error { return nil }); !errors.Is(other, lease.ErrHeld) {
				t.Errorf("a second holder got %v", other)
			}
			return ctx.Err()
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestWorkThatFinishedBeforeItNoticedTheLossHasSucceeded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := lease.NewMemory(ttl)
		err := m.Do(t.Context(), name, func(context.Context) error {
			m.Break(name)
			time.Sleep(ttl)
			return nil
		})
		if err != nil {
			t.Errorf("error = %v", err)
		}
	})
}

func TestARedisThatDiesIsALostLease(t *testing.T) {
	t.Parallel()
	client, server := redistest.Mini(t)
	e := lease.NewElector(client, ttl)
	err := e.Do(t.Context(), name, func(ctx context.Context) error {
		server.Close()
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, lease.ErrLost) {
		t.Errorf("error = %v", err)
	}
	if err := e.Do(t.Context(), name, func(context.Context) error { return nil }); err == nil || errors.Is(err, lease.ErrHeld) {
		t.Errorf("without Redis: %v", err)
	}
}
