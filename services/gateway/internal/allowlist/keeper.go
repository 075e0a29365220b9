package allowlist

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/telemetry"
)

// Fetch gets the present list from WeChat.
type Fetch func(context.Context) ([]string, error)

// The pauses between two lists, and after failures. The failures' is short at first, because a gateway is
// often up before api-proxy.
const (
	refreshInterval = 24 * time.Hour
	firstRetry      = 5 * time.Second
	maxRetry        = time.Hour
)

// Keeper keeps the list fresh. Make one with NewKeeper, and Run it.
type Keeper struct {
	fetch  Fetch
	log    *slog.Logger
	health *telemetry.Component
	list   atomic.Pointer[List]

	active    prometheus.Gauge
	obtained  prometheus.Gauge
	refreshes *prometheus.CounterVec
}

// NewKeeper makes a Keeper without a list.
func NewKeeper(fetch Fetch, tel *telemetry.Telemetry) *Keeper {
	k := &Keeper{
		fetch:  fetch,
		log:    tel.Log,
		health: tel.Health.Component("callback-addresses"),
		active: telemetry.Register(tel.Metrics, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_callback_addresses_active",
			Help: "How many addresses and ranges of WeChat's callers are checked against; 0 while everybody may call.",
		})),
		obtained: telemetry.Register(tel.Metrics, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_callback_addresses_obtained_timestamp_seconds",
			Help: "When WeChat gave the newest list of the addresses that it calls from.",
		})),
		refreshes: telemetry.Register(tel.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_callback_address_refreshes_total",
			Help: "Requests for the list of the addresses that WeChat calls from, by outcome: renewed, failed.",
		}, []string{"outcome"})),
	}
	k.list.Store(&List{})
	k.health.Pending(everybody(errNone))
	return k
}

// List returns the newest list. It may be called from any goroutine.
func (k *Keeper) List() List { return *k.list.Load() }

// Run renews the list once a day until ctx is done.
func (k *Keeper) Run(ctx context.Context) error {
	for failures := 0; ; {
		err := k.refresh(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // being stopped is no failure.
		}
		if err == nil {
			failures = 0
		} else {
			failures++
		}
		k.tell(failures, err, time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause(failures, rand.Float64())): //nolint:gosec // jitter is no secret.
		}
	}
}

// refresh replaces the list, unless there is no better one.
func (k *Keeper) refresh(ctx context.Context) error {
	entries, err := k.fetch(ctx)
	if err != nil {
		return err
	}
	list, err := NewList(entries, time.Now())
	if err != nil {
		return err
	}
	k.list.Store(&list)
	return nil
}

// tell reports how the refresh went and whether the list is of use. A list that cannot be renewed is told
// once, and is a failure only when it is too old.
func (k *Keeper) tell(failures int, err error, now time.Time) {
	list := k.List()
	if err == nil {
		k.refreshes.WithLabelValues("renewed").Inc()
		k.obtained.SetToCurrentTime()
		k.log.Debug("list of WeChat's addresses renewed", "ranges", len(list.ranges))
	} else {
		k.refreshes.WithLabelValues("failed").Inc()
	}
	if unusable := list.Usable(now); unusable != nil {
		k.active.Set(0)
		if err != nil {
			unusable = fmt.Errorf("%w: %w", unusable, err)
		}
		k.health.Report(everybody(unusable))
		return
	}
	k.active.Set(float64(len(list.ranges)))
	k.health.Report(nil)
	if failures == 1 {
		k.log.Warn("list of WeChat's addresses not renewed, the last one stays in use", "error", err)
	}
}

// everybody says what follows when the list is not usable.
func everybody(reason error) error { return fmt.Errorf("everybody may call: %w", reason) }

// pause is how long to wait after that many failures in a row, or after a success. The jitter, from 0 up to
// but excluding 1, keeps replicas that were started together apart.
func pause(failures int, jitter float64) time.Duration {
	longest := refreshInterval
	if failures > 0 {
		longest = maxRetry
		if doubled := firstRetry << (failures - 1); failures < 20 && doubled < maxRetry { // more would overflow
			longest = doubled
		}
	}
	const spread = 0.2
	return longest - time.Duration(spread*jitter*float64(longest))
}
