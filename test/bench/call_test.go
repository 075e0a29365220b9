package bench

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

// BenchmarkCall is one call of WeChat's API at a time: at the simulator itself, through a plain reverse proxy of
// the standard library's, and through api-proxy with a callers file, two limits and Redis.
func BenchmarkCall(b *testing.B) {
	platform := simulator.Start(b)
	proxy, key := startCallProxy(b, platform.URL())
	behind, err := url.Parse(platform.URL())
	if err != nil {
		b.Fatal(err)
	}
	plain := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) }})
	b.Cleanup(plain.Close)
	const read = "/cgi-bin/user/info?lang=zh_CN&openid=" + simulator.DefaultFollower
	callOnce(b, "http://"+proxy+read, key) // has a token fetched.
	report, err := platform.RevealTokens(account.DevelopmentAppID)
	if err != nil {
		b.Fatal(err)
	}
	token := "&access_token=" + report.Tokens[0].Value
	for _, way := range []struct{ name, uri, key string }{
		{"direct", platform.URL() + read + token, ""},
		{"reverse proxy", plain.URL + read + token, ""},
		{"api-proxy", "http://" + proxy + read, key},
	} {
		b.Run(way.name, func(b *testing.B) {
			for b.Loop() {
				callOnce(b, way.uri, way.key)
			}
		})
	}
}

// startCallProxy starts an api-proxy with what it leans on, and returns its address and a caller key.
func startCallProxy(b *testing.B, wechat string) (addr, key string) {
	b.Helper()
	folder := b.TempDir()
	key = strings.Repeat("bench-", 6)
	callers := fmt.Sprintf(`limits: [{class: "*", rate: 100000/s}]
callers:
  - {name: bench, key_file: %s/key, accounts: "*", apis: "*", limits: [{class: user, rate: 100000/s}]}
`, folder)
	for name, text := range map[string]string{"key": key, "callers.yaml": callers} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	redis, _ := harness.Redis(b)
	common := []string{"WX_ACCOUNTS_FILE=" + harness.WriteAccounts(b, account.Development()), "REDIS_URL=" + redis, "WX_API_BASE_URL=" + wechat}
	center := harness.StartTokenCenter(b, common...)
	proxies := harness.StartAPIProxies(b, 1, append(common, "TOKEN_CENTER_ADDR="+center, "WX_CALLERS_FILE="+folder+"/callers.yaml")...)
	return proxies[0].Addr, key
}

func callOnce(b *testing.B, uri, key string) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, uri, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), `"subscribe":1`) {
		b.Fatalf("answer %s, %v", body, err)
	}
}
