package idempotency

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/telemetry"
)

// The outcomes of asking for a call with a key.
const (
	outcomeMade      = "made"
	outcomeUndone    = "undone"
	outcomeUncertain = "uncertain"
	outcomeRepeated  = "repeated"
	outcomeUnknown   = "unknown"
	outcomePending   = "pending"
	outcomeConflict  = "conflict"
)

// Metrics counts calls with a key.
type Metrics struct{ calls *prometheus.CounterVec }

// NewMetrics registers the metrics.
func NewMetrics(registry *prometheus.Registry) *Metrics {
	return &Metrics{calls: telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "apiproxy_idempotent_calls_total",
		Help: "Calls with an idempotency key by outcome: made; undone, so that a repeat makes it; uncertain, made without a verdict; and without making it: repeated, unknown, pending, conflict.",
	}, []string{"outcome"}))}
}

func (m *Metrics) count(outcome string) { m.calls.WithLabelValues(outcome).Inc() }
