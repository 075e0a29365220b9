package client_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/client"
)

const appID, key = "wx0000000000000001", "caller-key"

// seen is what a server was sent.
type seen struct{ line, host, auth, account, body string }

func server(t *testing.T, into *[]seen) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what is missing shows below.
		*into = append(*into, seen{r.Method + " " + r.RequestURI, r.Host, r.Header.Get("Authorization"), r.Header.Get("X-Wx-Appid"), string(body)})
	}))
	t.Cleanup(s.Close)
	return s
}

// elsewhere sends what is not for api-proxy to one server, whatever its name.
type elsewhere struct{ host string }

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Host, "127.0.0.1") {
		r = r.Clone(r.Context())
		r.Host, r.URL.Scheme, r.URL.Host = r.URL.Host, "http", e.host
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestWhatIsForWeChatsAPIGoesToTheProxy(t *testing.T) {
	t.Parallel()
	for url, toProxy := range map[string]bool{
		"https://api.weixin.qq.com/cgi-bin/menu/get?access_token=a&b=%20c": true,
		"https://API2.weixin.qq.com/cgi-bin/menu/get":                      true,
		"https://sz.api.weixin.qq.com:443/datacube/getusersummary":         true,
		"http://file.api.weixin.qq.com/cgi-bin/media/get":                  true,
		"https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket=t":             true,
		"https://mp.weixin.qq.com/s/article":                               false,
		"https://api.mch.weixin.qq.com/pay/unifiedorder":                   false,
		"https://qyapi.weixin.qq.com/cgi-bin/gettoken":                     false,
		"https://evil.example/api.weixin.qq.com/cgi-bin/menu/get":          false,
		"https://api.weixin.qq.com.evil.example/cgi-bin/menu/get":          false,
	} {
		t.Run(url, func(t *testing.T) {
			t.Parallel()
			var atProxy, outside []seen
			proxy, other := server(t, &atProxy), server(t, &outside)
			transport, err := client.New(proxy.URL+"/", appID, key)
			if err != nil {
				t.Fatal(err)
			}
			transport.Next = elsewhere{strings.TrimPrefix(other.URL, "http://")}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("the body"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := (&http.Client{Transport: transport}).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if req.URL.String() != url || len(req.Header) != 0 {
				t.Errorf("the request was changed to %s, %v", req.URL, req.Header)
			}
			got := slices.Concat(atProxy, outside)
			if len(got) != 1 || len(atProxy) == 1 != toProxy {
				t.Fatalf("at the proxy %v, elsewhere %v", atProxy, outside)
			}
			want := seen{line: "POST " + req.URL.RequestURI(), host: req.URL.Host, body: "the body"}
			if toProxy {
				want.host, want.auth, want.account = strings.TrimPrefix(proxy.URL, "http://"), "Bearer "+key, appID
			}
			if got[0] != want {
				t.Errorf("sent %+v, want %+v", got[0], want)
			}
		})
	}
}

func TestWithoutACallersFileNoKeyIsNeeded(t *testing.T) {
	t.Parallel()
	var got []seen
	transport, err := client.New(server(t, &got).URL, "", "")
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.weixin.qq.com/cgi-bin/menu/get", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if len(got) != 1 || got[0].auth != "" || got[0].account != "" {
		t.Errorf("sent %+v", got)
	}
}

func TestAnAddressThatCannotBeRightIsNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ url, appID, key, want string }{
		{"", appID, key, "http://api-proxy:8081"},
		{"api-proxy:8081", appID, key, "http://api-proxy:8081"},
		{"ftp://api-proxy", appID, key, "http://api-proxy:8081"},
		{"http://user:secret@api-proxy", appID, key, "http://api-proxy alone"},
		{"http://api-proxy/cgi-bin", appID, key, "http://api-proxy alone"},
		{"http://api-proxy", appID, key + "\n", "line break"},
	} {
		_, err := client.New(tt.url, tt.appID, tt.key)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), key) {
			t.Errorf("New(%q) = %v, want %q", tt.url, err, tt.want)
		}
	}
}
