package upstream

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/telemetry"
)

// monitor shows the state of the hosts in health and metrics. Labels are hosts of the configuration.
type monitor struct {
	health   *telemetry.Component
	up       *prometheus.GaugeVec
	failures *prometheus.CounterVec
}

func newMonitor(tel *telemetry.Telemetry) *monitor {
	return &monitor{
		health: tel.Health.Component("upstream"),
		up: telemetry.Register(tel.Metrics, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "apiproxy_upstream_host_up",
			Help: "1 while a host of WeChat's API is in use; 0 while it is passed over because it failed several times in a row.",
		}, []string{"host"})),
		failures: telemetry.Register(tel.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apiproxy_upstream_failures_total",
			Help: "Attempts that failed by host and reason: connect, no_answer, broken, or http_5xx without a verdict of WeChat's.",
		}, []string{"host", "reason"})),
	}
}

func (m *monitor) failed(host string, why reason) {
	m.failures.WithLabelValues(host, string(why)).Inc()
}

func (m *monitor) changed(all []*host) {
	for _, h := range all {
		up := 1.0
		if !h.openedAt.IsZero() {
			up = 0
		}
		m.up.WithLabelValues(h.base.Host).Set(up)
		for _, why := range failures() {
			m.failures.WithLabelValues(h.base.Host, string(why)) // a counter that is there from the beginning shows its first step.
		}
	}
	m.health.Report(outage(all))
}
