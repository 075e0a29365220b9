package tokencenter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/grant"
	"github.com/wxstack/wxstack/services/token-center/internal/platform"
	"github.com/wxstack/wxstack/services/token-center/internal/refresh"
	"github.com/wxstack/wxstack/services/token-center/internal/server"
)

// house is everything that keeps the credentials of the accounts file as it was at one time. When the file
// changes, another one is built beside it and takes over as a whole.
type house struct {
	refreshers map[credential.Key]*refresh.Refresher
	grants     map[credential.Key]*grant.Keeper
	desks      map[string]*platform.Desk // by the AppID of the platform.
	shown      []server.Account
}

func (h *house) platforms() []*platform.Desk { return slices.Collect(maps.Values(h.desks)) }

// runHouse keeps the credentials of h until ctx is done.
func (s *Service) runHouse(ctx context.Context, h *house) error {
	group := lifecycle.NewGroup(s.tel.Log)
	keys := make([]credential.Key, 0, len(h.refreshers))
	for key, keeper := range h.refreshers {
		keys = append(keys, key)
		group.Add(componentName(key), keeper)
	}
	group.Add("token changes", lifecycle.Func(func(ctx context.Context) error {
		return s.store.Watch(ctx, keys, func(key credential.Key) { h.refreshers[key].Notify() })
	}))
	return group.Run(ctx)
}

// inherit takes over the credentials that the former house has in memory, which may be all there is while
// Redis is away.
func (h *house) inherit(former *house) {
	for key, keeper := range h.refreshers {
		if before, ok := former.refreshers[key]; ok {
			keeper.Inherit(before)
		}
	}
}

// keepAccounts keeps the credentials of the accounts file and of the secrets it names, and follows their
// changes: an account that is new, gone or different, a secret that was reset. What is wrong with them
// changes nothing but the health.
func (s *Service) keepAccounts(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var running sync.WaitGroup
	defer running.Wait()
	start := func(h *house) (stop func()) {
		ctx, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		running.Go(func() {
			defer close(ended)
			if err := s.runHouse(ctx, h); err != nil {
				fail(err)
			}
		})
		return func() { cancel(); <-ended }
	}
	health, current := s.tel.Health.Component("accounts"), s.house.Load()
	stop := start(current)
	err := s.accounts.Run(ctx, s.tel.Log, func(accounts []secretAccount, err error) {
		if err != nil {
			err = fmt.Errorf("the old accounts and secrets stay in force: %w", err)
			s.tel.Log.WarnContext(ctx, "accounts refused", "error", err)
			health.Report(err)
			return
		}
		next := s.build(accounts, current)
		stopNext := start(next)
		s.house.Store(next)
		s.server.Replace(next.shown)
		s.platforms.Replace(next.platforms())
		stop() // a request in flight is finished and saved; the lease keeps the next house from asking as well.
		next.inherit(current)
		s.forget(current, next)
		current, stop = next, stopNext
		health.Report(nil)
		s.tel.Log.InfoContext(ctx, "new accounts or secrets in force", "accounts", len(accounts))
	})
	// The Live ends when ctx does, which may be because a house has failed.
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(err, cause)
	}
	return err
}

// forget ends what is shown of credentials that are no longer kept.
func (s *Service) forget(former, next *house) {
	for key, keeper := range former.refreshers {
		if _, kept := next.refreshers[key]; !kept {
			keeper.Forget()
		}
	}
}
