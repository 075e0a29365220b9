package logic_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs logic with cfg on a free port and returns a client of it; both end with the test.
func start(t *testing.T, cfg logic.Config) (logicv1.LogicServiceClient, *telemetry.Telemetry) {
	t.Helper()
	cfg.ListenAddr = "127.0.0.1:0"
	tel := telemetry.Discard()
	service, err := logic.New(t.Context(), cfg, tel)
	if err != nil {
		t.Fatal(err)
	}
	runUntilEnd(t, service.Run)
	conn, err := rpc.Dial(service.Addr(), telemetry.Discard(), rpc.TLS{}, rpc.Never)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })

	return logicv1.NewLogicServiceClient(conn), tel
}

func runUntilEnd(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	stopped := make(chan error, 1)
	go func() { stopped <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// apiProxy is an api-proxy that hands over what it is asked to send.
type apiProxy struct {
	apiproxyv1.UnimplementedApiProxyServiceServer

	sent chan *apiproxyv1.SendCustomerServiceMessageRequest
}

func (p *apiProxy) SendCustomerServiceMessage(_ context.Context, req *apiproxyv1.SendCustomerServiceMessageRequest) (*apiproxyv1.SendCustomerServiceMessageResponse, error) {
	p.sent <- req

	return &apiproxyv1.SendCustomerServiceMessageResponse{}, nil
}

func startAPIProxy(t *testing.T) (*apiProxy, string) {
	t.Helper()
	var lc net.ListenConfig
	lis, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := rpc.NewServer(telemetry.Discard(), rpc.TLS{})
	if err != nil {
		t.Fatal(err)
	}
	proxy := &apiProxy{sent: make(chan *apiproxyv1.SendCustomerServiceMessageRequest, 1)}
	apiproxyv1.RegisterApiProxyServiceServer(server, proxy)
	runUntilEnd(t, func(ctx context.Context) error { return server.Run(ctx, lis) })

	return proxy, lis.Addr().String()
}

func textMessage(content string) *messagev1.Message {
	return &messagev1.Message{
		AppId: "wxdev0000000000001", ToUserName: "gh_dev000000001", FromUserName: "oFOLLOWER", MsgType: "text", MsgId: 1,
		Content: &messagev1.Message_Text{Text: &messagev1.Text{Content: content}},
	}
}

func click(key string) *messagev1.Message {
	return &messagev1.Message{
		AppId: "wxdev0000000000001", ToUserName: "gh_dev000000001", FromUserName: "oFOLLOWER", MsgType: "event",
		Content: &messagev1.Message_Event{Event: &messagev1.Event{Name: "CLICK", Key: key}},
	}
}

func ask(t *testing.T, client logicv1.LogicServiceClient, msg *messagev1.Message) *logicv1.ReplyResponse {
	t.Helper()
	resp, err := client.Reply(t.Context(), &logicv1.ReplyRequest{Message: msg})
	if err != nil {
		t.Fatal(err)
	}

	return resp
}

func TestBothWays(t *testing.T) {
	t.Parallel()
	proxy, addr := startAPIProxy(t)
	client, _ := start(t, logic.Config{APIProxyAddr: addr})
	if got := ask(t, client, textMessage("你好")); got.GetReply().GetText().GetContent() != "你说：你好" || got.GetRule() != "ask-and-answer" {
		t.Errorf("got %v", got)
	}
	if got := ask(t, client, click("MENU_NOTIFY")); got.GetRule() != "menu-notify" {
		t.Errorf("got %v", got)
	}
	sent := <-proxy.sent
	if sent.GetToUser() != "oFOLLOWER" || sent.GetAppId() != "wxdev0000000000001" || !strings.Contains(sent.GetMessage().GetText().GetContent(), "客服消息") {
		t.Errorf("sent %v", sent)
	}
}

// TestReloadWhileServing asks without pause while the file is replaced by a wrong one and then by a
// right one: every question is answered, by the old rules until the new ones are in force.
func TestReloadWhileServing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
	write("rules:\n  - {name: old, reply: {text: a}}\n")
	client, tel := start(t, logic.Config{RulesFile: path, APIProxyAddr: "localhost:1"})

	seen := make(chan string)
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for ctx.Err() == nil {
				resp, err := client.Reply(context.WithoutCancel(ctx), &logicv1.ReplyRequest{Message: textMessage("x")})
				if err != nil {
					t.Errorf("a question went unanswered: %v", err)

					return
				}
				select {
				case seen <- resp.GetRule():
				case <-ctx.Done():
				}
			}
		})
	}
	defer asking.Wait()
	defer stop()

	write("rules:\n  - {name: bad, reply: {txet: a}}\n")
	for rule := range seen {
		if rule != "old" {
			t.Fatalf("the wrong file changed the rules: %s", rule)
		}
		report, ready := tel.Health.Report()
		if !ready {
			t.Fatalf("a wrong rule file must not take logic out of service: %+v", report)
		}
		if strings.Contains(report.Components["rules"], path+`:2:25: rule "bad": unknown key "txet" in reply; did you mean "text"?`) {
			break
		}
	}
	write("rules:\n  - {name: new, reply: {text: a}}\n")
	for rule := range seen {
		if rule == "new" {
			break
		}
	}
	if report, _ := tel.Health.Report(); report.Status != "ready" {
		t.Errorf("want ready again, got %+v", report)
	}
}

