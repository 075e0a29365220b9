package callback

import (
	"sync/atomic"
	"time"
)

// warningInterval is how often refused requests are worth a warning.
const warningInterval = time.Minute

// throttle lets one event per warningInterval through. The zero value lets the first one through.
type throttle struct{ last atomic.Int64 }

// allow reports whether an event at now may pass.
func (t *throttle) allow(now time.Time) bool {
	last := t.last.Load()
	if last != 0 && now.Sub(time.Unix(0, last)) < warningInterval {
		return false
	}
	return t.last.CompareAndSwap(last, now.UnixNano())
}
