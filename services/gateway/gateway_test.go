package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/services/gateway/internal/accounts"
	"github.com/wxstack/wxstack/services/gateway/internal/allowance"
	"github.com/wxstack/wxstack/services/gateway/internal/callback"
	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
	"github.com/wxstack/wxstack/services/gateway/internal/late"
	"github.com/wxstack/wxstack/wechat/message"
	"github.com/wxstack/wxstack/wechat/signature"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testToken = "myToken123"

// accountsFile writes an accounts file with one account in plaintext mode and returns its path.
func accountsFile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	token, path := filepath.Join(dir, "token"), filepath.Join(dir, "accounts.yaml")
	file := "accounts: [{app_id: wx1, original_id: gh_1, encryption: plain, callback_token_file: " + strconv.Quote(token) + "}]"
	if err := errors.Join(os.WriteFile(token, []byte(testToken), 0o600), os.WriteFile(path, []byte(file), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

func testConfig(t *testing.T, logicAddr, redisAddr string) Config {
	t.Helper()
	return Config{
		ListenAddr: "127.0.0.1:0", AccountsFile: accountsFile(t), LogicAddr: logicAddr,
		Redis: redisconn.Config{URL: "redis://" + redisAddr},
	}
}

// signed is a query as WeChat signs it now.
func signed(more ...string) string {
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	query := url.Values{"timestamp": {timestamp}, "nonce": {"1"}, "signature": {signature.Sign(testToken, timestamp, "1")}}
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	return "?" + query.Encode()
}

func text(id int) string {
	return "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><CreateTime>1700000000</CreateTime>" +
		"<MsgType>text</MsgType><Content>你好</Content><MsgId>" + strconv.Itoa(id) + "</MsgId></xml>"
}

// echo is a logic service that answers a text with the text, once it may.
type echo struct {
	logicv1.UnimplementedLogicServiceServer

	asked chan struct{}
	may   chan struct{}
}

func newEcho() *echo { return &echo{asked: make(chan struct{}, 100), may: make(chan struct{})} }

func (e *echo) Reply(ctx context.Context, in *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	e.asked <- struct{}{}
	select {
	case <-e.may:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return &logicv1.ReplyResponse{Reply: &messagev1.Reply{Content: &messagev1.Reply_Text{
		Text: &messagev1.TextReply{Content: in.GetMessage().GetText().GetContent()},
	}}}, nil
}

// serveLogic serves logic on a listener until the test ends.
func serveLogic(t *testing.T, lis net.Listener, logic logicv1.LogicServiceServer) {
	t.Helper()
	serveGRPC(t, lis, func(r grpc.ServiceRegistrar) { logicv1.RegisterLogicServiceServer(r, logic) })
}

func serveGRPC(t *testing.T, lis net.Listener, register func(grpc.ServiceRegistrar)) {
	t.Helper()
	server, err := rpc.NewServer(telemetry.Discard(), rpc.TLS{})
	if err != nil {
		t.Fatal(err)
	}
	register(server)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	stopped := make(chan error, 1)
	go func() { stopped <- server.Run(ctx, lis) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	lis, err := lc.Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return lis
}

// start runs a gateway and returns it with the way to stop it, which happens anyway when the test ends.
func start(t *testing.T, cfg Config, tel *telemetry.Telemetry) (s *Service, stop func()) {
	t.Helper()
	s, err := New(t.Context(), cfg, tel)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

// call makes one request on a connection of its own and returns status and body.
func call(t *testing.T, method, target, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return response.StatusCode, string(got)
}

func TestAMessageTravelsTheRealWay(t *testing.T) {
	t.Parallel()
	logic := newEcho()
	close(logic.may)
	lis := listen(t, "127.0.0.1:0")
	serveLogic(t, lis, logic)
	redis := miniredis.RunT(t)
	s, stop := start(t, testConfig(t, lis.Addr().String(), redis.Addr()), telemetry.Discard())
	base := "http://" + s.Addr()

	if status, body := call(t, http.MethodGet, base+"/wx"+signed("echostr", "4375120948345356249"), ""); status != http.StatusOK || body != "4375120948345356249" {
		t.Errorf("verification: %d %q", status, body)
	}
	for range 2 { // the second is a repeat.
		if status, body := call(t, http.MethodPost, base+"/wx/wx1"+signed(), text(1)); status != http.StatusOK || !strings.Contains(body, "<Content><![CDATA[你好]]>") {
			t.Errorf("text: %d %q", status, body)
		}
	}
	if len(logic.asked) != 1 {
		t.Errorf("logic was asked %d times", len(logic.asked))
	}
	if status, body := call(t, http.MethodPost, base+"/wx/wx1?signature=0", text(1)); status != http.StatusForbidden || body != "" {
		t.Errorf("forgery: %d %q", status, body)
	}
	stop() // Nobody waits for an answer to be stored, but the end of the process.
	if kept, err := redis.Get("wx:{wx1}:msg:m1"); err != nil || !strings.Contains(kept, "你好") {
		t.Errorf("Redis keeps %q: %v", kept, err)
	}
}

func TestTwoReplicasAskOnce(t *testing.T) {
	t.Parallel()
	logic := newEcho()
	lis := listen(t, "127.0.0.1:0")
	serveLogic(t, lis, logic)
	redis := miniredis.RunT(t)
	a, _ := start(t, testConfig(t, lis.Addr().String(), redis.Addr()), telemetry.Discard())
	b, _ := start(t, testConfig(t, lis.Addr().String(), redis.Addr()), telemetry.Discard())
	bodies := make(chan string, 2)
	deliver := func(s *Service) {
		_, body := call(t, http.MethodPost, "http://"+s.Addr()+"/wx"+signed(), text(1))
		bodies <- body
	}
	go deliver(a)
	<-logic.asked
	go deliver(b)
	close(logic.may)
	if first, second := <-bodies, <-bodies; first != second || !strings.Contains(first, "你好") {
		t.Errorf("different answers: %q and %q", first, second)
	}
	if len(logic.asked) != 0 {
		t.Errorf("logic was asked again")
	}
}

func TestWithoutRedisMessagesAreAnswered(t *testing.T) {
	t.Parallel()
	logic := newEcho()
	close(logic.may)
	lis := listen(t, "127.0.0.1:0")
	serveLogic(t, lis, logic)
	redis := miniredis.RunT(t)
	tel := telemetry.Discard()
	s, _ := start(t, testConfig(t, lis.Addr().String(), redis.Addr()), tel)
	redis.Close()
	for range 2 {
		if _, body := call(t, http.MethodPost, "http://"+s.Addr()+"/wx"+signed(), text(1)); !strings.Contains(body, "你好") {
			t.Errorf("answered %q", body)
		}
	}
	if len(logic.asked) != 1 {
		t.Errorf("logic was asked %d times", len(logic.asked))
	}
	report, ready := tel.Health.Report()
	if !ready || report.Status != "degraded" || !strings.HasPrefix(report.Components["redis"], "down") {
		t.Errorf("health: %+v, ready %v", report, ready)
	}
}

func TestLogicThatComesLateAnswers(t *testing.T) {
	t.Parallel()
	lis := listen(t, "127.0.0.1:0")
	addr := lis.Addr().String()
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ := start(t, testConfig(t, addr, miniredis.RunT(t).Addr()), telemetry.Discard())
	answered := make(chan string, 1)
	go func() {
		_, body := call(t, http.MethodPost, "http://"+s.Addr()+"/wx"+signed(), text(1))
		answered <- body
	}()
	logic := newEcho()
	close(logic.may)
	serveLogic(t, listen(t, addr), logic)
	if body := <-answered; !strings.Contains(body, "你好") {
		t.Errorf("answered %q", body)
	}
}

func TestDrainAnswersWhatIsInFlight(t *testing.T) {
	t.Parallel()
	logic := newEcho()
	lis := listen(t, "127.0.0.1:0")
	serveLogic(t, lis, logic)
	s, stop := start(t, testConfig(t, lis.Addr().String(), miniredis.RunT(t).Addr()), telemetry.Discard())
	const messages = 20
	bodies := make(chan string, messages)
	for id := range messages {
		go func() {
			_, body := call(t, http.MethodPost, "http://"+s.Addr()+"/wx"+signed(), text(id+1))
			bodies <- body
		}()
	}
	for range messages {
		<-logic.asked
	}
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(logic.may)
	for range messages {
		if body := <-bodies; !strings.Contains(body, "你好") {
			t.Errorf("answered %q", body)
		}
	}
	<-stopped
}

func TestBadSettingsAreNamed(t *testing.T) {
	t.Parallel()
	taken := listen(t, "127.0.0.1:0")
	t.Cleanup(func() { _ = taken.Close() }) // after the parallel cases, which a defer would not await.
	tests := map[string]struct {
		change func(*Config)
		check  bool // whether Check finds it, without opening anything
		want   string
	}{
		"taken port":      {func(c *Config) { c.ListenAddr = taken.Addr().String() }, false, "GATEWAY_LISTEN_ADDR"},
		"no accounts":     {func(c *Config) { c.AccountsFile = "" }, true, "WX_ACCOUNTS_FILE"},
		"accounts absent": {func(c *Config) { c.AccountsFile = "/nonexistent.yaml" }, true, "WX_ACCOUNTS_FILE"},
		"bad Redis URL":   {func(c *Config) { c.Redis.URL = "http://x" }, true, "REDIS_URL"},
		"half of TLS":     {func(c *Config) { c.TLS.CertFile = "cert.pem" }, true, "TLS_KEY_FILE"},
		"bad proxies":     {func(c *Config) { c.TrustedProxies = []string{"10.0.0.0/8", "edge"} }, true, "GATEWAY_TRUSTED_PROXIES"},
		"no caller key":   {func(c *Config) { c.TokenCenterAddr, c.TokenCenterKeyFile = "localhost:1", "/nonexistent" }, true, "TOKEN_CENTER_KEY_FILE"},
		"negative window": {func(c *Config) { c.TimestampWindow = -time.Second }, true, "GATEWAY_TIMESTAMP_WINDOW"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t, "localhost:1", "localhost:1")
			if err := cfg.Check(); err != nil {
				t.Fatalf("the unchanged settings: %v", err)
			}
			tt.change(&cfg)
			if err := cfg.Check(); tt.check != (err != nil) || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Check = %v, want %q", err, tt.want)
			}
			if _, err := New(t.Context(), cfg, telemetry.Discard()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New = %v, want %q", err, tt.want)
			}
		})
	}
}

// pipes is a listener in memory, on which the HTTP server works in virtual time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// slow is a replier that takes its time.
type slow time.Duration

func (s slow) Reply(ctx context.Context, _ string, _ message.Message, _, _ time.Time) (message.Reply, string, error) {
	select {
	case <-ctx.Done():
		return nil, "", ctx.Err()
	case <-time.After(time.Duration(s)):
		return message.TextReply{Content: "test"}, "rule", nil
	}
}

// onPipes runs do against an HTTP server in a bubble.
func onPipes(t *testing.T, replier late.Replier, do func(t *testing.T, p *pipes)) {
	t.Helper()
	directory, err := accounts.Load(accountsFile(t), false)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		p, log := newPipes(), slog.New(slog.DiscardHandler)
		working := func(context.Context) error { return nil }
		asker, metrics := late.NewAsker(replier, log), telemetry.Discard().Metrics
		s := &Service{log: log, listener: p}
		s.courier = late.New(late.Options{
			Store: late.NewMemory(), Asker: asker, Accounts: directory.AppIDs, Log: log, Metrics: metrics,
		})
		s.book = allowance.NewBook(nil, metrics) // which nothing runs.
		s.handler = callback.New(callback.Options{
			Accounts: func() *accounts.Directory { return directory }, Deduper: dedupe.NewWindow(dedupe.NewMemory(), working, func(error) {}), Asker: asker, Late: s.courier, Allowances: s.book,
			TimestampWindow: defaultTimestampWindow, BodyLimit: defaultBodyLimit, Log: log, Metrics: metrics,
		})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- s.serve(ctx) }()
		do(t, p)
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// TestTheReadTimeOutDoesNotCutAHeldDelivery is about net/http, which takes a read deadline that passes while
// the handler works for the end of the connection.
func TestTheReadTimeOutDoesNotCutAHeldDelivery(t *testing.T) {
	t.Parallel()
	onPipes(t, slow(5500*time.Millisecond), func(t *testing.T, p *pipes) {
		conn := p.dial()
		defer conn.Close()
		body := text(1)
		start := time.Now()
		_, err := io.WriteString(conn, "POST /wx"+signed()+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "+
			strconv.Itoa(len(body))+"\r\n\r\n"+body)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		got, err := io.ReadAll(response.Body)
		if err != nil || !strings.Contains(string(got), "test") || time.Since(start) != 5500*time.Millisecond {
			t.Errorf("got %q, %v after %v", got, err, time.Since(start))
		}
	})
}

func TestSlowSendersAreCutOff(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sent func() string
		want time.Duration
	}{
		"header": {func() string { return "POST /wx HTTP/1.1\r\nHost: x\r\nX-Slow: " }, readHeaderTimeout},
		"body": {func() string {
			return "POST /wx" + signed() + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n<xml>"
		}, readTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onPipes(t, slow(0), func(t *testing.T, p *pipes) {
				conn := p.dial()
				defer conn.Close()
				start := time.Now()
				if _, err := io.WriteString(conn, tt.sent()); err != nil {
					t.Fatal(err)
				}
				// Whatever the server still says, it closes the connection after it.
				if _, err := io.ReadAll(conn); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took < tt.want || took > tt.want+time.Second {
					t.Errorf("cut off after %v, want %v", took, tt.want)
				}
			})
		})
	}
}

