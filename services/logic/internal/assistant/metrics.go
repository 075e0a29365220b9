package assistant

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/telemetry"
)

// outcome is what became of a question that was answered.
type outcome string

const (
	outcomeWhole     outcome = "whole"
	outcomeCut       outcome = "cut"       // it was longer than the rule or the model's max_tokens allow
	outcomeBroken    outcome = "broken"    // it broke off, and the follower got what had come
	outcomeRepeated  outcome = "repeated"  // the same message was answered before
	outcomeForgotten outcome = "forgotten" // the follower began a new conversation
)

// Metrics tell how assistants fare. All of a process share them.
type Metrics struct {
	answers  *prometheus.CounterVec
	failures *prometheus.CounterVec
}

// NewMetrics registers them.
func NewMetrics(registry *prometheus.Registry) *Metrics {
	return &Metrics{
		answers: telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "logic_assistant_answers_total",
			Help: "Answers of assistants: whole, cut, broken (as far as it came), repeated (the message was answered before), forgotten (a new conversation).",
		}, []string{"rule", "outcome"})),
		failures: telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "logic_assistant_history_failures_total",
			Help: "Conversations with assistants that could not be read, added to or forgotten in Redis.",
		}, []string{"rule"})),
	}
}

func (m *Metrics) count(rule string, o outcome) { m.answers.WithLabelValues(rule, string(o)).Inc() }

func (m *Metrics) historyFailed(rule string) { m.failures.WithLabelValues(rule).Inc() }
