package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"
)

// Elector grants leases among all processes that share a Redis.
type Elector struct {
	locks *redislock.Client
	ttl   time.Duration
}

// NewElector returns an Elector whose leases lapse ttl after their holder's last sign of life.
func NewElector(client redis.Scripter, ttl time.Duration) *Elector {
	return &Elector{locks: redislock.New(client), ttl: ttl}
}

// Do runs work while holding the lease called name. It does not wait: when somebody else is at work
// it returns ErrHeld at once, so that the caller can watch for the other's result. The context of work
// ends when the lease is lost, and Do then returns ErrLost together with work's error.
func (e *Elector) Do(ctx context.Context, name string, do func(ctx context.Context) error) error {
	// redislock draws a random value for each Obtain, so two calls in one process exclude each other too.
	lock, err := e.locks.Obtain(ctx, name, e.ttl, nil)
	switch {
	case errors.Is(err, redislock.ErrNotObtained):
		return ErrHeld
	case err != nil:
		return fmt.Errorf("obtain the lease %s: %w", name, err)
	}
	return work(ctx, redisGrant{lock}, e.ttl, do)
}

type redisGrant struct{ lock *redislock.Lock }

func (g redisGrant) renew(ctx context.Context, ttl time.Duration) error {
	err := g.lock.Refresh(ctx, ttl, nil)
	if errors.Is(err, redislock.ErrNotObtained) {
		return ErrLost
	}
	return err
}

func (g redisGrant) release(ctx context.Context) error {
	return g.lock.Release(ctx)
}
