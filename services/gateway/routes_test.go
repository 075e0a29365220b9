package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
)

// named is a logic service that answers with its name, or never.
type named struct {
	logicv1.UnimplementedLogicServiceServer

	name  string
	hangs bool
	asked chan *logicv1.ReplyRequest
}

func (n *named) Reply(ctx context.Context, in *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	n.asked <- in
	if n.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &logicv1.ReplyResponse{Rule: n.name, Reply: &messagev1.Reply{Content: &messagev1.Reply_Text{
		Text: &messagev1.TextReply{Content: "from " + n.name},
	}}}, nil
}

// serveNamed serves a logic service until the test ends and returns its address.
func serveNamed(t *testing.T, n *named) string {
	t.Helper()
	n.asked = make(chan *logicv1.ReplyRequest, 10_000)
	lis := listen(t, "127.0.0.1:0")
	serveLogic(t, lis, n)
	return lis.Addr().String()
}

// writeFile writes a file, in place of an older one.
func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path+".next", []byte(content), 0o600), os.Rename(path+".next", path)); err != nil {
		t.Fatal(err)
	}
}

// routed is the configuration of a gateway for the accounts wx1 and wx2 with a routes file.
func routed(t *testing.T, logicAddr, routes string) Config {
	t.Helper()
	cfg := testConfig(t, logicAddr, miniredis.RunT(t).Addr())
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	cfg.AccountsFile, cfg.RoutesFile = filepath.Join(dir, "accounts.yaml"), filepath.Join(dir, "routes.yaml")
	writeFile(t, token, testToken)
	var file strings.Builder
	file.WriteString("accounts:\n")
	for i := 1; i <= 2; i++ {
		fmt.Fprintf(&file, "  - {app_id: wx%d, original_id: gh_%d, encryption: plain, callback_token_file: %q}\n", i, i, token)
	}
	writeFile(t, cfg.AccountsFile, file.String())
	writeFile(t, cfg.RoutesFile, routes)
	return cfg
}

// write has a follower write to an account, and returns what they read.
func write(t *testing.T, s *Service, account int, openID string, id int) string {
	t.Helper()
	push := strings.NewReplacer("gh_1", "gh_"+strconv.Itoa(account), "o1", openID).Replace(text(id))
	_, body := call(t, http.MethodPost, fmt.Sprintf("http://%s/wx/wx%d%s", s.Addr(), account, signed()), push)
	_, rest, _ := strings.Cut(body, "<Content><![CDATA[")
	content, _, _ := strings.Cut(rest, "]]>")
	return content
}

func TestMessagesAreRoutedCopiedAndRecorded(t *testing.T) {
	t.Parallel()
	logic, second, staging, hanging, next := &named{name: "main"}, &named{name: "second"}, &named{name: "staging"}, &named{name: "hanging", hangs: true}, &named{name: "second"}
	logicAddr := serveNamed(t, logic)
	recording := filepath.Join(t.TempDir(), "messages.jsonl")
	cfg := routed(t, logicAddr, fmt.Sprintf(`
routes:
  - {name: staging, followers: [oTESTER], logic_addr: %q}
  - {name: second, accounts: [wx2], logic_addr: %q}
shadows:
  - {name: hanging, logic_addr: %q}
  - {name: next, accounts: [wx2], logic_addr: %q}
record: {file: %q}
`, serveNamed(t, staging), serveNamed(t, second), serveNamed(t, hanging), serveNamed(t, next), recording))
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	s, stop := start(t, cfg, telemetry.Discard())
	id := 0
	for _, tt := range []struct {
		account      int
		openID, want string
	}{{1, "oANYBODY", "from main"}, {2, "oANYBODY", "from second"}, {1, "oTESTER", "from staging"}, {2, "oTESTER", "from staging"}} {
		id++
		for range 2 { // the second delivery is a repeat, which is neither asked nor copied nor recorded.
			if got := write(t, s, tt.account, tt.openID, id); got != tt.want {
				t.Errorf("%s read %q of account %d, want %q", tt.openID, got, tt.account, tt.want)
			}
		}
	}
	for n, times := range map[*named]int{logic: 1, second: 1, staging: 2, hanging: 4, next: 2} {
		for range times {
			if shadow := (<-n.asked).GetShadow(); shadow != (n == hanging || n == next) {
				t.Errorf("%s was asked with shadow %v", n.name, shadow)
			}
		}
		if len(n.asked) > 0 {
			t.Errorf("%s was asked too often", n.name)
		}
	}
	stop()
	lines, err := os.ReadFile(recording)
	if err != nil || bytes.Count(lines, []byte("\n")) != 4 || bytes.Contains(lines, []byte("oTESTER")) {
		t.Errorf("recorded %s: %v", lines, err)
	}
}

