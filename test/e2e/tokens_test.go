package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

// tokenCenters is a platform, a real Redis, and replicas of token-center as separate processes.
type tokenCenters struct {
	platform *simulator.Platform
	clients  []tokenv1.TokenServiceClient
}

func startTokenCenters(t *testing.T, replicas int) tokenCenters {
	t.Helper()
	return startTokenCentersFor(t, harness.WriteAccounts(t), replicas)
}

func startTokenCentersFor(t *testing.T, accounts string, replicas int) tokenCenters {
	t.Helper()
	redisURL, _ := harness.Redis(t)
	c := tokenCenters{platform: simulator.Start(t)}
	for range replicas {
		addr, debug := harness.FreeAddr(t), harness.FreeAddr(t)
		process := harness.Start(t, harness.Build(t, "./services/token-center/cmd/token-center"), []string{
			"WX_ACCOUNTS_FILE=" + accounts, "WX_API_BASE_URL=" + c.platform.URL(), "REDIS_URL=" + redisURL,
			"TOKEN_CENTER_LISTEN_ADDR=" + addr, "DEBUG_LISTEN_ADDR=" + debug, "LOG_LEVEL=debug",
		})
		process.WaitHTTP(t, "http://"+debug+"/healthz")
		c.clients = append(c.clients, dialTokenCenter(t, addr))
		t.Cleanup(func() {
			if err := harness.CheckLog(process.Output(), secrets(t, c.platform)...); err != nil {
				t.Error(err)
			}
		})
	}
	return c
}

func dialTokenCenter(t *testing.T, addr string) tokenv1.TokenServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return tokenv1.NewTokenServiceClient(conn)
}

// secrets are all values that no log may show: the account's, and every token that was ever issued.
func secrets(t *testing.T, p *simulator.Platform) []string {
	t.Helper()
	report, err := p.RevealTokens("")
	if err != nil {
		t.Fatal(err)
	}
	all := []string{account.DevelopmentAppSecret, account.DevelopmentCallbackToken, account.DevelopmentEncodingAESKey}
	for _, issued := range report.Tokens {
		all = append(all, issued.Value)
	}
	return all
}

func TestAThousandCallersOfTwoReplicasCauseOneFetch(t *testing.T) {
	t.Parallel()
	c := startTokenCenters(t, 2)
	got := everyone(t, 1000, func(ctx context.Context, i int) (*tokenv1.Token, error) {
		resp, err := c.clients[i%len(c.clients)].GetToken(ctx, &tokenv1.GetTokenRequest{AppId: account.DevelopmentAppID})
		return resp.GetToken(), err
	})
	for value, n := range got {
		if n != 1000 || value == "" {
			t.Errorf("%d callers got a token of their own", n)
		}
	}
	expectFetches(t, c.platform, 1)
}

