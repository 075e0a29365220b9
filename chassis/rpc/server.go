package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
)

const (
	// maxConnectionAge makes clients look up their peers again, so that new replicas get work.
	maxConnectionAge = 30 * time.Second
	// maxConnectionAgeGrace is how long the calls on an old connection may go on. Some take minutes on purpose.
	maxConnectionAgeGrace = 15 * time.Minute
	keepaliveInterval     = 10 * time.Second
	keepaliveTimeout      = 3 * time.Second
	// window is how many bytes may be under way on a call and on a connection. A fixed one, far above what
	// our calls need, saves the library's measuring of the line, which is a ping for every exchange.
	window = 1 << 20
	// minClientPing is under keepaliveInterval, so that our own clients never break the rule.
	minClientPing = 5 * time.Second
	// stopGrace is how long calls in flight may take to finish after the server was asked to stop.
	stopGrace = 15 * time.Second
)

// Server is a gRPC server with the house's equipment. Register services on it, then Serve.
type Server struct {
	*grpc.Server
	health    *health.Server
	log       *slog.Logger
	plaintext bool
	admit     Admission
}

// Option changes how NewServer makes a server.
type Option func(*Server)

// NewServer makes a server. Without TLS files it speaks plaintext.
func NewServer(tel *telemetry.Telemetry, files TLS, options ...Option) (*Server, error) {
	creds, err := files.server()
	if err != nil {
		return nil, err
	}
	metrics := telemetry.Register(tel.Metrics, grpcprom.NewServerMetrics(grpcprom.WithServerHandlingTimeHistogram()))
	onPanic := recovery.WithRecoveryHandler(panicked)
	s := &Server{health: health.NewServer(), log: tel.Log, plaintext: !files.Enabled(), admit: admitAll}
	for _, option := range options {
		option(s)
	}
	s.Server = grpc.NewServer(
		grpc.Creds(creds),
		grpc.StatsHandler(otelgrpc.NewServerHandler(
			otelgrpc.WithTracerProvider(tel.Traces), otelgrpc.WithPropagators(tel.Propagator))),
		grpc.ChainUnaryInterceptor(
			metrics.UnaryServerInterceptor(),
			s.unaryFaults,
			recovery.UnaryServerInterceptor(onPanic),
			s.unaryAdmission,
			unaryDeadline,
		),
		grpc.ChainStreamInterceptor(
			metrics.StreamServerInterceptor(),
			s.streamFaults,
			recovery.StreamServerInterceptor(onPanic),
			s.streamAdmission,
		),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: maxConnectionAge, MaxConnectionAgeGrace: maxConnectionAgeGrace,
			Time: keepaliveInterval, Timeout: keepaliveTimeout,
		}),
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(window),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minClientPing, PermitWithoutStream: true}),
	)
	healthv1.RegisterHealthServer(s.Server, s.health)
	reflection.Register(s.Server)
	return s, nil
}

// Run serves on lis until ctx is done. Then health says NOT_SERVING, new calls are refused, and calls
// in flight get 15 s to finish. It closes lis. Plaintext that other machines can reach is warned about.
func (s *Server) Run(ctx context.Context, lis net.Listener) error {
	if addr, ok := lis.Addr().(*net.TCPAddr); s.plaintext && ok && !addr.IP.IsLoopback() {
		s.log.WarnContext(ctx, "gRPC without TLS: fine on a private network, otherwise set TLS_CERT_FILE, TLS_KEY_FILE and TLS_CA_FILE")
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(lis) }()
	select {
	case err := <-served:
		return fmt.Errorf("gRPC server on %s: %w", lis.Addr(), err)
	case <-ctx.Done():
	}
	s.health.Shutdown()
	hard := time.AfterFunc(stopGrace, s.Stop)
	defer hard.Stop()
	s.GracefulStop()
	if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("gRPC server on %s: %w", lis.Addr(), err)
	}
	return nil
}

func (s *Server) unaryFaults(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	resp, err := handler(ctx, req)
	return resp, present(ctx, s.log, info.FullMethod, err)
}

func (s *Server) streamFaults(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return present(stream.Context(), s.log, info.FullMethod, handler(srv, stream))
}

// Guard runs one of many calls that came inside a stream as the server runs a unary call: a panic and
// whatever else must not leave the process come back as a fault that may, and are logged. The method
// names the call in the log.
func Guard[T any](ctx context.Context, log *slog.Logger, method string, call func(context.Context) (T, error)) (resp T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
		err = present(ctx, log, method, err)
	}()
	return call(ctx)
}

// panicked makes a panic an error. It is called from the deferred function that recovered it.
func panicked(p any) error {
	return fault.Wrap(fault.Internal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()), "panic")
}

// present makes any error one that says no more than the caller may know; what is withheld is logged.
func present(ctx context.Context, log *slog.Logger, method string, err error) error {
	if err == nil {
		return nil
	}
	kind := fault.KindOf(err)
	var known *fault.Error
	if !errors.As(err, &known) {
		known = fault.Wrap(kind, err, "%s failed", method)
	}
	if kind == fault.Internal {
		log.ErrorContext(ctx, "call failed", "method", method, "error", err)
	} else {
		log.DebugContext(ctx, "call refused", "method", method, "kind", kind, "error", err)
	}
	return known
}

const (
	// hopCost is taken off the deadline at every hop, so that the innermost failure gets back in time
	// to be named.
	hopCost = 20 * time.Millisecond
	// minWork is the least time that is worth starting a call with.
	minWork = 10 * time.Millisecond
)

func unaryDeadline(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return handler(ctx, req)
	}
	ctx, cancel, err := Within(ctx, time.Until(deadline))
	if err != nil {
		return nil, err
	}
	defer cancel()
	return handler(ctx, req)
}

// Within returns a context for work whose caller waits for timeLeft, as the server gives it to every
// unary call: the way back is taken off. It fails when too little is left to begin.
func Within(ctx context.Context, timeLeft time.Duration) (context.Context, context.CancelFunc, error) {
	left := timeLeft - hopCost
	if left < minWork {
		return nil, nil, fault.New(fault.Deadline, "the call came with %v left, which is too short to start it", timeLeft)
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	return ctx, cancel, nil
}
