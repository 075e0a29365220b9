// Package lease lets one replica at a time do a piece of work. A lease is renewed while the work goes
// on, so that it may be short and a dead holder's claim lapses soon; the work is cancelled when the
// lease is lost.
//
// A lease alone does not make anything safe: a holder that stalls may go on after it was lost. What
// the work writes needs a fence beside it, which package store has.
package lease

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrHeld says that another holder is at work. Nothing was done.
	ErrHeld = errors.New("another replica holds the lease")
	// ErrLost says that the lease ran out or was taken while the work was going on. The work was
	// cancelled; how far it had come is unknown.
	ErrLost = errors.New("the lease was lost")
)

// grant is a lease that was obtained.
type grant interface {
	// renew makes the lease last ttl from now. ErrLost means that it is not ours any more; any other
	// error leaves that open.
	renew(ctx context.Context, ttl time.Duration) error
	release(ctx context.Context) error
}

// renewalsPerTTL leaves two more attempts when a renewal fails.
const renewalsPerTTL = 3

// work runs do while it renews g, and releases g in the end.
func work(ctx context.Context, g grant, ttl time.Duration, do func(ctx context.Context) error) error {
	workCtx, cancel := context.WithCancelCause(ctx)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		keep(workCtx, cancel, g, ttl, stop)
	}()
	err := do(workCtx)
	close(stop)
	<-stopped
	lost := errors.Is(context.Cause(workCtx), ErrLost)
	cancel(nil)
	if !lost {
		releaseFresh(ctx, g, ttl)
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return nil // the work was finished before it noticed.
}

// keep renews g until stop is closed, and cancels the work when the lease is gone, or may be.
func keep(ctx context.Context, cancel context.CancelCauseFunc, g grant, ttl time.Duration, stop <-chan struct{}) {
	ticker := time.NewTicker(ttl / renewalsPerTTL)
	defer ticker.Stop()
	end := time.Now().Add(ttl)
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case begun := <-ticker.C:
			renewCtx, done := context.WithDeadline(ctx, end)
			err := g.renew(renewCtx, ttl)
			done()
			switch {
			case err == nil:
				end = begun.Add(ttl)
			case errors.Is(err, ErrLost), !time.Now().Before(end):
				cancel(ErrLost)
				return
			}
		}
	}
}

// releaseFresh gives the lease back even where ctx has ended, because others wait for it. A failure
// costs them the rest of the ttl, no more.
func releaseFresh(ctx context.Context, g grant, ttl time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ttl)
	defer cancel()
	_ = g.release(ctx)
}
