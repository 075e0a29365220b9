package idempotency_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/redisconn"

	"github.com/wxstack/wxstack/services/api-proxy/internal/idempotency"
)

// replica is a Guard with its ledger.
type replica struct {
	*idempotency.Guard

	ledger     *idempotency.Ledger
	connection *redisconn.Shared
	registry   *prometheus.Registry
	log        bytes.Buffer

	mu      sync.Mutex
	reports []bool // whether the shared store worked, each time that was found out
}

func newReplica(shared idempotency.Store) *replica {
	r := &replica{registry: prometheus.NewRegistry()}
	ping := func(context.Context) error { return nil }
	if s, ok := shared.(*switchable); ok {
		ping = s.trouble
	}
	r.connection = redisconn.NewShared(time.Second, ping, r.report)
	r.ledger = idempotency.NewLedger(shared, r.connection)
	r.Guard = idempotency.NewGuard(r.ledger, idempotency.NewMetrics(r.registry), slog.New(slog.NewTextHandler(&r.log, nil)))
	return r
}

func (r *replica) report(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports = append(r.reports, err == nil)
}

func (r *replica) wantCounts(t *testing.T, want string) {
	t.Helper()
	var text strings.Builder
	text.WriteString("# HELP apiproxy_idempotent_calls_total Calls with an idempotency key by outcome: made; undone, so that a repeat makes it; uncertain, made without a verdict; and without making it: repeated, unknown, pending, conflict.\n# TYPE apiproxy_idempotent_calls_total counter\n")
	for pair := range strings.FieldsSeq(want) {
		outcome, count, _ := strings.Cut(pair, "=")
		text.WriteString(`apiproxy_idempotent_calls_total{outcome="` + outcome + `"} ` + count + "\n")
	}
	if err := testutil.GatherAndCompare(r.registry, strings.NewReader(text.String()), "apiproxy_idempotent_calls_total"); err != nil {
		t.Error(err)
	}
}

// platform counts the calls that reach it.
type platform struct {
	calls   atomic.Int32
	takes   time.Duration
	outcome idempotency.Outcome
	err     error
}

func (p *platform) call(ctx context.Context) ([]byte, idempotency.Outcome, error) {
	p.calls.Add(1)
	select {
	case <-time.After(p.takes):
	case <-ctx.Done():
		return nil, idempotency.Uncertain, ctx.Err()
	}
	return []byte("verdict"), p.outcome, p.err
}

func wantDone(t *testing.T, r *replica, ctx context.Context, p *platform) { //nolint:revive // t comes first in every helper.
	t.Helper()
	if got, err := r.Do(ctx, key, request, p.call); err != nil || string(got) != "verdict" {
		t.Errorf("got %q, %v", got, err)
	}
}

func wantFault(t *testing.T, err error, kind fault.Kind, word string, again bool) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || !strings.Contains(err.Error(), word) || (fault.RetryAfter(err) > 0) != again {
		t.Errorf("error %v (retry after %v), want kind %s with %q", err, fault.RetryAfter(err), kind, word)
	}
}

func TestACallIsMadeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := idempotency.NewMemory()
		one, two := newReplica(shared), newReplica(shared)
		p := &platform{takes: 25 * time.Second, outcome: idempotency.Kept} // longer than a lease, so it has to be renewed
		var asking sync.WaitGroup
		for range 25 {
			asking.Go(func() { wantDone(t, one, t.Context(), p) })
			asking.Go(func() { wantDone(t, two, t.Context(), p) })
		}
		asking.Wait()
		if p.calls.Load() != 1 {
			t.Errorf("%d calls", p.calls.Load())
		}
	})
}

