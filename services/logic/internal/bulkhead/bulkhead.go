// Package bulkhead keeps a handler that waits for others from taking everything down with it: it bounds how
// many messages are in the handler's hands, how many wait for their turn, and how long one may take.
package bulkhead

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"

	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// queuePerSlot is how many messages may wait for each that is worked on. More would only grow old.
const queuePerSlot = 4

// Limits bound one handler.
type Limits struct {
	// Concurrency is how many messages it may work on at once.
	Concurrency int
	// Timeout is how long it may take for one, the waiting for its turn included.
	Timeout time.Duration
}

// Metrics tell how the handlers fare. All bulkheads of a process share them.
type Metrics struct {
	inFlight *prometheus.GaugeVec
	duration *prometheus.HistogramVec
}

// NewMetrics registers them.
func NewMetrics(registry *prometheus.Registry) *Metrics {
	return &Metrics{
		inFlight: telemetry.Register(registry, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "logic_handler_in_flight",
			Help: "Messages that the handler of a rule works on. Only rules whose handler waits for something have it.",
		}, []string{"rule"})),
		duration: telemetry.Register(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "logic_handler_duration_seconds",
			Help:    "How long the handler of a rule took, the waiting for its turn included, whether it succeeded or not.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60, 120},
		}, []string{"rule"})),
	}
}

// Bulkhead is a handler within limits.
type Bulkhead struct {
	next    route.Handler
	rule    string
	limits  Limits
	metrics *Metrics
	// room has a place for everybody who works or waits, slots for those who work.
	room, slots chan struct{}
}

// resuming is a Bulkhead around a handler that goes on with a follower over several messages.
type resuming struct {
	*Bulkhead

	next route.Resumer
}

// New puts next, the handler of a rule, within limits. What it returns is a route.Resumer if next is one.
func New(next route.Handler, rule string, limits Limits, metrics *Metrics) route.Handler {
	b := &Bulkhead{
		next: next, rule: rule, limits: limits, metrics: metrics,
		room:  make(chan struct{}, limits.Concurrency*(1+queuePerSlot)),
		slots: make(chan struct{}, limits.Concurrency),
	}
	if resumer, ok := next.(route.Resumer); ok {
		return &resuming{Bulkhead: b, next: resumer}
	}
	return b
}

// The errors of a Bulkhead, classed as route.ReasonBusy and route.ReasonTimeout.
var (
	ErrFull    = errors.New("too many messages wait for this rule already")
	ErrTimeout = errors.New("the rule took longer than its timeout")
)

// Answer asks the handler when it is its turn.
func (b *Bulkhead) Answer(ctx context.Context, req *logicv1.ReplyRequest) (route.Answer, error) {
	return b.within(ctx, func(ctx context.Context) (route.Answer, error) { return b.next.Answer(ctx, req) })
}

// Resume asks the handler when it is its turn, within the limits that Answer has.
func (r *resuming) Resume(ctx context.Context, req *logicv1.ReplyRequest) (route.Answer, error) {
	return r.within(ctx, func(ctx context.Context) (route.Answer, error) { return r.next.Resume(ctx, req) })
}

func (b *Bulkhead) within(ctx context.Context, work func(context.Context) (route.Answer, error)) (route.Answer, error) {
	select {
	case b.room <- struct{}{}:
		defer func() { <-b.room }()
	default:
		return route.Answer{}, route.Fail(route.ReasonBusy, fmt.Errorf("%w: %d are worked on", ErrFull, b.limits.Concurrency))
	}
	start := time.Now()
	defer func() { b.metrics.duration.WithLabelValues(b.rule).Observe(time.Since(start).Seconds()) }()
	ctx, cancel := context.WithTimeoutCause(ctx, b.limits.Timeout, ErrTimeout)
	defer cancel()
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-ctx.Done():
		return route.Answer{}, b.late(ctx, ctx.Err())
	}
	b.metrics.inFlight.WithLabelValues(b.rule).Inc()
	defer b.metrics.inFlight.WithLabelValues(b.rule).Dec()
	answer, err := work(ctx)
	if err != nil && ctx.Err() != nil {
		err = b.late(ctx, err)
	}
	return answer, err
}

// late tells the timeout of the rule from the end of the question.
func (b *Bulkhead) late(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), ErrTimeout) {
		return route.Fail(route.ReasonTimeout, fmt.Errorf("%w of %v: %w", ErrTimeout, b.limits.Timeout, err))
	}
	return err
}
