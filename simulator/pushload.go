package simulator

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	maxPushCount        = 1_000_000
	maxConcurrency      = 2000
	maxReportedFailures = 20
)

// Load is many pushes of one kind. In texts, each Content gets its number
// appended so that messages can be told apart.
type Load struct {
	Push

	Count       int           // Count of messages, each with its own MsgId.
	Concurrency int           // Concurrency is how many followers wait at once; 0 means 1.
	Followers   int           // Followers who send in turn; 0 means one, or for events one each.
	Interval    time.Duration // Interval of thinking between two messages of one sender.
}

// Latency is a distribution in milliseconds, of whole messages that were answered.
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
}

// PushMany sends a load with bounded concurrency and returns when all of it is
// concluded or ctx ends.
func (p *Platform) PushMany(ctx context.Context, load Load) (LoadSummary, error) {
	if load.Count < 1 || load.Count > maxPushCount {
		return LoadSummary{}, fmt.Errorf("%w: count is %d, must be 1 to %d", ErrInvalid, load.Count, maxPushCount)
	}
	if load.Concurrency < 0 || load.Concurrency > maxConcurrency {
		return LoadSummary{}, fmt.Errorf("%w: concurrency is %d, must be 1 to %d", ErrInvalid, load.Concurrency, maxConcurrency)
	}
	if load.Followers < 0 || load.Followers > maxFollowers/2 {
		return LoadSummary{}, fmt.Errorf("%w: followers is %d, must be 1 to %d", ErrInvalid, load.Followers, maxFollowers/2)
	}
	// The same event of one follower within a second is one event to the account
	// (排重: FromUserName + CreateTime), so that distinct ones need distinct senders.
	if load.Followers == 0 && load.Type == TypeEvent {
		load.Followers = min(load.Count, maxFollowers/2)
	}

	return p.runLoad(ctx, load)
}

func (p *Platform) runLoad(ctx context.Context, load Load) (LoadSummary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tally := &loadTally{summary: LoadSummary{Attempts: make(map[string]int), Failures: []PushResult{}}}
	numbers := make(chan int)
	var senders sync.WaitGroup
	started := time.Now()
	for range max(load.Concurrency, 1) {
		senders.Go(func() {
			for number := range numbers {
				if err := p.pushOne(ctx, load, number, tally); err != nil {
					tally.abort(err)
					cancel()
				}
				pause(ctx, load.Interval)
			}
		})
	}
	for number := 0; number < load.Count && ctx.Err() == nil; number++ {
		select {
		case numbers <- number:
		case <-ctx.Done():
		}
	}
	close(numbers)
	senders.Wait()

	return tally.conclude(time.Since(started)), tally.failure
}

func (p *Platform) pushOne(ctx context.Context, load Load, number int, tally *loadTally) error {
	push := load.Push
	push.unlisted = true
	if load.Followers > 0 {
		push.From = loadFollower(number % load.Followers)
	}
	if push.Type == TypeText || push.Type == "" {
		push.Content += " #" + strconv.Itoa(number+1)
	}
	result, err := p.Push(ctx, push)
	if err != nil {
		return err
	}
	tally.add(result)

	return nil
}

// loadFollower names the followers of load runs apart from the default one.
func loadFollower(number int) string { return fmt.Sprintf("oLOAD%023d", number+1) }

func pause(ctx context.Context, interval time.Duration) {
	if interval <= 0 {
		return
	}
	timer := time.NewTimer(interval)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// loadTally adds results up.
type loadTally struct {
	mu        sync.Mutex
	summary   LoadSummary
	latencies []float64
	failure   error
}

func (t *loadTally) add(result PushResult) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.summary.Sent++
	t.summary.Attempts[strconv.Itoa(len(result.Deliveries))]++
	if result.Noticed() {
		t.summary.Notices++
	}
	if result.Outcome == OutcomeFailed {
		t.summary.Failed++
		if len(t.summary.Failures) < maxReportedFailures {
			t.summary.Failures = append(t.summary.Failures, result)
		}

		return
	}
	t.summary.Answered++
	if result.Outcome == OutcomeShown {
		t.summary.Shown++
	}
	t.latencies = append(t.latencies, result.DurationMS)
}

func (t *loadTally) abort(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failure == nil {
		t.failure = err
	}
}

func (t *loadTally) conclude(took time.Duration) LoadSummary {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.latencies)
	t.summary.Latency = Latency{
		P50: percentile(t.latencies, 50), P95: percentile(t.latencies, 95),
		P99: percentile(t.latencies, 99), Max: percentile(t.latencies, 100),
	}
	t.summary.DurationMS = milliseconds(took)
	if took > 0 {
		t.summary.PerSecond = float64(t.summary.Sent) / took.Seconds()
	}

	return t.summary
}

// percentile returns the smallest value that at least that many percent of the
// sorted values don't exceed; 0 when there are none.
func percentile(sorted []float64, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	const whole = 100
	rank := (len(sorted)*percent + whole - 1) / whole

	return sorted[max(rank, 1)-1]
}
