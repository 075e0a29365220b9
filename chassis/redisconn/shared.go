package redisconn

import (
	"context"
	"sync/atomic"
	"time"
)

// Shared is the way to what all replicas keep in Redis, for work that can go on without it. After a failure
// Redis is left alone until Run has seen it work again, so that calls don't queue up behind a dead server one
// time-out each.
type Shared struct {
	timeout time.Duration
	ping    func(context.Context) error
	report  func(error)
	down    atomic.Bool
}

// NewShared returns a Shared whose commands may take so long. The function ping says whether Redis works;
// report is told whenever that is found out, with nil for yes.
func NewShared(timeout time.Duration, ping func(context.Context) error, report func(error)) *Shared {
	return &Shared{timeout: timeout, ping: ping, report: report}
}

// Try runs a command and reports whether it went well. It does not end early with ctx: a change that Redis made
// and nobody noticed would be worse than the wait, which is short.
func (s *Shared) Try(ctx context.Context, command func(context.Context) error) bool {
	if s.down.Load() {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	err := command(ctx)
	if err != nil {
		s.down.Store(true)
		s.report(err)
	}
	return err == nil
}

// Run watches Redis until ctx is done.
func (s *Shared) Run(ctx context.Context) error {
	return Watch(ctx, s.ping, func(err error) {
		s.down.Store(err != nil)
		s.report(err)
	})
}
