package responder

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
)

// The outcomes, values of the label of responder_replies_total.
const (
	replied = "replied"
	silent  = "silent"
	failed  = "failed" // with an error or a panic
)

// Metrics counts a handler's answers in responder_replies_total, by outcome and by the rule that the response names,
// and measures how long they take in responder_reply_duration_seconds. Names of rules must be few.
func Metrics(registry *prometheus.Registry) Middleware {
	m := &metrics{
		replies: telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "responder_replies_total",
			Help: "Answers by the rule that decided and by outcome: replied, silent, failed.",
		}, []string{"rule", "outcome"})),
		duration: telemetry.Register(registry, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "responder_reply_duration_seconds",
			Help:    "How long an answer took, whether it succeeded or not.",
			Buckets: []float64{.001, .005, .025, .1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60},
		})),
	}
	return func(next Handler) Handler { return &measured{next: promptOf(next), metrics: m} }
}

type metrics struct {
	replies  *prometheus.CounterVec
	duration prometheus.Histogram
}

func (m *metrics) note(start time.Time, resp *logicv1.ReplyResponse, outcome string) {
	m.replies.WithLabelValues(resp.GetRule(), outcome).Inc()
	m.duration.Observe(time.Since(start).Seconds())
}

type measured struct {
	next    PromptHandler
	metrics *metrics
}

// Reply implements Handler.
func (m *measured) Reply(ctx context.Context, req *logicv1.ReplyRequest) (resp *logicv1.ReplyResponse, err error) {
	start, outcome := time.Now(), failed // unless it gets past a panic
	defer func() { m.metrics.note(start, resp, outcome) }()
	resp, err = m.next.Reply(ctx, req)
	outcome = outcomeOf(resp, err)
	return resp, err
}

// ReplyAtOnce implements PromptHandler. What it leaves to Reply is counted there.
func (m *measured) ReplyAtOnce(ctx context.Context, req *logicv1.ReplyRequest) (resp *logicv1.ReplyResponse, ok bool, err error) {
	start, outcome := time.Now(), failed
	ok = true
	defer func() {
		if ok {
			m.metrics.note(start, resp, outcome)
		}
	}()
	resp, ok, err = m.next.ReplyAtOnce(ctx, req)
	outcome = outcomeOf(resp, err)
	return resp, ok, err
}

func outcomeOf(resp *logicv1.ReplyResponse, err error) string {
	switch {
	case err != nil:
		return failed
	case resp.GetReply().GetContent() == nil:
		return silent
	}
	return replied
}
