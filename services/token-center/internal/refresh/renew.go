package refresh

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/lease"
	"github.com/wxstack/wxstack/services/token-center/internal/spend"
	"github.com/wxstack/wxstack/services/token-center/internal/store"
)

const (
	// othersTimeout is how long to wait for a replica that holds the lease; longer than a dead one's
	// lease lasts.
	othersTimeout = 15 * time.Second
	// workTimeout bounds the work under the lease: two hosts, or a normal and a forced request.
	workTimeout = 12 * time.Second
	// storeTimeout bounds a step that must be tried even though the work was cancelled.
	storeTimeout = 3 * time.Second
	// doubtMargin makes up for the time that a request takes, when the old token's last minutes are counted.
	doubtMargin = 10 * time.Second
)

// reload adopts what the store has. Where the store has less than this replica, because Redis lost its
// data or a save failed, it is given what we have: no fetch is needed for that.
func (r *Refresher) reload(ctx context.Context) error {
	stored, err := r.Store.Load(ctx, r.Key)
	switch {
	case errors.Is(err, store.ErrUnreadable):
		r.Log.Warn("the stored token is of no use; it will be replaced when one is due", "error", err)
		return nil
	case err != nil:
		return err
	}
	r.adopt(stored)
	current := r.Current()
	if stored.Generation >= current.Generation || !current.Alive(time.Now()) {
		return nil
	}
	if err := r.Store.Save(ctx, current); err != nil && !errors.Is(err, store.ErrStale) {
		return err
	}
	r.Log.Info("the token in memory was written back to the store", "generation", current.Generation)
	return nil
}

// renew meets the need, by this replica's work or another's.
func (r *Refresher) renew(ctx context.Context, n need) error {
	timeout := time.NewTimer(othersTimeout)
	defer timeout.Stop()
	for attempt := 0; ; attempt++ {
		err := r.lead(ctx, n)
		if !errors.Is(err, lease.ErrHeld) {
			return err
		}
		retry := time.NewTimer(waitForOther(attempt, rand.Float64())) //nolint:gosec // jitter is no secret.
		select {
		case <-ctx.Done():
			retry.Stop()
			return fault.New(fault.Unavailable, "token-center is stopping; try another replica")
		case <-timeout.C:
			retry.Stop()
			return fault.New(fault.Unavailable, "another replica has been renewing the token for %v; try again", othersTimeout)
		case <-r.wake:
			retry.Stop()
		case <-retry.C:
		}
		if err := r.reload(ctx); err != nil {
			return err
		}
		if n.metBy(r.Current(), time.Now(), r.Spec.Window) {
			return nil
		}
	}
}

// lead works under the lease. A caller that hangs up, or an orderly stop, does not cancel the work.
func (r *Refresher) lead(ctx context.Context, n need) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), workTimeout)
	defer cancel()
	leader := r.Metrics.leader.WithLabelValues(r.Key.AppID, string(r.Key.Kind))
	err := r.Lease.Do(ctx, leaseName(r.Key), func(ctx context.Context) error {
		leader.Set(1)
		defer leader.Set(0)
		return r.work(ctx, n)
	})
	if errors.Is(err, lease.ErrLost) {
		r.Metrics.leaseLosses.WithLabelValues(r.Key.AppID, string(r.Key.Kind)).Inc()
	}
	return err
}

// stray is the last request of ours, which may have reached WeChat after another one that began before end:
// a later attempt, when ours was given up; that of another replica, when the lease was lost.
type stray struct {
	after credential.Generation
	end   time.Time
}

// followedBy returns what may be on its way after a request for fresh that was answered at that time. A
// request that was given up before it stays: it may have voided fresh.
func (s stray) followedBy(fresh credential.Credential, answered time.Time) stray {
	if !fresh.ObtainedAt.Before(s.end) {
		s.after = fresh.Generation
	}
	if answered.After(s.end) {
		s.end = answered
	}
	return s
}

// strayLife is how long a request may be on its way after it was given up.
const strayLife = 10 * time.Second

// distrust doubts a newer token that was obtained while a request of ours was on its way. With the classic
// interface ours may have voided it, and nobody but us can know: generations tell in which order requests
// were begun, not in which order they arrived.
func (r *Refresher) distrust(ctx context.Context) error {
	current := r.Current()
	if current.Generation <= r.stray.after || !current.ObtainedAt.Before(r.stray.end) {
		return nil
	}
	// It was not voided before it was obtained.
	err := r.doubt(ctx, current, current.ObtainedAt)
	if errors.Is(err, store.ErrStale) {
		return nil // it has been replaced meanwhile.
	}
	return err
}

