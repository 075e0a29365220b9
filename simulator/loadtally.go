package simulator

import (
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/wxstack/wxstack/simulator/internal/load"
)

// loadTally adds the results of a load up.
type loadTally struct {
	mu        sync.Mutex
	book      *load.Book
	summary   LoadSummary
	latencies *hdrhistogram.Histogram // In microseconds.
	began     time.Time
	ended     bool
	failure   error
}

func newLoadTally() *loadTally {
	const longest, digits = int64(time.Hour / time.Microsecond), 3

	return &loadTally{
		book: load.NewBook(), latencies: hdrhistogram.New(1, longest, digits),
		summary: LoadSummary{Attempts: make(map[string]int), Failures: []PushResult{}, ByType: make(map[string]TypeTally), Findings: []LoadFinding{}},
	}
}

func (t *loadTally) start(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.began = now
}

// observe looks at what followers see outside of deliveries. It is called with the platform's lock held.
func (t *loadTally) observe(openID string, line ChatEntry) {
	if line.Channel != ChannelCustom {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.book.Late(openID, load.Answer{Text: line.Text, MediaID: line.MediaID})
}

func (t *loadTally) sent(kind string, message load.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.summary.Sent++
	t.count(kind, func(tally *TypeTally) { tally.Sent++ })
	t.book.Sent(message)
}

func (t *loadTally) count(kind string, change func(*TypeTally)) {
	tally := t.summary.ByType[kind]
	change(&tally)
	t.summary.ByType[kind] = tally
}

func (t *loadTally) startedLate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.summary.LateStarts++
}

// notSent counts messages that were due and never sent.
func (t *loadTally) notSent(count int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.summary.NotSent = max(count, 0)
}

// add counts what became of a message, which took so many milliseconds.
func (t *loadTally) add(number int, kind string, result PushResult, took float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := result.Deliveries[len(result.Deliveries)-1]
	t.summary.Attempts[strconv.Itoa(len(result.Deliveries))]++
	if result.Noticed() {
		t.summary.Notices++
	}
	if result.Outcome == OutcomeFailed {
		t.summary.Failed++
		t.count(kind, func(tally *TypeTally) { tally.Failed++ })
		t.book.Failed(number, last.reason().Phrase)
		if len(t.summary.Failures) < maxReportedFailures {
			t.summary.Failures = append(t.summary.Failures, result)
		}

		return
	}
	t.summary.Answered++
	t.count(kind, func(tally *TypeTally) { tally.Answered++ })
	if result.Outcome == OutcomeShown {
		t.summary.Shown++
	}
	t.book.Replied(number, answerOf(last))
	_ = t.latencies.RecordValue(max(int64(took*float64(time.Millisecond/time.Microsecond)), 1)) // Longer than an hour it can't be.
}

// repeat compares the answers to a delivery and to its repetition.
func (t *loadTally) repeat(number int, first, again DeliveryResult) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.summary.Repeated++
	t.book.Repeated(number, answerOf(first), answerOf(again), again.Verdict.Valid())
}

// answerOf is what a delivery's answer shows; nil if nothing.
func answerOf(delivery DeliveryResult) *load.Answer {
	if delivery.line == nil {
		return nil
	}
	answer := load.Answer{Text: delivery.line.Text, MediaID: delivery.line.MediaID}
	for _, article := range delivery.line.Articles {
		answer.Text += article.Title + article.Description + article.URL
	}

	return &answer
}

func (t *loadTally) abort(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failure == nil {
		t.failure = err
	}
}

// conclude judges what is open and sums up. In a load that was stopped, nothing that is open is anybody's fault.
func (t *loadTally) conclude(took time.Duration, stopped bool) (LoadSummary, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !stopped {
		t.book.Finish()
	}
	t.ended = true
	t.summary.DurationMS = milliseconds(took)

	return t.sum(), t.failure
}

// progress sums up while the load goes on.
func (t *loadTally) progress(now time.Time) LoadSummary {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.summary.DurationMS = milliseconds(now.Sub(t.began))
	}

	return t.sum()
}

// sum brings the figures up to date. The caller holds the lock.
func (t *loadTally) sum() LoadSummary {
	summary := t.summary
	at := func(percent float64) float64 {
		return float64(t.latencies.ValueAtQuantile(percent)) / float64(time.Millisecond/time.Microsecond)
	}
	summary.Latency = Latency{P50: at(50), P95: at(95), P99: at(99), Max: float64(t.latencies.Max()) / float64(time.Millisecond/time.Microsecond)} //nolint:mnd // Percent.
	if summary.DurationMS > 0 {
		summary.PerSecond = float64(summary.Sent) * float64(time.Second/time.Millisecond) / summary.DurationMS
	}
	summary.Late = t.book.LateAnswers()
	summary.Lost, summary.Duplicates = t.book.Count(load.Lost), t.book.Count(load.Duplicate)
	summary.Wrong, summary.Inconsistent = t.book.Count(load.Wrong), t.book.Count(load.Inconsistent)
	summary.Findings = t.book.Findings()
	summary.Attempts, summary.ByType = maps.Clone(summary.Attempts), maps.Clone(summary.ByType)
	summary.Failures = append([]PushResult{}, summary.Failures...)

	return summary
}
