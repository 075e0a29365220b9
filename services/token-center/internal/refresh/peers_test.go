package refresh_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/kind"
	"github.com/wxstack/wxstack/services/token-center/internal/refresh"
)

// The tests of this file are defects of other token services; the table of all of them is in
// services/token-center/peers_test.go.

// A check before the lock instead of after it makes two or three fetches at each expiry.
func TestEachExpiryCostsOneFetchHoweverManyCallersWait(t *testing.T) {
	t.Parallel()
	for _, spec := range []kind.Spec{kind.Stable(), kind.Classic()} {
		t.Run(spec.Source, func(t *testing.T) {
			t.Parallel()
			inWorld(t, spec, func(t *testing.T, w *world) {
				w.wechat.latency = time.Second
				replicas := []*replica{w.start(t), w.start(t), w.start(t)}
				for expiry := 1; expiry <= 3; expiry++ {
					var wg sync.WaitGroup
					for i := range 50 {
						wg.Go(func() { mustGet(t, replicas[i%3]) })
					}
					wg.Wait()
					if fetches, _ := w.wechat.counts(); fetches != expiry {
						t.Errorf("%d fetches at expiry %d", fetches, expiry)
					}
					// Nothing renews meanwhile, so that the next callers find it dead.
					w.store.set(true, 0)
					time.Sleep(life)
					w.store.set(false, 0)
				}
			})
		})
	}
}

// A flag in a table as a lock stays set for ever when its owner dies.
func TestAReplicaThatDiesWithTheLeaseHoldsNobodyUpForLong(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Classic(), func(t *testing.T, w *world) {
		var dead atomic.Bool
		w.wechat.onIssue = func() {
			if dead.CompareAndSwap(false, true) {
				runtime.Goexit() // in mid-request, without releasing anything.
			}
		}
		w.start(t)
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), leaseTTL+time.Second)
		defer cancel()
		c, err := w.start(t).Get(ctx)
		if err != nil || !w.wechat.accepts(c) {
			t.Errorf("got %v, %v", c, err)
		}
	})
}

// grantedLate is a lease that is granted when somebody else has just done the work.
type grantedLate struct {
	refresh.Lease

	before func()
}

func (l grantedLate) Do(ctx context.Context, name string, do func(ctx context.Context) error) error {
	l.before()
	return l.Lease.Do(ctx, name, do)
}

// Without a second look, whoever wins the lock next fetches once more.
func TestTheWinnerOfTheLeaseReadsAgainBeforeItAsks(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		theirs := credential.Credential{
			Key: testKey, Value: config.NewSecret("the other replica's"), Generation: 7,
			ObtainedAt: credential.Instant(time.Now()), ExpiresAt: credential.Instant(time.Now().Add(life)),
		}
		tel := telemetry.Discard()
		r := refresh.New(refresh.Config{
			Key: testKey, Spec: kind.Stable(), Issuer: w.wechat, Store: w.store, Ledger: w.ledger,
			Lease: grantedLate{w.leases, sync.OnceFunc(func() {
				if err := w.store.Save(t.Context(), theirs); err != nil {
					t.Error(err)
				}
			})},
			Metrics: refresh.NewMetrics(tel.Metrics), Health: tel.Health.Component("token"), Log: tel.Log,
		})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = r.Run(ctx) })
		defer wg.Wait()
		defer cancel()
		if c, err := r.Get(t.Context()); err != nil || c != theirs {
			t.Errorf("got %v, %v", c, err)
		}
		if fetches, _ := w.wechat.counts(); fetches != 0 {
			t.Errorf("%d fetches", fetches)
		}
	})
}

// Who deletes the token and then fetches leaves everybody without one meanwhile, and two of them delete
// each other's.
func TestNobodyIsWithoutATokenWhileItIsBeingReplaced(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Classic(), func(t *testing.T, w *world) {
		a, b := w.start(t), w.start(t)
		old := mustGet(t, a)
		mustGet(t, b)
		w.wechat.set(func(p *wechat) { p.latency = 4 * time.Second })
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = a.Refresh(t.Context(), credential.Rejected{Generation: old.Generation}) })
		time.Sleep(time.Second)
		if stored, err := w.store.Load(t.Context(), testKey); err != nil || stored.Value != old.Value {
			t.Errorf("stored %v, %v", stored, err)
		}
		for i, r := range []*replica{a, b} {
			begun := time.Now()
			if c := mustGet(t, r); !w.wechat.accepts(c) || !time.Now().Equal(begun) {
				t.Errorf("replica %d gave %v after %v", i, c, time.Since(begun))
			}
		}
		wg.Wait()
	})
}

// Who keeps whatever WeChat answered serves {"errcode":…} as a token for two hours.
func TestARefusalIsNeverKeptAsAToken(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		w.wechat.fail(1<<30, fault.New(fault.Precondition, "errcode 40164"))
		r := w.start(t)
		if c, err := r.Get(t.Context()); err == nil || c.Exists() {
			t.Errorf("got %v, %v", c, err)
		}
		if stored, err := w.store.Load(t.Context(), testKey); err != nil || stored.Exists() {
			t.Errorf("stored %v, %v", stored, err)
		}
		w.wechat.fail(0, nil)
		time.Sleep(time.Minute)
		if c := mustGet(t, r); !w.wechat.accepts(c) {
			t.Errorf("after recovery: %v", c)
		}
	})
}
