// Package live keeps the rules that are in force: it reads the rule file, follows its changes, and
// replaces the rules as a whole. A file that is wrong changes nothing but the health.
package live

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/telemetry"

	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/rule"
)

// Source is where rules come from: a file, or a text that is built in.
type Source struct {
	// Path of the rule file; empty: BuiltIn.
	Path string
	// BuiltIn is the text of the rules that are in force without a file.
	BuiltIn []byte
}

// Load reads the rules once.
func (s Source) Load() (*route.Router, error) {
	data, err := s.read()
	if err != nil {
		return nil, err
	}

	return s.compile(data)
}

func (s Source) read() ([]byte, error) {
	if s.Path == "" {
		return s.BuiltIn, nil
	}
	data, err := config.ReadFile(s.Path)
	if err != nil {
		return nil, fmt.Errorf("rule file (WX_RULES_FILE): %w", err)
	}

	return data, nil
}

func (s Source) compile(data []byte) (*route.Router, error) {
	name := s.Path
	if name == "" {
		name = "built-in rules"
	}
	rules, err := rule.Load(name, data)
	if err != nil {
		return nil, fmt.Errorf("rule file (WX_RULES_FILE): %w", err)
	}

	return route.New(rules), nil
}

// Rules are the rules in force. Current may be called from any goroutine.
type Rules struct {
	source  Source
	log     *slog.Logger
	health  *telemetry.Component
	metrics metrics
	current atomic.Pointer[route.Router]
	// seen identifies what the last reading found, so that an unchanged file is neither compiled nor
	// reported again. Only Run's goroutine uses it after Open.
	seen string
}

type metrics struct {
	loaded  prometheus.Gauge
	active  prometheus.Gauge
	reloads *prometheus.CounterVec
}

// Open loads the rules. It fails when they are wrong: there are no older ones to go on with.
func Open(source Source, tel *telemetry.Telemetry) (*Rules, error) {
	r := &Rules{
		source: source,
		log:    tel.Log,
		metrics: metrics{
			loaded: telemetry.Register(tel.Metrics, prometheus.NewGauge(prometheus.GaugeOpts{
				Name: "logic_rules_loaded_timestamp_seconds",
				Help: "When the rules in force were loaded.",
			})),
			active: telemetry.Register(tel.Metrics, prometheus.NewGauge(prometheus.GaugeOpts{
				Name: "logic_rules_active",
				Help: "How many rules are in force.",
			})),
			reloads: telemetry.Register(tel.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
				Name: "logic_rule_reloads_total",
				Help: "Changes of the rule file: loaded, or refused while the old rules stay in force.",
			}, []string{"outcome"})),
		},
	}
	data, err := source.read()
	if err != nil {
		return nil, err
	}
	router, err := source.compile(data)
	if err != nil {
		return nil, err
	}
	r.health = tel.Health.Component("rules")
	r.seen = fingerprint(data)
	r.adopt(router)

	return r, nil
}

// Current returns the rules in force.
func (r *Rules) Current() *route.Router { return r.current.Load() }

// lookInterval is how often the file is looked at even when the system reports no change: network
// volumes and the bind mounts of desktop container engines report none.
const lookInterval = 2 * time.Second

// Run follows the changes of the rule file until ctx is done.
func (r *Rules) Run(ctx context.Context) error {
	if r.source.Path == "" {
		<-ctx.Done()

		return nil
	}
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default: // one look is due already.
		}
	}
	var watching sync.WaitGroup
	watching.Go(func() {
		if err := config.Watch(ctx, r.source.Path, notify); err != nil {
			r.log.Warn("changes of the rule file are found by looking only", "interval", lookInterval.String(), "error", err)
		}
	})
	defer watching.Wait()
	r.follow(ctx, changed)

	return nil
}

func (r *Rules) follow(ctx context.Context, changed <-chan struct{}) {
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	for {
		r.reload()
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-look.C:
		}
	}
}

// reload puts the file's rules in force if it has changed and is right.
func (r *Rules) reload() {
	data, err := r.source.read()
	if err != nil {
		r.refuse("unreadable: "+err.Error(), err)

		return
	}
	now := fingerprint(data)
	if now == r.seen {
		return
	}
	router, err := r.source.compile(data)
	if err != nil {
		r.refuse(now, err)

		return
	}
	r.seen = now
	r.adopt(router)
	r.metrics.reloads.WithLabelValues("loaded").Inc()
	r.log.Info("new rules in force", "file", r.source.Path, "rules", router.Len())
}

func (r *Rules) refuse(seen string, err error) {
	if seen == r.seen {
		return
	}
	r.seen = seen
	err = fmt.Errorf("the old rules stay in force: %w", err)
	r.log.Warn("rule file refused", "error", err)
	r.metrics.reloads.WithLabelValues("refused").Inc()
	r.health.Report(err)
}

func (r *Rules) adopt(router *route.Router) {
	r.current.Store(router)
	r.metrics.loaded.SetToCurrentTime()
	r.metrics.active.Set(float64(router.Len()))
	r.health.Report(nil)
}

func fingerprint(data []byte) string {
	sum := sha256.Sum256(data)

	return hex.EncodeToString(sum[:])
}
