package callback

import (
	"time"

	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
)

// WeChat's patience. Source: 微信公众平台 “接收普通消息”: it waits 5 s, drops the connection and delivers
// the message again, at once; three deliveries in practice.
const (
	// deliveryTimeout is when WeChat drops a delivery.
	deliveryTimeout = 5 * time.Second

	// holdCap is when a delivery is answered "success" although WeChat seems to wait still: whoever waits
	// that long isn't bound by WeChat's rule, so a proxy in between might wait for ever.
	holdCap = 6 * time.Second

	// replyBudget is the time from the first delivery in which an answer can still reach the follower: the
	// span of three deliveries, less what the way back takes.
	replyBudget = 14500 * time.Millisecond
)

const (
	// renewPause is how often the lease of a claim is renewed: it survives two renewals that fail.
	renewPause = dedupe.Lease * 3 / 10

	// closing is for how long a delivery that waits for another replica looks on after the budget: that one
	// closes the message, unless it is dead.
	closing = 200 * time.Millisecond

	// firstPoll and maxPoll are the pauses between two looks at another replica's claim.
	firstPoll = 50 * time.Millisecond
	maxPoll   = 200 * time.Millisecond
)

const (
	// allDeliveries is longer than WeChat ever delivers one message for.
	allDeliveries = 20 * time.Second
	// leastBudget is what a message has at least whose age is a guess.
	leastBudget = time.Second
)

// ageOf returns the time since the first delivery of a message that WeChat dates created, Unix seconds.
//
// A replica that cannot ask the others knows only the deliveries that it has seen itself, and no replica has seen
// one that waited at the edge because the replica before had died. Then WeChat's date decides, which is up to a
// second too early: rather close the last delivery too early than let WeChat drop it. Where nothing brings late
// answers, an early end costs the answer, so that only a replica that is alone goes by the date. A date that
// cannot be true, since clocks differ or the push is a test, is not believed.
func ageOf(claim dedupe.Claim, created int64, now time.Time, bringsLate bool) time.Duration {
	since := now.Sub(time.Unix(created, 0))
	waited := bringsLate && since-time.Second > claim.Age
	if (!claim.Alone && !waited) || since <= claim.Age || since > allDeliveries {
		return claim.Age
	}
	return min(since, replyBudget-leastBudget)
}

// budgetEnd returns when the last delivery of a message has to be closed, if the message is known for age
// already at now.
func budgetEnd(now time.Time, age time.Duration) time.Time {
	return now.Add(replyBudget - max(0, age))
}

// action is what a flight does next.
type action int

const (
	// wait leaves things as they are and looks at the claim again after a pause.
	wait action = iota + 1
	// compute asks logic, because the claim is ours.
	compute
	// land ends the flight with the answer that the claim brought.
	land
	// handOver ends the flight without an answer, because the budget is over.
	handOver
)

// course is the state of a flight: whether it computes, and how often it has looked at the claim of
// another one.
type course struct {
	computing bool
	polls     int
}

// next decides what a flight does after a look at the claim, and how long it then pauses.
//
// A flight that computes and finds the claim in other hands, because it stalled longer than the lease,
// goes on: the first answer counts, whoever gives it.
func (c course) next(claim dedupe.Claim, now, ends time.Time) (course, action, time.Duration) {
	left := ends.Sub(now)
	switch {
	case claim.State == dedupe.Answered:
		return c, land, 0
	case c.computing && left <= 0, claim.State == dedupe.Won && left <= 0:
		return c, handOver, 0
	case left <= -closing:
		return c, handOver, 0
	case c.computing:
		return c, wait, min(renewPause, left)
	case claim.State == dedupe.Won:
		return course{computing: true}, compute, min(renewPause, left)
	default:
		c.polls++
		return c, wait, min(pollPause(c.polls), left+closing)
	}
}

// pollPause returns the pause after the given number of looks, from firstPoll doubling up to maxPoll.
func pollPause(polls int) time.Duration {
	pause := firstPoll
	for range polls - 1 {
		if pause *= 2; pause >= maxPoll {
			return maxPoll
		}
	}
	return pause
}

// withinWindow reports whether timestamp, Unix seconds in decimal, is at most window away from now, before
// or after it.
func withinWindow(timestamp int64, now time.Time, window time.Duration) bool {
	return now.Sub(time.Unix(timestamp, 0)).Abs() <= window
}
