package refresh_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/wxstack/wxstack/services/token-center/internal/kind"
)

// schedule is one history: everything that happens from outside, in the order of time. It follows from
// its seed alone. What the goroutines of one virtual instant do first is not part of it, so a replay runs
// it several times.
type schedule struct {
	seed     uint64
	spec     kind.Spec
	life     time.Duration
	replicas int
	steps    []step
}

// step is one thing that happens, some time after the one before it.
type step struct {
	after time.Duration
	op    string
	who   int // which replica, where that matters.
	n     int
	d     time.Duration
}

func (s step) String() string {
	return fmt.Sprintf("+%-8v %-14s replica %d, n %d, d %v", s.after, s.op, s.who, s.n, s.d)
}

func (s schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %s interface, tokens live %v, %d replicas\n", s.seed, s.spec.Source, s.life, s.replicas)
	for _, each := range s.steps {
		fmt.Fprintf(&b, "  %v\n", each)
	}
	return b.String()
}

// The things that happen. One that stands twice happens twice as often.
const (
	opCallers    = "callers"        // n callers want the token at once.
	opFalse      = "false reports"  // n callers report the newest token, which is fine.
	opByValue    = "by value"       // the same by value.
	opStorm      = "storm"          // one caller reports whatever it gets, n times in a row.
	opLate       = "late reports"   // n reports of tokens that were replaced long ago, or never were.
	opForeign    = "foreign"        // somebody else refreshes.
	opJump       = "clock jump"     // the platform's clock goes forward by d.
	opBusy       = "busy"           // the next n requests get -1.
	opRefused    = "refused"        // the next n requests get a code that no refresh cures.
	opNotSent    = "not sent"       // the next n requests find no connection.
	opLostAsk    = "lost request"   // the next n requests are lost on the way.
	opLostAnswer = "lost answer"    // the next n requests are carried out, and the answers are lost.
	opSlow       = "slow"           // the next n requests take d to be answered.
	opTardy      = "tardy request"  // the next n requests take d to arrive.
	opFrozen     = "frozen"         // the next requester is frozen for d in mid-request: its lease lapses, its answer comes.
	opNoRedis    = "no redis"       // Redis is away for d.
	opSlowRedis  = "slow redis"     // Redis takes up to a second for each command, for d.
	opWipe       = "redis wiped"    // Redis comes back empty.
	opRollback   = "redis rollback" // a failover loses the last write.
	opMute       = "mute"           // notifications are lost for d.
	opBreak      = "lease lost"     // whoever holds the lease loses it, now and in mid-request.
	opKill       = "kill"           // a replica dies at once and comes back after d.
	opCrash      = "crash"          // a replica dies at its next step number n and comes back after d.
	opEdit       = "accounts edit"  // a replica's refresher is replaced by another one, while it runs.
	opStop       = "stop"           // a replica stops in order and comes back after d.
)

var ops = []string{
	opCallers, opCallers, opFalse, opFalse, opByValue, opStorm, opLate, opForeign, opForeign, opJump, opBusy, opRefused, opNotSent,
	opLostAsk, opLostAnswer, opLostAnswer, opSlow, opTardy, opFrozen, opFrozen, opNoRedis, opSlowRedis, opWipe, opRollback,
	opMute, opBreak, opBreak, opKill, opCrash, opCrash, opCrash, opStop, opEdit,
}

// newSchedule draws a schedule.
func newSchedule(seed uint64) schedule {
	random := rand.New(rand.NewPCG(seed, 1))
	s := schedule{
		seed: seed, spec: kind.Stable(), replicas: 1 + random.IntN(3),
		// Short lives bring many renewals into little virtual time; all are longer than twice the overlap.
		life: []time.Duration{620 * time.Second, 700 * time.Second, 900 * time.Second}[random.IntN(3)],
	}
	if random.IntN(2) == 0 {
		s.spec = kind.Classic()
	}
	for range 3 + random.IntN(12) {
		s.steps = append(s.steps, step{
			after: pause(random), op: ops[random.IntN(len(ops))], who: random.IntN(s.replicas),
			n: 1 + random.IntN(6), d: time.Duration(1+random.IntN(14_000)) * time.Millisecond,
		})
	}
	return s
}

// pause draws the time between two steps: nothing, a moment, or long enough for renewals.
func pause(random *rand.Rand) time.Duration {
	switch random.IntN(4) {
	case 0:
		return 0
	case 1:
		return time.Duration(random.IntN(3000)) * time.Millisecond
	case 2:
		return time.Duration(random.IntN(40)) * time.Second
	default:
		return time.Duration(random.IntN(400)) * time.Second
	}
}

// without returns the schedule with a range of steps left out, whose time passes all the same.
func (s schedule) without(from, to int) schedule {
	var lost time.Duration
	for _, each := range s.steps[from:to] {
		lost += each.after
	}
	s.steps = slices.Delete(slices.Clone(s.steps), from, to)
	if from < len(s.steps) {
		s.steps[from].after += lost
	}
	return s
}

// shrink leaves out steps as long as the schedule goes on failing.
func shrink(s schedule, fails func(schedule) bool) schedule {
	for size := len(s.steps) / 2; size > 0; size /= 2 {
		for from := 0; from+size <= len(s.steps); {
			if smaller := s.without(from, from+size); fails(smaller) {
				s = smaller
				continue
			}
			from += size
		}
	}
	return s
}