// leaseName carries the hash tag of Redis Cluster, as all keys of an account do.
func leaseName(key credential.Key) string {
	return "wx:{" + key.AppID + "}:token:" + string(key.Kind) + ":lease"
}

// work is what the holder of the lease does: re-read, re-check, fetch, save.
func (r *Refresher) work(ctx context.Context, n need) error {
	if err := r.reload(ctx); err != nil {
		return err
	}
	before, now := r.Current(), time.Now()
	if n.metBy(before, now, r.Spec.Window) {
		return nil
	}
	if err := r.parentReady(ctx); err != nil {
		return err
	}
	if err := r.spend(ctx, n.cause, now); err != nil {
		return err
	}
	// The clock as a floor keeps generations growing even when Redis and every replica have forgotten. It is
	// fine enough for two replicas not to meet when a failover loses the counter between their turns.
	above := max(before.Generation, credential.Generation(max(0, now.UnixMilli())))
	generation, err := r.Store.NextGeneration(ctx, r.Key, above)
	if err != nil {
		return err
	}
	if err := r.doubt(ctx, before, now); err != nil {
		return err
	}
	fresh, forced, err := r.fetch(ctx, n, before)
	if err != nil {
		r.Metrics.refreshes.WithLabelValues(r.Key.AppID, string(r.Key.Kind), outcomeFailed).Inc()
		r.settle(ctx, n.cause, before, now, forced, err)
		return err
	}
	fresh.Generation = generation
	r.stray = r.stray.followedBy(fresh, time.Now())
	return r.keep(ctx, n, before, fresh, forced)
}

// spend takes the allowances of a fetch.
func (r *Refresher) spend(ctx context.Context, c cause, now time.Time) error {
	if c == passive {
		if err := r.take(ctx, r.Spec.Limits.Passive, now); err != nil {
			return err
		}
	}
	return r.take(ctx, r.Spec.Limits.Fetch, now)
}

func (r *Refresher) take(ctx context.Context, limit spend.Limit, now time.Time) error {
	wait, err := r.Ledger.Take(ctx, r.Key, limit, now)
	switch {
	case err != nil:
		return err
	case wait > 0:
		return fault.New(fault.Throttled, "the allowance %q of the %s of %s is used up (%d in %v, %d a day); find out who voids or reports it",
			limit.Name, r.Key.Kind, r.Key.AppID, limit.Burst, limit.Span, limit.PerDay).WithRetryAfter(wait)
	}
	return nil
}

// doubt shortens the trust in the value before a call that ends it: should the answer be lost, or this
// process die before it has saved the new one, everybody knows that the old one is dying.
func (r *Refresher) doubt(ctx context.Context, before credential.Credential, now time.Time) error {
	end := credential.Instant(now.Add(r.Spec.Overlap - doubtMargin))
	if r.Spec.Overlap == 0 || !before.Alive(now) || !before.ExpiresAt.After(end) {
		return nil
	}
	doubted := before.Amended(end)
	if err := r.Store.Save(ctx, doubted); err != nil {
		return err
	}
	r.adopt(doubted)
	return nil
}

// settle puts right what a failed request did not change: it restores the trust in the token when it is
// certain that WeChat has not replaced it, and returns the allowances when the request never left. So a
// day without network does not use up the allowance of the day.
func (r *Refresher) settle(ctx context.Context, c cause, before credential.Credential, taken time.Time, forced bool, failure error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if errors.Is(failure, credential.ErrNotSent) && !forced { // a forced request follows one that was sent.
		if err := r.giveBack(ctx, c, taken); err != nil {
			r.Log.WarnContext(ctx, "allowances could not be given back", "error", err)
		}
	}
	if errors.Is(failure, credential.ErrUncertain) {
		r.stray = stray{after: before.Generation, end: time.Now().Add(strayLife)}
		return
	}
	if r.Current() == before || !before.Exists() {
		return
	}
	if err := r.Store.Save(ctx, before); err != nil {
		return // the short life stands: that only makes the next attempt more urgent.
	}
	r.adopt(before)
}

func (r *Refresher) giveBack(ctx context.Context, c cause, taken time.Time) error {
	err := r.Ledger.GiveBack(ctx, r.Key, r.Spec.Limits.Fetch, taken)
	if c == passive {
		err = errors.Join(err, r.Ledger.GiveBack(ctx, r.Key, r.Spec.Limits.Passive, taken))
	}
	return err
}

// parentReady returns why there is nothing that a request could carry. WeChat is not to blame for that,
// and nothing is spent: the parent's own keeper leaves WeChat alone for as long as it must be.
func (r *Refresher) parentReady(ctx context.Context) error {
	if r.Parent == nil {
		return nil
	}
	_, err := r.Parent.Get(ctx)
	return err
}

