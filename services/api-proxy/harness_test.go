package apiproxy_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"

	apiproxy "github.com/wxstack/wxstack/services/api-proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every token of the tests begins with tokenMark, and no log or answer may hold it.
const (
	tokenMark = "SECRET-TOKEN"
	appID     = "wx0000000000000001"
)

func tokenOf(app string, generation uint64) string {
	return fmt.Sprintf("%s-%s-%d", tokenMark, app, generation)
}

// center is a token-center behind a real listener.
type center struct {
	tokenv1.UnimplementedTokenServiceServer

	mu        sync.Mutex
	current   map[string]uint64
	refreshes int
	key       string           // that the last watcher brought.
	frozen    map[string]error // accounts without a token, and why it cannot be fetched.
	addr      string
	stop      func()
}

func startCenter(t testing.TB, apps ...string) *center {
	t.Helper()
	c := &center{current: map[string]uint64{}}
	for _, a := range apps {
		c.current[a] = 1
	}
	server, err := rpc.NewServer(telemetry.Discard(), rpc.TLS{})
	if err != nil {
		t.Fatal(err)
	}
	tokenv1.RegisterTokenServiceServer(server, c)
	lis := listen(t)
	c.addr = lis.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(lis)
	}()
	c.stop = sync.OnceFunc(func() {
		server.Stop()
		<-done
	})
	t.Cleanup(c.stop)
	return c
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	lis, err := lc.Listen(context.WithoutCancel(t.Context()), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return lis
}

func (c *center) token(app string) *tokenv1.Token {
	return &tokenv1.Token{AppId: app, Generation: c.current[app], Value: tokenOf(app, c.current[app]), ExpiresIn: durationpb.New(time.Hour)}
}

func (c *center) ListAccounts(context.Context, *tokenv1.ListAccountsRequest) (*tokenv1.ListAccountsResponse, error) {
	resp := &tokenv1.ListAccountsResponse{}
	for app := range c.current {
		account := &tokenv1.Account{AppId: app}
		if app == platformApp {
			account.Tokens = []*tokenv1.TokenStatus{{Kind: tokenv1.TokenKind_TOKEN_KIND_COMPONENT_ACCESS_TOKEN}}
		}
		resp.Accounts = append(resp.Accounts, account)
	}
	for app := range c.frozen {
		resp.Accounts = append(resp.Accounts, &tokenv1.Account{AppId: app})
	}
	return resp, nil
}

func (c *center) WatchToken(_ *tokenv1.WatchTokenRequest, stream tokenv1.TokenService_WatchTokenServer) error {
	c.mu.Lock()
	c.key = rpc.CallerOf(stream.Context()).Key.Reveal()
	var all []*tokenv1.Token
	for app := range c.current {
		if app != platformApp { // of another kind than is watched.
			all = append(all, c.token(app))
		}
	}
	c.mu.Unlock()
	for _, token := range all {
		if err := stream.Send(&tokenv1.WatchTokenResponse{Token: token}); err != nil {
			return err
		}
	}
	<-stream.Context().Done()
	return nil
}

func (c *center) RefreshToken(_ context.Context, r *tokenv1.RefreshTokenRequest) (*tokenv1.RefreshTokenResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.current[r.GetAppId()]; !ok {
		return nil, status.Error(codes.NotFound, "no such account")
	}
	c.refreshes++
	if c.current[r.GetAppId()] == r.GetRejectedGeneration() {
		c.current[r.GetAppId()]++
	}
	return &tokenv1.RefreshTokenResponse{Token: c.token(r.GetAppId())}, nil
}

// GetToken gives tickets; the tokens of the tests come by the watch.
func (c *center) GetToken(_ context.Context, r *tokenv1.GetTokenRequest) (*tokenv1.GetTokenResponse, error) {
	if err, ok := c.frozen[r.GetAppId()]; ok {
		return nil, err
	}
	if r.GetKind() == tokenv1.TokenKind_TOKEN_KIND_COMPONENT_ACCESS_TOKEN && r.GetAppId() == platformApp {
		c.mu.Lock()
		defer c.mu.Unlock()
		return &tokenv1.GetTokenResponse{Token: c.token(platformApp)}, nil
	}
	kinds := map[tokenv1.TokenKind]string{
		tokenv1.TokenKind_TOKEN_KIND_JSAPI_TICKET: "jsapi", tokenv1.TokenKind_TOKEN_KIND_WX_CARD_TICKET: "wx_card",
	}
	kind, ok := kinds[r.GetKind()]
	if !ok {
		return nil, status.Error(codes.NotFound, "no such account")
	}
	return &tokenv1.GetTokenResponse{Token: &tokenv1.Token{
		AppId: r.GetAppId(), Kind: r.GetKind(), Generation: 1, Value: "ticket of " + kind, ExpiresIn: durationpb.New(30*time.Minute + time.Second/2),
	}}, nil
}

