package idempotency

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/wxstack/wxstack/chassis/redisconn"
)

// commandTimeout bounds a command within the way of a call, so that a Redis that just died costs a call
// this much once.
const commandTimeout = 300 * time.Millisecond

// Ledger keeps records in this process and in the store that all replicas share, and in this process
// alone while the shared one fails. It therefore always has an answer.
//
// This process holds every record that it began or found done: a repeat that comes to the same replica is recognised
// even if Redis has gone since. After a failure the shared store is left alone until Run has seen it work
// again, so that calls don't queue up behind a dead server one time-out each.
type Ledger struct {
	shared Store
	local  *Memory
	ping   func(context.Context) error
	report func(error)
	down   atomic.Bool
}

// NewLedger returns a Ledger over the shared store. The function ping says whether the store works;
// report is told whenever that is found out, with nil for yes.
func NewLedger(shared Store, ping func(context.Context) error, report func(error)) *Ledger {
	return &Ledger{shared: shared, local: NewMemory(), ping: ping, report: report}
}

// Begin begins a call, as Store describes. It does not end early with ctx: a claim that the store took
// and nobody noticed would make the call unknown for good.
func (l *Ledger) Begin(ctx context.Context, key Key, claim Claim) Record {
	// Memory never fails.
	own, _ := l.local.Begin(ctx, key, claim)
	if own.State != Fresh {
		return own
	}
	shared, ok := l.begin(ctx, key, claim)
	if !ok || shared.State == Fresh {
		return own
	}
	// Memory never fails.
	if shared.State == Done {
		_ = l.local.Finish(ctx, key, claim, shared.Verdict) // for those who wait here for the same.
	} else {
		_ = l.local.Clear(ctx, key, claim)
	}
	return shared
}

// Renew renews the lease of a call that Begin found fresh. A store that was away when the call began
// learns of it now.
func (l *Ledger) Renew(ctx context.Context, key Key, claim Claim) {
	_, _ = l.local.Begin(ctx, key, claim) // Memory never fails.
	l.begin(ctx, key, claim)
}

// Finish stores the verdict, as Store describes.
func (l *Ledger) Finish(ctx context.Context, key Key, claim Claim, verdict []byte) {
	_ = l.local.Finish(ctx, key, claim, verdict) // Memory never fails.
	l.try(ctx, func(ctx context.Context) error { return l.shared.Finish(ctx, key, claim, verdict) })
}

// Clear forgets a call that was not made, as Store describes.
func (l *Ledger) Clear(ctx context.Context, key Key, claim Claim) {
	_ = l.local.Clear(ctx, key, claim) // Memory never fails.
	l.try(ctx, func(ctx context.Context) error { return l.shared.Clear(ctx, key, claim) })
}

// Abandon ends a call without a verdict, as Store describes. If that fails the lease lapses by itself.
func (l *Ledger) Abandon(ctx context.Context, key Key, claim Claim) {
	_ = l.local.Abandon(ctx, key, claim) // Memory never fails.
	l.try(ctx, func(ctx context.Context) error { return l.shared.Abandon(ctx, key, claim) })
}

// Run watches the shared store until ctx is done.
func (l *Ledger) Run(ctx context.Context) error {
	return redisconn.Watch(ctx, l.ping, func(err error) {
		l.down.Store(err != nil)
		l.report(err)
	})
}

func (l *Ledger) begin(ctx context.Context, key Key, claim Claim) (record Record, ok bool) {
	ok = l.try(ctx, func(ctx context.Context) (err error) {
		record, err = l.shared.Begin(ctx, key, claim)
		return err
	})
	return record, ok
}

// try runs a command of the shared store and reports whether it went well.
func (l *Ledger) try(ctx context.Context, command func(context.Context) error) bool {
	if l.down.Load() {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTimeout)
	defer cancel()
	err := command(ctx)
	if err != nil {
		l.down.Store(true)
		l.report(err)
	}
	return err == nil
}
