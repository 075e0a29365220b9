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

// report has an event pushed to an account's server after the call that caused it was answered, as WeChat does with the
// results of its jobs. An account without a server is told nothing. The caller holds the lock.
func (p *Platform) report(account *accountState, push Push) {
	push.Account, push.Type = account.AppID, TypeEvent
	if account.CallbackURL == "" && p.state.platformOf(account) == nil {
		return
	}
	select {
	case p.reports <- push:
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
				case push := <-p.reports:
					if _, err := p.Push(ctx, push); err != nil && ctx.Err() == nil {
						p.options.Logger.WarnContext(ctx, "an event couldn't be pushed", "app_id", push.Account, "event", push.Event, "error", err)
					}
				case <-ctx.Done():
					return
				}
			}
		})
	}
}
