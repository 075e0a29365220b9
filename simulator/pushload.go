package simulator

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/load"
)

const (
	maxPushCount        = 1_000_000
	maxConcurrency      = 2000
	maxRate             = 100_000
	minRate             = 0.001
	maxReportedFailures = 20
	// defaultSettle is how long late answers are waited for where answers are expected.
	defaultSettle = 2 * time.Second
)

// Expectation is what a right answer to a message of a load run is: one of the constants, or "text:" and the text of the
// answer, in which {content}, {marker} and {openid} stand for those of the message.
type Expectation string

// The expectations.
const (
	// ExpectAny is any valid answer, success and an empty one included. It is the default.
	ExpectAny Expectation = load.ExpectAny
	// ExpectReply means that the follower must see something, by the reply or by a customer-service message (客服消息).
	ExpectReply Expectation = load.ExpectReply
	// ExpectEcho means that the follower must see the message's own text, or its file, again.
	ExpectEcho Expectation = load.ExpectEcho
)

// Load is many pushes: of one kind, or of a mix. In texts, each Content gets its number
// appended so that messages can be told apart.
type Load struct {
	Push

	Mix         []Share       // Mix of kinds in place of the one Push, whose Account, Mode, Format and URL hold for all.
	Count       int           // Count of messages, each with its own MsgId; 0 means as many as Duration allows.
	Duration    time.Duration // Duration after which no more are sent; 0 means until Count.
	Concurrency int           // Concurrency is how many followers wait at once; 0 means 1, with a Rate 1000.
	Rate        float64       // Rate is how many are sent a second, whether answered or not; 0 means as answers come.
	Followers   int           // Followers who send in turn; 0 means one, or for events and mixes one each.
	Interval    time.Duration // Interval of thinking between two messages of one sender.

	Expect Expectation // Expect is what a right answer is, unless a Share says.
	// Repeat is the share of answered messages, from 0 to 1, that are delivered once more as if WeChat had lost the answer:
	// the answer must be the same again, and nothing may happen twice.
	Repeat float64
	Settle time.Duration // Settle is how long late answers are waited for after the last message; 0 means 2 s if any are expected.
}

// Share is one kind of messages in a mix.
type Share struct {
	Push   Push
	Weight int         // Weight among the others; 0 means 1.
	Expect Expectation // Expect is what a right answer is; empty means the load's.
}

