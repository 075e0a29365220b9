package tokencenter_test

import (
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/telemetry"
	tokencenter "github.com/wxstack/wxstack/services/token-center"
	"github.com/wxstack/wxstack/services/token-center/internal/redistest"
	"github.com/wxstack/wxstack/wechat/account"
)

func TestCheckNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	storageKey := base64.StdEncoding.EncodeToString(make([]byte, 32))
	tests := map[string]struct {
		change func(t *testing.T, c *tokencenter.Config)
		want   string // empty: nothing is wrong.
	}{
		"fine":              {func(*testing.T, *tokencenter.Config) {}, ""},
		"no accounts file":  {func(_ *testing.T, c *tokencenter.Config) { c.AccountsFile = "" }, "WX_ACCOUNTS_FILE"},
		"accounts missing":  {func(_ *testing.T, c *tokencenter.Config) { c.AccountsFile = "/nowhere" }, "WX_ACCOUNTS_FILE"},
		"unknown field":     {accounts("accounts:\n  - {app_id: wx1, original_id: gh_1, appsecret: x}\n"), "appsecret"},
		"no secret":         {accounts("accounts:\n  - {app_id: wx1, original_id: gh_1}\n"), "accounts[0].app_secret_file"},
		"bad token api":     {accounts("accounts:\n  - {app_id: wx1, original_id: gh_1, token_api: x, app_secret_file: x}\n"), "token_api"},
		"no host":           {func(_ *testing.T, c *tokencenter.Config) { c.APIBaseURL = nil }, "WX_API_BASE_URL"},
		"bad host":          {func(_ *testing.T, c *tokencenter.Config) { c.APIBaseURL = []string{"api.weixin.qq.com"} }, "WX_API_BASE_URL"},
		"redis":             {func(_ *testing.T, c *tokencenter.Config) { c.Redis = redisconn.Config{URL: "x"} }, "REDIS_URL"},
		"egress":            {func(_ *testing.T, c *tokencenter.Config) { c.Egress.ProxyURL = "http://u:p@proxy:3128" }, "WX_EGRESS_PROXY"},
		"key not base64":    {key("***"), "TOKEN_CENTER_STORAGE_KEY_FILE"},
		"key too short":     {key("c2hvcnQ="), "openssl rand -base64 32"},
		"key":               {key(storageKey), ""},
		"several keys":      {key(storageKey + "\n" + storageKey + "\n"), ""},
		"bad second key":    {key(storageKey + "\n***\n"), "one key a line"},
		"short second key":  {key(storageKey + "\nc2hvcnQ=\n"), "TOKEN_CENTER_STORAGE_KEY_FILE"},
		"cache":             {cache("tokens", storageKey), ""},
		"cache, no key":     {cache("tokens", ""), "TOKEN_CENTER_STORAGE_KEY_FILE"},
		"cache, no folder":  {cache("none/tokens", storageKey), "TOKEN_CENTER_CACHE_FILE"},
		"production":        {production(storageKey, ""), ""},
		"production no key": {func(_ *testing.T, c *tokencenter.Config) { c.Production = true }, "TOKEN_CENTER_STORAGE_KEY_FILE"},
		"callers":           {callers("callers:\n  - {name: a, certificate: a, accounts: \"*\"}\n"), ""},
		"callers missing":   {func(_ *testing.T, c *tokencenter.Config) { c.CallersFile = "/nonexistent" }, "WX_CALLERS_FILE"},
		"callers bad":       {callers("callers:\n  - {name: a}\n"), "callers[0]"},
		"production no callers": {func(t *testing.T, c *tokencenter.Config) {
			t.Helper()
			production(storageKey, "")(t, c)
			c.CallersFile = ""
		}, "WX_CALLERS_FILE: required with WX_PRODUCTION"},
		"production http": {production(storageKey, "http://api.weixin.qq.com"), "clear text"},
		"production development account": {func(t *testing.T, c *tokencenter.Config) {
			t.Helper()
			accounts("accounts:\n  - {app_id: "+account.DevelopmentAppID+", original_id: gh_1, app_secret_file: x}\n")(t, c)
			c.Production = true
		}, "development account"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := tokencenter.Config{
				ListenAddr: "127.0.0.1:0", AccountsFile: accountsFile(t, "stable"), APIBaseURL: []string{"https://api.weixin.qq.com"},
				Redis: redisconn.Config{URL: "redis://localhost:6379/0"},
			}
			tt.change(t, &cfg)
			err := cfg.Check()
			if tt.want == "" && err != nil {
				t.Errorf("error = %v", err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error = %v, want one that names %s", err, tt.want)
			}
		})
	}
}

func accounts(yaml string) func(*testing.T, *tokencenter.Config) {
	return func(t *testing.T, c *tokencenter.Config) {
		t.Helper()
		c.AccountsFile = file(t, "accounts.yaml", yaml)
	}
}

func cache(name, storageKey string) func(t *testing.T, c *tokencenter.Config) {
	return func(t *testing.T, c *tokencenter.Config) {
		t.Helper()
		c.CacheFile = filepath.Join(t.TempDir(), name)
		if storageKey != "" {
			key(storageKey)(t, c)
		}
	}
}

func key(encoded string) func(*testing.T, *tokencenter.Config) {
	return func(t *testing.T, c *tokencenter.Config) {
		t.Helper()
		c.StorageKeyFile = file(t, "key", encoded)
	}
}

func callers(yaml string) func(*testing.T, *tokencenter.Config) {
	return func(t *testing.T, c *tokencenter.Config) {
		t.Helper()
		c.CallersFile = file(t, "callers.yaml", yaml)
	}
}

func production(encoded, host string) func(*testing.T, *tokencenter.Config) {
	return func(t *testing.T, c *tokencenter.Config) {
		t.Helper()
		key(encoded)(t, c)
		callers("callers:\n  - {name: api-proxy, certificate: api-proxy, accounts: \"*\"}\n")(t, c)
		c.Production = true
		if host != "" {
			c.APIBaseURL = []string{host}
		}
	}
}

func TestATakenPortIsAClearError(t *testing.T) {
	t.Parallel()
	_, server := redistest.Mini(t)
	cfg := testConfig(t, newPlatform(t), "redis://"+server.Addr(), "stable")
	cfg.ListenAddr = server.Addr()
	if _, err := tokencenter.New(t.Context(), cfg, telemetry.Discard()); err == nil || !strings.Contains(err.Error(), "TOKEN_CENTER_LISTEN_ADDR") {
		t.Errorf("error = %v", err)
	}
}
