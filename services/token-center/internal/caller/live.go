package caller

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
)

// Live are the callers in force. It follows the callers file and the key files that this names; what is
// wrong with them changes nothing but the health.
type Live struct {
	live    *config.Live[*Directory]
	path    string
	log     *slog.Logger
	health  *telemetry.Component
	reloads *prometheus.CounterVec
}

// Open loads the callers, as Load does.
func Open(path string, tel *telemetry.Telemetry) (*Live, error) {
	live, err := config.NewLive(func(files *config.Files) (*Directory, error) { return load(files, path) })
	if err != nil {
		return nil, err
	}
	l := &Live{
		live: live, path: path, log: tel.Log,
		health: tel.Health.Component("callers"),
		reloads: telemetry.Register(tel.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tokencenter_caller_reloads_total",
			Help: "Changes of the callers file or a key file: loaded, or refused while the old ones stay in force.",
		}, []string{"outcome"})),
	}
	l.health.Report(nil)
	return l, nil
}

// Admit lets a call in whose caller is known, and makes its context know the caller. It is an rpc.Admission.
func (l *Live) Admit(ctx context.Context) (context.Context, error) {
	c, err := l.live.Current().Identify(rpc.CallerOf(ctx))
	if err != nil {
		return nil, err
	}
	return NewContext(ctx, c), nil
}

// Run follows the files until ctx is done.
func (l *Live) Run(ctx context.Context) error { return l.live.Run(ctx, l.log, l.changed) }

// Look lets a change take effect at once, for tests; it must not be called beside Run.
func (l *Live) Look() { l.live.Look(l.changed) }

// changed is told the callers that are in force now, or why the old ones stay.
func (l *Live) changed(d *Directory, err error) {
	if err != nil {
		err = fmt.Errorf("the old callers stay in force: %w", err)
		l.log.Warn("callers refused", "error", err)
		l.reloads.WithLabelValues("refused").Inc()
		l.health.Report(err)
		return
	}
	l.reloads.WithLabelValues("loaded").Inc()
	l.health.Report(nil)
	l.log.Info("new callers in force", "file", l.path, "callers", d.Len())
}
