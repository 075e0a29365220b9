package refresh_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/kind"
)

func TestADayOfTwoReplicasAlwaysHasAValidTokenAndFewFetches(t *testing.T) {
	t.Parallel()
	for _, spec := range []kind.Spec{kind.Stable(), kind.Classic()} {
		t.Run(spec.Source, func(t *testing.T) {
			t.Parallel()
			inWorld(t, spec, func(t *testing.T, w *world) {
				replicas := []*replica{w.start(t), w.start(t)}
				for minute := range 24 * 60 {
					for i, r := range replicas {
						if c := mustGet(t, r); !w.wechat.accepts(c) {
							t.Fatalf("minute %d: replica %d hands out a token that WeChat rejects: %v", minute, i, c)
						}
					}
					time.Sleep(time.Minute)
				}
				// 86,400 s in lives of at most 7,200 s, renewed up to 600 s early.
				if fetches, forced := w.wechat.counts(); fetches < 12 || fetches > 14 || forced > 0 {
					t.Errorf("%d fetches, %d forced, in a day", fetches, forced)
				}
			})
		})
	}
}

func TestManyCallersOfAnEmptyStoreShareOneFetch(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Classic(), func(t *testing.T, w *world) {
		w.wechat.latency = 2 * time.Second
		replicas := []*replica{w.start(t), w.start(t)}
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() { mustGet(t, replicas[i%2]) })
		}
		wg.Wait()
		if fetches, _ := w.wechat.counts(); fetches != 1 {
			t.Errorf("%d fetches", fetches)
		}
	})
}

func TestReportsOfARejectedTokenShareOneFetch(t *testing.T) {
	t.Parallel()
	for _, spec := range []kind.Spec{kind.Stable(), kind.Classic()} {
		t.Run(spec.Source, func(t *testing.T) {
			t.Parallel()
			inWorld(t, spec, func(t *testing.T, w *world) {
				replicas := []*replica{w.start(t), w.start(t)}
				old := mustGet(t, replicas[0])
				mustGet(t, replicas[1])
				w.wechat.rotate()
				var wg sync.WaitGroup
				for i := range 100 {
					wg.Go(func() {
						rejected := credential.Rejected{Generation: old.Generation}
						if i%3 == 0 {
							rejected = credential.Rejected{Value: old.Value}
						}
						c, err := replicas[i%2].Refresh(t.Context(), rejected)
						if err != nil || !w.wechat.accepts(c) || c.Generation <= old.Generation {
							t.Errorf("reporter %d got %v, %v", i, c, err)
						}
					})
				}
				wg.Wait()
				if fetches, forced := w.wechat.counts(); fetches != 2 || forced != 0 {
					t.Errorf("%d fetches, %d forced; want 2, 0", fetches, forced)
				}
				const foreign = "tokencenter_foreign_refreshes_total"
				if sum := metric(t, replicas[0], foreign) + metric(t, replicas[1], foreign); sum != 1 {
					t.Errorf("%v foreign refreshes counted", sum)
				}
				problems := replicas[0].Status().Problem + replicas[1].Status().Problem
				if !strings.Contains(problems, "AppSecret") {
					t.Errorf("status does not tell of the foreigner: %q", problems)
				}
			})
		})
	}
}

func TestALateReportOfAnOlderTokenCostsNothing(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		r := w.start(t)
		old := mustGet(t, r)
		w.wechat.rotate()
		fresh, err := r.Refresh(t.Context(), credential.Rejected{Generation: old.Generation})
		if err != nil {
			t.Fatal(err)
		}
		for _, rejected := range []credential.Rejected{{Generation: old.Generation}, {Value: old.Value}, {Value: config.NewSecret("never seen")}} {
			if c, err := r.Refresh(t.Context(), rejected); err != nil || c != fresh {
				t.Errorf("report %v got %v, %v", rejected, c, err)
			}
		}
		if fetches, _ := w.wechat.counts(); fetches != 2 {
			t.Errorf("%d fetches", fetches)
		}
		if _, err := r.Refresh(t.Context(), credential.Rejected{}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a report of nothing got %v", err)
		}
	})
}

