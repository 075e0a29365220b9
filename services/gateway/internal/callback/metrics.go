package callback

import (
	"maps"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/wechat/message"
)

// metrics are the counters of the way in.
type metrics struct {
	callbacks         handles[callbackLabels, prometheus.Counter]
	durations         handles[string, prometheus.Observer]
	duplicates        *prometheus.CounterVec
	signatureFailures *prometheus.CounterVec
	replyTimeouts     *prometheus.CounterVec
}

func newMetrics(registry *prometheus.Registry) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
	}
	callbacks := counter("gateway_callbacks_total",
		"Requests at the callback URL by the kind of what they brought and how they ended.", "app_id", "kind", "outcome")
	durations := telemetry.Register(registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "gateway_callback_duration_seconds",
		Help: "Time from the arrival of an authentic delivery to its end.",
		// WeChat's 5 s stands among the bounds, and our own 6 s after it.
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 4, 5, 6, 10},
	}, []string{"app_id"}))
	return &metrics{
		callbacks: handles[callbackLabels, prometheus.Counter]{resolve: func(l callbackLabels) prometheus.Counter {
			return callbacks.WithLabelValues(l.appID, l.kind, string(l.outcome))
		}},
		durations: handles[string, prometheus.Observer]{resolve: func(appID string) prometheus.Observer {
			return durations.WithLabelValues(appID)
		}},
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
	m.callbacks.of(callbackLabels{appID, kind, o}).Inc()
}

// observe counts an authentic delivery with its duration.
func (m *metrics) observe(appID, kind string, o outcome, took time.Duration) {
	m.count(appID, kind, o)
	m.durations.of(appID).Observe(took.Seconds())
}

// callbackLabels are the labels of gateway_callbacks_total.
type callbackLabels struct {
	appID, kind string
	outcome     outcome
}

// handles keeps the metrics of a vector by their labels, which spares every message the vector's own way
// to find them. It only ever grows, so labels must be few: those of accounts come from the configuration.
type handles[L comparable, M any] struct {
	resolve func(L) M
	// known is never changed, only replaced.
	known atomic.Pointer[map[L]M]
}

// of returns the metric with the labels.
func (h *handles[L, M]) of(labels L) M {
	for {
		known := h.known.Load()
		if known != nil {
			if metric, ok := (*known)[labels]; ok {
				return metric
			}
		}
		more := map[L]M{labels: h.resolve(labels)}
		if known != nil {
			maps.Copy(more, *known)
		}
		h.known.CompareAndSwap(known, &more)
	}
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
