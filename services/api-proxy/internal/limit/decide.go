package limit

import (
	"math"
	"time"
)

// level is how full a bucket was at a time.
type level struct {
	calls float64
	at    time.Time
}

// The script take.lua decides in the same way; one suite judges both.

// filled returns the level at the time now; the zero level is that of a full bucket.
func (l level) filled(now time.Time, r Rate) level {
	if l.at.IsZero() {
		return level{float64(r.Burst), now}
	}
	gained := max(0, now.Sub(l.at).Seconds()) * float64(r.Calls) / r.Per.Seconds()
	return level{min(float64(r.Burst), l.calls+gained), now}
}

// wait returns how long it takes until the bucket has a call to give, and still leaves what has to be left.
func (l level) wait(r Rate, leave int) time.Duration {
	missing := float64(leave) + 1 - l.calls
	if missing <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(missing * r.Per.Seconds() / float64(r.Calls) * float64(time.Second)))
}

// refusedByDay returns what of the day refuses a call, or Nothing.
func refusedByDay(d Day, limit, used, byCaller int64) int {
	own := d.Max
	if share := limit * int64(d.Share) / 1000; d.Share > 0 && limit > 0 && (own == 0 || share < own) {
		own = share
	}
	switch {
	case (own > 0 || d.Share > 0 && limit > 0) && byCaller >= own:
		return CallersDay
	case d.Leave > 0 && limit > 0 && used >= limit-limit*int64(d.Leave)/1000:
		return OthersDay
	}
	return Nothing
}
