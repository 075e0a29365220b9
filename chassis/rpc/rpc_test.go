package rpc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
)

// Credentials cannot be closed, so the library's watchers of certificate files live as long as the
// process that configured them.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("google.golang.org/grpc/credentials/tls/certprovider/pemfile.(*watcher).run"))
}

// probe is a service with one method that does what the test says.
type probe func(context.Context) (*durationpb.Duration, error)

var probeService = grpc.ServiceDesc{
	ServiceName: "test.Probe",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Do",
		Handler: func(srv any, ctx context.Context, dec func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			var in emptypb.Empty
			if err := dec(&in); err != nil {
				return nil, err
			}
			handler := func(ctx context.Context, _ any) (any, error) { return srv.(probe)(ctx) }
			return interceptor(ctx, &in, &grpc.UnaryServerInfo{Server: srv, FullMethod: "/test.Probe/Do"}, handler)
		},
	}},
}

func do(ctx context.Context, conn *grpc.ClientConn) (*durationpb.Duration, error) {
	out := new(durationpb.Duration)
	err := conn.Invoke(ctx, "/test.Probe/Do", &emptypb.Empty{}, out)
	return out, err
}

// serve runs p on addr until the test ends and returns the bound address and a way to stop it early.
func serve(t *testing.T, addr string, tel *telemetry.Telemetry, files rpc.TLS, p probe, options ...rpc.Option) (bound string, stop func()) {
	t.Helper()
	server, err := rpc.NewServer(tel, files, options...)
	if err != nil {
		t.Fatal(err)
	}
	server.RegisterService(&probeService, p)
	return runOn(t, addr, server)
}

// run serves until the test ends, on a free port.
func run(t *testing.T, server *rpc.Server) string {
	t.Helper()
	bound, _ := runOn(t, "127.0.0.1:0", server)
	return bound
}

func runOn(t *testing.T, addr string, server *rpc.Server) (bound string, stop func()) {
	t.Helper()
	var lc net.ListenConfig
	lis, err := lc.Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx, lis) }()
	var stopped atomic.Bool
	stop = func() {
		if stopped.CompareAndSwap(false, true) {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return lis.Addr().String(), stop
}

func dial(t *testing.T, target string, files rpc.TLS, repeat rpc.Repeat, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := rpc.Dial(target, telemetry.Discard(), files, repeat, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestTheDeadlineShrinksAtTheHop(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, "127.0.0.1:0", telemetry.Discard(), rpc.TLS{}, func(ctx context.Context) (*durationpb.Duration, error) {
		deadline, _ := ctx.Deadline()
		return durationpb.New(time.Until(deadline)), nil
	})
	conn := dial(t, addr, rpc.TLS{}, rpc.Never)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	left, err := do(ctx, conn)
	if err != nil || left.AsDuration() > time.Minute-20*time.Millisecond || left.AsDuration() < 50*time.Second {
		t.Errorf("left %v, error %v; want a minute less at least 20 ms", left.AsDuration(), err)
	}
	left, err = do(context.WithoutCancel(ctx), conn)
	if err != nil || left.AsDuration() > 5*time.Second {
		t.Errorf("left %v, error %v; want the default of 5 s for a caller without a deadline", left.AsDuration(), err)
	}
}

func TestFaultsKeepTheirKindAndPanicsStayInside(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fail  func() error
		kind  fault.Kind
		shown string
	}{
		"fault":    {func() error { return fault.New(fault.NotFound, "no account wx1") }, fault.NotFound, "no account wx1"},
		"plain":    {func() error { return errors.New("secret detail") }, fault.Internal, "internal error"},
		"panic":    {func() error { panic("secret detail") }, fault.Internal, "internal error"},
		"deadline": {func() error { return context.DeadlineExceeded }, fault.Deadline, "failed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			tel := telemetry.ForTest(&log)
			addr, stop := serve(t, "127.0.0.1:0", tel, rpc.TLS{}, func(context.Context) (*durationpb.Duration, error) { return nil, tt.fail() })
			_, err := do(t.Context(), dial(t, addr, rpc.TLS{}, rpc.Never))
			stop()
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind() != tt.kind || !strings.Contains(f.Message(), tt.shown) {
				t.Fatalf("received %v, want kind %v with %q", err, tt.kind, tt.shown)
			}
			if strings.Contains(err.Error(), "secret detail") {
				t.Errorf("the caller sees %v", err)
			}
			if tt.kind == fault.Internal && !strings.Contains(log.String(), "secret detail") {
				t.Errorf("the log lacks the cause:\n%s", log.String())
			}
		})
	}
}

