package forward

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/wechat/errcode"
)

// unaccounted is the label of calls that belong to no account that is known to exist, so that callers
// cannot invent labels.
const unaccounted = "none"

// account is the label that names the account.
const account = "app_id"

// Metrics counts calls. Labels come from the endpoint table and from token-center's accounts only.
type Metrics struct {
	calls      *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	byAccount  *prometheus.HistogramVec
	errcodes   *prometheus.CounterVec
	rejections *prometheus.CounterVec
	heals      *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry *prometheus.Registry) *Metrics {
	return &Metrics{
		calls: telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apiproxy_calls_total",
			Help: "Calls by caller, account, endpoint and class: WeChat's verdict, refused, or failed_ and the kind of our own failure, such as failed_throttled.",
		}, []string{"caller", account, "endpoint", "class"})),
		duration: telemetry.Register(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "apiproxy_call_duration_seconds",
			Help:    "Time until the answer's headers and verdict were there, repeats and healing included.",
			Buckets: durations(),
		}, []string{"endpoint"})),
		byAccount: telemetry.Register(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "apiproxy_account_call_duration_seconds",
			Help:    "The same as apiproxy_call_duration_seconds, by account.",
			Buckets: durations(),
		}, []string{account})),
		errcodes: telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apiproxy_errcodes_total",
			Help: "WeChat's refusals by account and errcode.",
		}, []string{account, "errcode"})),
		heals: telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apiproxy_heals_total",
			Help: "Calls whose token was rejected: healed, rejected_again, not_renewed, or failed before the second answer.",
		}, []string{account, "outcome"})),
		rejections: telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apiproxy_token_rejections_total",
			Help: "Answers in which WeChat rejected the account's access token.",
		}, []string{account})),
	}
}

func durations() []float64 { return []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30} }

func (m *Metrics) refused(c Call) {
	m.calls.WithLabelValues(c.Caller.Label(), unaccounted, c.Endpoint.Path, "refused").Inc()
}

func (m *Metrics) rejected(appID string) { m.rejections.WithLabelValues(appID).Inc() }

func (m *Metrics) healed(appID, outcome string) { m.heals.WithLabelValues(appID, outcome).Inc() }

func (m *Metrics) done(c Call, a *Answer, err error, took time.Duration) {
	m.duration.WithLabelValues(c.Endpoint.Path).Observe(took.Seconds())
	m.byAccount.WithLabelValues(c.AppID).Observe(took.Seconds())
	m.calls.WithLabelValues(c.Caller.Label(), c.AppID, c.Endpoint.Path, class(a, err)).Inc()
	if err == nil && a.Code != errcode.Success {
		m.errcodes.WithLabelValues(c.AppID, strconv.Itoa(int(a.Code))).Inc()
	}
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
