package lease

import (
	"context"
	"sync"
	"time"
)

// Memory grants leases within one process, for tests.
type Memory struct {
	ttl time.Duration

	mu      sync.Mutex
	holders map[string]*memoryGrant
}

// NewMemory returns a Memory whose leases lapse ttl after their holder's last sign of life.
func NewMemory(ttl time.Duration) *Memory {
	return &Memory{ttl: ttl, holders: map[string]*memoryGrant{}}
}

type memoryGrant struct {
	of   *Memory
	name string
	end  time.Time
}

// Do is as Elector.Do.
func (m *Memory) Do(ctx context.Context, name string, do func(ctx context.Context) error) error {
	g := &memoryGrant{of: m, name: name, end: time.Now().Add(m.ttl)}
	m.mu.Lock()
	if other := m.holders[name]; other != nil && time.Now().Before(other.end) {
		m.mu.Unlock()
		return ErrHeld
	}
	m.holders[name] = g
	m.mu.Unlock()
	return work(ctx, g, m.ttl, do)
}

// Break takes the lease called name away from its holder, as a Redis failover may do.
func (m *Memory) Break(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.holders, name)
}

func (g *memoryGrant) renew(_ context.Context, ttl time.Duration) error {
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	if g.of.holders[g.name] != g {
		return ErrLost
	}
	g.end = time.Now().Add(ttl)
	return nil
}

func (g *memoryGrant) release(context.Context) error {
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	if g.of.holders[g.name] == g {
		delete(g.of.holders, g.name)
	}
	return nil
}
