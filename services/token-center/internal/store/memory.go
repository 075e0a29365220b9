package store

import (
	"context"
	"slices"
	"sync"

	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

// Memory is a store within one process.
type Memory struct {
	mu          sync.Mutex
	credentials map[credential.Key]credential.Credential
	generations map[credential.Key]credential.Generation
	watchers    []*watcher
}

type watcher struct {
	keys    []credential.Key
	changed func(credential.Key)
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		credentials: map[credential.Key]credential.Credential{},
		generations: map[credential.Key]credential.Generation{},
	}
}

// NextGeneration is as Redis.NextGeneration.
func (m *Memory) NextGeneration(_ context.Context, key credential.Key, above credential.Generation) (credential.Generation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := max(m.generations[key], above) + 1
	m.generations[key] = next
	return next, nil
}

// Save is as Redis.Save.
func (m *Memory) Save(_ context.Context, c credential.Credential) error {
	m.mu.Lock()
	if m.credentials[c.Key].Generation > c.Generation {
		m.mu.Unlock()
		return ErrStale
	}
	m.credentials[c.Key] = c
	m.generations[c.Key] = max(m.generations[c.Key], c.Generation)
	watchers := slices.Clone(m.watchers)
	m.mu.Unlock()
	for _, w := range watchers {
		if slices.Contains(w.keys, c.Key) {
			w.changed(c.Key)
		}
	}
	return nil
}

// Load is as Redis.Load.
func (m *Memory) Load(_ context.Context, key credential.Key) (credential.Credential, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.credentials[key], nil
}

// Watch is as Redis.Watch.
func (m *Memory) Watch(ctx context.Context, keys []credential.Key, changed func(credential.Key)) error {
	w := &watcher{keys: keys, changed: changed}
	m.mu.Lock()
	m.watchers = append(m.watchers, w)
	m.mu.Unlock()
	for _, key := range keys {
		changed(key)
	}
	<-ctx.Done()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers = slices.DeleteFunc(m.watchers, func(other *watcher) bool { return other == w })
	return nil
}

// Clear forgets everything, as a Redis without persistence does when it restarts.
func (m *Memory) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.credentials)
	clear(m.generations)
}
