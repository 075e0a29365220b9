// Package telemetry is what a process tells about itself: structured logs, Prometheus metrics,
// OpenTelemetry traces, health, and the debug listener that serves them.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Config are the settings that every process has.
type Config struct {
	DebugAddr    string     `name:"debug-addr" env:"DEBUG_LISTEN_ADDR" default:":9090" help:"Listen address of /metrics, /healthz, /readyz and pprof."`
	LogLevel     slog.Level `name:"log-level" env:"LOG_LEVEL" default:"info" help:"debug, info, warn or error."`
	LogFormat    string     `name:"log-format" env:"LOG_FORMAT" default:"auto" enum:"auto,json,text" help:"json, text, or auto: text on a terminal and json elsewhere."`
	OTLPEndpoint string     `name:"otlp-endpoint" env:"OTEL_EXPORTER_OTLP_ENDPOINT" help:"Send traces to this OpenTelemetry collector (gRPC), for example http://collector:4317. Empty: no traces."`
}

// Telemetry is handed to every part of a process.
type Telemetry struct {
	// Log carries the name of the part as attribute "service".
	Log *slog.Logger
	// Metrics is the process's registry.
	Metrics *prometheus.Registry
	// Traces is a no-op provider when no collector is configured.
	Traces trace.TracerProvider
	// Propagator carries trace ids between processes.
	Propagator propagation.TextMapPropagator
	// Health collects the state of the process's components.
	Health *Health

	base  slog.Handler // without the name of a part
	debug net.Listener
	flush func(context.Context) error
}

// New starts the logger, the registry and the trace exporter, and binds the debug listener. Run serves it.
func New(ctx context.Context, service string, cfg Config) (*Telemetry, error) {
	t := assemble(newHandler(os.Stderr, cfg), service)
	t.Metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if cfg.OTLPEndpoint != "" {
		if err := t.exportTraces(ctx, service, cfg.OTLPEndpoint); err != nil {
			return nil, err
		}
	}
	var lc net.ListenConfig
	lis, err := lc.Listen(ctx, "tcp", cfg.DebugAddr)
	if err != nil {
		return nil, fmt.Errorf("debug listener (DEBUG_LISTEN_ADDR): %w", err)
	}
	t.debug = lis
	return t, nil
}

// Discard returns a Telemetry that logs nothing and serves nothing, for tests and short commands.
func Discard() *Telemetry { return assemble(slog.DiscardHandler, "test") }

// ForTest returns a Telemetry whose log goes to w, for tests that look at it.
func ForTest(w io.Writer) *Telemetry {
	return assemble(newHandler(w, Config{LogLevel: slog.LevelDebug, LogFormat: "json"}), "test")
}

func assemble(base slog.Handler, service string) *Telemetry {
	t := &Telemetry{
		Log:        named(base, service),
		base:       base,
		Metrics:    prometheus.NewRegistry(),
		Traces:     noop.NewTracerProvider(),
		Propagator: propagation.TraceContext{},
		flush:      func(context.Context) error { return nil },
	}
	t.Health = NewHealth(t.Log, t.Metrics)
	return t
}

// For returns the same telemetry with the log attributed to another part of the process.
func (t *Telemetry) For(service string) *Telemetry {
	c := *t
	c.Log = named(t.base, service)
	return &c
}

func named(base slog.Handler, service string) *slog.Logger {
	return slog.New(base).With("service", service)
}

// Addr returns the bound address of the debug listener.
func (t *Telemetry) Addr() string {
	if t.debug == nil {
		return ""
	}
	return t.debug.Addr().String()
}

const (
	debugReadTimeout = 5 * time.Second
	flushTimeout     = 3 * time.Second
)

// Run serves the debug listener until ctx is done, then flushes the traces.
func (t *Telemetry) Run(ctx context.Context) error {
	if t.debug == nil {
		<-ctx.Done()
		return nil
	}
	server := &http.Server{Handler: t.handler(), ReadHeaderTimeout: debugReadTimeout}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.Serve(t.debug)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	flushCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	if flushErr := t.flush(flushCtx); flushErr != nil {
		t.Log.Warn("traces were not flushed", "error", flushErr)
	}
	return err
}

func (t *Telemetry) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.Metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.Handle("GET /readyz", t.Health)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func newHandler(w io.Writer, cfg Config) slog.Handler {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "text" || (cfg.LogFormat == "auto" && isTerminal(w)) {
		return slog.NewTextHandler(w, options)
	}
	return slog.NewJSONHandler(w, options)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (t *Telemetry) exportTraces(ctx context.Context, service, endpoint string) error {
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(endpoint))
	if err != nil {
		return fmt.Errorf("trace exporter (OTEL_EXPORTER_OTLP_ENDPOINT): %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName(service))),
	)
	t.Traces, t.flush = provider, provider.Shutdown
	return nil
}

// Register adds a collector to the process's registry and returns the one that serves: in a process
// with several parts of one kind the first registered is shared.
func Register[C prometheus.Collector](registry *prometheus.Registry, collector C) C {
	err := registry.Register(collector)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing
		}
	}
	if err != nil {
		panic(err) // a metric that contradicts another one is a mistake in the code, found by any test.
	}
	return collector
}