// Latency is a distribution in milliseconds, of whole messages that were answered. With a Rate it counts from the moment
// at which the message should have been sent, so that a server that stalls can't hide it.
type Latency struct {
	P50 float64 `json:"p50_ms"`
	P95 float64 `json:"p95_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// LoadSummary tells what became of a load.
type LoadSummary struct {
	Sent       int            `json:"sent"`
	Answered   int            `json:"answered"` // Shown or silent.
	Shown      int            `json:"shown"`
	Failed     int            `json:"failed"`
	Notices    int            `json:"notices"`  // Error notices that followers read.
	Attempts   map[string]int `json:"attempts"` // Messages by the number of deliveries they took.
	Latency    Latency        `json:"latency"`
	DurationMS float64        `json:"duration_ms"`
	PerSecond  float64        `json:"per_second"`
	Failures   []PushResult   `json:"failures"` // The first few in full.

	Late         int `json:"late"`         // Answers by customer-service message (客服消息).
	Lost         int `json:"lost"`         // Messages that needed an answer and got none.
	Duplicates   int `json:"duplicates"`   // Messages that were answered more than once.
	Wrong        int `json:"wrong"`        // Answers that aren't right, or that another follower got.
	Repeated     int `json:"repeated"`     // Messages that were delivered once more after their answer.
	Inconsistent int `json:"inconsistent"` // Of those, the ones that were answered otherwise.
	LateStarts   int `json:"late_starts"`  // Messages that couldn't be sent when they were due: too many were under way.
	NotSent      int `json:"not_sent"`     // Messages that were due and couldn't be sent before the end at all.

	ByType   map[string]TypeTally `json:"by_type"`
	Findings []LoadFinding        `json:"findings"` // The first few of each kind.
}

// TypeTally counts the messages of one type, or the events of one name.
type TypeTally struct {
	Sent     int `json:"sent"`
	Answered int `json:"answered"`
	Failed   int `json:"failed"`
}

// LoadFinding is one thing that is wrong with how a server answered a load: a message that was lost, answered twice,
// wrongly, inconsistently, or not at all.
type LoadFinding = load.Finding

// OK reports whether nothing is wrong, and all that was due was sent.
func (s LoadSummary) OK() bool {
	return s.Failed+s.Lost+s.Duplicates+s.Wrong+s.Inconsistent+s.NotSent == 0
}

// PushMany sends a load with bounded concurrency and returns when all of it is
// concluded or ctx ends; in that case the summary is of what was sent.
func (p *Platform) PushMany(ctx context.Context, load Load) (LoadSummary, error) {
	run, err := p.newLoadRun(load)
	if err != nil {
		return LoadSummary{}, err
	}

	return run.run(ctx)
}

// complete checks a load and fills in what the caller left out.
func (l Load) complete() (Load, error) {
	switch {
	case l.Count < 0 || l.Count > maxPushCount || (l.Count == 0 && l.Duration <= 0):
		return l, fmt.Errorf("%w: count is %d, must be 1 to %d, or there must be a duration", ErrInvalid, l.Count, maxPushCount)
	case l.Concurrency < 0 || l.Concurrency > maxConcurrency:
		return l, fmt.Errorf("%w: concurrency is %d, must be 1 to %d", ErrInvalid, l.Concurrency, maxConcurrency)
	case l.Followers < 0 || l.Followers > maxFollowers/2:
		return l, fmt.Errorf("%w: followers is %d, must be 1 to %d", ErrInvalid, l.Followers, maxFollowers/2)
	}
	if err := l.checkPace(); err != nil {
		return l, err
	}
	if l.Count == 0 {
		l.Count = math.MaxInt32 // The duration ends it.
	}
	if l.Concurrency == 0 {
		l.Concurrency = 1
		if l.Rate > 0 {
			l.Concurrency = maxConcurrency / 2 //nolint:mnd // As documented.
		}
	}

	return l.completeMix()
}

// checkPace checks what of a load is about time.
func (l Load) checkPace() error {
	switch {
	case l.Rate < 0 || l.Rate > maxRate || (l.Rate > 0 && l.Rate < minRate):
		return fmt.Errorf("%w: rate is %g, must be %g to %d messages a second", ErrInvalid, l.Rate, minRate, maxRate)
	case l.Repeat < 0 || l.Repeat > 1:
		return fmt.Errorf("%w: repeat is %g, must be a share from 0 to 1", ErrInvalid, l.Repeat)
	case l.Duration < 0 || l.Interval < 0 || l.Settle < 0:
		return fmt.Errorf("%w: duration, interval and settle must not be negative", ErrInvalid)
	default:
		return nil
	}
}

// completeMix makes every load one of a mix.
func (l Load) completeMix() (Load, error) {
	shares := l.Mix
	if len(shares) == 0 {
		shares = []Share{{Push: l.Push}}
	}
	l.Mix = nil
	expects := l.Repeat > 0
	for _, share := range shares {
		if share.Weight < 0 {
			return l, fmt.Errorf("%w: weight is %d, must not be negative", ErrInvalid, share.Weight)
		}
		share.Weight = max(share.Weight, 1)
		if share.Expect == "" {
			share.Expect = l.Expect
		}
		if err := load.CheckExpectation(string(share.Expect)); err != nil {
			return l, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		share.Push = share.Push.within(l.Push)
		expects = expects || (share.Expect != "" && share.Expect != ExpectAny)
		// The same event of one follower within a second is one event to the account
		// (排重: FromUserName + CreateTime), so that distinct ones need distinct senders.
		if l.Followers == 0 && (share.Push.Type == TypeEvent || len(shares) > 1 || expects) {
			l.Followers = min(l.Count, maxFollowers/2)
		}
		l.Mix = append(l.Mix, share)
	}
	if l.Settle == 0 && expects {
		l.Settle = defaultSettle
	}

	return l, nil
}

// within fills in what a kind of a mix has from the load.
func (push Push) within(whole Push) Push {
	push.Account, push.ReuseConnections, push.unlisted = whole.Account, whole.ReuseConnections, true
	if push.Mode == "" {
		push.Mode = whole.Mode
	}
	if push.Format == "" {
		push.Format = whole.Format
	}
	if push.URL == "" {
		push.URL = whole.URL
	}

	return push
}
