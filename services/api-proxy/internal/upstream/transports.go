package upstream

import (
	"net/http"
	"sync"
	"time"
)

// transportLife is how long connections are reused, so that a host whose name got another address is
// followed. A busy connection would otherwise live as long as the process.
const transportLife = 5 * time.Minute

// transports hands out one transport at a time, which is replaced when it has become old.
type transports struct {
	create func() *http.Transport

	mu      sync.Mutex
	current *http.Transport
	born    time.Time
}

// at returns the transport for a call that begins at the time now. The caller gives it back with release.
func (t *transports) at(now time.Time) *http.Transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil || now.Sub(t.born) >= transportLife {
		if t.current != nil {
			t.current.CloseIdleConnections()
		}
		t.current, t.born = t.create(), now
	}
	return t.current
}

// release ends the use of a transport by a call. The connection of one that was replaced meanwhile is not
// kept.
func (t *transports) release(used *http.Transport) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if used != t.current {
		used.CloseIdleConnections()
	}
}

// close closes idle connections, and busy ones when their call has ended.
func (t *transports) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil {
		t.current.CloseIdleConnections()
		t.current = nil
	}
}
