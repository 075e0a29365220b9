// Package refresh keeps one credential of one account alive: it renews it ahead of expiry, replaces it
// when WeChat rejects it, and makes sure that however many callers and replicas want that, WeChat is
// asked once. What differs between the kinds of credentials is data: kind.Spec.
//
// One loop per credential does all the work, so callers within a process share an attempt by waiting
// for the loop. Between replicas the order is: take the lease, re-read the store, ask whether there is
// still something to do, take the next generation, ask WeChat, save behind the fence.
//
// What to do is decided in decide.go, by functions that are told the time.
package refresh

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/kind"
	"github.com/wxstack/wxstack/services/token-center/internal/spend"
)

// Issuer asks WeChat for a value; package issuer has one for each interface.
type Issuer interface {
	Issue(ctx context.Context, req credential.Request) (credential.Issued, error)
}

// Store is where all replicas see the credential; package store says what its methods promise.
type Store interface {
	NextGeneration(ctx context.Context, key credential.Key, above credential.Generation) (credential.Generation, error)
	Save(ctx context.Context, c credential.Credential) error
	Load(ctx context.Context, key credential.Key) (credential.Credential, error)
}

// Lease lets one replica at a time work; package lease says what its errors mean.
type Lease interface {
	Do(ctx context.Context, name string, do func(ctx context.Context) error) error
}

// Ledger counts what WeChat counts; package spend has one.
type Ledger interface {
	Take(ctx context.Context, key credential.Key, limit spend.Limit, now time.Time) (time.Duration, error)
	GiveBack(ctx context.Context, key credential.Key, limit spend.Limit, now time.Time) error
}

// Cache remembers the last known credential where this replica finds it after a restart; package store has
// one.
type Cache interface {
	Save(c credential.Credential) error
	Load(key credential.Key) (credential.Credential, error)
}

// Config is what a Refresher works with. All fields are required but Parent and Cache.
type Config struct {
	Key    credential.Key
	Spec   kind.Spec
	Issuer Issuer
	// Parent is set if Spec names one.
	Parent Parent
	// Cache is asked when there is nothing in memory and the store is away; nil is none.
	Cache   Cache
	Store   Store
	Lease   Lease
	Ledger  Ledger
	Metrics *Metrics
	// Health goes down when callers are without a token, or soon will be.
	Health *telemetry.Component
	Log    *slog.Logger
}

// Refresher keeps one credential. Run must be running for the other methods to make progress.
type Refresher struct {
	Config
	wake    chan struct{} // one slot: there is something to look at.
	stopped chan struct{}

	// These belong to the loop.
	stray      stray
	remembered credential.Credential // what the cache has.

	mu      sync.Mutex
	current credential.Credential
	asks    []ask
	// askedAt is when a caller last wanted the credential.
	askedAt  time.Time
	watchers map[chan<- struct{}]struct{}
	// problem is why the last renewal failed, nil after a success.
	problem  error
	failures int
	pausedTo time.Time
	// foreignAt is when a token last died before its time.
	foreignAt time.Time
}

// ask is a caller that waits. reply has one slot, so that the loop never waits for a caller.
type ask struct {
	need  need
	reply chan error
}

// New returns a Refresher that knows no credential yet.
func New(cfg Config) *Refresher {
	cfg.Log = cfg.Log.With("app_id", cfg.Key.AppID, "kind", cfg.Key.Kind)
	cfg.Metrics.leader.WithLabelValues(cfg.Key.AppID, string(cfg.Key.Kind)).Set(0)
	return &Refresher{
		Config: cfg, wake: make(chan struct{}, 1), stopped: make(chan struct{}), watchers: map[chan<- struct{}]struct{}{},
	}
}

// Current returns the newest credential that this replica knows, dead or alive.
func (r *Refresher) Current() credential.Credential {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current
}

// use returns the current credential and remembers that somebody wants it.
func (r *Refresher) use(now time.Time) credential.Credential {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.askedAt = now
	return r.current
}

// Get returns a credential that is alive: from memory, or else once there is one.
func (r *Refresher) Get(ctx context.Context) (credential.Credential, error) {
	if c := r.use(time.Now()); c.Alive(time.Now()) {
		return c, nil
	}
	return r.await(ctx, need{cause: missing})
}

// Refresh returns a credential other than the one that WeChat rejected. It asks WeChat only if the
// rejected one is still the newest.
//
// A report is believed even when the token is a second old, because somebody else can void it at any
// moment. What keeps a storm of reports from becoming a storm of fetches is that all reports of one
// generation share one fetch, and the allowance Limits.Passive.
func (r *Refresher) Refresh(ctx context.Context, rejected credential.Rejected) (credential.Credential, error) {
	if rejected.Empty() {
		return credential.Credential{}, fault.New(fault.Invalid,
			"rejected_generation or rejected_value: one is required; name the token that WeChat rejected")
	}
	// Only a generation can be compared with what may be a stale memory; a value has to wait for a re-read.
	if c := r.use(time.Now()); rejected.Generation > 0 && c.Generation > rejected.Generation && c.Alive(time.Now()) {
		return c, nil
	}
	return r.await(ctx, need{cause: passive, rejected: rejected})
}

