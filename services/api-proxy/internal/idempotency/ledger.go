package idempotency

import (
	"context"

	"github.com/wxstack/wxstack/chassis/redisconn"
)

// Ledger keeps records in this process and in the store that all replicas share, and in this process
// alone while the shared one fails. It therefore always has an answer.
//
// This process holds every record that it began or found done: a repeat that comes to the same replica is recognised
// even if Redis has gone since.
type Ledger struct {
	store  Store
	shared *redisconn.Shared
	local  *Memory
}

// NewLedger returns a Ledger over the store that shared is the way to.
func NewLedger(store Store, shared *redisconn.Shared) *Ledger {
	return &Ledger{store: store, shared: shared, local: NewMemory()}
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
	l.shared.Try(ctx, func(ctx context.Context) error { return l.store.Finish(ctx, key, claim, verdict) })
}

// Clear forgets a call that was not made, as Store describes.
func (l *Ledger) Clear(ctx context.Context, key Key, claim Claim) {
	_ = l.local.Clear(ctx, key, claim) // Memory never fails.
	l.shared.Try(ctx, func(ctx context.Context) error { return l.store.Clear(ctx, key, claim) })
}

// Abandon ends a call without a verdict, as Store describes. If that fails the lease lapses by itself.
func (l *Ledger) Abandon(ctx context.Context, key Key, claim Claim) {
	_ = l.local.Abandon(ctx, key, claim) // Memory never fails.
	l.shared.Try(ctx, func(ctx context.Context) error { return l.store.Abandon(ctx, key, claim) })
}

func (l *Ledger) begin(ctx context.Context, key Key, claim Claim) (record Record, ok bool) {
	ok = l.shared.Try(ctx, func(ctx context.Context) (err error) {
		record, err = l.store.Begin(ctx, key, claim)
		return err
	})
	return record, ok
}
