package refresh_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/kind"
	"github.com/wxstack/wxstack/services/token-center/internal/lease"
	"github.com/wxstack/wxstack/services/token-center/internal/refresh"
	"github.com/wxstack/wxstack/services/token-center/internal/spend"
	"github.com/wxstack/wxstack/services/token-center/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	life     = 7200 * time.Second
	leaseTTL = 6 * time.Second
)

var (
	testKey = credential.Key{AppID: "wx1", Kind: credential.AccessToken}
	errBusy = fault.New(fault.Unavailable, "system busy")
	errDown = errors.New("redis is down")
)

// wechat is WeChat's token interface, with a token's whole life.
type wechat struct {
	spec kind.Spec

	mu      sync.Mutex
	fetches int
	forced  int
	serial  int
	// ends is when each token that was ever issued stops working.
	ends       map[string]time.Time
	current    string
	currentEnd time.Time
	latency    time.Duration
	failNext   int
	failure    error
	// loseNext is how many answers get lost after the request has taken effect.
	loseNext int
	// onIssue runs while a request is under way.
	onIssue func()
}

func (w *wechat) Issue(ctx context.Context, req credential.Request) (credential.Issued, error) {
	w.mu.Lock()
	w.fetches++
	if req.Force {
		w.forced++
	}
	latency, hook := w.latency, w.onIssue
	w.mu.Unlock()
	if hook != nil {
		hook()
	}
	select {
	case <-time.After(latency):
	case <-ctx.Done():
		return credential.Issued{}, fault.Wrap(fault.Unavailable, fmt.Errorf("%w: %w", credential.ErrUncertain, ctx.Err()), "no answer")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failNext > 0 {
		w.failNext--
		return credential.Issued{}, w.failure
	}
	now := time.Now()
	switch {
	case w.spec.Overlap > 0:
		w.renew(now, credential.Overlap)
	case req.Force:
		w.renew(now, 0)
	case now.After(w.currentEnd.Add(-credential.Overlap)):
		w.renew(now, w.currentEnd.Sub(now))
	}
	if w.loseNext > 0 {
		w.loseNext--
		return credential.Issued{}, fault.Wrap(fault.Unavailable, credential.ErrUncertain, "the answer got lost")
	}
	return credential.Issued{Value: config.NewSecret(w.current), Life: w.currentEnd.Sub(now)}, nil
}

func (w *wechat) renew(now time.Time, overlap time.Duration) {
	w.serial++
	if end := now.Add(overlap); end.Before(w.currentEnd) {
		w.ends[w.current] = end
	}
	w.current, w.currentEnd = fmt.Sprintf("token-%d", w.serial), now.Add(life)
	w.ends[w.current] = w.currentEnd
}

// rotate is somebody else's refresh.
func (w *wechat) rotate() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.renew(time.Now(), 0)
}

// accepts reports whether an API call with the token would succeed now.
func (w *wechat) accepts(c credential.Credential) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Before(w.ends[c.Value.Reveal()])
}

func (w *wechat) fail(n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failNext, w.failure = n, err
}

func (w *wechat) set(change func(*wechat)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

func (w *wechat) counts() (fetches, forced int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fetches, w.forced
}

// flakyStore fails while down.
type flakyStore struct {
	*store.Memory

	mu       sync.Mutex
	down     bool
	muted    bool
	failSave int
}

// mute makes notifications get lost.
func (s *flakyStore) mute() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.muted = true
}

func (s *flakyStore) Watch(ctx context.Context, keys []credential.Key, changed func(credential.Key)) error {
	return s.Memory.Watch(ctx, keys, func(key credential.Key) {
		s.mu.Lock()
		muted := s.muted
		s.mu.Unlock()
		if !muted {
			changed(key)
		}
	})
}

func (s *flakyStore) set(down bool, failSave int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down, s.failSave = down, failSave
}

func (s *flakyStore) err(saving bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if saving && s.failSave > 0 {
		s.failSave--
		return errDown
	}
	if s.down {
		return errDown
	}
	return nil
}

func (s *flakyStore) NextGeneration(ctx context.Context, key credential.Key, above credential.Generation) (credential.Generation, error) {
	if err := s.err(false); err != nil {
		return 0, err
	}
	return s.Memory.NextGeneration(ctx, key, above)
}

func (s *flakyStore) Save(ctx context.Context, c credential.Credential) error {
	if err := s.err(true); err != nil {
		return err
	}
	return s.Memory.Save(ctx, c)
}

func (s *flakyStore) Load(ctx context.Context, key credential.Key) (credential.Credential, error) {
	if err := s.err(false); err != nil {
		return credential.Credential{}, err
	}
	return s.Memory.Load(ctx, key)
}

// world is what the replicas of one test share.
type world struct {
	wechat *wechat
	store  *flakyStore
	leases *lease.Memory
	ledger *spend.Memory
}

// inWorld runs a test in a bubble of virtual time.
func inWorld(t *testing.T, spec kind.Spec, run func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		run(t, &world{
			wechat: &wechat{spec: spec, ends: map[string]time.Time{}}, store: &flakyStore{Memory: store.NewMemory()},
			leases: lease.NewMemory(leaseTTL), ledger: spend.NewMemory(),
		})
	})
}

// replica is a running Refresher.
type replica struct {
	*refresh.Refresher

	tel  *telemetry.Telemetry
	stop func()
}

func (w *world) start(t *testing.T) *replica {
	t.Helper()
	tel := telemetry.Discard()
	r := refresh.New(refresh.Config{
		Key: testKey, Spec: w.wechat.spec, Issuer: w.wechat, Store: w.store, Lease: w.leases, Ledger: w.ledger,
		Metrics: refresh.NewMetrics(tel.Metrics), Health: tel.Health.Component("token"), Log: tel.Log,
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.Run(ctx) })
	wg.Go(func() { _ = w.store.Watch(ctx, []credential.Key{testKey}, func(credential.Key) { r.Notify() }) })
	stop := sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return &replica{r, tel, stop}
}

func mustGet(t *testing.T, r *replica) credential.Credential {
	t.Helper()
	c, err := r.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// metric adds up a counter over its labels.
func metric(t *testing.T, r *replica, name string) float64 {
	t.Helper()
	families, err := r.tel.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			sum += m.GetCounter().GetValue()
		}
	}
	return sum
}
