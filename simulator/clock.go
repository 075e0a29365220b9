package simulator

import (
	"fmt"
	"time"
)

// clock is real time plus an offset that a test moves forward. It rules the
// platform's books: token lifetimes, quotas, reply windows and the shelf life of
// media. What is written on the wire (timestamp, CreateTime) stays real, because
// the account's server has no lever and refuses requests from the future.
type clock struct {
	offset time.Duration
}

func (c clock) now() time.Time { return time.Now().Add(c.offset) }

// AdvanceClock moves the platform's books forward: tokens age, windows close and
// quotas reset as if that much time had passed. A clock never goes back; that is
// what Reset is for.
func (p *Platform) AdvanceClock(by time.Duration) error {
	if by < 0 {
		return fmt.Errorf("%w: the clock can't go back by %s, use reset", ErrInvalid, -by)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.clock.offset += by
	p.state.hub.publish(topicState)

	return nil
}

// Now returns the time of the platform's books.
func (p *Platform) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.state.clock.now()
}
