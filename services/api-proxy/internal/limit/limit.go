// Package limit decides whether a call may be made now: it keeps token buckets and a ledger of the calls of
// the day, for all replicas together in Redis, or for one process in its memory.
//
// A call that is allowed has taken one from every bucket that it counts towards and stands in the ledger; one
// that is refused has taken nothing.
package limit

import (
	"context"
	"fmt"
	"time"
)

// Rate is a number of calls in a time, and how many of them may come at once.
type Rate struct {
	Calls int
	Per   time.Duration
	// Burst is at least 1.
	Burst int
}

// String writes the rate as the callers file does.
func (r Rate) String() string {
	unit := map[time.Duration]string{time.Second: "s", time.Minute: "m", time.Hour: "h"}[r.Per]
	return fmt.Sprintf("%d/%s", r.Calls, unit)
}

// Bucket is a token bucket that a call counts towards.
type Bucket struct {
	// Name is unique within the account.
	Name string
	Rate Rate
	// Leave is how many calls must be left for others.
	Leave int
}

// Permille is a part of a whole in thousandths; 0 stands for no such limit.
type Permille int

// Day is what a call counts towards until midnight.
type Day struct {
	// Date is the day of WeChat's, such as 20261125; see DateOf.
	Date string
	// Endpoint is a path of the endpoint table, or its word for all others.
	Endpoint string
	Caller   string
	// Known is the endpoint's daily limit as far as the table knows it, or 0. What WeChat told counts more.
	Known int64
	// Max bounds the caller's calls; 0 for no bound. Share does so as a part of the daily limit.
	Max   int64
	Share Permille
	// Leave is the part of the daily limit that must be left for others.
	Leave Permille
}

// Ask is a call that wants to be made.
type Ask struct {
	AppID   string
	Buckets []Bucket
	Day     Day
}

// The values of Decision.By that are no bucket.
const (
	// Nothing refused the call.
	Nothing = -1
	// CallersDay is the caller's own daily allowance.
	CallersDay = -2
	// OthersDay is the part of the daily limit that is kept for others.
	OthersDay = -3
)

// Decision is what became of an Ask.
type Decision struct {
	// By is what refused the call: an index of its buckets or one of the constants.
	By int
	// RetryAfter is when the bucket that refused has room again.
	RetryAfter time.Duration
	// Used and UsedByCaller are the calls of the day so far, this one included if it is allowed.
	Used, UsedByCaller int64
	// Limit is the endpoint's daily limit, or 0 if nobody knows it.
	Limit int64
}

// Allowed reports whether the call may be made.
func (d Decision) Allowed() bool { return d.By == Nothing }

// Entry is what the ledger of a day says of an endpoint.
type Entry struct {
	Used     int64
	ByCaller map[string]int64
	// Told is the daily limit that WeChat told; 0 if it was not asked lately.
	Told int64
}

// Store keeps buckets and ledgers. Its implementations are Redis and Memory.
type Store interface {
	// Take takes what the call needs of everything that it counts towards, or nothing.
	Take(ctx context.Context, a Ask) (Decision, error)
	// Read returns what the ledger of a day says of an endpoint.
	Read(ctx context.Context, appID, date, endpoint string) (Entry, error)
	// Tell notes what WeChat says of an endpoint: its daily limit, and how many calls it counted on that date,
	// which may be more than the ledger knows, because others call as well.
	Tell(ctx context.Context, appID, date, endpoint string, limit, used int64) error
	// Forget empties the ledger of a date, because WeChat's counters were reset (clear_quota).
	Forget(ctx context.Context, appID, date string) error
}

// beijing is the time zone of WeChat's days; China has no summer time.
var beijing = time.FixedZone("Asia/Shanghai", 8*60*60)

// DateOf returns the day of WeChat's that t belongs to. Source: WeChat's counters begin anew at midnight in
// Beijing.
func DateOf(t time.Time) string { return t.In(beijing).Format("20060102") }

// UntilMidnight returns how long the day of WeChat's that t belongs to still lasts.
func UntilMidnight(t time.Time) time.Duration {
	t = t.In(beijing)
	return time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, beijing).Sub(t)
}

// keep is how long a ledger is there: beyond its day, so that yesterday can be looked at.
const keep = 48 * time.Hour

// told is how long a limit that WeChat told counts. It changes with the number of followers.
const told = 7 * 24 * time.Hour
