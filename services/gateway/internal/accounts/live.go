package accounts

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/telemetry"
)

// Live is the Directory in force. It follows the accounts file and the secret files that this names; what
// is wrong with them changes nothing but the health.
type Live struct {
	live   *config.Live[*Directory]
	file   string
	log    *slog.Logger
	health *telemetry.Component

	active  prometheus.Gauge
	loaded  prometheus.Gauge
	reloads *prometheus.CounterVec
}

// Open loads the accounts, as Load does.
func Open(path string, production bool, tel *telemetry.Telemetry) (*Live, error) {
	live, err := config.NewLive(loader{path: path, production: production}.load)
	if err != nil {
		return nil, err
	}
	l := &Live{
		live:   live,
		file:   path,
		log:    tel.Log,
		health: tel.Health.Component("accounts"),
		active: telemetry.Register(tel.Metrics, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_accounts_active",
			Help: "How many accounts are served.",
		})),
		loaded: telemetry.Register(tel.Metrics, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_accounts_loaded_timestamp_seconds",
			Help: "When the accounts and secrets in force were loaded.",
		})),
		reloads: telemetry.Register(tel.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_account_reloads_total",
			Help: "Changes of the accounts file or a secret file: loaded, or refused while the old ones stay in force.",
		}, []string{"outcome"})),
	}
	l.adopt(l.Current())
	return l, nil
}

// Current returns the Directory in force. It may be called from any goroutine.
func (l *Live) Current() *Directory { return l.live.Current() }

// Run follows the files until ctx is done.
func (l *Live) Run(ctx context.Context) error { return l.live.Run(ctx, l.log, l.changed) }

// Look lets a change take effect at once, for tests; it must not be called beside Run.
func (l *Live) Look() { l.live.Look(l.changed) }

// changed is told the accounts that are in force now, or why the old ones stay.
func (l *Live) changed(d *Directory, err error) {
	if err != nil {
		err = fmt.Errorf("the old accounts and secrets stay in force: %w", err)
		l.log.Warn("accounts refused", "error", err)
		l.reloads.WithLabelValues("refused").Inc()
		l.health.Report(err)
		return
	}
	l.adopt(d)
	l.reloads.WithLabelValues("loaded").Inc()
	l.log.Info("new accounts or secrets in force", "file", l.file, "app_ids", d.AppIDs())
}

func (l *Live) adopt(d *Directory) {
	l.active.Set(float64(len(d.accounts)))
	l.loaded.SetToCurrentTime()
	l.health.Report(nil)
}
