package main

import "sync"

// ledger remembers what followers spent, in memory. In earnest it would be a table with a unique index on owner and
// key, which several replicas share.
type ledger struct {
	mu      sync.Mutex
	entries map[owner][]entry
}

// owner is a follower of an account: an OpenID means something to its account only.
type owner struct{ appID, openID string }

// entry is one line of the account book.
type entry struct {
	key   string
	item  string
	yuan  int
	total int // of the owner, this entry included
}

func newLedger() *ledger { return &ledger{entries: map[owner][]entry{}} }

// record writes an entry down and returns it with its total. An entry whose key is there already is the same message
// asked about again, and what was written then is returned.
func (l *ledger) record(of owner, key string, e entry) entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, isNew := l.next(of, key, e)
	if isNew {
		l.entries[of] = append(l.entries[of], e)
	}
	return e
}

// preview returns what record would, and writes nothing.
func (l *ledger) preview(of owner, key string, e entry) entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, _ = l.next(of, key, e)
	return e
}

func (l *ledger) next(of owner, key string, e entry) (_ entry, isNew bool) {
	e.key, e.total = key, e.yuan
	for _, earlier := range l.entries[of] {
		if earlier.key == key {
			return earlier, false
		}
		e.total += earlier.yuan
	}
	return e, true
}

// total returns how many entries the owner has, and their sum.
func (l *ledger) total(of owner) (count, yuan int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries[of] {
		yuan += e.yuan
	}
	return len(l.entries[of]), yuan
}