func TestAFailureThatReachedNobodyIsMadeAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := idempotency.NewMemory()
		one, two := newReplica(shared), newReplica(shared)
		p := &platform{outcome: idempotency.Undone, err: fault.New(fault.Unavailable, "no token")}
		for range 2 {
			_, err := one.Do(t.Context(), key, request, p.call)
			wantFault(t, err, fault.Unavailable, "no token", false)
		}
		p.outcome, p.err = idempotency.Kept, nil
		wantDone(t, two, t.Context(), p)
		wantDone(t, one, t.Context(), p)
		if p.calls.Load() != 3 {
			t.Errorf("%d calls, want 3", p.calls.Load())
		}
		one.wantCounts(t, "repeated=1 undone=2")
		two.wantCounts(t, "made=1")
	})
}

func TestAnUncertainCallIsNeverMadeAgain(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]idempotency.Call{
		"no answer": func(context.Context) ([]byte, idempotency.Outcome, error) {
			return nil, idempotency.Uncertain, errors.New("no answer")
		},
		"panic": func(context.Context) ([]byte, idempotency.Outcome, error) { panic("in the middle") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				shared := idempotency.NewMemory()
				one, two := newReplica(shared), newReplica(shared)
				func() {
					defer func() { _ = recover() }()
					if _, err := one.Do(t.Context(), key, request, call); err == nil {
						t.Error("no error")
					}
				}()
				p := &platform{outcome: idempotency.Kept}
				for _, r := range []*replica{one, two} {
					_, err := r.Do(t.Context(), key, request, p.call)
					wantFault(t, err, fault.Deadline, "unknown", false)
				}
				if p.calls.Load() != 0 {
					t.Error("made again")
				}
				one.wantCounts(t, "uncertain=1 unknown=1")
				if !strings.Contains(one.log.String(), "k1") {
					t.Errorf("the log does not name the key: %s", one.log.String())
				}
			})
		})
	}
}

// The maker is a process that was killed: it left a record and a lease, and nothing else.
func TestAKilledMakerLeavesTheCallUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := idempotency.NewMemory()
		if _, err := shared.Begin(t.Context(), key, by("killed")); err != nil {
			t.Fatal(err)
		}
		r, p := newReplica(shared), &platform{outcome: idempotency.Kept}
		impatient, cancel := context.WithTimeout(t.Context(), idempotency.Lease/2)
		defer cancel()
		_, err := r.Do(impatient, key, request, p.call)
		wantFault(t, err, fault.Deadline, "ask again", true)
		_, err = r.Do(t.Context(), key, request, p.call) // waits until the lease has lapsed.
		wantFault(t, err, fault.Deadline, "unknown", false)
		if p.calls.Load() != 0 {
			t.Error("made again")
		}
		r.wantCounts(t, "pending=1 unknown=1")
	})
}

// The gateway that asked is the one that died: whoever takes over gets the verdict.
func TestACallerThatLeavesDoesNotCutTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := idempotency.NewMemory()
		p := &platform{takes: 5 * time.Second, outcome: idempotency.Kept}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var asking sync.WaitGroup
		asking.Go(func() { wantDone(t, newReplica(shared), ctx, p) })
		time.Sleep(2 * time.Second)
		wantDone(t, newReplica(shared), t.Context(), p)
		asking.Wait()
		if p.calls.Load() != 1 {
			t.Errorf("%d calls", p.calls.Load())
		}
	})
}

func TestACallWithoutEndIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, p := newReplica(idempotency.NewMemory()), &platform{takes: time.Hour}
		if _, err := r.Do(t.Context(), key, request, p.call); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		_, err := r.Do(t.Context(), key, request, p.call)
		wantFault(t, err, fault.Deadline, "unknown", false)
	})
}

func TestAnotherRequestIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := idempotency.NewMemory()
		p := &platform{outcome: idempotency.Kept}
		wantDone(t, newReplica(shared), t.Context(), p)
		r := newReplica(shared)
		_, err := r.Do(t.Context(), key, idempotency.FingerprintOf([]byte("other")), p.call)
		wantFault(t, err, fault.Invalid, "field idempotency_key", false)
		r.wantCounts(t, "conflict=1")
	})
}

// switchable is a store that works, fails, or hangs until its caller gives up.
type switchable struct {
	idempotency.Store

	mode  atomic.Int32
	calls atomic.Int32
}

