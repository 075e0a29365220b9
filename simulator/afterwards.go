package simulator

import (
	"context"
	"sync"
)

const (
	// maxReports is how many reports wait to be pushed; what comes above is dropped and logged.
	maxReports = 10_000
	// reporters is how many are pushed at once.
	reporters = 4
)

// report is an event that waits to be pushed.
type report struct {
	push  Push
	epoch int
}

// report has an event pushed to an account's server after the call that caused it was answered, as WeChat does with the
// results of its jobs. An account without a server is told nothing. The caller holds the lock.
func (p *Platform) report(account *accountState, push Push) {
	push.Account, push.Type = account.AppID, TypeEvent
	if account.CallbackURL == "" && p.state.platformOf(account) == nil {
		return
	}
	select {
	case p.reports <- report{push, p.state.epoch}:
	default:
		p.options.Logger.Warn("too many events wait to be pushed, one was dropped", "app_id", account.AppID, "event", push.Event)
	}
}

// pushReports pushes what was reported, until ctx ends.
func (p *Platform) pushReports(ctx context.Context) {
	var working sync.WaitGroup
	defer working.Wait()
	for range reporters {
		working.Go(func() {
			for {
				select {
				case next := <-p.reports:
					p.pushReport(ctx, next)
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

// pushReport pushes an event, unless the platform was reset after what it tells of.
func (p *Platform) pushReport(ctx context.Context, next report) {
	p.mu.Lock()
	stale := next.epoch != p.state.epoch
	p.mu.Unlock()
	if stale {
		return
	}
	if _, err := p.Push(ctx, next.push); err != nil && ctx.Err() == nil {
		p.options.Logger.WarnContext(ctx, "an event couldn't be pushed", "app_id", next.push.Account, "event", next.push.Event, "error", err)
	}
}
