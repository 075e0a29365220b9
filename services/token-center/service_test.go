package tokencenter_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	tokencenter "github.com/wxstack/wxstack/services/token-center"
	"github.com/wxstack/wxstack/services/token-center/internal/redistest"
)

func TestMain(m *testing.M) {
	// The driver's attempt to reach a Redis that is away ends up to a second after its pool was closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// file writes a file for one test.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func accountsFile(t *testing.T, api string) string {
	t.Helper()
	return file(t, "accounts.yaml", fmt.Sprintf(
		"accounts:\n  - {app_id: %s, original_id: gh_1, token_api: %s, app_secret_file: %s}\n",
		testAppID, api, file(t, "secret", testSecret+"\n")))
}

func testConfig(t *testing.T, p *platform, redisURL, api string) tokencenter.Config {
	t.Helper()
	return tokencenter.Config{
		ListenAddr: "127.0.0.1:0", AccountsFile: accountsFile(t, api), APIBaseURL: []string{p.URL},
		Redis: redisconn.Config{URL: redisURL},
	}
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// replica is a running token-center.
type replica struct {
	tokenv1.TokenServiceClient

	tel  *telemetry.Telemetry
	log  *syncBuffer
	addr string
	stop func()

	httpAddr string
	http     *http.Client
}

func startReplica(t *testing.T, cfg tokencenter.Config, options ...grpc.DialOption) *replica {
	t.Helper()
	r := &replica{log: &syncBuffer{}}
	r.tel = telemetry.ForTest(r.log)
	service, err := tokencenter.New(t.Context(), cfg, r.tel)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx) }()
	conn, err := rpc.Dial(service.Addr(), telemetry.Discard(), rpc.TLS{}, rpc.Never, options...)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	r.addr, r.httpAddr, r.http = service.Addr(), service.HTTPAddr(), &http.Client{Transport: transport}
	r.TokenServiceClient = tokenv1.NewTokenServiceClient(conn)
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("token-center ended with %v", err)
		}
		transport.CloseIdleConnections()
		_ = conn.Close()
	})
	t.Cleanup(r.stop)
	return r
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestAThousandCallersOfTwoReplicasCauseOneFetch(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"stable", "classic"} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			_, server := redistest.Real(t)
			p, ctx := newPlatform(t), testContext(t)
			cfg := testConfig(t, p, server.URL(), api)
			replicas := []*replica{startReplica(t, cfg), startReplica(t, cfg)}
			const callers = 1000
			values := make([]string, callers)
			var wg sync.WaitGroup
			for i := range callers {
				wg.Go(func() {
					resp, err := replicas[i%2].GetToken(ctx, &tokenv1.GetTokenRequest{})
					if err != nil {
						t.Errorf("caller %d: %v", i, err)
					}
					values[i] = resp.GetToken().GetValue()
				})
			}
			wg.Wait()
			slices.Sort(values)
			if distinct := slices.Compact(values); len(distinct) != 1 {
				t.Errorf("callers got %d different tokens", len(distinct))
			}
			if fetches, _ := p.counts(); fetches != 1 {
				t.Errorf("%d fetches, want 1", fetches)
			}
		})
	}
}

func TestARotationBehindOurBackIsHealedByOneFetchAndReachesEveryWatcher(t *testing.T) {
	t.Parallel()
	_, server := redistest.Real(t)
	p, ctx := newPlatform(t), testContext(t)
	cfg := testConfig(t, p, server.URL(), "stable")
	replicas := []*replica{startReplica(t, cfg), startReplica(t, cfg)}
	streams := []grpc.ServerStreamingClient[tokenv1.WatchTokenResponse]{}
	var old *tokenv1.Token
	for _, r := range replicas {
		stream, err := r.WatchToken(ctx, &tokenv1.WatchTokenRequest{})
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, stream)
		old = receive(t, stream)
	}
	p.rotate()
	const reporters = 200
	var wg sync.WaitGroup
	for i := range reporters {
		wg.Go(func() {
			req := &tokenv1.RefreshTokenRequest{Rejected: &tokenv1.RefreshTokenRequest_RejectedGeneration{RejectedGeneration: old.GetGeneration()}}
			if i%3 == 0 {
				req.Rejected = &tokenv1.RefreshTokenRequest_RejectedValue{RejectedValue: old.GetValue()}
			}
			resp, err := replicas[i%2].RefreshToken(ctx, req)
			if err != nil || resp.GetToken().GetValue() != "live-token-2" {
				t.Errorf("reporter %d got generation %d, %v", i, resp.GetToken().GetGeneration(), err)
			}
		})
	}
	wg.Wait()
	if fetches, forced := p.counts(); fetches != 2 || forced != 0 {
		t.Errorf("%d fetches, %d forced; want 2 and 0", fetches, forced)
	}
	for i, stream := range streams {
		if got := receive(t, stream); got.GetValue() != "live-token-2" || got.GetGeneration() <= old.GetGeneration() {
			t.Errorf("watcher %d got generation %d after %d", i, got.GetGeneration(), old.GetGeneration())
		}
	}
	// One of the two did the healing, and says whose fault it was.
	if logs := replicas[0].log.String() + replicas[1].log.String(); strings.Count(logs, "another system fetches tokens") != 1 {
		t.Errorf("the foreign refresh was not reported once:\n%s", logs)
	}
}