// TestRedisIsTheHealthOfRulesThatRemember, and of no others: without one nobody looks for it.
func TestRedisIsTheHealthOfRulesThatRemember(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rules:\n  - {name: rest, reply: {text: a}}\n")
	client, tel := start(t, logic.Config{RulesFile: path, APIProxyAddr: "localhost:1", Redis: redisconn.Config{URL: "redis://127.0.0.1:1/0"}})
	if report, _ := tel.Health.Report(); report.Components["redis"] != "" || report.Status != "ready" {
		t.Errorf("nobody needs Redis: %+v", report)
	}
	write("rules:\n  - {name: learn, teach: {moderation: false}}\n  - {name: rest, reply: {text: a}}\n")
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		report, ready := tel.Health.Report()
		if strings.HasPrefix(report.Components["redis"], "down: ") && report.Status == "degraded" && ready {
			break
		}
		select {
		case <-poll.C:
		case <-t.Context().Done():
			t.Fatalf("%+v", report)
		}
	}
	if got := ask(t, client, textMessage("x")); got.GetRule() != "rest" {
		t.Errorf("the next rule answers, not %v", got)
	}
}

// TestWithoutAPIProxy: replies do not need the way out.
func TestWithoutAPIProxy(t *testing.T) {
	t.Parallel()
	client, _ := start(t, logic.Config{APIProxyAddr: "localhost:1"})
	for range 20 {
		if got := ask(t, client, textMessage("x")); got.GetRule() != "ask-and-answer" {
			t.Errorf("got %v", got)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	wrong := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(wrong, []byte("rules:\n  - {name: a, match: {tpye: text}, reply: {text: b}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		cfg  logic.Config
		want string
	}{
		"built in":    {logic.Config{}, ""},
		"absent file": {logic.Config{RulesFile: filepath.Join(t.TempDir(), "none.yaml")}, "WX_RULES_FILE"},
		"wrong file":  {logic.Config{RulesFile: wrong}, `rules.yaml:2:23: rule "a": unknown key "tpye" in match; did you mean "type"?`},
		"half of TLS": {logic.Config{TLS: rpc.TLS{CertFile: "x"}}, "TLS_KEY_FILE"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.cfg.Check()
			if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	lis, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	_, err = logic.New(t.Context(), logic.Config{ListenAddr: lis.Addr().String(), APIProxyAddr: "localhost:1"}, telemetry.Discard())
	if err == nil || !strings.Contains(err.Error(), "LOGIC_LISTEN_ADDR") {
		t.Errorf("want an error that names LOGIC_LISTEN_ADDR, got %v", err)
	}
}

// BenchmarkReply is a question over a real connection, with 10 and with 10,000 rules.
func BenchmarkReply(b *testing.B) {
	for _, size := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("rules=%d", size), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "rules.yaml")
			if err := os.WriteFile(path, []byte(manyRules(size)), 0o600); err != nil {
				b.Fatal(err)
			}
			began := time.Now()
			service, err := logic.New(b.Context(), logic.Config{ListenAddr: "127.0.0.1:0", RulesFile: path, APIProxyAddr: "localhost:1"}, telemetry.Discard())
			if err != nil {
				b.Fatal(err)
			}
			loading := time.Since(began)
			ctx, stop := context.WithCancel(b.Context())
			stopped := make(chan error, 1)
			go func() { stopped <- service.Run(ctx) }()
			conn, err := rpc.Dial(service.Addr(), telemetry.Discard(), rpc.TLS{}, rpc.Never)
			if err != nil {
				b.Fatal(err)
			}
			client := logicv1.NewLogicServiceClient(conn)
			for b.Loop() {
				if _, err := client.Reply(b.Context(), &logicv1.ReplyRequest{Message: textMessage("最后")}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(loading.Milliseconds()), "ms-to-load")
			_ = conn.Close()
			stop()
			if err := <-stopped; err != nil {
				b.Error(err)
			}
		})
	}
}

func manyRules(size int) string {
	var file strings.Builder
	file.WriteString("rules:\n")
	for i := range size {
		fmt.Fprintf(&file, "  - name: rule-%d\n    match: {type: text, contains: [问题%d, 关键词%d]}\n    reply: {text: '答案：{{ .Content }}'}\n", i, i, i)
	}
	file.WriteString("  - name: last\n    match: {type: text}\n    reply: {text: '{{ .Content }}'}\n")

	return file.String()
}
