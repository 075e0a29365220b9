// Package live keeps the rules that are in force: it reads the rule file, follows its changes, and
// replaces the rules as a whole. A file that is wrong changes nothing but the health.
package live

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/telemetry"

	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/rule"
)

// Source is where rules come from: a file, or a text that is built in.
type Source struct {
	// Runtime is what the rules' handlers work with. Its ReadSecret is set by the Source, so that files of secrets
	// are followed as well.
	Runtime rule.Runtime
	// Path of the rule file; empty: BuiltIn.
	Path string
	// BuiltIn is the text of the rules that are in force without a file.
	BuiltIn []byte
}

// Load reads the rules once.
func (s Source) Load() (*route.Router, error) { return s.load(&config.Files{}) }

func (s Source) load(files *config.Files) (*route.Router, error) {
	if s.Path == "" {
		return s.compile("built-in rules", s.BuiltIn, files)
	}
	data, err := files.Read(s.Path)
	if err != nil {
		return nil, fmt.Errorf("rule file (WX_RULES_FILE): %w", err)
	}

	return s.compile(s.Path, data, files)
}

func (s Source) compile(name string, data []byte, files *config.Files) (*route.Router, error) {
	s.Runtime.ReadSecret = files.ReadSecret
	rules, err := rule.Load(name, data, &s.Runtime)
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
	live    *config.Live[*route.Router]
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
	var err error
	if r.live, err = config.NewLive(source.load); err != nil {
		return nil, err
	}
	r.health = tel.Health.Component("rules")
	r.adopt(r.Current())

	return r, nil
}

// Current returns the rules in force.
func (r *Rules) Current() *route.Router { return r.live.Current() }

// Run follows the changes of the rule file until ctx is done.
func (r *Rules) Run(ctx context.Context) error { return r.live.Run(ctx, r.log, r.changed) }

// changed is told the rules that are in force now, or why the old ones stay.
func (r *Rules) changed(router *route.Router, err error) {
	if err != nil {
		err = fmt.Errorf("the old rules stay in force: %w", err)
		r.log.Warn("rule file refused", "error", err)
		r.metrics.reloads.WithLabelValues("refused").Inc()
		r.health.Report(err)

		return
	}
	r.adopt(router)
	r.metrics.reloads.WithLabelValues("loaded").Inc()
	r.log.Info("new rules in force", "file", r.source.Path, "rules", router.Len())
}

func (r *Rules) adopt(router *route.Router) {
	r.metrics.loaded.SetToCurrentTime()
	r.metrics.active.Set(float64(router.Len()))
	r.health.Report(nil)
}