// A token rotated behind our back (互相覆盖) is healed by one fetch, however many report it.
func TestATokenRotatedBehindOurBackIsHealedByOneFetch(t *testing.T) {
	t.Parallel()
	c := startTokenCenters(t, 2)
	before, err := c.clients[0].GetToken(t.Context(), &tokenv1.GetTokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.platform.RotateToken("", ""); err != nil {
		t.Fatal(err)
	}
	got := everyone(t, 200, func(ctx context.Context, i int) (*tokenv1.Token, error) {
		resp, err := c.clients[i%len(c.clients)].RefreshToken(ctx, &tokenv1.RefreshTokenRequest{
			AppId: account.DevelopmentAppID, Rejected: &tokenv1.RefreshTokenRequest_RejectedGeneration{RejectedGeneration: before.GetToken().GetGeneration()},
		})
		return resp.GetToken(), err
	})
	if len(got) != 1 || got[before.GetToken().GetValue()] != 0 {
		t.Errorf("%d different tokens handed out, want one and a new one", len(got))
	}
	expectFetches(t, c.platform, 2)
}

func TestWatchersOfBothReplicasSeeTheNewToken(t *testing.T) {
	t.Parallel()
	c := startTokenCenters(t, 2)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var streams []grpc.ServerStreamingClient[tokenv1.WatchTokenResponse]
	var first *tokenv1.Token
	for _, client := range c.clients {
		stream, err := client.WatchToken(ctx, &tokenv1.WatchTokenRequest{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		first = got.GetToken()
		streams = append(streams, stream)
	}
	if err := c.platform.RotateToken("", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := c.clients[0].RefreshToken(ctx, &tokenv1.RefreshTokenRequest{
		AppId: first.GetAppId(), Rejected: &tokenv1.RefreshTokenRequest_RejectedValue{RejectedValue: first.GetValue()},
	}); err != nil {
		t.Fatal(err)
	}
	for i, stream := range streams {
		got, err := stream.Recv()
		if err != nil || got.GetToken().GetGeneration() <= first.GetGeneration() || got.GetToken().GetValue() == first.GetValue() {
			t.Errorf("replica %d: generation %d after %d, error %v", i, got.GetToken().GetGeneration(), first.GetGeneration(), err)
		}
	}
}

// A wrong AppSecret is told to the caller with its remedy, and WeChat is not asked again and again.
func TestAWrongSecretIsNamedWithItsRemedy(t *testing.T) {
	t.Parallel()
	accounts := harness.WriteAccounts(t)
	if err := os.WriteFile(filepath.Join(filepath.Dir(accounts), "app_secret"), []byte("not-the-secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := startTokenCentersFor(t, accounts, 1)
	for range 20 {
		_, err := c.clients[0].GetToken(t.Context(), &tokenv1.GetTokenRequest{})
		st := status.Convert(err)
		if st.Code() != codes.FailedPrecondition || !strings.Contains(st.Message(), "AppSecret") {
			t.Fatalf("GetToken: %v; want a failed precondition that names the AppSecret", err)
		}
		if strings.Contains(st.Message(), "not-the-secret") {
			t.Fatalf("the secret is shown: %v", err)
		}
	}
	list, err := c.clients[0].ListAccounts(t.Context(), &tokenv1.ListAccountsRequest{})
	if err != nil || !strings.Contains(list.GetAccounts()[0].GetTokens()[0].GetProblem(), "AppSecret") {
		t.Errorf("accounts %v, error %v; want the problem in the status", list, err)
	}
	if asked := len(c.platform.Calls()); asked > 2 {
		t.Errorf("WeChat was asked %d times", asked)
	}
}

func TestListAccountsShowsNoToken(t *testing.T) {
	t.Parallel()
	c := startTokenCenters(t, 1)
	token, err := c.clients[0].GetToken(t.Context(), &tokenv1.GetTokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.clients[0].ListAccounts(t.Context(), &tokenv1.ListAccountsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.GetAccounts()) != 1 || len(list.GetAccounts()[0].GetTokens()) == 0 {
		t.Fatalf("accounts %v", list)
	}
	if got := list.GetAccounts()[0].GetTokens()[0].GetGeneration(); got != token.GetToken().GetGeneration() {
		t.Errorf("generation %d, want %d", got, token.GetToken().GetGeneration())
	}
	if strings.Contains(list.String(), token.GetToken().GetValue()) {
		t.Error("the list shows the token")
	}
}

// everyone calls f from n goroutines at once and counts the values they got.
func everyone(t *testing.T, n int, f func(ctx context.Context, i int) (*tokenv1.Token, error)) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var mu sync.Mutex
	values := map[string]int{}
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			token, err := f(ctx, i)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
			values[token.GetValue()]++
		})
	}
	close(start)
	wg.Wait()
	return values
}

func expectFetches(t *testing.T, p *simulator.Platform, want int) {
	t.Helper()
	report, err := p.Tokens("")
	if err != nil {
		t.Fatal(err)
	}
	if got := report.Fetches.Stable; got != want {
		t.Errorf("%d fetches from the platform, want %d (%+v)", got, want, report.Fetches)
	}
}
