package refresh

import (
	"errors"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

// cause is why a token is asked for. It shows in logs.
type cause string

const (
	// active is the renewal ahead of expiry.
	active cause = "active"
	// missing is a caller who needs a token where there is none.
	missing cause = "missing"
	// passive is a caller whose token WeChat rejected.
	passive cause = "passive"
)

// need is what has to be true in the end.
type need struct {
	cause    cause
	rejected credential.Rejected
}

// metBy reports whether c answers the need, so that WeChat need not be asked.
func (n need) metBy(c credential.Credential, now time.Time, window credential.Window) bool {
	switch n.cause {
	case active:
		return !credential.Due(now, c, window)
	case passive:
		return c.Alive(now) && !n.rejected.Names(c)
	case missing:
	}
	return c.Alive(now)
}

// reason says, for the audit, why the token that was there before had to be replaced.
func (n need) reason(before credential.Credential, now time.Time) string {
	switch {
	case n.cause == passive && n.rejected.By != "":
		return "rejected by WeChat, says " + n.rejected.By
	case n.cause == passive:
		return "rejected by WeChat"
	case !before.Exists():
		return "there was none"
	case !before.Alive(now):
		return "it had expired"
	}
	return "it was due for renewal"
}

// The pauses after failed attempts: they double from the first to the last.
const (
	firstPause, lastPause = time.Second, 30 * time.Second
	// Longer where only a person can help: a wrong secret costs quota with every attempt.
	firstBreak, lastBreak = time.Minute, 15 * time.Minute
)

// incurable reports whether err is one that trying again cannot mend.
func incurable(err error) bool {
	switch fault.KindOf(err) {
	case fault.Precondition, fault.QuotaSpent, fault.Invalid:
		return true
	case fault.Internal, fault.Unauthenticated, fault.Forbidden, fault.NotFound, fault.Throttled, fault.Unavailable, fault.Deadline:
	}
	return false
}

// pauseAfter returns how long to leave WeChat alone after the given number of failures in a row, of
// which the last was err. jitter, in [0,1), takes up to a quarter off, so that replicas drift apart.
func pauseAfter(failures int, err error, jitter float64) time.Duration {
	first, last := firstPause, lastPause
	if incurable(err) {
		first, last = firstBreak, lastBreak
	}
	pause := first
	for i := 1; i < failures && pause < last; i++ {
		pause *= 2
	}
	pause = max(min(pause, last), fault.RetryAfter(err))
	return pause - time.Duration(jitter*float64(pause)/4) // a quarter.
}

// waitForOther returns how long to wait before trying again for a lease that another replica holds.
func waitForOther(attempt int, jitter float64) time.Duration {
	const step, most = 50 * time.Millisecond, 500 * time.Millisecond
	wait := min(time.Duration(attempt+1)*step, most)
	return wait/2 + time.Duration(jitter*float64(wait)/2)
}

// nearExpiry is when a failing renewal becomes an emergency: little time is left to mend it.
const nearExpiry = 2 * time.Minute

// emergency returns why callers are, or will soon be, without a token; nil while all is well or can wait.
func emergency(c credential.Credential, problem error, now time.Time, wanted bool) error {
	switch {
	case !wanted:
		return nil
	case problem == nil && (c.Alive(now) || !c.Exists()):
		return nil
	case c.Left(now) > nearExpiry:
		return nil
	case problem != nil:
		return problem
	}
	return errors.New("the token has expired and was not renewed")
}

// foreignMargin is how much life a rejected token must have had left for its death to be a foreigner's
// doing: more than the overlap of the classic interface and than any clock is off.
const foreignMargin = 2 * credential.Overlap

// foreign reports whether the death of rejected, now replaced by replacement, means that somebody else
// fetches tokens with this AppSecret. The stable interface answers the same value again unless somebody
// forced a new one; of the classic one we know that we did not ask.
func foreign(rejected, replacement credential.Credential, forced bool) bool {
	return rejected.Left(replacement.ObtainedAt) > foreignMargin && replacement.Value != rejected.Value && !forced
}
