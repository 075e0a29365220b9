package rpc

import (
	"context"
	"fmt"
	"sync"
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/health" // registers the client side health check that the service config asks for.
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver/dns"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
)

// Repeat says whether a call that failed as unavailable may be sent again by the client itself.
type Repeat bool

const (
	// Never is for calls whose repetition the outside world would notice.
	Never Repeat = false
	// IfUnavailable is for idempotent services: another replica is tried at once.
	IfUnavailable Repeat = true
)

// The service config of every client. Health checking makes round_robin skip replicas that drain.
const (
	balancing = `"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}`
	retrying  = `"methodConfig": [{"name": [{}], "waitForReady": true, "retryPolicy": {
		"maxAttempts": 4, "initialBackoff": "0.02s", "maxBackoff": "0.5s", "backoffMultiplier": 3,
		"retryableStatusCodes": ["UNAVAILABLE"]}}]`
	waiting = `"methodConfig": [{"name": [{}], "waitForReady": true}]`
)

const (
	// resolveInterval is how soon new replicas are seen; the library's 30 s is too long for scaling by hand.
	resolveInterval = 2 * time.Second
	// defaultTimeout is for callers that set no deadline: every call has one.
	defaultTimeout = 5 * time.Second
	// reconnectDelay bounds the pause between two attempts to reach a replica, so that one that comes
	// back is used within a message's budget.
	reconnectDelay = time.Second
)

// Dial makes a client connection to target, such as dns:///logic:50051 or localhost:50051. It does
// not connect: calls wait for a replica until their deadline. Options such as WithKey come last.
func Dial(target string, tel *telemetry.Telemetry, files TLS, repeat Repeat, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	creds, err := files.client()
	if err != nil {
		return nil, err
	}
	lookUpOften()
	metrics := telemetry.Register(tel.Metrics, grpcprom.NewClientMetrics(grpcprom.WithClientHandlingTimeHistogram()))
	calls := waiting
	if repeat == IfUnavailable {
		calls = retrying
	}
	conn, err := grpc.NewClient(target, append([]grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		// The DNS resolver would look for a TXT record, which stalls 10 s behind Docker's DNS.
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultServiceConfig("{" + balancing + "," + calls + "}"),
		grpc.WithConnectParams(connectParams()),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveInterval, Timeout: keepaliveTimeout, PermitWithoutStream: true}),
		grpc.WithInitialWindowSize(window),
		grpc.WithInitialConnWindowSize(window),
		grpc.WithStatsHandler(otelgrpc.NewClientHandler(
			otelgrpc.WithTracerProvider(tel.Traces), otelgrpc.WithPropagators(tel.Propagator))),
		grpc.WithChainUnaryInterceptor(clientFaults, metrics.UnaryClientInterceptor()),
		grpc.WithChainStreamInterceptor(metrics.StreamClientInterceptor()),
	}, options...)...)
	if err != nil {
		return nil, fmt.Errorf("gRPC target %q: %w", target, err)
	}
	return conn, nil
}

// lookUpOften changes a setting that the library keeps for the whole process and reads without a lock,
// so it happens once, before the first lookup.
var lookUpOften = sync.OnceFunc(func() { dns.SetMinResolutionInterval(resolveInterval) })

func connectParams() grpc.ConnectParams {
	params := grpc.ConnectParams{MinConnectTimeout: reconnectDelay}
	params.Backoff.BaseDelay = reconnectDelay / 10
	params.Backoff.Multiplier = 2
	params.Backoff.Jitter = 0.2
	params.Backoff.MaxDelay = reconnectDelay
	return params
}

// clientFaults gives every call a deadline and turns its error back into a fault.
func clientFaults(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultTimeout)
		defer cancel()
	}
	return fault.FromStatus(invoke(ctx, method, req, reply, conn, opts...))
}