// TestSlowBodiesAreCutOff drips a body, so that the connection is never idle.
func TestSlowBodiesAreCutOff(t *testing.T) {
	t.Parallel()
	onPipes(t, slow(0), func(t *testing.T, p *pipes) {
		conn := p.dial()
		defer conn.Close()
		start := time.Now()
		if _, err := io.WriteString(conn, "POST /wx"+signed()+" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n<xml>"); err != nil {
			t.Fatal(err)
		}
		var dripping sync.WaitGroup
		dripping.Go(func() {
			for {
				time.Sleep(100 * time.Millisecond)
				if _, err := io.WriteString(conn, "x"); err != nil {
					return
				}
			}
		})
		if _, err := io.ReadAll(conn); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took < readTimeout || took > readTimeout+time.Second {
			t.Errorf("cut off after %v, want %v", took, readTimeout)
		}
		dripping.Wait()
	})
}

// TestBodiesAreBounded sends to a real listener what a push never is.
func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, "localhost:1", miniredis.RunT(t).Addr())
	cfg.BodyLimit = 10_000
	s, _ := start(t, cfg, telemetry.Discard())
	tests := map[string]struct {
		head   string
		body   io.Reader
		status int
	}{
		"huge":                     {"Content-Length: 1000000000", endless{}, http.StatusRequestEntityTooLarge},
		"chunked without an end":   {"Transfer-Encoding: chunked", chunks{}, http.StatusRequestEntityTooLarge},
		"of unheard-of length":     {"Content-Length: 99999999999999999999", strings.NewReader(""), http.StatusBadRequest},
		"of negative length":       {"Content-Length: -1", strings.NewReader(""), http.StatusBadRequest},
		"broken off":               {"Content-Length: 100", strings.NewReader("<xml>"), http.StatusBadRequest},
		"slower than WeChat waits": {"Content-Length: 100", stalled{t}, http.StatusBadRequest},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var dialer net.Dialer
			conn, err := dialer.DialContext(t.Context(), "tcp", s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go func() {
				_, _ = io.WriteString(conn, "POST /wx"+signed()+" HTTP/1.1\r\nHost: x\r\n"+tt.head+"\r\n\r\n")
				_, _ = io.Copy(conn, tt.body) // until the gateway closes the connection.
				if tcp, ok := conn.(*net.TCPConn); ok {
					_ = tcp.CloseWrite()
				}
			}()
			reader := bufio.NewReader(conn)
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != tt.status {
				t.Errorf("got %d, want %d", response.StatusCode, tt.status)
			}
			// Whatever else is said, the gateway closes the connection after it.
			_, _ = io.Copy(io.Discard, reader)
		})
	}
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// chunks is a chunked body without an end.
type chunks struct{}

