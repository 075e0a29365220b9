package ha

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

// storageKey encrypts tokens in Redis; whoever searches its dump must find none.
const storageKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// centers are replicas of token-center with what they share.
type centers struct {
	platform *simulator.Platform
	redisURL string
	env      []string

	mu       sync.Mutex
	replicas []*center
	logs     []func() string
}

// center is one replica; it keeps its addresses when it is started again.
type center struct {
	*harness.Process

	addr, debug string
	client      tokenv1.TokenServiceClient
}

// startPlatform starts WeChat with tokens of a given life, 0 for two hours.
func startPlatform(t *testing.T, life time.Duration) *simulator.Platform {
	t.Helper()
	return simulator.Start(t, func(o *simulator.Options) {
		a := simulator.DefaultAccount()
		a.TokenLife = life
		o.Accounts = []simulator.Account{a}
	})
}

// startCenters starts replicas and waits until each has a token. At the end of the test no log and no value
// in Redis shows a token or a secret.
func startCenters(t *testing.T, platform *simulator.Platform, redisURL, api string, replicas int, env ...string) *centers {
	t.Helper()
	c := &centers{platform: platform, redisURL: redisURL}
	c.env = append([]string{
		"WX_ACCOUNTS_FILE=" + writeAccounts(t, api), "WX_API_BASE_URL=" + platform.URL(), "REDIS_URL=" + redisURL,
		"TOKEN_CENTER_STORAGE_KEY_FILE=" + writeFile(t, "storage_key", storageKey), "LOG_LEVEL=debug",
	}, env...)
	for range replicas {
		c.replicas = append(c.replicas, &center{addr: harness.FreeAddr(t), debug: harness.FreeAddr(t)})
	}
	t.Cleanup(func() { c.searchLogs(t) })
	for i, r := range c.replicas {
		r.client = dial(t, r.addr)
		c.start(t, i)
	}
	for i := range c.replicas {
		c.waitForToken(t, i)
	}
	return c
}

// start starts a replica, for the first time or again.
func (c *centers) start(t *testing.T, i int) {
	t.Helper()
	r := c.replicas[i]
	process := harness.Start(t, harness.Build(t, "./services/token-center/cmd/token-center"),
		append([]string{"TOKEN_CENTER_LISTEN_ADDR=" + r.addr, "DEBUG_LISTEN_ADDR=" + r.debug}, c.env...))
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Process = process
	c.logs = append(c.logs, process.Output)
}

func (c *centers) waitForToken(t *testing.T, i int) {
	t.Helper()
	harness.Eventually(t, "replica "+strconv.Itoa(i)+" has a token", func() error {
		_, err := c.get(t.Context(), i)
		return err
	})
}

func (c *centers) get(ctx context.Context, i int) (*tokenv1.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	resp, err := c.replicas[i].client.GetToken(ctx, &tokenv1.GetTokenRequest{})
	return resp.GetToken(), err
}

// report tells a replica that WeChat rejected a generation.
func (c *centers) report(ctx context.Context, i int, generation uint64) (*tokenv1.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	resp, err := c.replicas[i].client.RefreshToken(ctx, &tokenv1.RefreshTokenRequest{
		Rejected: &tokenv1.RefreshTokenRequest_RejectedGeneration{RejectedGeneration: generation},
	})
	return resp.GetToken(), err
}

// rotated lets a foreigner refresh and reports that until a new token is there.
func (c *centers) rotated(t *testing.T, i int) *tokenv1.Token {
	t.Helper()
	old, err := c.get(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.platform.RotateToken("", simulator.TokenStable); err != nil {
		t.Fatal(err)
	}
	var fresh *tokenv1.Token
	harness.Eventually(t, "a report is answered", func() (err error) {
		fresh, err = c.report(t.Context(), i, old.GetGeneration())
		return err
	})
	if err := c.accepted(t.Context(), fresh); err != nil || fresh.GetGeneration() <= old.GetGeneration() {
		t.Errorf("generation %d after %d: %v", fresh.GetGeneration(), old.GetGeneration(), err)
	}
	return fresh
}

// accepted makes an API call with the token, as a caller would.
func (c *centers) accepted(ctx context.Context, token *tokenv1.Token) error {
	body, err := httpGet(ctx, c.platform.URL()+"/cgi-bin/get_api_domain_ip?access_token="+token.GetValue())
	switch {
	case err != nil:
		return errors.New("the platform does not answer") // err would show the token.
	case strings.Contains(body, `"errcode":4`):
		return fmt.Errorf("generation %d is rejected", token.GetGeneration())
	}
	return nil
}

// metric returns the sum of a metric of a replica over its labels.
func (c *centers) metric(ctx context.Context, i int, name string) (float64, error) {
	body, err := httpGet(ctx, "http://"+c.replicas[i].debug+"/metrics")
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for lines := bufio.NewScanner(strings.NewReader(body)); lines.Scan(); {
		if series, value, ok := strings.Cut(lines.Text(), " "); ok && strings.HasPrefix(series, name+"{") {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

// fetches is how often WeChat was asked for a token.
func (c *centers) fetches(t *testing.T) simulator.TokenFetches {
	t.Helper()
	report, err := c.platform.Tokens("")
	if err != nil {
		t.Fatal(err)
	}
	return report.Fetches
}

// secrets are what nothing may show.
func (c *centers) secrets(t *testing.T) []string {
	t.Helper()
	report, err := c.platform.RevealTokens("")
	if err != nil {
		t.Fatal(err)
	}
	all := []string{account.DevelopmentAppSecret, storageKey}
	for _, issued := range report.Tokens {
		all = append(all, issued.Value)
	}
	return all
}

func (c *centers) searchLogs(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, output := range c.logs {
		if err := harness.CheckLog(output(), c.secrets(t)...); err != nil {
			t.Error(err)
		}
	}
}

// watch follows a replica, and another one when that goes away, until ctx is done. What one watcher sees
// never gets older, whichever replica it sees it from: that is the watcher's own rule, which skips what is
// older than what it has. What one stream sends must not get older at all.
func (c *centers) watch(ctx context.Context, first int, violated func(format string, args ...any), seen func(*tokenv1.Token)) {
	for i := first; ctx.Err() == nil; i++ {
		stream, err := c.replicas[i%len(c.replicas)].client.WatchToken(ctx, &tokenv1.WatchTokenRequest{})
		newest := uint64(0)
		for err == nil {
			var resp *tokenv1.WatchTokenResponse
			if resp, err = stream.Recv(); err != nil {
				break
			}
			if got := resp.GetToken().GetGeneration(); got < newest {
				violated("a watcher of replica %d saw generation %d after %d", i%len(c.replicas), got, newest)
			}
			newest = resp.GetToken().GetGeneration()
			seen(resp.GetToken())
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // the replica is gone; not all at once to the next.
		}
	}
}

func dial(t *testing.T, addr string) tokenv1.TokenServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithConnectParams(grpc.ConnectParams{
		MinConnectTimeout: time.Second, // and no growing pauses: replicas come back soon.
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return tokenv1.NewTokenServiceClient(conn)
}

func writeAccounts(t *testing.T, api string) string {
	t.Helper()
	return writeFile(t, "accounts.yaml", fmt.Sprintf("accounts:\n  - {app_id: %s, original_id: %s, token_api: %s, app_secret_file: %s}\n",
		account.DevelopmentAppID, account.DevelopmentOriginalID, api, writeFile(t, "app_secret", account.DevelopmentAppSecret)))
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func httpGet(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