const (
	works = iota
	fails
	hangs
)

func (s *switchable) Begin(ctx context.Context, key idempotency.Key, claim idempotency.Claim) (idempotency.Record, error) {
	if err := s.trouble(ctx); err != nil {
		return idempotency.Record{}, err
	}
	return s.Store.Begin(ctx, key, claim)
}

func (s *switchable) Finish(ctx context.Context, key idempotency.Key, claim idempotency.Claim, verdict []byte) error {
	if err := s.trouble(ctx); err != nil {
		return err
	}
	return s.Store.Finish(ctx, key, claim, verdict)
}

func (s *switchable) Clear(ctx context.Context, key idempotency.Key, claim idempotency.Claim) error {
	if err := s.trouble(ctx); err != nil {
		return err
	}
	return s.Store.Clear(ctx, key, claim)
}

func (s *switchable) trouble(ctx context.Context) error {
	s.calls.Add(1)
	switch s.mode.Load() {
	case fails:
		return errors.New("connection refused")
	case hangs:
		<-ctx.Done()
	}
	return ctx.Err()
}

func TestWithoutRedisAReplicaStillMakesACallOnce(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]int32{"refuses": fails, "hangs": hangs} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &switchable{Store: idempotency.NewMemory()}
				store.mode.Store(mode)
				r, p := newReplica(store), &platform{takes: 15 * time.Second, outcome: idempotency.Kept}
				var asking sync.WaitGroup
				for range 50 {
					asking.Go(func() { wantDone(t, r, t.Context(), p) })
				}
				asking.Wait()
				if p.calls.Load() != 1 || store.calls.Load() != 1 {
					t.Errorf("%d calls, and the dead store was tried %d times; want one each", p.calls.Load(), store.calls.Load())
				}
				if diff := cmp.Diff([]bool{false}, r.reports); diff != "" {
					t.Errorf("reports: %s", diff)
				}
			})
		})
	}
}

func TestRedisComesAndGoesDuringACall(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before, during, after int32
		other                 idempotency.State // what another replica finds
	}{
		"there": {works, works, works, idempotency.Done},
		// The renewals tell the store of the call, and Finish of its verdict.
		"comes back": {fails, works, works, idempotency.Done},
		// The other replica cannot know the verdict, and does not make the call.
		"dies":    {works, fails, fails, idempotency.Unknown},
		"blinks":  {works, fails, works, idempotency.Done},
		"is away": {fails, fails, fails, idempotency.Fresh},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				shared := idempotency.NewMemory()
				store := &switchable{Store: shared}
				r, p := newReplica(store), &platform{takes: 20 * time.Second, outcome: idempotency.Kept}
				watching, cancel := context.WithCancel(t.Context())
				stopped := make(chan error, 1)
				go func() { stopped <- r.connection.Run(watching) }()
				store.mode.Store(tt.before)
				time.Sleep(3 * time.Second)
				done := make(chan struct{})
				go func() {
					defer close(done)
					wantDone(t, r, t.Context(), p)
				}()
				time.Sleep(5 * time.Second)
				store.mode.Store(tt.during)
				time.Sleep(5 * time.Second)
				store.mode.Store(tt.after)
				<-done
				wantDone(t, r, t.Context(), p)
				if p.calls.Load() != 1 {
					t.Errorf("%d calls", p.calls.Load())
				}
				if got, err := shared.Begin(t.Context(), key, by("other")); err != nil || got.State != tt.other {
					t.Errorf("another replica finds state %d, %v; want %d", got.State, err, tt.other)
				}
				cancel()
				if err := <-stopped; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A command that the store carried out for a caller who had left would leave the call unknown for good.
func TestBeginningDoesNotEndWithTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, p := newReplica(&switchable{Store: idempotency.NewMemory()}), &platform{outcome: idempotency.Kept}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		wantDone(t, r, gone, p)
		if len(r.reports) != 0 {
			t.Errorf("reports %v", r.reports)
		}
	})
}
