package refresh

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

// Metrics are what all refreshers of a process count.
type Metrics struct {
	refreshes   *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	expiry      *prometheus.GaugeVec
	leader      *prometheus.GaugeVec
	leaseLosses *prometheus.CounterVec
	staleWrites *prometheus.CounterVec
	foreign     *prometheus.CounterVec
}

// The outcomes of a request for a token, as they show in tokencenter_refreshes_total.
const (
	outcomeRenewed   = "renewed"
	outcomeUnchanged = "unchanged" // WeChat returned the token we have.
	outcomeFailed    = "failed"
	outcomeStale     = "stale" // another replica was faster; what WeChat returned was thrown away.
)

// NewMetrics registers the metrics.
func NewMetrics(registry *prometheus.Registry) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return telemetry.Register(registry, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels))
	}
	return &Metrics{
		refreshes: counter("tokencenter_refreshes_total",
			"Requests for a token to WeChat, by outcome: renewed, unchanged, failed, stale.", "app_id", "kind", "outcome"),
		duration: telemetry.Register(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tokencenter_refresh_duration_seconds", Help: "Time that WeChat took to answer a request for a token.",
			Buckets: prometheus.DefBuckets,
		}, []string{"kind"})),
		expiry: gauge("tokencenter_token_expiry_timestamp_seconds",
			"When the newest token expires, Unix time.", "app_id", "kind"),
		leader: gauge("tokencenter_leader",
			"1 while this replica holds the credential's lease and asks WeChat.", "app_id", "kind"),
		leaseLosses: counter("tokencenter_lease_losses_total",
			"Leases that were lost while a renewal was going on.", "app_id", "kind"),
		staleWrites: counter("tokencenter_stale_writes_total",
			"Tokens that were not saved because a newer one was there.", "app_id", "kind"),
		foreign: counter("tokencenter_foreign_refreshes_total",
			"Tokens that died well before their time: somebody else holds the AppSecret and fetches tokens.", "app_id"),
	}
}

// forget drops the gauges of a credential, so that no alert waits for one that is no longer kept. Counters
// stay: they tell what has happened.
func (m *Metrics) forget(key credential.Key) {
	m.expiry.DeleteLabelValues(key.AppID, string(key.Kind))
	m.leader.DeleteLabelValues(key.AppID, string(key.Kind))
}
