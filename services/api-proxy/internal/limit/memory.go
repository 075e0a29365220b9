package limit

import (
	"context"
	"maps"
	"sync"
	"time"
)

// Memory keeps buckets and ledgers for one process. It never fails: its errors are always nil. What it holds
// is bounded, because accounts, callers and endpoints are.
type Memory struct {
	mu      sync.Mutex
	buckets map[bucketKey]level
	days    map[dayKey]*Entry
	told    map[dayKey]int64 // without date
}

type bucketKey struct{ appID, name string }

type dayKey struct{ appID, date, endpoint string }

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{buckets: map[bucketKey]level{}, days: map[dayKey]*Entry{}, told: map[dayKey]int64{}}
}

// Take is Store's.
func (m *Memory) Take(_ context.Context, a Ask) (Decision, error) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entry(a.AppID, a.Day.Date, a.Day.Endpoint)
	limit := a.Day.Known
	if said, ok := m.told[dayKey{appID: a.AppID, endpoint: a.Day.Endpoint}]; ok {
		limit = said
	}
	d := Decision{By: refusedByDay(a.Day, limit, e.Used, e.ByCaller[a.Day.Caller]), Used: e.Used, UsedByCaller: e.ByCaller[a.Day.Caller], Limit: limit}
	if !d.Allowed() {
		return d, nil
	}
	levels := make([]level, len(a.Buckets))
	for i, b := range a.Buckets {
		levels[i] = m.buckets[bucketKey{a.AppID, b.Name}].filled(now, b.Rate)
		if wait := levels[i].wait(b.Rate, b.Leave); wait > 0 {
			d.By, d.RetryAfter = i, wait
			return d, nil
		}
	}
	for i, b := range a.Buckets {
		m.buckets[bucketKey{a.AppID, b.Name}] = level{levels[i].calls - 1, now}
	}
	e.Used++
	e.ByCaller[a.Day.Caller]++
	d.Used, d.UsedByCaller = e.Used, e.ByCaller[a.Day.Caller]
	return d, nil
}

// entry returns what stands in the ledger of a date, and forgets other days. The caller holds the lock.
func (m *Memory) entry(appID, date, endpoint string) *Entry {
	key := dayKey{appID, date, endpoint}
	if e, ok := m.days[key]; ok {
		return e
	}
	maps.DeleteFunc(m.days, func(k dayKey, _ *Entry) bool { return k.date < date })
	e := &Entry{ByCaller: map[string]int64{}}
	m.days[key] = e
	return e
}

// Read is Store's.
func (m *Memory) Read(_ context.Context, appID, date, endpoint string) (Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := *m.entry(appID, date, endpoint)
	e.ByCaller = maps.Clone(e.ByCaller)
	e.Told = m.told[dayKey{appID: appID, endpoint: endpoint}]
	return e, nil
}

// Tell is Store's.
func (m *Memory) Tell(_ context.Context, appID, date, endpoint string, limit, used int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told[dayKey{appID: appID, endpoint: endpoint}] = limit
	e := m.entry(appID, date, endpoint)
	e.Used = max(e.Used, used)
	return nil
}

// Forget is Store's.
func (m *Memory) Forget(_ context.Context, appID, date string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.days, func(k dayKey, _ *Entry) bool { return k.appID == appID && k.date == date })
	return nil
}
