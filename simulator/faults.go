package simulator

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// Drop says at which point a fault closes the connection.
type Drop string

// The points of a drop.
const (
	DropNone   Drop = ""
	DropBefore Drop = "before" // The request is lost: nothing happens.
	DropAfter  Drop = "after"  // The response is lost: the call took effect.
)

// Fault is something that goes wrong with API calls.
type Fault struct {
	Path        string        // Path of the API, such as /cgi-bin/token; * means all.
	Latency     time.Duration // Latency before anything else happens.
	ErrCode     int           // ErrCode that is answered instead of processing the call.
	ErrMsg      string        // ErrMsg of that answer; empty means WeChat's own words.
	HTTPStatus  int           // HTTPStatus that is answered instead, with an empty body; 0 means 200.
	Drop        Drop          // Drop of the connection.
	ContentType string        // ContentType that the answer has instead of its own.
	Partial     bool          // Partial answers break off in the middle: half of the promised length, then the end.
	Busy        bool          // Busy is short for ErrCode -1.
	Count       int           // Count of calls that it hits; 0 means all until Reset.
	Probability float64       // Probability from 0 to 1 that it hits a call; 0 means always.
}

// faultTable holds the faults in the order in which they were set. The first that
// hits a call wins.
type faultTable struct {
	faults []Fault
}

// take returns the fault of a call, given a random number from 0 to 1.
func (t *faultTable) take(path string, chance float64) (Fault, bool) {
	for position := range t.faults {
		fault := &t.faults[position]
		if (fault.Path != "*" && fault.Path != path) || (fault.Probability > 0 && chance >= fault.Probability) {
			continue
		}
		hit := *fault
		if fault.Count > 0 {
			if fault.Count--; fault.Count == 0 {
				t.faults = slices.Delete(t.faults, position, position+1)
			}
		}

		return hit, true
	}

	return Fault{}, false
}

// SetFault adds a fault. Faults last for their count or until Reset or ClearFaults.
func (p *Platform) SetFault(fault Fault) error {
	if err := fault.validate(); err != nil {
		return err
	}
	if fault.Busy {
		fault.ErrCode = int(errcode.Busy)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.faults.faults = append(p.state.faults.faults, fault)
	p.state.hub.publish(topicState)

	return nil
}

// ClearFaults removes all faults and nothing else.
func (p *Platform) ClearFaults() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.faults = faultTable{}
	p.state.hub.publish(topicState)
}

func (f Fault) validate() error {
	switch {
	case f.Path != "*" && !strings.HasPrefix(f.Path, "/"):
		return fmt.Errorf("%w: path is %q, must be * or begin with /", ErrInvalid, f.Path)
	case f.Latency < 0 || f.Count < 0:
		return fmt.Errorf("%w: latency and count must not be negative", ErrInvalid)
	case f.Probability < 0 || f.Probability > 1:
		return fmt.Errorf("%w: probability is %g, must be 0 to 1", ErrInvalid, f.Probability)
	default:
		return f.validateAnswer()
	}
}

func (f Fault) validateAnswer() error {
	const highestStatus = 599
	switch {
	case !slices.Contains([]Drop{DropNone, DropBefore, DropAfter}, f.Drop):
		return fmt.Errorf("%w: drop is %q, must be before or after", ErrInvalid, f.Drop)
	case f.HTTPStatus != 0 && (f.HTTPStatus < http.StatusOK || f.HTTPStatus > highestStatus):
		return fmt.Errorf("%w: http_status is %d, must be 200 to %d", ErrInvalid, f.HTTPStatus, highestStatus)
	default:
		return nil
	}
}

// fault returns the fault that hits a call now.
func (p *Platform) fault(path string) (Fault, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hit, found := p.state.faults.take(path, rand.Float64()) //nolint:gosec // A test's chance, not a secret.
	if found && hit.Count > 0 {
		p.state.hub.publish(topicState) // One less is left.
	}

	return hit, found
}