func (chunks) Read(p []byte) (int, error) { return copy(p, "1\r\nx\r\n"), nil }

// stalled is a body that never comes.
type stalled struct{ t *testing.T }

func (s stalled) Read([]byte) (int, error) {
	<-s.t.Context().Done()
	return 0, io.EOF
}

// TestAccountsChangeWhileItRuns lets the operating system tell the gateway of changes.
func TestAccountsChangeWhileItRuns(t *testing.T) {
	t.Parallel()
	logic := newEcho()
	close(logic.may)
	lis := listen(t, "127.0.0.1:0")
	serveLogic(t, lis, logic)
	cfg := testConfig(t, lis.Addr().String(), miniredis.RunT(t).Addr())
	s, _ := start(t, cfg, telemetry.Discard())
	id := 0
	status := func() int {
		id++
		got, _ := call(t, http.MethodPost, "http://"+s.Addr()+"/wx/wx2"+signed(), strings.Replace(text(id), "gh_1", "gh_2", 1))
		return got
	}
	until := func(want int) {
		t.Helper()
		poll := time.NewTicker(20 * time.Millisecond)
		defer poll.Stop()
		for status() != want {
			select {
			case <-t.Context().Done():
				t.Fatalf("the second account never got %d", want)
			case <-poll.C:
			}
		}
	}
	if got := status(); got != http.StatusNotFound {
		t.Errorf("an account that is not there gets %d", got)
	}
	before, err := os.ReadFile(cfg.AccountsFile)
	if err != nil {
		t.Fatal(err)
	}
	token := filepath.Join(filepath.Dir(cfg.AccountsFile), "token2")
	write := func(path, content string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path+".new", []byte(content), 0o600), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
	}
	write(token, testToken)
	write(cfg.AccountsFile, strings.TrimSuffix(string(before), "]")+
		", {app_id: wx2, original_id: gh_2, encryption: plain, callback_token_file: "+strconv.Quote(token)+"}]")
	until(http.StatusOK)
	write(token, "another")
	until(http.StatusForbidden)
	write(cfg.AccountsFile, string(before))
	until(http.StatusNotFound)
}