func TestForceIsTheLastRemedyAndWithinItsAllowance(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		r := w.start(t)
		c := mustGet(t, r)
		// The platform goes on returning the token that was rejected.
		c, err := r.Refresh(t.Context(), credential.Rejected{Generation: c.Generation})
		if _, forced := w.wechat.counts(); err != nil || forced != 1 {
			t.Fatalf("forced %d times, %v", forced, err)
		}
		_, err = r.Refresh(t.Context(), credential.Rejected{Generation: c.Generation})
		if fault.KindOf(err) != fault.Throttled || fault.RetryAfter(err) <= 0 {
			t.Errorf("a second one at once: %v", err)
		}
		// All day long, every minute, something reports the newest token.
		for range 24 * 60 {
			time.Sleep(time.Minute)
			if next, err := r.Refresh(t.Context(), credential.Rejected{Generation: mustGet(t, r).Generation}); err == nil {
				c = next
			}
		}
		if _, forced := w.wechat.counts(); forced > 40 { // two calendar days are touched.
			t.Errorf("forced %d times in a day", forced)
		}
		if !w.wechat.accepts(mustGet(t, r)) {
			t.Errorf("no valid token after %v", c)
		}
		if metric(t, r, "tokencenter_foreign_refreshes_total") != 0 {
			t.Error("blamed a foreigner for our own forcing")
		}
	})
}

func TestAStormOfReportsIsHeldBack(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Classic(), func(t *testing.T, w *world) {
		r := w.start(t)
		mustGet(t, r)
		for range 600 { // a caller that reports whatever it gets, ten times a second.
			_, _ = r.Refresh(t.Context(), credential.Rejected{Generation: r.Current().Generation})
			time.Sleep(100 * time.Millisecond)
		}
		if fetches, _ := w.wechat.counts(); fetches > 1+3*4 {
			t.Errorf("%d fetches in a minute", fetches)
		}
	})
}

func TestAFailedEarlyRenewalKeepsTheTokenAndTellsHealthOnlyNearExpiry(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Classic(), func(t *testing.T, w *world) {
		r := w.start(t)
		c := mustGet(t, r)
		w.wechat.fail(1<<30, errBusy)
		time.Sleep(life - 4*time.Minute)
		if mustGet(t, r) != c {
			t.Error("the valid token was dropped or changed")
		}
		if report, _ := r.tel.Health.Report(); len(report.Down()) != 0 {
			t.Error("health is red although the token is valid for minutes")
		}
		if r.Status().Problem == "" {
			t.Error("status tells nothing of the failing renewal")
		}
		time.Sleep(3 * time.Minute)
		if report, _ := r.tel.Health.Report(); len(report.Down()) == 0 {
			t.Error("health is green a minute before expiry without renewal in sight")
		}
		time.Sleep(2 * time.Minute)
		if got, err := r.Get(t.Context()); fault.KindOf(err) != fault.Unavailable || fault.RetryAfter(err) <= 0 {
			t.Errorf("after expiry got %v, %v", got, err)
		}
		fetches, _ := w.wechat.counts()
		if fetches > 40 {
			t.Errorf("%d fetches in 11 minutes of failure", fetches)
		}
		w.wechat.fail(0, nil)
		time.Sleep(31 * time.Second)
		if got := mustGet(t, r); !w.wechat.accepts(got) {
			t.Errorf("after recovery: %v", got)
		}
		if report, _ := r.tel.Health.Report(); len(report.Down()) != 0 || r.Status().Problem != "" {
			t.Errorf("down %v, problem %q after recovery", report.Down(), r.Status().Problem)
		}
	})
}

func TestACodeThatNoRefreshCuresIsNotTriedAgainSoon(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		w.wechat.fail(1<<30, fault.New(fault.Precondition, "errcode 40125; reset the AppSecret"))
		r := w.start(t)
		for range 60 * 60 {
			if _, err := r.Get(t.Context()); fault.KindOf(err) != fault.Precondition {
				t.Fatalf("error = %v", err)
			}
			time.Sleep(time.Second)
		}
		if fetches, _ := w.wechat.counts(); fetches > 9 { // 1, 2, 4, 8, 15, 15, 15 minutes, less a quarter.
			t.Errorf("%d fetches in an hour", fetches)
		}
	})
}

func TestADayWithoutNetworkDoesNotUseUpTheAllowance(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Classic(), func(t *testing.T, w *world) {
		w.wechat.fail(1<<30, fault.Wrap(fault.Unavailable, credential.ErrNotSent, "no route to host"))
		replicas := []*replica{w.start(t), w.start(t)}
		time.Sleep(24 * time.Hour)
		tried, _ := w.wechat.counts()
		w.wechat.fail(0, nil)
		time.Sleep(31 * time.Second)
		if limit := kind.Classic().Limits.Fetch.PerDay; tried <= limit {
			t.Fatalf("tried %d times only, the allowance is %d", tried, limit)
		}
		if !w.wechat.accepts(mustGet(t, replicas[0])) {
			t.Error("no token although the network is back")
		}
	})
}

func TestTheNextAttemptIsSharedByAllWhoWait(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		w.wechat.fail(1, errBusy)
		w.wechat.latency = time.Second
		r := w.start(t)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := r.Get(t.Context()); fault.KindOf(err) != fault.Unavailable {
					t.Errorf("error = %v", err)
				}
			})
		}
		wg.Wait()
		time.Sleep(3 * time.Second)
		if fetches, _ := w.wechat.counts(); fetches != 2 || !w.wechat.accepts(mustGet(t, r)) {
			t.Errorf("%d fetches", fetches)
		}
	})
}