func TestRoutesChangeWhileMessagesFlow(t *testing.T) {
	t.Parallel()
	a, b := &named{name: "a"}, &named{name: "b"}
	addrs := map[string]string{"a": serveNamed(t, a), "b": serveNamed(t, b)}
	routes := func(to string) string {
		return fmt.Sprintf("routes: [{name: %s, logic_addr: %q}]\n", to, addrs[to])
	}
	tel := telemetry.Discard()
	cfg := routed(t, "localhost:1", routes("a"))
	s, _ := start(t, cfg, tel)
	var writing sync.WaitGroup
	read, done := make(chan string), make(chan struct{})
	const writers = 4
	for i := range writers {
		writing.Go(func() {
			for id := 1 + i; ; id += writers {
				select {
				case read <- write(t, s, 1, "oA", id):
				case <-done:
					return
				}
			}
		})
	}
	for i := range 6 {
		to := []string{"b", "a"}[i%2]
		writeFile(t, cfg.RoutesFile, routes(to))
		for got := ""; got != "from "+to; {
			if got = <-read; got != "from a" && got != "from b" {
				t.Errorf("a follower read %q", got)
			}
		}
	}
	close(done)
	writing.Wait()
}

func TestAWrongRoutesFileIsNamed(t *testing.T) {
	t.Parallel()
	cfg := routed(t, "localhost:1", "routes:\n  - {name: a}\n")
	const want = "routes.yaml:2: routes[0].logic_addr"
	if err := cfg.Check(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Check = %v", err)
	}
	if _, err := New(t.Context(), cfg, telemetry.Discard()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("New = %v", err)
	}
}

func TestTheReplayCommand(t *testing.T) {
	t.Parallel()
	logic := &named{name: "rule of mine"}
	flags := &replayFlags{
		File: filepath.Join(t.TempDir(), "messages.jsonl"), To: serveNamed(t, logic), Concurrency: 2,
	}
	writeFile(t, flags.File, `{"message":{"app_id":"wx1","msg_type":"text","text":{"content":"a"}}}`+"\nbroken\n"+
		`{"message":{"app_id":"wx1","msg_type":"event","event":{"name":"subscribe"}}}`+"\n")
	var out bytes.Buffer
	err := flags.run(t.Context(), rpc.TLS{}, &out)
	if err == nil || err.Error() != "1 of 3 messages failed" {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{"rule rule of mine  from rule of mine", "     2  ?", "failed: no wxstack.logic.v1.ReplyRequest", "3 messages, 1 failed", "     2  rule rule of mine"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
	flags.To = "127.0.0.1:1"
	out.Reset()
	if err := flags.run(t.Context(), rpc.TLS{}, &out); err == nil || err.Error() != "3 of 3 messages failed" {
		t.Errorf("nobody is there: %v\n%s", err, out.String())
	}
	for _, wrong := range []replayFlags{{File: "/nonexistent", Concurrency: 1}, {Concurrency: 0}, {Limit: -1, Concurrency: 1}} {
		if err := wrong.run(t.Context(), rpc.TLS{}, &out); err == nil {
			t.Errorf("%+v: no error", wrong)
		}
	}
}
