package callers

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/telemetry"
)

// Live are the callers in force. It follows the callers file and the key files that this names; what is
// wrong with them changes nothing but the health.
type Live[D any] struct {
	live    *config.Live[D]
	path    string
	log     *slog.Logger
	health  *telemetry.Component
	reloads *prometheus.CounterVec
}

// Open loads the callers from the file at path, which only the log is told, by load. The metric counts the
// changes under the name that is given.
func Open[D any](path, metric string, load func(*config.Files) (D, error), tel *telemetry.Telemetry) (*Live[D], error) {
	live, err := config.NewLive(load)
	if err != nil {
		return nil, err
	}
	l := &Live[D]{
		live: live, path: path, log: tel.Log,
		health: tel.Health.Component("callers"),
		reloads: telemetry.Register(tel.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metric,
			Help: "Changes of the callers file or a key file: loaded, or refused while the old ones stay in force.",
		}, []string{"outcome"})),
	}
	l.health.Report(nil)
	return l, nil
}

// Current returns the callers in force.
func (l *Live[D]) Current() D { return l.live.Current() }

// Run follows the files until ctx is done.
func (l *Live[D]) Run(ctx context.Context) error { return l.live.Run(ctx, l.log, l.changed) }

// Look lets a change take effect at once, for tests; it must not be called beside Run.
func (l *Live[D]) Look() { l.live.Look(l.changed) }

// changed is told the callers that are in force now, or why the old ones stay.
func (l *Live[D]) changed(_ D, err error) {
	if err != nil {
		err = fmt.Errorf("the old callers stay in force: %w", err)
		l.log.Warn("callers refused", "error", err)
		l.reloads.WithLabelValues("refused").Inc()
		l.health.Report(err)
		return
	}
	l.reloads.WithLabelValues("loaded").Inc()
	l.health.Report(nil)
	l.log.Info("new callers in force", "file", l.path)
}