func TestASlowPlatformDoesNotMakeReplicasOvertakeEachOther(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Classic(), func(t *testing.T, w *world) {
		w.wechat.latency = 10 * time.Second // longer than the lease: it is renewed meanwhile.
		replicas := []*replica{w.start(t), w.start(t)}
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { mustGet(t, replicas[i%2]) })
		}
		wg.Wait()
		if fetches, _ := w.wechat.counts(); fetches != 1 {
			t.Errorf("%d fetches", fetches)
		}
	})
}

const leaseName = "wx:{wx1}:token:access_token:lease"

func TestALostLeaseCancelsTheWorkAndIsCounted(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		w.wechat.latency = 10 * time.Second
		w.wechat.onIssue = sync.OnceFunc(func() { w.leases.Break(leaseName) })
		r := w.start(t)
		if _, err := r.Get(t.Context()); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("error = %v", err)
		}
		if got := metric(t, r, "tokencenter_lease_losses_total"); got != 1 {
			t.Errorf("%v lease losses counted", got)
		}
		time.Sleep(20 * time.Second)
		if !w.wechat.accepts(mustGet(t, r)) {
			t.Error("no token after the lease was lost once")
		}
	})
}

// TestAStaleWriteIsRefused: a replica stalls after it lost the lease, another one saves, and then the
// first one's answer comes in.
func TestAStaleWriteIsRefused(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Classic(), func(t *testing.T, w *world) {
		newer := credential.Credential{
			Key: testKey, Value: config.NewSecret("the other replica's"), Generation: 1 << 40,
			ObtainedAt: credential.Instant(time.Now()), ExpiresAt: credential.Instant(time.Now().Add(life)),
		}
		w.wechat.onIssue = sync.OnceFunc(func() {
			if err := w.store.Save(t.Context(), newer); err != nil {
				t.Error(err)
			}
		})
		r := w.start(t)
		if c := mustGet(t, r); c.Value != newer.Value {
			t.Errorf("the older token won: %v", c)
		}
		if got := metric(t, r, "tokencenter_stale_writes_total"); got != 1 {
			t.Errorf("%v stale writes counted", got)
		}
		// Our late classic call may have voided the other's token, so it is replaced within the overlap.
		time.Sleep(credential.Overlap)
		if c := mustGet(t, r); !w.wechat.accepts(c) || c.Generation <= newer.Generation {
			t.Errorf("after the overlap: %v", c)
		}
	})
}

func TestALostAnswerOfAClassicCallIsPlannedFor(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Classic(), func(t *testing.T, w *world) {
		r := w.start(t)
		old := mustGet(t, r)
		w.wechat.set(func(p *wechat) { p.loseNext = 3 })
		time.Sleep(life - 10*time.Minute)
		for range 10 * 60 {
			if c := mustGet(t, r); !w.wechat.accepts(c) {
				t.Fatalf("hands out a token that died with the lost answer: %v", c)
			}
			time.Sleep(time.Second)
		}
		if c := mustGet(t, r); c.Generation <= old.Generation {
			t.Errorf("not renewed: %v", c)
		}
	})
}

func TestACertainFailureOfAClassicCallRestoresTheTrust(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Classic(), func(t *testing.T, w *world) {
		r := w.start(t)
		old := mustGet(t, r)
		w.wechat.fail(1, errBusy)
		if _, err := r.Refresh(t.Context(), credential.Rejected{Generation: old.Generation}); fault.KindOf(err) != fault.Unavailable {
			t.Fatalf("error = %v", err)
		}
		if c := r.Current(); c != old {
			t.Errorf("the token's life is %v, was %v", c.Left(time.Now()), old.Left(time.Now()))
		}
	})
}

// TestACrashBetweenFetchAndSave: the new token is lost with the process; the next one must not trust
// the old token for longer than WeChat does.
func TestACrashBetweenFetchAndSave(t *testing.T) {
	t.Parallel()
	for _, spec := range []kind.Spec{kind.Stable(), kind.Classic()} {
		t.Run(spec.Source, func(t *testing.T) {
			t.Parallel()
			inWorld(t, spec, func(t *testing.T, w *world) {
				first := w.start(t)
				old := mustGet(t, first)
				first.stop()
				// What a dying process leaves behind: the doubt is stored, the token fetched, nothing saved.
				if spec.Overlap > 0 {
					if err := w.store.Save(t.Context(), old.Amended(credential.Instant(time.Now().Add(credential.Overlap)))); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := w.wechat.Issue(t.Context(), credential.Request{}); err != nil {
					t.Fatal(err)
				}
				second := w.start(t)
				for range 100 {
					if c := mustGet(t, second); !w.wechat.accepts(c) {
						t.Fatalf("hands out a dead token: %v", c)
					}
					time.Sleep(10 * time.Second)
				}
			})
		})
	}
}

func TestATokenThatCouldNotBeSavedIsUsedAndWrittenBack(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		w.store.set(false, 1)
		r := w.start(t)
		c := mustGet(t, r)
		time.Sleep(10 * time.Second)
		if stored, err := w.store.Load(t.Context(), testKey); err != nil || stored != c {
			t.Errorf("stored %v, %v", stored, err)
		}
		if fetches, _ := w.wechat.counts(); fetches != 1 {
			t.Errorf("%d fetches", fetches)
		}
	})
}