// fetch asks WeChat, with force only where that is the one remedy left: it returned the very value that
// was rejected.
func (r *Refresher) fetch(ctx context.Context, n need, before credential.Credential) (fresh credential.Credential, forced bool, err error) {
	fresh, err = r.issue(ctx, false)
	if err != nil || n.cause != passive || fresh.Value != before.Value {
		return fresh, false, err
	}
	if !r.Spec.Forceable {
		return credential.Credential{}, false, r.returnedAgain()
	}
	if err := r.take(ctx, r.Spec.Limits.Forced, time.Now()); err != nil {
		return credential.Credential{}, false, err
	}
	fresh, err = r.issue(ctx, true)
	if err == nil && fresh.Value == before.Value {
		err = r.returnedAgain()
	}
	return fresh, true, err
}

func (r *Refresher) returnedAgain() error {
	return refusal{fault.New(fault.Unavailable, "the %s of %s was reported as rejected, and yet WeChat returns it again", r.Key.Kind, r.Key.AppID)}
}

// issue makes a request, with the parent where there is one.
func (r *Refresher) issue(ctx context.Context, force bool) (credential.Credential, error) {
	if r.Parent == nil {
		return r.request(ctx, credential.Request{Force: force})
	}
	return Carrying(ctx, r.Parent, func(ctx context.Context, parent config.Secret) (credential.Credential, error) {
		return r.request(ctx, credential.Request{Force: force, Parent: parent})
	})
}

// request makes one request. The life of what it gets counts from before the request, to be safe.
func (r *Refresher) request(ctx context.Context, req credential.Request) (credential.Credential, error) {
	begun := credential.Instant(time.Now())
	issued, err := r.Issuer.Issue(ctx, req)
	r.Metrics.duration.WithLabelValues(string(r.Key.Kind)).Observe(time.Since(begun).Seconds())
	if err != nil {
		return credential.Credential{}, refusal{err}
	}
	return credential.Credential{Key: r.Key, Value: issued.Value, ObtainedAt: begun, ExpiresAt: begun.Add(issued.Life)}, nil
}

// keep saves what WeChat issued. The fence makes that safe even after the lease was lost.
func (r *Refresher) keep(ctx context.Context, n need, before, fresh credential.Credential, forced bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	outcome := outcomeRenewed
	if fresh.Value == before.Value {
		fresh.Generation, outcome = before.Generation, outcomeUnchanged
	}
	err := r.Store.Save(ctx, fresh)
	if errors.Is(err, store.ErrStale) {
		return r.yield(ctx, fresh)
	}
	// A token that cannot be saved is kept in memory and written back when the store is there again.
	r.adopt(fresh)
	r.Metrics.refreshes.WithLabelValues(r.Key.AppID, string(r.Key.Kind), outcome).Inc()
	r.Log.InfoContext(ctx, "token "+outcome, "audit", true, "cause", n.cause, "reason", n.reason(before, fresh.ObtainedAt),
		"replaced_generation", before.Generation, "source", r.Spec.Source, "generation", fresh.Generation,
		"life", fresh.ExpiresAt.Sub(fresh.ObtainedAt).String(), "forced", forced)
	if err != nil {
		r.Log.WarnContext(ctx, "the token could not be saved; it will be written back", "error", err)
	}
	if n.cause == passive && r.Spec.Owned() && foreign(before, fresh, forced) {
		r.blameForeigner(before)
	}
	return nil
}

// yield gives up a token because another replica, to which the lease had passed, has saved a newer
// generation. Where a call ends the previous value, ours may have come after the other's, and its token
// may be dying: it is renewed within the overlap.
func (r *Refresher) yield(ctx context.Context, late credential.Credential) error {
	r.Metrics.staleWrites.WithLabelValues(r.Key.AppID, string(r.Key.Kind)).Inc()
	r.Metrics.refreshes.WithLabelValues(r.Key.AppID, string(r.Key.Kind), outcomeStale).Inc()
	r.Log.WarnContext(ctx, "another replica was faster; the token was thrown away", "generation", late.Generation)
	if err := r.reload(ctx); err != nil {
		return err
	}
	return r.doubt(ctx, r.Current(), late.ObtainedAt)
}

func (r *Refresher) blameForeigner(dead credential.Credential) {
	now := time.Now()
	r.Metrics.foreign.WithLabelValues(r.Key.AppID).Inc()
	r.mu.Lock()
	r.foreignAt = now
	r.mu.Unlock()
	r.Log.Warn(foreignText, "generation", dead.Generation, "age", now.Sub(dead.ObtainedAt).Round(time.Second).String(),
		"life_left", dead.Left(now).Round(time.Second).String())
}
