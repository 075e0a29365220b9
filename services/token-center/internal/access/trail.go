package access

import (
	"context"
	"log/slog"
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/caller"
)

// Trail writes down who took which credential, never its value: as log records marked audit=true and as a
// metric. A caller that asks for the same value a thousand times is one record, since a record that nobody
// can find among a thousand tells nothing.
type Trail struct {
	log   *slog.Logger
	reads *prometheus.CounterVec

	mu sync.Mutex
	// last holds the generation that each record was last written for.
	last map[record]uint64
}

// record is what is written down once for each generation.
type record struct {
	what, caller, host, appID string
	// kind is a kind of credential or caller.Platform, as the callers file has it.
	kind string
}

// maxRecords bounds what is remembered. Beyond it everything is forgotten, and some records are repeated.
const maxRecords = 10_000

// NewTrail returns a Trail that writes to tel.
func NewTrail(tel *telemetry.Telemetry) *Trail {
	return &Trail{
		log: tel.Log.With("audit", true),
		reads: telemetry.Register(tel.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tokencenter_reads_total",
			Help: "Credentials handed out by caller, as the callers file names it, otherwise unlisted.",
		}, []string{"caller", "app_id", "kind"})),
		last: map[record]uint64{},
	}
}

const (
	taken    = "credential taken"
	reported = "credential reported as rejected"
	denied   = "credential denied"
)

// unlisted stands for all callers that no file names, because a label needs a bounded number of values.
const unlisted = "unlisted"

func (t *Trail) took(ctx context.Context, who caller.Caller, token *tokenv1.Token) {
	name := unlisted
	if who.Listed {
		name = who.Name
	}
	kind := caller.KindName(token.GetKind())
	t.reads.WithLabelValues(name, token.GetAppId(), kind).Inc()
	r := record{taken, who.Name, hostOf(ctx), token.GetAppId(), kind}
	if t.first(r, token.GetGeneration()) {
		t.log.InfoContext(ctx, taken, append(r.attributes(), "generation", token.GetGeneration())...)
	}
}

// report writes down that a caller says that WeChat rejects a token, and which one it got in its place.
func (t *Trail) report(ctx context.Context, who caller.Caller, req *tokenv1.RefreshTokenRequest, given *tokenv1.Token) {
	r := record{reported, who.Name, hostOf(ctx), given.GetAppId(), caller.KindName(given.GetKind())}
	if t.first(r, given.GetGeneration()) {
		t.log.InfoContext(ctx, reported, append(r.attributes(),
			"rejected_generation", req.GetRejectedGeneration(), "by_value", req.GetRejectedValue() != "", "generation", given.GetGeneration())...)
	}
}

// deny writes down that a known caller asked for what it may not have. Unknown callers are not written down:
// they could fill any log, and the metrics of gRPC count them.
func (t *Trail) deny(ctx context.Context, who caller.Caller, appID, kind string) {
	r := record{denied, who.Name, hostOf(ctx), appID, kind}
	if t.first(r, 1) {
		t.log.WarnContext(ctx, denied, r.attributes()...)
	}
}

func (r record) attributes() []any {
	return []any{"caller", r.caller, "address", r.host, "app_id", r.appID, "kind", r.kind}
}

// first reports whether r was not written for this generation yet, and remembers that it is now.
func (t *Trail) first(r record, generation uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.last[r]; ok && known == generation {
		return false
	}
	if len(t.last) >= maxRecords {
		clear(t.last)
	}
	t.last[r] = generation
	return true
}

// hostOf leaves the port out, because each connection has another one.
func hostOf(ctx context.Context) string {
	address := rpc.CallerOf(ctx).Address
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