func TestAStoreThatIsDownCausesNoFetchAndItsLossNeither(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		r := w.start(t)
		c := mustGet(t, r)
		w.store.set(true, 0)
		time.Sleep(life / 2)
		if mustGet(t, r) != c {
			t.Error("the token in memory is not served")
		}
		if _, err := r.Refresh(t.Context(), credential.Rejected{Generation: c.Generation}); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("a report got %v", err)
		}
		w.store.Clear() // it comes back empty.
		w.store.set(false, 0)
		time.Sleep(10 * time.Second)
		newcomer := w.start(t)
		if got := mustGet(t, newcomer); got != c {
			t.Errorf("the newcomer has %v", got)
		}
		if fetches, _ := w.wechat.counts(); fetches != 1 {
			t.Errorf("%d fetches", fetches)
		}
	})
}

func TestGenerationsGrowEvenWhenEverybodyForgets(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		first := w.start(t)
		old := mustGet(t, first)
		first.stop()
		w.store.Clear()
		time.Sleep(time.Minute)
		if c := mustGet(t, w.start(t)); c.Generation <= old.Generation {
			t.Errorf("generation %d after %d: watchers would ignore it", c.Generation, old.Generation)
		}
	})
}

func TestTheOtherReplicaServesTheNewestFromMemorySoon(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		a, b := w.start(t), w.start(t)
		old := mustGet(t, a)
		mustGet(t, b)
		dirty := make(chan struct{}, 1)
		defer b.Watch(dirty)()
		w.wechat.rotate()
		fresh, err := a.Refresh(t.Context(), credential.Rejected{Generation: old.Generation})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := b.Current(); got != fresh {
			t.Errorf("the other replica has %v", got)
		}
		if len(dirty) != 1 {
			t.Error("its watchers were not told")
		}
	})
}

func TestAProblemEndsWhenAnotherReplicaSucceeds(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		w.wechat.fail(1, fault.New(fault.Precondition, "the address is not on the allow-list"))
		unlucky := w.start(t)
		time.Sleep(time.Second)
		if unlucky.Status().Problem == "" {
			t.Fatal("no problem to begin with")
		}
		c := mustGet(t, w.start(t))
		synctest.Wait()
		if got := mustGet(t, unlucky); got != c || unlucky.Status().Problem != "" {
			t.Errorf("has %v, problem %q", got, unlucky.Status().Problem)
		}
		if report, _ := unlucky.tel.Health.Report(); len(report.Down()) != 0 {
			t.Error("health is red although there is a token")
		}
	})
}

func TestALostNotificationIsMadeUpFor(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		r := w.start(t)
		c := mustGet(t, r)
		c.Generation += 1000
		c.Value = config.NewSecret("saved by another replica")
		w.store.mute()
		if err := w.store.Save(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		if got := r.Current(); got != c {
			t.Errorf("still has %v", got)
		}
	})
}

func TestAStopFinishesTheFetchInFlightAndSavesIt(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Classic(), func(t *testing.T, w *world) {
		w.wechat.latency = 3 * time.Second
		r := w.start(t)
		time.Sleep(time.Second)
		r.stop()
		if stored, err := w.store.Load(t.Context(), testKey); err != nil || !w.wechat.accepts(stored) {
			t.Errorf("stored %v, %v", stored, err)
		}
		if _, err := r.Refresh(t.Context(), credential.Rejected{Generation: r.Current().Generation}); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("a call after the stop got %v", err)
		}
	})
}

func TestACallerThatLeavesDoesNotCancelTheFetch(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Classic(), func(t *testing.T, w *world) {
		w.wechat.latency = 3 * time.Second
		r := w.start(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Get(ctx); fault.KindOf(err) != fault.Deadline {
			t.Errorf("error = %v", err)
		}
		time.Sleep(3 * time.Second)
		if fetches, _ := w.wechat.counts(); fetches != 1 || !w.wechat.accepts(r.Current()) {
			t.Errorf("%d fetches, current %v", fetches, r.Current())
		}
	})
}
