// Package quota counts what may be done so often in a period: the calls of an account by path and day (接口调用频次限制). It is
// told the time.
package quota

import (
	"iter"
	"maps"
	"math"
	"time"
)

// China is the zone whose midnight resets WeChat's daily quotas.
var China = time.FixedZone("CST", 8*60*60)

// DayOf names the day to which a quota at that time belongs.
func DayOf(at time.Time) string { return at.In(China).Format(time.DateOnly) }

// MonthOf names the month to which a quota at that time belongs.
func MonthOf(at time.Time) string { return at.In(China).Format("2006-01") }

// MinuteOf names the minute to which a quota at that time belongs.
func MinuteOf(at time.Time) string { return at.Format("2006-01-02T15:04") }

// Counter counts uses within a period that has a name, such as a day.
type Counter struct {
	period string
	used   int
}

// Take uses one of limit in the period and reports whether there was one.
func (q *Counter) Take(period string, limit int) bool {
	if q.period != period {
		*q = Counter{period: period}
	}
	if q.used >= limit {
		return false
	}
	q.used++

	return true
}

// UsedIn returns how often the quota was used in a period.
func (q *Counter) UsedIn(period string) int {
	if q.period != period {
		return 0
	}

	return q.used
}

// The paths whose calls are counted although they carry no token.
const (
	PathClassic = "/cgi-bin/token"
	PathStable  = "/cgi-bin/stable_token"
)

// How many tokens an account may fetch a day.
const (
	classicPerDay = 2000
	stablePerDay  = 500_000
)

// dailyLimits are those of a newly registered account (接口调用频次限制), for the
// endpoints that the simulator has and whose limits are known. What was said of
// groups holds for tags.
func dailyLimits() map[string]int {
	return map[string]int{
		PathClassic:                            classicPerDay,
		PathStable:                             stablePerDay,
		"/cgi-bin/message/custom/send":         500_000,
		"/cgi-bin/message/template/send":       100_000,
		"/cgi-bin/message/mass/sendall":        100,
		"/cgi-bin/media/upload":                100_000,
		"/cgi-bin/media/get":                   200_000,
		"/cgi-bin/menu/create":                 1_000,
		"/cgi-bin/menu/get":                    10_000,
		"/cgi-bin/menu/delete":                 1_000,
		"/cgi-bin/menu/addconditional":         2_000,
		"/cgi-bin/menu/delconditional":         2_000,
		"/cgi-bin/menu/trymatch":               20_000,
		"/cgi-bin/qrcode/create":               100_000,
		"/cgi-bin/user/get":                    500,
		"/cgi-bin/user/info":                   5_000_000,
		"/cgi-bin/user/info/updateremark":      10_000,
		"/cgi-bin/tags/create":                 1_000,
		"/cgi-bin/tags/get":                    1_000,
		"/cgi-bin/tags/update":                 1_000,
		"/cgi-bin/tags/members/batchtagging":   100_000,
		"/cgi-bin/tags/members/batchuntagging": 100_000,
	}
}

// testLimits are those of a test account (接口测试号), where they are known and differ.
func testLimits() map[string]int {
	return map[string]int{
		PathClassic:                            200,
		"/cgi-bin/message/custom/send":         50_000,
		"/cgi-bin/media/upload":                500,
		"/cgi-bin/media/get":                   1_000,
		"/cgi-bin/menu/create":                 100,
		"/cgi-bin/menu/get":                    1_000,
		"/cgi-bin/menu/delete":                 100,
		"/cgi-bin/qrcode/create":               10_000,
		"/cgi-bin/user/get":                    100,
		"/cgi-bin/user/info":                   500_000,
		"/cgi-bin/tags/create":                 100,
		"/cgi-bin/tags/get":                    100,
		"/cgi-bin/tags/update":                 100,
		"/cgi-bin/tags/members/batchtagging":   1_000,
		"/cgi-bin/tags/members/batchuntagging": 1_000,
	}
}

// Calls counts the calls of one account by path and day.
type Calls struct {
	used   map[string]*Counter
	limits map[string]int
}

// NewCalls returns the book of an account that has called nothing yet; those of test accounts have lower limits.
func NewCalls(test bool) *Calls {
	book := &Calls{used: make(map[string]*Counter)}
	book.LimitAs(test)

	return book
}

// LimitAs sets the limits of a newly registered account, or of a test account (接口测试号).
func (b *Calls) LimitAs(test bool) {
	b.limits = dailyLimits()
	if test {
		maps.Copy(b.limits, testLimits())
	}
}

// Paths returns those whose limits are known, in no order.
func (b *Calls) Paths() iter.Seq[string] { return maps.Keys(b.limits) }

// Take counts a call and reports whether the account may still make it. Calls whose
// limit isn't known are counted and never refused.
func (b *Calls) Take(path string, now time.Time) bool {
	limit, limited := b.limits[path]
	if !limited {
		limit = math.MaxInt
	}
	if b.used[path] == nil {
		b.used[path] = new(Counter)
	}

	return b.used[path].Take(DayOf(now), limit)
}

// Report returns the limit of a path and how much of it is used; false if no limit
// is known.
func (b *Calls) Report(path string, now time.Time) (limit, used int, known bool) {
	limit, known = b.limits[path]
	if counted := b.used[path]; counted != nil {
		used = counted.UsedIn(DayOf(now))
	}

	return limit, used, known
}

// SetLimit sets how many calls of a path may be made a day.
func (b *Calls) SetLimit(path string, limit int) { b.limits[path] = limit }

// Forget forgets the calls of a path; its limit stays.
func (b *Calls) Forget(path string) { delete(b.used, path) }

// Clear forgets all calls; the limits stay.
func (b *Calls) Clear() { clear(b.used) }