// await hands a need to the loop and waits until it is met or cannot be.
func (r *Refresher) await(ctx context.Context, n need) (credential.Credential, error) {
	a := ask{need: n, reply: make(chan error, 1)}
	r.mu.Lock()
	r.asks = append(r.asks, a)
	r.mu.Unlock()
	r.Notify()
	select {
	case err := <-a.reply:
		return r.Current(), err
	case <-ctx.Done():
		return credential.Credential{}, fault.Wrap(fault.Deadline, ctx.Err(), "no %s of %s could be had in the time of the call", r.Key.Kind, r.Key.AppID)
	case <-r.stopped:
		return credential.Credential{}, fault.New(fault.Unavailable, "token-center is stopping or its accounts are being changed; try again")
	}
}

// Inherit takes over what another Refresher of the same credential has, which this one replaces, and how long
// it is wanted. It may be called at any time, and again.
func (r *Refresher) Inherit(from *Refresher) {
	from.mu.Lock()
	current, askedAt := from.current, from.askedAt
	from.mu.Unlock()
	r.adopt(current)
	r.mu.Lock()
	defer r.mu.Unlock()
	if askedAt.After(r.askedAt) {
		r.askedAt = askedAt
	}
}

// Forget ends what metrics and health show of a credential that is no longer kept, after Run has ended.
func (r *Refresher) Forget() {
	r.Metrics.forget(r.Key)
	r.Health.Report(nil)
}

// Notify makes the loop look at the store again: somebody else has saved.
func (r *Refresher) Notify() {
	select {
	case r.wake <- struct{}{}:
	default: // it is going to look anyway.
	}
}

// Watch puts something into dirty, which needs one free slot, at each change of the credential, until
// stop is called. A reader that is slow misses nothing but values that are no longer the newest.
func (r *Refresher) Watch(dirty chan<- struct{}) (stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchers[dirty] = struct{}{}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.watchers, dirty)
	}
}

// Status tells how a credential is, for people.
type Status struct {
	Credential credential.Credential
	// Problem is empty while all is well; otherwise what is wrong and how to mend it.
	Problem string
}

// foreignMemory is how long a foreign refresh shows in Status.
const foreignMemory = 24 * time.Hour

// Status returns the state of the moment.
func (r *Refresher) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{Credential: r.current}
	var known *fault.Error
	switch {
	case errors.As(r.problem, &known):
		s.Problem = known.Message()
	case r.problem != nil:
		s.Problem = "the last renewal failed inside token-center; its log has the details"
	case !r.foreignAt.IsZero() && time.Since(r.foreignAt) < foreignMemory:
		s.Problem = "at " + r.foreignAt.UTC().Format(time.RFC3339) + " " + foreignText
	}
	return s
}

const foreignText = "the token died before its time: another system fetches tokens with this AppSecret; " +
	"let it ask api-proxy instead, or reset the AppSecret (重置开发者密码)"

const (
	// rereadInterval is how soon a lost notification is made up for.
	rereadInterval = 5 * time.Second
	// leastInterval keeps tokens with tiny lives from spinning the loop.
	leastInterval = 200 * time.Millisecond
)