func receive(t *testing.T, stream grpc.ServerStreamingClient[tokenv1.WatchTokenResponse]) *tokenv1.Token {
	t.Helper()
	resp, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetToken()
}

func TestWithRedisDownTheLastTokenIsServedAndNobodyFetches(t *testing.T) {
	t.Parallel()
	_, server := redistest.Real(t)
	p, ctx := newPlatform(t), testContext(t)
	cfg := testConfig(t, p, server.URL(), "stable")
	first := startReplica(t, cfg)
	before, err := first.GetToken(ctx, &tokenv1.GetTokenRequest{AppId: testAppID})
	if err != nil {
		t.Fatal(err)
	}
	server.Stop()
	newcomer := startReplica(t, cfg)
	if _, err := newcomer.GetToken(ctx, &tokenv1.GetTokenRequest{}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a replica without memory answered %v", err)
	}
	for range 50 {
		resp, err := first.GetToken(ctx, &tokenv1.GetTokenRequest{})
		if err != nil || resp.GetToken().GetValue() != before.GetToken().GetValue() {
			t.Fatalf("a replica with a token in memory answered %v", err)
		}
	}
	if fetches, _ := p.counts(); fetches != 1 {
		t.Errorf("%d fetches while Redis was down, want none", fetches-1)
	}
	// Redis comes back empty: the token in memory is written back, and the newcomer gets it.
	server.Start(t)
	after := eventually(t, ctx, func() (*tokenv1.GetTokenResponse, error) {
		return newcomer.GetToken(ctx, &tokenv1.GetTokenRequest{})
	})
	if after.GetToken().GetValue() != before.GetToken().GetValue() {
		t.Errorf("the newcomer has generation %d, not %d", after.GetToken().GetGeneration(), before.GetToken().GetGeneration())
	}
}

// eventually repeats call until it succeeds or ctx ends.
func eventually[T any](t *testing.T, ctx context.Context, call func() (T, error)) T { //nolint:revive // t first.
	t.Helper()
	for {
		got, err := call()
		if err == nil {
			return got
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

func TestARejectedSecretIsToldWithItsRemedyAndNotTriedAgain(t *testing.T) {
	t.Parallel()
	client, server := redistest.Mini(t)
	p, ctx := newPlatform(t), testContext(t)
	p.refuseWith(40125)
	r := startReplica(t, testConfig(t, p, "redis://"+server.Addr(), "stable"))
	for range 20 {
		_, err := r.GetToken(ctx, &tokenv1.GetTokenRequest{})
		if fault.KindOf(err) != fault.Precondition || !strings.Contains(err.Error(), "AppSecret") {
			t.Fatalf("error = %v", err)
		}
	}
	if fetches, _ := p.counts(); fetches != 1 {
		t.Errorf("%d fetches with a rejected secret, want 1", fetches)
	}
	list, err := r.ListAccounts(ctx, &tokenv1.ListAccountsRequest{})
	if err != nil || !strings.Contains(list.GetAccounts()[0].GetTokens()[0].GetProblem(), "40125") {
		t.Errorf("accounts = %v, %v", list, err)
	}
	if report, _ := r.tel.Health.Report(); len(report.Down()) == 0 {
		t.Error("health is fine without a token")
	}
	if keys := client.Keys(ctx, "wx:*").Val(); slices.ContainsFunc(keys, func(k string) bool { return !strings.HasPrefix(k, "wx:{"+testAppID+"}:") }) {
		t.Errorf("keys without the account's hash tag: %v", keys)
	}
}

func TestNeitherSecretNorTokenIsEverLogged(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"stable", "classic"} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			_, server := redistest.Mini(t)
			p, ctx := newPlatform(t), testContext(t)
			r := startReplica(t, testConfig(t, p, "redis://"+server.Addr(), api))
			got, err := r.GetToken(ctx, &tokenv1.GetTokenRequest{})
			if err != nil {
				t.Fatal(err)
			}
			p.refuseWith(-1)
			_, _ = r.RefreshToken(ctx, &tokenv1.RefreshTokenRequest{
				Rejected: &tokenv1.RefreshTokenRequest_RejectedValue{RejectedValue: got.GetToken().GetValue()},
			})
			p.Close()
			_, _ = r.RefreshToken(ctx, &tokenv1.RefreshTokenRequest{
				Rejected: &tokenv1.RefreshTokenRequest_RejectedGeneration{RejectedGeneration: got.GetToken().GetGeneration()},
			})
			r.stop()
			log := r.log.String()
			for _, hidden := range []string{testSecret, "live-token-"} {
				if strings.Contains(log, hidden) {
					t.Errorf("%q is in the log:\n%s", hidden, log)
				}
			}
			if !strings.Contains(log, "token renewed") {
				t.Errorf("the renewal is not in the log:\n%s", log)
			}
		})
	}
}

func TestAnOrderlyStopSendsWatchersAway(t *testing.T) {
	t.Parallel()
	_, server := redistest.Mini(t)
	p, ctx := newPlatform(t), testContext(t)
	r := startReplica(t, testConfig(t, p, "redis://"+server.Addr(), "stable"))
	stream, err := r.WatchToken(ctx, &tokenv1.WatchTokenRequest{AppIds: []string{testAppID}})
	if err != nil {
		t.Fatal(err)
	}
	receive(t, stream)
	r.stop()
	if _, err := stream.Recv(); fault.KindOf(fault.FromStatus(err)) != fault.Unavailable {
		t.Errorf("the watch ended with %v", err)
	}
}
