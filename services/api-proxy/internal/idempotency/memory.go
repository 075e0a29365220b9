package idempotency

import (
	"container/list"
	"context"
	"sync"
	"time"
)

const (
	// maxMemory bounds a Memory in bytes. It covers an hour of 20 messages a second, whose verdicts are
	// short.
	maxMemory = 32 << 20
	// recordBytes is what a record costs beside its key and its verdict.
	recordBytes = 320
)

// Memory keeps records for one process. It never fails: its errors are always nil.
type Memory struct {
	mu      sync.Mutex
	records map[Key]*list.Element
	queue   *list.List // of *entry, in the order of their beginning, which is that of their ends
	bytes   int
}

type entry struct {
	key       Key
	claim     Claim
	begun     time.Time
	leaseEnds time.Time
	done      bool
	verdict   []byte
}

func (e *entry) bytes() int {
	return recordBytes + len(e.key.AppID) + len(e.key.Value) + len(e.verdict)
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{records: map[Key]*list.Element{}, queue: list.New()} }

// Begin is Store's.
func (m *Memory) Begin(_ context.Context, key Key, claim Claim) (Record, error) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
	e := m.find(key)
	switch {
	case e == nil:
		m.add(&entry{key: key, claim: claim, begun: now, leaseEnds: now.Add(Lease)})
	case e.claim.Request != claim.Request:
		return Record{State: Conflict}, nil
	case e.done:
		return Record{State: Done, Verdict: e.verdict}, nil
	case e.claim.Owner == claim.Owner:
		e.leaseEnds = now.Add(Lease)
	case now.Before(e.leaseEnds):
		return Record{State: Busy}, nil
	default:
		return Record{State: Unknown}, nil
	}
	return Record{State: Fresh}, nil
}

// Finish is Store's.
func (m *Memory) Finish(_ context.Context, key Key, claim Claim, verdict []byte) error {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
	e := m.find(key)
	if e == nil {
		e = &entry{key: key, claim: claim, begun: now}
		m.add(e)
	}
	if e.done || e.claim.Owner != claim.Owner {
		return nil
	}
	e.done, e.verdict = true, verdict
	m.bytes += len(verdict)
	m.forget(now)
	return nil
}

// Clear is Store's.
func (m *Memory) Clear(_ context.Context, key Key, claim Claim) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.find(key); e != nil && !e.done && e.claim.Owner == claim.Owner {
		m.remove(m.records[key])
	}
	return nil
}

// Abandon is Store's.
func (m *Memory) Abandon(_ context.Context, key Key, claim Claim) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.find(key); e != nil && !e.done && e.claim.Owner == claim.Owner {
		e.claim.Owner, e.leaseEnds = "", time.Time{}
	}
	return nil
}

// find returns the record of key, or nil. The caller holds the lock.
func (m *Memory) find(key Key) *entry {
	if element, ok := m.records[key]; ok {
		return entryOf(element)
	}
	return nil
}

func (m *Memory) add(e *entry) {
	m.records[e.key] = m.queue.PushBack(e)
	m.bytes += e.bytes()
}

func (m *Memory) remove(element *list.Element) {
	e := entryOf(element)
	m.queue.Remove(element)
	delete(m.records, e.key)
	m.bytes -= e.bytes()
}

// forget drops the records whose life is over, and the oldest ones when all together are too long. The
// caller holds the lock.
func (m *Memory) forget(now time.Time) {
	for oldest := m.queue.Front(); oldest != nil; oldest = m.queue.Front() {
		if m.bytes <= maxMemory && now.Sub(entryOf(oldest).begun) < Life {
			return
		}
		m.remove(oldest)
	}
}

// entryOf returns what the queue holds: nothing but entries.
func entryOf(element *list.Element) *entry {
	e, _ := element.Value.(*entry)
	return e
}
