package forward

import (
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"

	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
)

// unaccounted is the label of calls that belong to no account that is known to exist, so that callers
// cannot invent labels.
const unaccounted = "none"

// Metrics counts calls. Labels come from the endpoint table and from token-center's accounts only.
type Metrics struct {
	calls      *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	rejections *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry *prometheus.Registry) *Metrics {
	return &Metrics{
		calls: telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apiproxy_calls_total",
			Help: "Calls by account, endpoint and class: WeChat's verdict, refused, or failed_ and the kind of our own failure.",
		}, []string{"app_id", "endpoint", "class"})),
		duration: telemetry.Register(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "apiproxy_call_duration_seconds",
			Help:    "Time until the answer's headers and verdict were there, repeats and healing included.",
			Buckets: []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
		}, []string{"endpoint"})),
		rejections: telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apiproxy_token_rejections_total",
			Help: "Answers in which WeChat rejected the account's access token.",
		}, []string{"app_id"})),
	}
}

func (m *Metrics) refused(e endpoint.Endpoint) {
	m.calls.WithLabelValues(unaccounted, e.Path, "refused").Inc()
}

func (m *Metrics) rejected(appID string) { m.rejections.WithLabelValues(appID).Inc() }

func (m *Metrics) done(appID string, e endpoint.Endpoint, a *Answer, err error, took time.Duration) {
	m.duration.WithLabelValues(e.Path).Observe(took.Seconds())
	m.calls.WithLabelValues(appID, e.Path, class(a, err)).Inc()
}

func class(a *Answer, err error) string {
	if err != nil {
		return "failed_" + strings.ToLower(string(fault.KindOf(present(err))))
	}
	if a.Status >= http.StatusBadRequest {
		return "http_error"
	}
	return a.Code.Class().String()
}
