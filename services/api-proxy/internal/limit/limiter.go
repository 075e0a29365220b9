package limit

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/telemetry"
)

// Fallback is what holds while Redis is away.
type Fallback string

// The fallbacks.
const (
	// Local lets each replica hold the limits by itself, so that all together may let through as many times
	// the rates as there are replicas.
	Local Fallback = "local"
	// Open lets everything through.
	Open Fallback = "open"
	// Closed refuses what has a limit.
	Closed Fallback = "closed"
)

// Limiter decides by the store that all replicas share, and by the fallback while that fails.
type Limiter struct {
	store   Store
	shared  *redisconn.Shared
	local   *Memory
	metrics metrics
	log     *slog.Logger
}

type metrics struct {
	decisions *prometheus.CounterVec
	used      *prometheus.GaugeVec
	warnings  *prometheus.CounterVec
}

// New returns a Limiter over the store that shared is the way to.
func New(store Store, shared *redisconn.Shared, tel *telemetry.Telemetry) *Limiter {
	return &Limiter{store: store, shared: shared, local: NewMemory(), log: tel.Log, metrics: metrics{
		decisions: telemetry.Register(tel.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apiproxy_limit_decisions_total",
			Help: "Calls by who decided whether the limits let them through: shared (Redis), or what holds without it: local, open, closed.",
		}, []string{"by"})),
		used: telemetry.Register(tel.Metrics, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "apiproxy_daily_quota_used_ratio",
			Help: "Part of the endpoint's daily limit that is used, as of the last call through this process.",
		}, []string{"app_id", "endpoint"})),
		warnings: telemetry.Register(tel.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "apiproxy_daily_quota_warnings_total",
			Help: "Warnings that an endpoint's daily limit is nearly used, at 80 and 95 percent.",
		}, []string{"app_id", "endpoint"})),
	}}
}

// Take decides whether the call may be made. The error is a fault that says which limit and when to try again;
// who is asking is known to whoever asked.
func (l *Limiter) Take(ctx context.Context, a Ask, without Fallback) error {
	d, ok := l.take(ctx, a, without)
	if !ok {
		return fault.New(fault.Unavailable,
			"the limits can't be looked up, because Redis is away, and the callers file lets nothing with a limit through then (without_redis: closed)").WithRetryAfter(time.Second)
	}
	l.watch(ctx, a, d)
	switch d.By {
	case Nothing:
		return nil
	case CallersDay:
		return fault.New(fault.Throttled, "the daily allowance of the caller for %s is used (%d calls today); it begins anew at midnight in Beijing",
			a.Day.Endpoint, d.UsedByCaller).WithRetryAfter(UntilMidnight(time.Now()))
	case OthersDay:
		return fault.New(fault.Throttled, "what is left of the daily limit of %s (%d of %d used) is kept for interactive callers; it begins anew at midnight in Beijing",
			a.Day.Endpoint, d.Used, d.Limit).WithRetryAfter(UntilMidnight(time.Now()))
	}
	b := a.Buckets[d.By]
	return fault.New(fault.Throttled, "limit %s (%s, %d at once) is reached", b.Name, b.Rate, b.Rate.Burst).WithRetryAfter(d.RetryAfter)
}

// take returns false when nobody can decide.
func (l *Limiter) take(ctx context.Context, a Ask, without Fallback) (Decision, bool) {
	var d Decision
	if l.shared.Try(ctx, func(ctx context.Context) (err error) {
		d, err = l.store.Take(ctx, a)
		return err
	}) {
		l.metrics.decisions.WithLabelValues("shared").Inc()
		return d, true
	}
	l.metrics.decisions.WithLabelValues(string(without)).Inc()
	limited := len(a.Buckets) > 0 || a.Day.Max > 0 || a.Day.Share > 0 || a.Day.Leave > 0
	switch {
	case without == Closed && limited:
		return Decision{}, false
	case without == Open:
		a.Buckets, a.Day.Max, a.Day.Share, a.Day.Leave = nil, 0, 0, 0 // the ledger goes on.
	}
	d, _ = l.local.Take(ctx, a) // Memory never fails.
	return d, true
}

// The parts of a daily limit at which people are warned.
const (
	firstWarning = 800
	lastWarning  = 950
)

// watch shows how much of a daily limit is used, and warns when it passes a mark. Since each call adds one, just
// one replica sees each mark.
func (l *Limiter) watch(ctx context.Context, a Ask, d Decision) {
	if d.Limit <= 0 {
		return
	}
	l.metrics.used.WithLabelValues(a.AppID, a.Day.Endpoint).Set(float64(d.Used) / float64(d.Limit))
	for _, mark := range []int64{firstWarning, lastWarning} {
		if d.Allowed() && d.Used == (d.Limit*mark+999)/1000 {
			l.metrics.warnings.WithLabelValues(a.AppID, a.Day.Endpoint).Inc()
			l.log.WarnContext(ctx, "daily limit nearly used; at its end WeChat answers 45009", "app_id", a.AppID, "endpoint", a.Day.Endpoint,
				"used", d.Used, "limit", d.Limit, "left_until_midnight", UntilMidnight(time.Now()).Round(time.Minute).String())
		}
	}
}

// Read returns what the ledger of today says of an endpoint; that of this process alone while Redis is away.
func (l *Limiter) Read(ctx context.Context, appID, endpoint string) Entry {
	var e Entry
	date := DateOf(time.Now())
	if !l.shared.Try(ctx, func(ctx context.Context) (err error) {
		e, err = l.store.Read(ctx, appID, date, endpoint)
		return err
	}) {
		e, _ = l.local.Read(ctx, appID, date, endpoint) // Memory never fails.
	}
	return e
}

// Tell notes what WeChat said of an endpoint: its daily limit and the calls of today.
func (l *Limiter) Tell(ctx context.Context, appID, endpoint string, limit, used int64) {
	date := DateOf(time.Now())
	_ = l.local.Tell(ctx, appID, date, endpoint, limit, used) // Memory never fails.
	l.shared.Try(ctx, func(ctx context.Context) error { return l.store.Tell(ctx, appID, date, endpoint, limit, used) })
}

// Forget empties today's ledger of an account, because WeChat's counters were reset.
func (l *Limiter) Forget(ctx context.Context, appID string) {
	date := DateOf(time.Now())
	_ = l.local.Forget(ctx, appID, date) // Memory never fails.
	l.shared.Try(ctx, func(ctx context.Context) error { return l.store.Forget(ctx, appID, date) })
	l.log.InfoContext(ctx, "daily counters were reset", "app_id", appID)
}

// String describes the fallback for people.
func (f Fallback) String() string { return string(f) }

// ParseFallback reads a fallback; empty means Local.
func ParseFallback(text string) (Fallback, error) {
	switch f := Fallback(text); f {
	case "":
		return Local, nil
	case Local, Open, Closed:
		return f, nil
	}
	return "", fmt.Errorf("%q is none of local, open, closed", text)
}
