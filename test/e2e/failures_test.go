package e2e

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
)

// Whatever an operator gets wrong is one line that names the setting and the remedy.
func TestWrongSettingsAreOneClearLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	taken := takenAddr(t)
	tests := map[string]struct {
		flags []string
		want  []string
	}{
		"taken port":          {[]string{"--gateway-addr", taken}, []string{"gateway", "address already in use"}},
		"taken debug port":    {[]string{"--debug-addr", taken}, []string{"debug", "address already in use"}},
		"taken chat page":     {[]string{"--simulator-addr", taken}, []string{"simulator", "address already in use"}},
		"no rule file":        {[]string{"--rules", filepath.Join(dir, "none.yaml")}, []string{"none.yaml", "no such file"}},
		"wrong rule file":     {[]string{"--rules", write("rules.yaml", "rules:\n  - name: a\n    match: {typ: text}\n    reply: {text: hi}\n")}, []string{"rules.yaml", "3", "typ"}},
		"wrong accounts file": {[]string{"--accounts", write("accounts.yaml", "accounts:\n  - app_idd: wx1\n")}, []string{"accounts.yaml", "2", "app_idd"}},
		"no such secret":      {[]string{"--accounts", write("secretless.yaml", "accounts:\n  - app_id: wx0000000000000001\n    original_id: gh_1\n    callback_token_file: /none\n    encoding_aes_key_file: /none\n    app_secret_file: /none\n")}, []string{"_file", "/none"}},
		"wrong Redis URL":     {[]string{"--redis", "http://localhost"}, []string{"redis", "http"}},
		"unknown flag":        {[]string{"--gateway-adr", ":1"}, []string{"--gateway-addr"}},
		"real WeChat, nobody": {[]string{"--no-simulator"}, []string{"--no-simulator", "--accounts"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := harness.PrepareStandalone(t, tt.flags...)
			if err := s.Wait(t); err == nil {
				t.Error("it ended without an error")
			}
			message := lastBlock(s.Output())
			for _, want := range tt.want {
				if !strings.Contains(strings.ToLower(message), strings.ToLower(want)) {
					t.Errorf("the message lacks %q:\n%s", want, message)
				}
			}
			if strings.Contains(message, "goroutine ") || strings.Contains(message, "panic") {
				t.Errorf("a stack reached the user:\n%s", message)
			}
		})
	}
}

// lastBlock is the message on standard error: from the line that begins with the program's name.
func lastBlock(output string) string {
	if i := strings.LastIndex(output, "standalone: "); i >= 0 {
		return output[i:]
	}
	return output
}

func takenAddr(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	lis, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	return lis.Addr().String()
}

func TestCtrlCStopsInOrderAndNothingLeaks(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	s.Platform.Push(harness.Push{Content: "hunter2-message-body"})
	s.Platform.Push(harness.Push{Type: simulator.TypeEvent, Event: simulator.EventClick, EventKey: "MENU_NOTIFY"})
	s.Platform.Chat(simulator.DefaultFollower, 5)
	forbidden := []string{"hunter2-message-body", "wxstack-dev-secret", "wxstack-dev-token", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"}
	for _, issued := range s.Platform.Tokens("").Tokens {
		forbidden = append(forbidden, issued.Value)
	}
	if len(forbidden) < 5 {
		t.Fatal("no token was issued, so that the search proves nothing")
	}
	s.Signal(t, syscall.SIGINT)
	if err := s.Wait(t); err != nil {
		t.Errorf("ended with %v", err)
	}
	if err := harness.CheckLog(s.Output(), forbidden...); err != nil {
		t.Errorf("%v in:\n%s", err, s.Output())
	}
}

// An unreachable Redis is said in one line, and followers are answered all the same.
func TestWithoutRedisFollowersAreStillAnswered(t *testing.T) {
	t.Parallel()
	redisURL, server := harness.Redis(t)
	s := harness.StartStandalone(t, "--redis", redisURL)
	if got := s.Platform.Push(harness.Push{Content: "before"}); got.Outcome != simulator.OutcomeShown {
		t.Fatalf("outcome %s", got.Outcome)
	}
	server.Kill()
	for range 20 {
		if got := s.Platform.Push(harness.Push{Content: "while Redis is down"}); got.Outcome != simulator.OutcomeShown {
			t.Fatalf("outcome %s: %+v", got.Outcome, got.Deliveries)
		}
	}
	harness.Eventually(t, "health says that Redis is down", func() error {
		return expectDown(s.DebugURL, "redis")
	})
}

func TestStrangersLearnNothing(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	tests := map[string]struct {
		method, path, body string
		status             int
	}{
		"a human":             {http.MethodGet, "/wx/wxdev0000000000001", "", http.StatusOK},
		"unknown account":     {http.MethodPost, "/wx/wx9999999999999999", "<xml/>", http.StatusNotFound},
		"unsigned message":    {http.MethodPost, "/wx/wxdev0000000000001", "<xml/>", http.StatusForbidden},
		"forged verification": {http.MethodGet, "/wx/wxdev0000000000001?signature=00&timestamp=1&nonce=2&echostr=3", "", http.StatusForbidden},
		"another method":      {http.MethodDelete, "/wx/wxdev0000000000001", "", http.StatusMethodNotAllowed},
		"another path":        {http.MethodGet, "/admin", "", http.StatusNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tt.method, s.GatewayURL+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != tt.status {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.status)
			}
		})
	}
}
