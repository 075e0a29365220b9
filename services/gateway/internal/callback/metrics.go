package callback

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/wechat/message"
)

// metrics are the counters of the way in.
type metrics struct {
	callbacks         *prometheus.CounterVec
	duration          *prometheus.HistogramVec
	duplicates        *prometheus.CounterVec
	signatureFailures *prometheus.CounterVec
	replyTimeouts     *prometheus.CounterVec
}

func newMetrics(registry *prometheus.Registry) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
	}
	return &metrics{
		callbacks: counter("gateway_callbacks_total",
			"Requests at the callback URL by the kind of what they brought and how they ended.", "app_id", "kind", "outcome"),
		duration: telemetry.Register(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_callback_duration_seconds",
			Help: "Time from the arrival of an authentic delivery to its end.",
			// WeChat's 5 s stands among the bounds, and our own 6 s after it.
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 4, 5, 6, 10},
		}, []string{"app_id"})),
		duplicates: counter("gateway_duplicates_total",
			"Deliveries of a message that was known already.", "app_id"),
		signatureFailures: counter("gateway_signature_failures_total",
			"Requests whose signature is wrong.", "app_id"),
		replyTimeouts: counter("gateway_reply_timeouts_total",
			"Messages whose budget ended without an answer from logic.", "app_id"),
	}
}

// count counts a request.
func (m *metrics) count(appID, kind string, o outcome) {
	m.callbacks.WithLabelValues(appID, kind, string(o)).Inc()
}

// observe counts an authentic delivery with its duration.
func (m *metrics) observe(appID, kind string, o outcome, took time.Duration) {
	m.count(appID, kind, o)
	m.duration.WithLabelValues(appID).Observe(took.Seconds())
}

// The kinds that aren't types of messages.
const (
	kindNone         = "none" // nothing is known about what the request brought
	kindHuman        = "human"
	kindVerification = "verification"
	kindOther        = "other"
)

// kindOf is the type of a message as a label: types that we don't know count together, since whoever
// knows the callback Token could otherwise make any number of labels.
func kindOf(in message.Message) string {
	switch in.MsgType {
	case message.TypeText, message.TypeImage, message.TypeVoice, message.TypeVideo, message.TypeShortVideo,
		message.TypeLocation, message.TypeLink, message.TypeFile, message.TypeMiniProgramPage, message.TypeEvent:
		return in.MsgType
	default:
		return kindOther
	}
}
