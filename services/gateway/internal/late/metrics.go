package late

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/telemetry"
)

// outcome is what became of a late answer, for the metric gateway_late_answers_total.
type outcome string

// The outcomes.
const (
	outcomeSent    outcome = "sent"    // as a customer-service message
	outcomePicked  outcome = "picked"  // by the follower's next text
	outcomeSilent  outcome = "silent"  // logic wanted no reply, or WeChat shows none to this event
	outcomeRefused outcome = "refused" // by WeChat
	outcomeFailed  outcome = "failed"  // logic or the proxy could not do it
	outcomeUnknown outcome = "unknown" // the proxy can't tell whether it was sent
	outcomeExpired outcome = "expired" // the time that the account gives late answers was over

	// The job goes on elsewhere; these aren't counted.
	outcomeMoved    outcome = "moved"    // another replica owns it
	outcomeReleased outcome = "released" // this replica stops
)

type metrics struct {
	answers *prometheus.CounterVec
	jobs    prometheus.Gauge
}

func newMetrics(registry *prometheus.Registry) metrics {
	return metrics{
		answers: telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_late_answers_total",
			Help: "Late answers by what became of them.",
		}, []string{"app_id", "outcome"})),
		jobs: telemetry.Register(registry, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_late_jobs",
			Help: "Late answers that this replica works on.",
		})),
	}
}