// Run keeps the credential alive until ctx is done. An attempt in flight is finished first, because a
// token that WeChat has issued and nobody has saved is a token lost.
func (r *Refresher) Run(ctx context.Context) error {
	defer close(r.stopped)
	for {
		r.round(ctx)
		timer := time.NewTimer(r.nextRound(time.Now()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-r.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

func (r *Refresher) nextRound(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.asks) > 0 {
		return 0
	}
	next := rereadInterval
	if !credential.Due(now, r.current, r.Spec.Window) {
		next = min(next, credential.NextRenewal(r.current, r.Spec.Window).Sub(now))
	} else if now.Before(r.pausedTo) {
		next = min(next, r.pausedTo.Sub(now))
	}
	return max(next, leastInterval)
}

// round re-reads the store, then does what is due and answers who waits.
func (r *Refresher) round(ctx context.Context) {
	asks := r.takeAsks()
	err := r.reload(ctx)
	if err == nil {
		err = r.distrust(ctx)
	} else {
		r.recall()
	}
	asks = r.answerMet(asks)
	n, wanted := r.mostUrgent(asks)
	if err == nil && wanted {
		if err = r.paused(time.Now()); err == nil {
			err = r.renew(ctx, n)
			r.note(err)
		}
	}
	for _, a := range r.answerMet(asks) {
		if err == nil {
			r.requeue(a) // what was done met another need.
			continue
		}
		a.reply <- presentable(err)
	}
	r.remember()
	r.report(time.Now())
}

// report tells health and metrics how the credential is. One that nobody asks for is no trouble.
func (r *Refresher) report(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.wanted(now) {
		r.problem = nil
		if !r.current.Alive(now) {
			r.Metrics.expiry.DeleteLabelValues(r.Key.AppID, string(r.Key.Kind))
		}
	}
	r.Health.Report(emergency(r.current, r.problem, now, r.wanted(now)))
}

// wanted reports whether the credential is to be kept fresh: kinds that are fetched on demand are, while
// callers ask for them and while somebody watches what is there. The caller holds mu.
func (r *Refresher) wanted(now time.Time) bool {
	if r.Spec.Idle == 0 || (len(r.watchers) > 0 && r.current.Alive(now)) {
		return true
	}
	return !r.askedAt.IsZero() && now.Sub(r.askedAt) < r.Spec.Idle
}

// recall serves what was known before a restart, while the store is away and cannot tell what is newer.
func (r *Refresher) recall() {
	if r.Cache == nil || r.Current().Exists() {
		return
	}
	last, err := r.Cache.Load(r.Key)
	switch {
	case err != nil:
		r.Log.Warn("the cached token is of no use", "error", err)
	case last.Alive(time.Now()):
		r.Log.Warn("the store is away; the token is served that was known before the restart", "generation", last.Generation)
		r.adopt(last)
	}
}

// remember writes the cache when something has changed.
func (r *Refresher) remember() {
	current := r.Current()
	if r.Cache == nil || current == r.remembered {
		return
	}
	if err := r.Cache.Save(current); err != nil {
		r.Log.Warn("the token could not be cached; it will be tried again", "error", err)
		return
	}
	r.remembered = current
}

// presentable makes any error one that may cross the wire as "try again": what is not a fault here
// comes from Redis.
func presentable(err error) error {
	if _, known := errors.AsType[*fault.Error](err); known {
		return err
	}
	return fault.Wrap(fault.Unavailable, err, "the token store (Redis) does not answer, and no usable token is in memory; try again")
}

func (r *Refresher) takeAsks() []ask {
	r.mu.Lock()
	defer r.mu.Unlock()
	asks := r.asks
	r.asks = nil
	return asks
}

func (r *Refresher) requeue(a ask) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asks = append(r.asks, a)
}

// answerMet answers those whose need is met and returns the others.
func (r *Refresher) answerMet(asks []ask) []ask {
	current, now := r.Current(), time.Now()
	var unmet []ask
	for _, a := range asks {
		if a.need.metBy(current, now, r.Spec.Window) {
			a.reply <- nil
			continue
		}
		unmet = append(unmet, a)
	}
	return unmet
}

// mostUrgent returns what the loop should work for: a caller's need before its own.
func (r *Refresher) mostUrgent(unmet []ask) (need, bool) {
	if len(unmet) > 0 {
		return unmet[0].need, true
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.wanted(now):
	case !r.current.Alive(now):
		return need{cause: missing}, true
	case credential.Due(now, r.current, r.Spec.Window):
		return need{cause: active}, true
	}
	return need{}, false
}

// paused returns why WeChat is being left alone for now, nil when it is not.
func (r *Refresher) paused(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !now.Before(r.pausedTo) || r.problem == nil {
		return nil
	}
	if known, ok := errors.AsType[*fault.Error](r.problem); ok {
		return known.WithRetryAfter(r.pausedTo.Sub(now))
	}
	return r.problem
}

// refusal marks an error that came from WeChat's side, after which it is left alone for a while.
type refusal struct{ error }

func (e refusal) Unwrap() error { return e.error }

// note remembers how an attempt ended.
func (r *Refresher) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.problem
	r.problem = err
	var refused refusal
	switch {
	case err == nil:
		r.failures, r.pausedTo = 0, time.Time{}
		return
	case errors.As(err, &refused):
		r.failures++
		r.pausedTo = time.Now().Add(pauseAfter(r.failures, err, rand.Float64())) //nolint:gosec // jitter is no secret.
	case known != nil && known.Error() == err.Error():
		return // tried again every few seconds, as long as a ticket has not arrived or Redis is down.
	}
	r.Log.Warn("the token was not renewed", "error", err, "failures", r.failures,
		"pause", max(0, time.Until(r.pausedTo)).Round(time.Millisecond).String(),
		"life_left", r.current.Left(time.Now()).Round(time.Second).String())
}

// adopt makes c the newest credential unless a newer one is known, and tells the watchers of a change.
func (r *Refresher) adopt(c credential.Credential) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Generation < r.current.Generation || c == r.current {
		return
	}
	if c.Generation > r.current.Generation {
		// Whoever obtained it, a newer token ends what was wrong with the older one.
		r.problem, r.failures, r.pausedTo = nil, 0, time.Time{}
	}
	r.current = c
	r.Metrics.expiry.WithLabelValues(c.AppID, string(c.Kind)).Set(float64(c.ExpiresAt.Unix()))
	for dirty := range r.watchers {
		select {
		case dirty <- struct{}{}:
		default: // it has not looked yet, and will see the newest when it does.
		}
	}
}