// addresses is an api-proxy that knows where WeChat calls from.
type addresses struct {
	apiproxyv1.UnimplementedApiProxyServiceServer

	list string
}

func (a addresses) Call(_ context.Context, in *apiproxyv1.CallRequest) (*apiproxyv1.CallResponse, error) {
	if in.GetPath() != "/cgi-bin/getcallbackip" || in.GetAppId() != "wx1" {
		return nil, errors.New("not the question")
	}
	return &apiproxyv1.CallResponse{Body: []byte(`{"ip_list":[` + a.list + `]}`)}, nil
}

func TestOnlyWeChatMayCall(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		list    string
		proxies []string
		// forwarded is the X-Forwarded-For of the request, which comes from 127.0.0.1.
		forwarded string
		status    int
	}{
		"WeChat":                       {`"127.0.0.0/8"`, nil, "", http.StatusOK},
		"stranger":                     {`"192.0.2.1"`, nil, "192.0.2.1", http.StatusForbidden},
		"WeChat through the edge":      {`"192.0.2.1"`, []string{"127.0.0.1"}, "192.0.2.1", http.StatusOK},
		"stranger through the edge":    {`"192.0.2.1"`, []string{"127.0.0.1", "10.0.0.0/8"}, "192.0.2.1, 198.51.100.9", http.StatusForbidden},
		"anybody, while there is none": {``, nil, "", http.StatusOK},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lis := listen(t, "127.0.0.1:0")
			serveGRPC(t, lis, func(r grpc.ServiceRegistrar) { apiproxyv1.RegisterApiProxyServiceServer(r, addresses{list: tt.list}) })
			cfg := testConfig(t, "localhost:1", miniredis.RunT(t).Addr())
			cfg.APIProxyAddr, cfg.AllowOnlyWeChat, cfg.TrustedProxies = lis.Addr().String(), true, tt.proxies
			tel := telemetry.Discard()
			s, _ := start(t, cfg, tel)
			await(t, tel, "callback-addresses", tt.list != "")

			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+"/wx"+signed("echostr", "x"), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			request.Close = true
			if tt.forwarded != "" {
				request.Header.Set("X-Forwarded-For", tt.forwarded)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != tt.status {
				t.Errorf("got %d, want %d", response.StatusCode, tt.status)
			}
		})
	}
}

// await waits until a component is up, or down for a reason other than that nothing was tried yet.
func await(t *testing.T, tel *telemetry.Telemetry, component string, up bool) {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		report, _ := tel.Health.Report()
		if state := report.Components[component]; state == "up" && up || strings.Contains(state, "empty") && !up {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("%s never was as expected: %+v", component, report)
		case <-poll.C:
		}
	}
}

// Begin is never possible, so that Reply is always asked.
func (slow) Begin(string, message.Message, time.Time, time.Time, time.Time, func(message.Reply, string, bool, error)) func() {
	return nil
}
