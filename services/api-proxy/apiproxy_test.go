package apiproxy_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/chassis/egress"
	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/telemetry"

	apiproxy "github.com/wxstack/wxstack/services/api-proxy"
)

// An unmodified SDK sends whatever token it has; all else travels as it is.
func TestPassThrough(t *testing.T) {
	t.Parallel()
	type seen struct {
		Method, URI, Body, Length string
		Header                    http.Header
	}
	var got seen
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{r.Method, r.RequestURI, string(body), r.Header.Get("Content-Length"), r.Header.Clone()}
		got.Header.Del("Content-Length")
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Wechatmp-Signature", "sig")
		w.Header().Set("X-Hop", "1")
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("Keep-Alive", "timeout=5")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"menuid":1}`)
	})
	p := startProxy(t, startCenter(t, appID), wechat.URL)
	a := p.do(http.MethodPost, "/cgi-bin/menu/addconditional?access_token=virtual&x=%E4%BD%A0&y", strings.NewReader(`{"button":"你"}`), http.Header{
		"Content-Type": {"application/json"}, "Wechatmp-Appid": {"a"}, "User-Agent": {"sdk/1"},
		"Connection": {"X-Mine"}, "X-Mine": {"1"}, "Keep-Alive": {"1"}, "Te": {"trailers"}, "Proxy-Authorization": {"Basic eA=="},
		"Authorization": {"Bearer key"}, "Cookie": {"a=b"}, "X-Forwarded-For": {"10.0.0.1"}, "Accept-Encoding": {"gzip"}, "X-Wx-Appid": {appID},
	})
	want := seen{
		http.MethodPost, "/cgi-bin/menu/addconditional?access_token=" + tokenOf(appID, 1) + "&x=%E4%BD%A0&y", `{"button":"你"}`, "16",
		http.Header{
			"Content-Type": {"application/json"}, "Wechatmp-Appid": {"a"}, "User-Agent": {"sdk/1"}, "Accept-Encoding": {"identity"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("WeChat saw (-want +got):\n%s", diff)
	}
	if a.Status != http.StatusAccepted || a.Body != `{"menuid":1}` || a.Header.Get("Wechatmp-Signature") != "sig" {
		t.Errorf("caller got %+v", a)
	}
	for _, hop := range []string{"X-Hop", "Keep-Alive", "Connection"} {
		if a.Header.Get(hop) != "" {
			t.Errorf("header %s of WeChat's connection reached the caller", hop)
		}
	}
}

func TestFollowersTokensPassUntouched(t *testing.T) {
	t.Parallel()
	var uri string
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		uri = r.RequestURI
		_, _ = io.WriteString(w, `{"errcode":40001,"errmsg":"user's"}`)
	})
	c := startCenter(t, appID)
	p := startProxy(t, c, wechat.URL)
	const sent = "/sns/userinfo?access_token=users&openid=o1&lang=zh_CN"
	if a := p.get(sent); a.Body != `{"errcode":40001,"errmsg":"user's"}` || uri != sent {
		t.Errorf("WeChat saw %s, caller got %s", uri, a.Body)
	}
	if c.refreshed() != 0 {
		t.Error("a follower's token was reported as the account's")
	}
}

func TestWhatTokenCenterAloneMayDoIsRefused(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, sayOK)
	p := startProxy(t, startCenter(t, appID), wechat.URL)
	for _, call := range []string{
		"POST /cgi-bin/clear_quota/v2", "POST /CGI-BIN/Clear_Quota/v2/", "POST /cgi-bin/component/api_query_auth",
		"POST /cgi-bin/component/api_start_push_ticket",
	} {
		method, uri, _ := strings.Cut(call, " ")
		wantRefusal(t, p.do(method, uri, nil, nil), http.StatusForbidden, -403, "token-center owns the tokens")
	}
	if wechat.served() != 0 {
		t.Error("a refused call reached WeChat")
	}
}

// wantRefusal checks an answer of our own: in WeChat's shape, but with a status that is never WeChat's.
func wantRefusal(t *testing.T, a answer, status, code int, words string) {
	t.Helper()
	var body struct {
		Code    int    `json:"errcode"`
		Message string `json:"errmsg"`
	}
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		t.Errorf("answer %q: %v", a.Body, err)
	}
	if a.Status != status || body.Code != code || !strings.Contains(body.Message, words) || strings.Contains(a.Body, "hunter2") {
		t.Errorf("answer %d %s, want %d, errcode %d, with %q", a.Status, a.Body, status, code, words)
	}
}

// upload makes a multipart body with one file of size bytes.
func upload(t *testing.T, size int) (contentType string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("media", "video.mp4")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(bytes.Repeat([]byte("\x00\xff{\r\n"), size/5)); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return form.FormDataContentType(), b.Bytes()
}

// A token that somebody else voided is healed with the body sent again, from memory or from a file.
func TestHealingSendsTheWholeBodyAgain(t *testing.T) {
	t.Parallel()
	uploadType, uploadBody := upload(t, 20<<20)
	for name, call := range map[string]struct {
		uri, contentType string
		body             []byte
	}{
		"JSON":   {"/cgi-bin/menu/create", "application/json", []byte(`{"button":[]}`)},
		"upload": {"/cgi-bin/media/upload?type=video", uploadType, uploadBody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
				sum := sha256.New()
				n, err := io.Copy(sum, r.Body)
				want := sha256.Sum256(call.body)
				if err != nil || n != int64(len(call.body)) || !bytes.Equal(sum.Sum(nil), want[:]) || r.Header.Get("Content-Type") != call.contentType {
					t.Errorf("WeChat got %d bytes of %s (%v), want %d", n, r.Header.Get("Content-Type"), err, len(call.body))
				}
				sayOK(w, r)
			})
			wechat.accept(tokenOf(appID, 2))
			c := startCenter(t, appID)
			p := startProxy(t, c, wechat.URL)
			wantOK(t, p.do(http.MethodPost, call.uri, bytes.NewReader(call.body), http.Header{"Content-Type": {call.contentType}}))
			if c.refreshed() != 1 || wechat.served() != 2 {
				t.Errorf("%d refreshes and %d requests, want 1 and 2", c.refreshed(), wechat.served())
			}
		})
	}
}

func TestNoSecondHealing(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, sayOK)
	wechat.accept("one that we never get")
	c := startCenter(t, appID)
	p := startProxy(t, c, wechat.URL)
	// An SDK that is told 40001 would take it for a verdict on its own token, and try again without end.
	wantRefusal(t, p.get("/cgi-bin/menu/get"), http.StatusServiceUnavailable, -1, "WeChat rejects the account's access token (errcode 40001)")
	if c.refreshed() != 1 || wechat.served() != 2 {
		t.Errorf("%d refreshes and %d requests, want 1 and 2", c.refreshed(), wechat.served())
	}
}

func TestManyRejectedCallersCauseOneRefresh(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, sayOK)
	wechat.accept(tokenOf(appID, 2))
	c := startCenter(t, appID)
	p := startProxy(t, c, wechat.URL)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() { wantOK(t, p.do(http.MethodPost, "/cgi-bin/message/custom/send", strings.NewReader("{}"), nil)) })
	}
	wg.Wait()
	if c.refreshed() != 1 {
		t.Errorf("%d refreshes, want 1", c.refreshed())
	}
}

func TestTheLastTokenServesWhileTokenCenterIsAway(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, sayOK)
	c := startCenter(t, appID)
	p := startProxy(t, c, wechat.URL)
	c.stop()
	wantOK(t, p.get("/cgi-bin/menu/get"))
	wechat.accept("another")
	wantRefusal(t, p.get("/cgi-bin/menu/get"), http.StatusServiceUnavailable, -1, "nothing was done")
}

// The host has no address, so the platform was reached through itself as a forward proxy.
func TestCallsLeaveByTheProxy(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, sayOK)
	p := startProxyWith(t, apiproxy.Config{
		TokenCenterAddr: startCenter(t, appID).addr, BaseURLs: []string{"http://wechat.invalid"},
		Egress: egress.Config{ProxyURL: wechat.URL},
	})
	wantOK(t, p.get("/cgi-bin/getcallbackip"))
}

func TestADeadHostIsPassedOver(t *testing.T) {
	t.Parallel()
	dead := listen(t)
	_ = dead.Close()
	wechat := startPlatform(t, sayOK)
	p := startProxy(t, startCenter(t, appID), "http://"+dead.Addr().String(), wechat.URL)
	wantOK(t, p.do(http.MethodPost, "/cgi-bin/menu/create", strings.NewReader("{}"), nil))
}

func TestOurFailures(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	wechat := startPlatform(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cgi-bin/menu/create" {
			<-release
		}
		panic(http.ErrAbortHandler)
	})
	t.Cleanup(func() { close(release) })
	c := startCenter(t, appID)
	p := startProxy(t, c, wechat.URL)
	impatient := startProxyWith(t, apiproxy.Config{TokenCenterAddr: c.addr, BaseURLs: []string{wechat.URL}, AnswerTimeout: 100 * time.Millisecond})
	wantRefusal(t, impatient.do(http.MethodPost, "/cgi-bin/menu/create", strings.NewReader("{}"), nil), http.StatusGatewayTimeout, -504, "did not answer in time")
	wantRefusal(t, p.do(http.MethodPost, "/cgi-bin/menu/addconditional", strings.NewReader("{}"), nil), http.StatusBadGateway, -502, "broke before the answer")
	if wechat.served() != 2 {
		t.Errorf("WeChat saw %d requests, want 2: what may have been carried out is not repeated", wechat.served())
	}
	wantRefusal(t, p.do(http.MethodOptions, "/cgi-bin/menu/get", nil, nil), http.StatusBadRequest, -400, "method")
	wantRefusal(t, p.do(http.MethodGet, "/cgi-bin/menu/get", nil, http.Header{"X-Wx-Appid": {"wxother"}}), http.StatusNotFound, -404, "wxother")
	dead := listen(t)
	_ = dead.Close()
	cut := startProxy(t, c, "http://"+dead.Addr().String())
	wantRefusal(t, cut.get("/cgi-bin/menu/get"), http.StatusServiceUnavailable, -1, "WX_API_BASE_URL")
}

func TestTwoAccounts(t *testing.T) {
	t.Parallel()
	const second = "wx0000000000000002"
	wechat := startPlatform(t, sayOK)
	wechat.accept(tokenOf(second, 1))
	p := startProxy(t, startCenter(t, appID, second), wechat.URL)
	wantRefusal(t, p.get("/cgi-bin/menu/get"), http.StatusBadRequest, -400, "X-WX-AppID")
	wantOK(t, p.do(http.MethodGet, "/cgi-bin/menu/get", nil, http.Header{"X-Wx-Appid": {second}}))
}

// zeros is a body whose length nobody knows beforehand.
type zeros struct{ left int }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), z.left)
	clear(p[:n])
	z.left -= n
	return n, nil
}

func TestTooLongABody(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, sayOK)
	p := startProxy(t, startCenter(t, appID), wechat.URL)
	rec := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/cgi-bin/media/upload", nil)
	const tooLong = 32<<20 + 1
	for name, length := range map[string]int64{"announced": tooLong, "chunked": -1} {
		req := rec.Clone(t.Context())
		req.RequestURI, req.URL.Scheme, req.URL.Host = "", "http", p.HTTPAddr()
		req.Body, req.ContentLength = io.NopCloser(&zeros{left: tooLong}), length
		resp, err := p.client.Do(req)
		if err != nil {
			// The proxy may close the connection while the caller is still sending; then the caller's
			// system decides whether the answer is seen.
			if _, ok := errors.AsType[*net.OpError](err); !ok {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		wantRefusal(t, answer{Status: resp.StatusCode, Body: string(text)}, http.StatusRequestEntityTooLarge, -413, "32 MiB")
	}
	if wechat.served() != 0 {
		t.Error("too long a body reached WeChat")
	}
}

// The first bytes of a download reach the caller while WeChat still holds the rest back, although the
// picture begins like JSON with a rejected token.
func TestDownloadsAreStreamed(t *testing.T) {
	t.Parallel()
	const first, rest = `{"errcode":40001}` + "\x00\x01", "the rest"
	arrived := make(chan struct{})
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = io.WriteString(w, first)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-arrived:
			_, _ = io.WriteString(w, rest)
		case <-r.Context().Done():
		}
	})
	c := startCenter(t, appID)
	p := startProxy(t, c, wechat.URL)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.HTTPAddr()+"/cgi-bin/media/get?media_id=1", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	head := make([]byte, len(first))
	if _, err := io.ReadFull(resp.Body, head); err != nil {
		t.Fatalf("the beginning does not arrive: %v", err)
	}
	close(arrived)
	tail, err := io.ReadAll(resp.Body)
	if err != nil || string(head)+string(tail) != first+rest || c.refreshed() != 0 {
		t.Errorf("got %q%q, %v, %d refreshes", head, tail, err, c.refreshed())
	}
}

func TestADownloadThatBreaksIsSeenToBreak(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	p := startProxy(t, startCenter(t, appID), wechat.URL)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.HTTPAddr()+"/cgi-bin/media/get", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error = %v, want an unexpected end", err)
	}
}

// Whatever stands in a request line, only our host is ever called, and only with a canonical path.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var reached []string
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		reached = append(reached, r.RequestURI)
		sayOK(w, r)
	})
	p := startProxy(t, startCenter(t, appID), wechat.URL)
	evil := startPlatform(t, sayOK)
	host := strings.TrimPrefix(evil.URL, "http://")
	for name, line := range map[string]string{
		"absolute URL":      "GET http://" + host + "/cgi-bin/menu/get HTTP/1.1\r\nHost: " + host,
		"other host":        "GET //" + host + "/cgi-bin/menu/get HTTP/1.1\r\nHost: a",
		"tunnel":            "CONNECT " + host + " HTTP/1.1\r\nHost: " + host,
		"user info":         "GET /@" + host + " HTTP/1.1\r\nHost: a",
		"dots":              "GET /cgi-bin/menu/../token HTTP/1.1\r\nHost: a",
		"escaped dots":      "GET /cgi-bin/%2e%2e/token HTTP/1.1\r\nHost: a",
		"double slash":      "GET /cgi-bin//token HTTP/1.1\r\nHost: a",
		"escaped letter":    "GET /cgi-bin/%74oken HTTP/1.1\r\nHost: a",
		"escaped CRLF":      "GET /cgi-bin/menu%0d%0aX-Evil:1 HTTP/1.1\r\nHost: a",
		"path parameter":    "GET /cgi-bin/token;x HTTP/1.1\r\nHost: a",
		"backslash":         `GET /cgi-bin\token HTTP/1.1` + "\r\nHost: a",
		"two lengths":       "POST /cgi-bin/menu/create HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2",
		"length in letters": "POST /cgi-bin/menu/create HTTP/1.1\r\nHost: a\r\nContent-Length: x",
		"odd encoding":      "POST /cgi-bin/menu/create HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked",
		"trace":             "TRACE /cgi-bin/menu/get HTTP/1.1\r\nHost: a",
	} {
		if status := raw(t, p.HTTPAddr(), line); status/100 != 4 && status != http.StatusNotImplemented {
			t.Errorf("%s: status %d, want a refusal", name, status)
		}
	}
	if status := raw(t, p.HTTPAddr(), "GET /cgi-bin/menu/get HTTP/1.1\r\nHost: "+host+"\r\nX-Forwarded-Host: "+host); status != http.StatusOK {
		t.Errorf("a foreign Host header: status %d, want 200 from our own host", status)
	}
	if evil.served() != 0 {
		t.Error("a foreign host was called")
	}
	if diff := cmp.Diff([]string{"/cgi-bin/menu/get?access_token=" + tokenOf(appID, 1)}, reached); diff != "" {
		t.Errorf("WeChat saw (-want +got):\n%s", diff)
	}
}

// raw sends bytes that no HTTP client would send and returns the status.
func raw(t *testing.T, addr, head string) int {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, head+"\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestCheckNamesTheSetting(t *testing.T) {
	t.Parallel()
	good := apiproxy.Config{
		BaseURLs: []string{"https://api.weixin.qq.com"}, TokenCenterAddr: "localhost:50053", Redis: redisconn.Config{URL: "redis://localhost:6379/0"},
	}
	if err := good.Check(); err != nil {
		t.Errorf("good settings: %v", err)
	}
	for want, spoil := range map[string]func(*apiproxy.Config){
		"WX_API_BASE_URL":          func(c *apiproxy.Config) { c.BaseURLs = nil },
		"looks like":               func(c *apiproxy.Config) { c.BaseURLs = []string{"::"} },
		"TOKEN_CENTER_ADDR":        func(c *apiproxy.Config) { c.TokenCenterAddr = "" },
		"API_PROXY_ANSWER_TIMEOUT": func(c *apiproxy.Config) { c.AnswerTimeout = -1 },
		"TOKEN_CENTER_KEY_FILE":    func(c *apiproxy.Config) { c.TokenCenterKeyFile = "/nowhere" },
		"API_PROXY_SPOOL_DIR":      func(c *apiproxy.Config) { c.SpoolDir = "/nowhere" },
		"WX_EGRESS_PROXY":          func(c *apiproxy.Config) { c.Egress.ProxyURL = "http://u:p@proxy:3128" },
		"REDIS_URL":                func(c *apiproxy.Config) { c.Redis.URL = "http://localhost" },
		"TLS_CERT_FILE":            func(c *apiproxy.Config) { c.TLS.KeyFile = "key.pem" },
	} {
		c := good
		spoil(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want one with %q", err, want)
		}
	}
}

func TestATakenPortIsOneClearLine(t *testing.T) {
	t.Parallel()
	taken := listen(t)
	defer taken.Close()
	for want, cfg := range map[string]apiproxy.Config{
		"API_PROXY_LISTEN_ADDR":      {ListenAddr: taken.Addr().String(), GRPCListenAddr: "127.0.0.1:0"},
		"API_PROXY_GRPC_LISTEN_ADDR": {ListenAddr: "127.0.0.1:0", GRPCListenAddr: taken.Addr().String()},
	} {
		cfg.BaseURLs, cfg.TokenCenterAddr, cfg.Redis.URL = []string{"http://localhost:1"}, "localhost:1", "redis://localhost:1"
		if _, err := apiproxy.New(t.Context(), cfg, telemetry.Discard()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want one that names %s", err, want)
		}
	}
}
