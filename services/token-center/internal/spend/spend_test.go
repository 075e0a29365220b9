package spend_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/redistest"
	"github.com/wxstack/wxstack/services/token-center/internal/spend"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type subject interface {
	Take(ctx context.Context, key credential.Key, limit spend.Limit, now time.Time) (time.Duration, error)
	GiveBack(ctx context.Context, key credential.Key, limit spend.Limit, now time.Time) error
	Spent(ctx context.Context, key credential.Key, limit spend.Limit, now time.Time) (int, error)
}

// world is a ledger and the lever that lets its time pass.
type world struct {
	subject
	pass func(time.Duration)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	worlds := map[string]func(t *testing.T) world{
		"memory": func(*testing.T) world { return world{spend.NewMemory(), func(time.Duration) {}} },
		"miniredis": func(t *testing.T) world {
			client, server := redistest.Mini(t)
			return world{spend.NewRedis(client), server.FastForward}
		},
	}
	// 23:58 in Beijing.
	start := time.Date(2026, 11, 24, 15, 58, 0, 0, time.UTC)
	limit := spend.Limit{Name: "forced", Burst: 2, Span: 30 * time.Second, PerDay: 3}
	steps := []struct {
		after    time.Duration
		want     time.Duration
		giveBack bool
		spent    int // today, after the step.
	}{
		{0, 0, true, 0},
		{0, 0, false, 1},
		{10 * time.Second, 0, false, 2},
		{20 * time.Second, 10 * time.Second, false, 2}, // the span began with the first.
		{30 * time.Second, 0, false, 3},
		{31 * time.Second, 89 * time.Second, false, 3}, // the day's allowance is gone until midnight.
		{119 * time.Second, time.Second, false, 3},
		{120 * time.Second, 0, false, 1},
	}
	for name, open := range worlds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			var passed time.Duration
			for _, step := range steps {
				w.pass(step.after - passed)
				passed = step.after
				key := credential.Key{AppID: "wx1", Kind: credential.AccessToken}
				got, err := w.Take(t.Context(), key, limit, start.Add(step.after))
				if err != nil {
					t.Fatal(err)
				}
				if step.giveBack {
					if err := w.GiveBack(t.Context(), key, limit, start.Add(step.after)); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(step.want, got); diff != "" {
					t.Errorf("after %v: %s", step.after, diff)
				}
				if spent, err := w.Spent(t.Context(), key, limit, start.Add(step.after)); err != nil || spent != step.spent {
					t.Errorf("after %v: %d spent, %v; want %d", step.after, spent, err, step.spent)
				}
			}
			for range 9 { // nothing was taken: nothing can be given back, and nothing is left behind.
				if err := w.GiveBack(t.Context(), credential.Key{AppID: "wx3", Kind: credential.AccessToken}, limit, start); err != nil {
					t.Fatal(err)
				}
			}
			other := credential.Key{AppID: "wx2", Kind: credential.AccessToken}
			if got, err := w.Take(t.Context(), other, limit, start); got != 0 || err != nil {
				t.Errorf("another account has to wait %v, %v", got, err)
			}
		})
	}
}

func TestRealRedisCountsAsTheOthersDo(t *testing.T) {
	t.Parallel()
	client, _ := redistest.Real(t)
	ledger := spend.NewRedis(client)
	key, now := credential.Key{AppID: "wx1", Kind: credential.AccessToken}, time.Now()
	limit := spend.Limit{Name: "fetch", Burst: 2, Span: time.Hour, PerDay: 10}
	for i := range 3 {
		wait, err := ledger.Take(t.Context(), key, limit, now)
		if err != nil {
			t.Fatal(err)
		}
		if spent := i >= limit.Burst; spent != (wait > 0) {
			t.Errorf("take %d: wait %v", i, wait)
		}
	}
}

func TestWithoutRedisNothingIsSpent(t *testing.T) {
	t.Parallel()
	client, server := redistest.Mini(t)
	server.Close()
	if _, err := spend.NewRedis(client).Take(t.Context(), credential.Key{AppID: "wx1"}, spend.Limit{Burst: 1, PerDay: 1}, time.Now()); err == nil {
		t.Error("an allowance from nowhere")
	}
	if err := spend.NewRedis(client).GiveBack(t.Context(), credential.Key{AppID: "wx1"}, spend.Limit{Burst: 1, PerDay: 1}, time.Now()); err == nil {
		t.Error("given back to nowhere")
	}
	if _, err := spend.NewRedis(client).Spent(t.Context(), credential.Key{AppID: "wx1"}, spend.Limit{Burst: 1, PerDay: 1}, time.Now()); err == nil {
		t.Error("a count from nowhere")
	}
}
