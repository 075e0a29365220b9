package egress_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/egress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	user     = "wx-egress"
	password = "p:s3cret/@" // with everything that a URL would trip over.
)

func credentials(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRequestsLeaveByTheProxy(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"http", "https", "socks5"} {
		for _, secured := range []bool{false, true} {
			for _, asks := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/target tls %v/credentials %v", scheme, secured, asks), func(t *testing.T) {
					t.Parallel()
					testThrough(t, scheme, secured, asks)
				})
			}
		}
	}
}

func testThrough(t *testing.T, scheme string, secured, asks bool) {
	target := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Error("the target was shown the proxy's credentials")
		}
		_, _ = io.WriteString(w, "target "+r.RequestURI)
	}))
	if secured {
		target.StartTLS()
	} else {
		target.Start()
	}
	t.Cleanup(target.Close)
	cfg := egress.Config{}
	var proxy *forwardProxy
	if asks {
		cfg.CredentialsFile = credentials(t, user+":"+password+"\n")
		proxy = startProxy(t, scheme, user, password)
	} else {
		proxy = startProxy(t, scheme, "", "")
	}
	cfg.ProxyURL = proxy.url
	if got, err := through(t, cfg, target.URL+"/a?b=c"); err != nil || got != "target /a?b=c" {
		t.Errorf("answer %q, %v", got, err)
	}
	if proxy.served.Load() != 1 {
		t.Errorf("the proxy served %d connections, want 1", proxy.served.Load())
	}
}

// through makes a GET by the way that cfg says. All servers of httptest have the same certificate.
func through(t *testing.T, cfg egress.Config, address string) (string, error) {
	t.Helper()
	way, err := cfg.Way()
	if err != nil {
		t.Fatal(err)
	}
	trusted := httptest.NewTLSServer(nil)
	t.Cleanup(trusted.Close)
	transport := trusted.Client().Transport.(*http.Transport).Clone()
	way.Set(transport)
	t.Cleanup(transport.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestAProxyThatRefusesUsIsAnErrorWithoutCredentials(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"http", "https", "socks5"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			target := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the target was reached") }))
			t.Cleanup(target.Close)
			proxy := startProxy(t, scheme, user, "another")
			_, err := through(t, egress.Config{ProxyURL: proxy.url, CredentialsFile: credentials(t, user+":"+password)}, target.URL)
			if err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), user) {
				t.Errorf("error = %v, want one without user and password", err)
			}
			if refused, ok := errors.AsType[*egress.RefusedError](err); scheme != "socks5" && (!ok || refused.Status != http.StatusProxyAuthRequired || !strings.Contains(err.Error(), "WX_EGRESS_PROXY_CREDENTIALS_FILE")) {
				t.Errorf("error = %v, want one that names the setting", err)
			}
		})
	}
}

func TestTheStraightWay(t *testing.T) {
	t.Parallel()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "straight") }))
	t.Cleanup(target.Close)
	if got, err := through(t, egress.Config{}, target.URL); err != nil || got != "straight" {
		t.Errorf("answer %q, %v", got, err)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	egress.Way{}.Set(transport)
	if transport.Proxy != nil {
		t.Error("the environment has a say")
	}
}

func TestCheckNamesTheSettingAndNoSecret(t *testing.T) {
	t.Parallel()
	const good = "http://proxy.internal:3128"
	for _, accepted := range []string{good, good + "/", "https://proxy.internal:443", "socks5://[2001:db8::1]:1080"} {
		if err := (egress.Config{ProxyURL: accepted}).Check(); err != nil {
			t.Errorf("%s: %v", accepted, err)
		}
	}
	const proxySetting, fileSetting = "WX_EGRESS_PROXY: ", "WX_EGRESS_PROXY_CREDENTIALS_FILE"
	tests := map[string]struct {
		url, file string // file is what the credentials file holds; empty: there is none.
		want      string
	}{
		"no scheme":               {"proxy.internal:3128", "", proxySetting},
		"no scheme, credentials":  {"hunter2:hunter2@proxy:3128", "", proxySetting},
		"another scheme":          {"socks4://proxy:1080", "", proxySetting},
		"no port":                 {"http://proxy", "", proxySetting},
		"no host":                 {"http://:3128", "", proxySetting},
		"a path":                  {good + "/hunter2", "", proxySetting},
		"a query":                 {good + "?key=hunter2", "", proxySetting},
		"a password":              {"http://hunter2:hunter2@proxy:3128", "", fileSetting},
		"a user":                  {"http://hunter2@proxy:3128", "", fileSetting},
		"a password as port":      {"http://user:hunter2", "", proxySetting},
		"credentials for nothing": {"", "u:hunter2", fileSetting},
		"no password":             {good, "hunter2", fileSetting},
		"no user":                 {good, ":hunter2", fileSetting},
		"two lines":               {good, "hunter2:hunter2\nhunter2:hunter2", fileSetting},
		"empty":                   {good, "\n", fileSetting},
		"too long":                {good, "hunter2:" + strings.Repeat("x", 256), fileSetting},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := egress.Config{ProxyURL: tt.url}
			if tt.file != "" {
				cfg.CredentialsFile = credentials(t, tt.file)
			}
			err := cfg.Check()
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error = %v, want one that names %s and shows no credential", err, tt.want)
			}
		})
	}
	if err := (egress.Config{ProxyURL: good, CredentialsFile: "/nowhere"}).Check(); err == nil || !strings.Contains(err.Error(), fileSetting) {
		t.Errorf("a file that is not there: %v", err)
	}
}