func TestUnavailableIsRepeatedOnlyWhereAllowed(t *testing.T) {
	t.Parallel()
	for repeat, want := range map[rpc.Repeat]int32{rpc.Never: 1, rpc.IfUnavailable: 3} {
		var calls atomic.Int32
		addr, _ := serve(t, "127.0.0.1:0", telemetry.Discard(), rpc.TLS{}, func(context.Context) (*durationpb.Duration, error) {
			if calls.Add(1) < 3 {
				return nil, fault.New(fault.Unavailable, "not yet")
			}
			return &durationpb.Duration{}, nil
		})
		_, err := do(t.Context(), dial(t, addr, rpc.TLS{}, repeat))
		if calls.Load() != want || (err == nil) != (want == 3) {
			t.Errorf("repeat %v: %d calls, want %d; error %v", repeat, calls.Load(), want, err)
		}
	}
}

func TestACallWaitsForAReplicaThatComesBack(t *testing.T) {
	t.Parallel()
	ok := func(context.Context) (*durationpb.Duration, error) { return &durationpb.Duration{}, nil }
	addr, stop := serve(t, "127.0.0.1:0", telemetry.Discard(), rpc.TLS{}, ok)
	conn := dial(t, addr, rpc.TLS{}, rpc.IfUnavailable)
	if _, err := do(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	answered := make(chan error, 1)
	go func() { _, err := do(ctx, conn); answered <- err }()
	serve(t, addr, telemetry.Discard(), rpc.TLS{}, ok)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestHealthIsServedAndStops(t *testing.T) {
	t.Parallel()
	block, entered := make(chan struct{}), make(chan struct{})
	addr, stop := serve(t, "127.0.0.1:0", telemetry.Discard(), rpc.TLS{}, func(context.Context) (*durationpb.Duration, error) {
		close(entered)
		<-block
		return &durationpb.Duration{}, nil
	})
	conn := dial(t, addr, rpc.TLS{}, rpc.Never)
	watch, err := grpc_health_v1.NewHealthClient(conn).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		got, err := watch.Recv()
		if err != nil || got.GetStatus() != want {
			t.Errorf("health %v, error %v; want %v", got.GetStatus(), err, want)
		}
	}
	expect(grpc_health_v1.HealthCheckResponse_SERVING)
	inFlight := make(chan error, 1)
	go func() { _, err := do(t.Context(), conn); inFlight <- err }()
	<-entered
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	expect(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	close(block)
	if err := <-inFlight; err != nil {
		t.Errorf("the call in flight was cut: %v", err)
	}
	_ = conn.Close() // ends the watch, which would hold the graceful stop
	<-stopped
}

func TestMutualTLS(t *testing.T) {
	t.Parallel()
	house, stranger := newCA(t), newCA(t)
	ok := func(context.Context) (*durationpb.Duration, error) { return &durationpb.Duration{}, nil }
	addr, _ := serve(t, "127.0.0.1:0", telemetry.Discard(), house.issue(t, "server"), ok)
	tests := map[string]struct {
		files rpc.TLS
		works bool
	}{
		"own certificate":     {house.issue(t, "client"), true},
		"foreign certificate": {stranger.issue(t, "client"), false},
		"plaintext":           {rpc.TLS{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if tt.works {
				ctx = t.Context()
			}
			if _, err := do(ctx, dial(t, addr, tt.files, rpc.Never)); (err == nil) != tt.works {
				t.Errorf("error = %v, works should be %v", err, tt.works)
			}
		})
	}
}

func TestHalfConfiguredTLSIsRefused(t *testing.T) {
	t.Parallel()
	full := newCA(t).issue(t, "x")
	for name, files := range map[string]rpc.TLS{
		"no key":         {CertFile: full.CertFile, CAFile: full.CAFile},
		"only CA":        {CAFile: full.CAFile},
		"not a key pair": {CertFile: full.CAFile, KeyFile: full.KeyFile, CAFile: full.CAFile},
	} {
		if err := files.Check(); err == nil || !strings.Contains(err.Error(), "TLS_CERT_FILE") {
			t.Errorf("%s: error = %v", name, err)
		}
	}
	if err := errors.Join(full.Check(), rpc.TLS{}.Check()); err != nil {
		t.Error(err)
	}
}

// ca is a certificate authority that lives as long as a test.
type ca struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T) ca {
	t.Helper()
	a := ca{dir: t.TempDir(), key: newKey(t)}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	a.write(t, "ca.pem", "CERTIFICATE", a.sign(t, a.cert, &a.key.PublicKey))
	return a
}

func (a ca) issue(t *testing.T, name string) rpc.TLS {
	t.Helper()
	key := newKey(t)
	der := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames: []string{name + ".internal"}, URIs: []*url.URL{{Scheme: "spiffe", Host: "house", Path: "/" + name}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, &key.PublicKey)
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return rpc.TLS{
		CertFile: a.write(t, name+".pem", "CERTIFICATE", der),
		KeyFile:  a.write(t, name+".key", "EC PRIVATE KEY", keyDER),
		CAFile:   filepath.Join(a.dir, "ca.pem"),
	}
}

func (a ca) sign(t *testing.T, template *x509.Certificate, public *ecdsa.PublicKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (a ca) write(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