func (c *center) ExchangeCode(_ context.Context, r *tokenv1.ExchangeCodeRequest) (*tokenv1.ExchangeCodeResponse, error) {
	return &tokenv1.ExchangeCodeResponse{Answer: fmt.Appendf(nil, `{"access_token":"user-%s","openid":"%s of %s"}`, r.GetCode(), r.GetKind(), r.GetAppId())}, nil
}

func (c *center) refreshed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refreshes
}

// platform is WeChat: it rejects every token but the valid one.
type platform struct {
	*httptest.Server

	mu    sync.Mutex
	valid string
	hits  int
}

// startPlatform answers what has a valid token with handler, and all of /sns too.
func startPlatform(t testing.TB, handler http.HandlerFunc) *platform {
	t.Helper()
	p := &platform{valid: tokenOf(appID, 1)}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.hits++
		valid := p.valid
		p.mu.Unlock()
		if !strings.HasPrefix(r.URL.Path, "/sns/") && r.URL.Query().Get("access_token") != valid {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, `{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest"}`)
			return
		}
		handler(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

// accept makes another token the valid one: somebody refreshed it behind our back.
func (p *platform) accept(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.valid = token
}

func (p *platform) served() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hits
}

func sayOK(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`)
}

// journal is a log that may be written and read at once.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// proxy is a whole api-proxy.
type proxy struct {
	*apiproxy.Service

	tel    *telemetry.Telemetry
	client *http.Client
	t      testing.TB
}

// startProxy runs the service and waits until it has its tokens. At the end it must stop in order, and
// its log must not show a token.
func startProxy(t testing.TB, c *center, bases ...string) *proxy {
	t.Helper()
	return startProxyWith(t, apiproxy.Config{TokenCenterAddr: c.addr, BaseURLs: bases})
}

func startProxyWith(t testing.TB, cfg apiproxy.Config) *proxy {
	t.Helper()
	log := &journal{}
	cfg.ListenAddr, cfg.GRPCListenAddr, cfg.SpoolDir = "127.0.0.1:0", "127.0.0.1:0", t.TempDir()
	if cfg.Redis.URL == "" {
		cfg.Redis.URL = "redis://" + miniredis.RunT(t).Addr()
	}
	tel := telemetry.ForTest(log)
	service, err := apiproxy.New(t.Context(), cfg, tel)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx) }()
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		for _, secret := range []string{tokenMark, "do-not-log", "wxv1."} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log shows %s:\n%s", secret, log)
			}
		}
	})
	p := &proxy{Service: service, tel: tel, client: &http.Client{Transport: transport}, t: t}
	p.awaitReady()
	return p
}

func (p *proxy) awaitReady() {
	p.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(20 * time.Second)
	for {
		if report, _ := p.tel.Health.Report(); report.Status == "ready" {
			return
		}
		select {
		case <-giveUp:
			p.t.Fatal("the proxy did not become ready")
		case <-tick.C:
		}
	}
}

// answer is what a caller got.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

func (p *proxy) do(method, uri string, body io.Reader, header http.Header) answer {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.HTTPAddr()+uri, body)
	if err != nil {
		p.t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	resp, err := p.client.Do(req)
	if err != nil {
		p.t.Error(err)
		return answer{}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Error(err)
	}
	if strings.Contains(string(text), tokenMark) {
		p.t.Errorf("the answer to %s shows a token: %s", uri, text)
	}
	return answer{Status: resp.StatusCode, Header: resp.Header, Body: string(text)}
}

// raw sends a request whose address and headers are put on the wire as they are written.
func (p *proxy) raw(method, uri string, header http.Header) answer {
	p.t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(p.t.Context(), "tcp", p.HTTPAddr())
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: api.weixin.qq.com\r\n", method, uri)
	for name, values := range header {
		for _, value := range values {
			fmt.Fprintf(&text, "%s: %s\r\n", name, value)
		}
	}
	text.WriteString("Connection: close\r\n\r\n")
	if header.Get("Transfer-Encoding") == "chunked" {
		text.WriteString("0\r\n\r\n")
	}
	if _, err := io.WriteString(conn, text.String()); err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		p.t.Errorf("%s %s: %v", method, uri, err)
		return answer{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Error(err)
	}
	if strings.Contains(string(body), tokenMark) {
		p.t.Errorf("the answer to %s shows a token: %s", uri, body)
	}
	return answer{Status: resp.StatusCode, Header: resp.Header, Body: string(body)}
}

func (p *proxy) get(uri string) answer {
	p.t.Helper()
	return p.do(http.MethodGet, uri, nil, nil)
}

const healthyAnswer = `{"errcode":0,"errmsg":"ok"}`

func wantOK(t testing.TB, a answer) {
	t.Helper()
	if a.Status != http.StatusOK || a.Body != healthyAnswer {
		t.Errorf("answer %d %s, want 200 %s", a.Status, a.Body, healthyAnswer)
	}
}
