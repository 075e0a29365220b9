package ha

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
)

const replicas = 3

func TestFiveThousandReportsToThreeReplicasCauseOneFetchAndReachEveryWatcher(t *testing.T) {
	t.Parallel()
	redisURL, _ := harness.Redis(t)
	c := startCenters(t, startPlatform(t, 0), redisURL, "stable", replicas)
	const watchers, reports = 200, 5000
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	old, err := c.get(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	var first, second, running sync.WaitGroup
	first.Add(watchers)
	second.Add(watchers)
	for i := range watchers {
		started, renewed := sync.OnceFunc(first.Done), sync.OnceFunc(second.Done)
		running.Go(func() {
			c.watch(ctx, i, t.Errorf, func(got *tokenv1.Token) {
				started()
				if got.GetGeneration() > old.GetGeneration() {
					renewed()
				}
			})
		})
	}
	first.Wait()
	if err := c.platform.RotateToken("", simulator.TokenStable); err != nil {
		t.Fatal(err)
	}
	var values sync.Map
	var reporters sync.WaitGroup
	for i := range reports {
		reporters.Go(func() {
			got, err := c.report(ctx, i%replicas, old.GetGeneration())
			if err != nil {
				t.Errorf("report %d: %v", i, err)
			}
			values.Store(got.GetGeneration(), got.GetValue())
		})
	}
	reporters.Wait()
	second.Wait()
	cancel()
	running.Wait()
	distinct := 0
	values.Range(func(any, any) bool { distinct++; return true })
	if got := c.fetches(t); got.Stable != 2 || got.Forced != 0 || distinct != 1 {
		t.Errorf("%d generations handed out, fetches %+v; want one more than the first", distinct, got)
	}
}

// killsLast is how long replicas are killed, and tokenLife how long a token lives meanwhile.
const (
	killsLast = 24 * time.Second
	tokenLife = 12 * time.Second
	// longestGap is the stated grace: for this long nobody may be able to hand out a working token. It is the
	// lease of a dead holder (6 s), a restart and a fetch, with room for a busy machine.
	longestGap = 12 * time.Second
)

func TestRandomKillsLeaveAWorkingTokenAndNoOlderOneReturns(t *testing.T) {
	t.Parallel()
	redisURL, _ := harness.Redis(t)
	platform := startPlatform(t, tokenLife)
	c := startCenters(t, platform, redisURL, "classic", replicas)
	if err := platform.SetFault(simulator.Fault{Path: "/cgi-bin/token", Latency: 300 * time.Millisecond}); err != nil {
		t.Fatal(err) // so that kills hit fetches.
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	var changes atomic.Int64
	for i := range 200 {
		running.Go(func() { c.watch(ctx, i, t.Errorf, func(*tokenv1.Token) { changes.Add(1) }) })
	}
	running.Go(func() { c.callers(ctx, t) })
	random := rand.New(rand.NewPCG(1, 2))
	kills := 0
	for end := time.Now().Add(killsLast); time.Now().Before(end); kills++ {
		time.Sleep(time.Duration(200+random.IntN(1800)) * time.Millisecond) // the schedule of the kills.
		victim := random.IntN(replicas)
		c.replicas[victim].Kill()
		c.start(t, victim)
	}
	for i := range replicas {
		c.waitForToken(t, i)
	}
	cancel()
	running.Wait()
	if changes.Load() < 200*2 {
		t.Errorf("the watchers saw %d changes; nothing was renewed", changes.Load())
	}
	// Each life is renewed halfway; each kill may lose one fetch, and one more makes up for it.
	most := 2 + 2*int((killsLast+longestGap)/tokenLife)*2 + 2*kills
	if got := c.fetches(t).Classic; got > most {
		t.Errorf("%d fetches with %d kills, want at most %d", got, kills, most)
	}
	c.fetchedOneAtATime(t, "/cgi-bin/token")
}

// callers take turns at the replicas and try what they get on the platform.
func (c *centers) callers(ctx context.Context, t *testing.T) {
	worked := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		token, err := c.get(ctx, i%replicas)
		if err == nil {
			err = c.accepted(ctx, token)
		}
		if err == nil {
			worked = time.Now()
		} else if gap := time.Since(worked); gap > longestGap && ctx.Err() == nil {
			t.Errorf("no working token for %v: %v", gap, err)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // the platform remembers 1,000 calls.
		}
	}
}

// fetchedOneAtATime checks the platform's record.
func (c *centers) fetchedOneAtATime(t *testing.T, path string) {
	t.Helper()
	var end time.Time
	for _, call := range c.platform.Calls() {
		if call.Path != path {
			continue
		}
		if call.Time.Before(end) {
			t.Errorf("a fetch began at %v, before the one before it had ended at %v", call.Time, end)
		}
		end = call.Time.Add(time.Duration(call.DurationMS * float64(time.Millisecond)))
	}
}

// A holder of the lease that is frozen for longer than the lease comes back with an answer from another age.
func TestTheLateWriteOfAFrozenHolderIsRefused(t *testing.T) {
	t.Parallel()
	redisURL, _ := harness.Redis(t)
	platform := startPlatform(t, 0)
	c := startCenters(t, platform, redisURL, "classic", 2)
	old, err := c.get(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var newest atomic.Uint64
	var running sync.WaitGroup
	for i := range 20 {
		running.Go(func() {
			c.watch(ctx, i, t.Errorf, func(got *tokenv1.Token) {
				for before := newest.Load(); got.GetGeneration() > before && !newest.CompareAndSwap(before, got.GetGeneration()); before = newest.Load() {
				}
			})
		})
	}
	if err := platform.SetFault(simulator.Fault{Path: "/cgi-bin/token", Latency: 3 * time.Second, Count: 1}); err != nil {
		t.Fatal(err)
	}
	running.Go(func() { _, _ = c.report(ctx, 0, old.GetGeneration()) })
	harness.Eventually(t, "replica 0 holds the lease and asks WeChat", func() error {
		held, err := c.metric(t.Context(), 0, "tokencenter_leader")
		if err == nil && held != 1 {
			err = errors.New("it does not")
		}
		return err
	})
	c.replicas[0].Signal(t, syscall.SIGSTOP)
	var fresh *tokenv1.Token
	harness.Eventually(t, "the other replica takes over", func() (err error) {
		fresh, err = c.report(t.Context(), 1, old.GetGeneration())
		return err
	})
	c.replicas[0].Signal(t, syscall.SIGCONT)
	harness.Eventually(t, "replica 0 notices that it was overtaken", func() error {
		lost, err := c.metric(t.Context(), 0, "tokencenter_lease_losses_total")
		if err != nil {
			return err
		}
		stale, err := c.metric(t.Context(), 0, "tokencenter_stale_writes_total")
		// Its own time for WeChat's answer ran out as well while it stood still. Whichever it sees first, it writes nothing.
		gaveUp := strings.Contains(c.replicas[0].Output(), "did not answer the request for the access_token")
		if err == nil && lost+stale == 0 && !gaveUp {
			err = errors.New("neither a lost lease nor a stale write was counted, nor was WeChat's answer given up")
		}
		return err
	})
	harness.Eventually(t, "replica 0 has what the other one obtained, or newer", func() error {
		got, err := c.get(t.Context(), 0)
		switch {
		case err != nil:
			return err
		case got.GetGeneration() < fresh.GetGeneration():
			return errors.New("it has an older token")
		}
		return c.accepted(t.Context(), got)
	})
	cancel()
	running.Wait()
	if newest.Load() < fresh.GetGeneration() {
		t.Errorf("the watchers saw generation %d at most, not %d", newest.Load(), fresh.GetGeneration())
	}
	if strings.Contains(c.replicas[0].Output(), "panic") {
		t.Error("replica 0 panicked")
	}
}
