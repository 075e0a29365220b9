package simulator

import (
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/quota"
)

// The limits of mass messages (群发).
const (
	massPerDaySubscription = 1  // Successful calls a day of a subscription account (订阅号).
	massPerMonth           = 4  // Messages a month that a follower of a service account (服务号) gets.
	massPerMinute          = 60 // Calls a minute (community knowledge).
	minMassUsers           = 2  // OpenIDs in one call.
	maxMassUsers           = 10_000
	maxMassSpeed           = 4
	maxClientID            = 64          // Bytes of a clientmsgid.
	massRetryAfter         = time.Minute // Before that the same clientmsgid is refused without being looked up.
)

// massJob is one mass message.
type massJob struct {
	id       int64
	clientID string
	status   string
	sent     time.Time
}

// The states of a mass message, as mass/get names them.
const (
	massSent    = "SEND_SUCCESS"
	massDeleted = "DELETE"
)

// massBook holds an account's mass messages. It is told the time.
type massBook struct {
	jobs   *ring[*massJob]
	speed  int
	day    quota.Counter
	minute quota.Counter
}

func newMassBook() *massBook { return &massBook{jobs: newRing[*massJob](maxMassIDs)} }

// admit returns the refusal of another mass message.
func (b *massBook) admit(account Account, clientID string, now time.Time) errcode.Code {
	former := b.sentAs(clientID)
	switch {
	case len(clientID) > maxClientID:
		return errcode.MassLongID
	case former != nil && now.Sub(former.sent) < massRetryAfter:
		return errcode.MassTooFast
	case former != nil:
		return errcode.MassTwice
	case !b.minute.Take(quota.MinuteOf(now), massPerMinute):
		return errcode.MinuteQuota
	case account.Subscription && !b.day.Take(quota.DayOf(now), massPerDaySubscription):
		return errcode.MassQuota
	default:
		return errcode.OK
	}
}

// sentAs returns the mass message of that clientmsgid, nil if there is none.
func (b *massBook) sentAs(clientID string) *massJob {
	if clientID == "" {
		return nil
	}

	return firstOf(b.jobs.values, func(job *massJob) bool { return job.clientID == clientID })
}

func (b *massBook) find(id string) *massJob {
	return firstOf(b.jobs.values, func(job *massJob) bool { return formatID(job.id) == id })
}

// gets reports whether the follower gets one more mass message of the account this month, and counts it.
func (f *follower) gets(account Account, now time.Time) bool {
	return account.Subscription || f.massSent.Take(quota.MonthOf(now), massPerMonth)
}
