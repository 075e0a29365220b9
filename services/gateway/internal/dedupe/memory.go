package dedupe

import (
	"context"
	"sync"
	"time"
)

// maxRecords bounds a Memory. It covers the 15 s that WeChat repeats a message for, at more than 4,000
// messages a second.
const maxRecords = 1 << 16

// Memory keeps records for one process. It never fails: its errors are always nil.
type Memory struct {
	mu      sync.Mutex
	records map[Key]*record
	// queue holds the keys of records in the order of their making, which is that of their ends.
	queue []Key
}

type record struct {
	first     time.Time
	owner     string
	leaseEnds time.Time
	answer    []byte
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{records: map[Key]*record{}} }

// Answer returns the answer of a message, if it has one.
func (m *Memory) Answer(key Key) (Claim, bool) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
	r, ok := m.records[key]
	if !ok || r.answer == nil {
		return Claim{}, false
	}
	return Claim{State: Answered, Age: now.Sub(r.first), Answer: r.answer}, true
}

// elsewhere owns what another replica works on.
const elsewhere = "another replica"

// see notes that another replica works on a message, which has been known for age: if its lease cannot be
// looked at any more, it still holds for as long as a lease does.
func (m *Memory) see(key Key, age time.Duration) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.record(key, now)
	r.first, r.owner, r.leaseEnds = now.Add(-age), elsewhere, now.Add(Lease)
}

// Claim is Store's.
func (m *Memory) Claim(_ context.Context, key Key, owner string) (Claim, error) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.record(key, now)
	claim := Claim{State: Pending, Age: now.Sub(r.first)}
	switch {
	case r.answer != nil:
		claim.State, claim.Answer = Answered, r.answer
	case r.owner == "" || r.owner == owner || !now.Before(r.leaseEnds):
		claim.State, r.owner, r.leaseEnds = Won, owner, now.Add(Lease)
	}
	return claim, nil
}

// Finish is Store's.
func (m *Memory) Finish(_ context.Context, key Key, owner string, answer []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.record(key, time.Now())
	if r.answer == nil {
		r.answer = answer
	}
	r.release(owner)
	return r.answer, nil
}

// Keep is Store's.
func (m *Memory) Keep(key Key, owner string, answer []byte, done func(error)) {
	_, err := m.Finish(context.Background(), key, owner, answer)
	done(err)
}

// Release is Store's.
func (m *Memory) Release(_ context.Context, key Key, owner string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.records[key]; ok {
		r.release(owner)
	}
	return nil
}

func (r *record) release(owner string) {
	if r.owner == owner {
		r.owner = ""
	}
}

// record returns the record of key, a new one if need be. The caller holds the lock.
func (m *Memory) record(key Key, now time.Time) *record {
	m.forget(now)
	r, ok := m.records[key]
	if !ok {
		r = &record{first: now}
		m.records[key] = r
		m.queue = append(m.queue, key)
	}
	return r
}

// forget drops the records whose life is over, and the oldest ones when there are too many. The caller
// holds the lock.
func (m *Memory) forget(now time.Time) {
	for len(m.queue) > 0 {
		oldest := m.queue[0]
		if len(m.queue) < maxRecords && now.Sub(m.records[oldest].first) < Life {
			return
		}
		delete(m.records, oldest)
		m.queue = m.queue[1:]
	}
}
