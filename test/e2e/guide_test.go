package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
)

// The examples of WeChat's getting-started guide (公众号开发者指引), in all three modes of encryption.
func TestTheGuidesExamples(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	p := s.Platform

	t.Run("1.4 the console verifies the URL", func(t *testing.T) {
		if got := p.Verify(""); !got.OK {
			t.Errorf("verification failed: %s", got.Reason)
		}
	})
	for _, mode := range []simulator.Mode{simulator.ModePlain, simulator.ModeCompatible, simulator.ModeSafe} {
		t.Run("2 text in, text out, "+string(mode), func(t *testing.T) {
			got := p.Push(harness.Push{Type: simulator.TypeText, Content: "欢迎开启公众号开发者模式", Mode: mode})
			shown := only(t, got)
			if shown.Type != "text" || !strings.Contains(shown.Text, "欢迎开启公众号开发者模式") {
				t.Errorf("the follower saw %+v", shown)
			}
		})
		t.Run("3 picture in, same picture out, "+string(mode), func(t *testing.T) {
			from := "oPICTURES" + string(mode)
			got := p.Push(harness.Push{Type: simulator.TypeImage, From: from, Mode: mode})
			shown := only(t, got)
			chat := p.Chat(from, 2)
			if shown.Type != "image" || shown.MediaID == "" || shown.MediaID != chat[0].MediaID {
				t.Errorf("sent %q, the follower saw %+v", chat[0].MediaID, shown)
			}
		})
	}
	t.Run("2.3 what is not answered gets success", func(t *testing.T) {
		got := p.Push(harness.Push{Type: simulator.TypeEvent, Event: simulator.EventUnsubscribe, From: "oLEAVING0001"})
		if len(got.Deliveries) != 1 || got.Deliveries[0].ResponseBody != "success" || len(got.Shown) != 0 {
			t.Errorf("deliveries %+v, shown %+v; want one answered with success", got.Deliveries, got.Shown)
		}
	})
	t.Run("a new follower is welcomed", func(t *testing.T) {
		got := p.Push(harness.Push{Type: simulator.TypeEvent, Event: simulator.EventSubscribe, From: "oNEW00000001"})
		if shown := only(t, got); shown.Type != "text" || shown.Text == "" {
			t.Errorf("the follower saw %+v", shown)
		}
	})
}

// only returns the one thing that the follower saw, which one delivery must have brought.
func only(t *testing.T, result simulator.PushResult) simulator.ChatEntry {
	t.Helper()
	if result.Outcome != simulator.OutcomeShown || len(result.Shown) != 1 || len(result.Deliveries) != 1 {
		t.Fatalf("outcome %s after %d deliveries, shown %+v; deliveries: %+v", result.Outcome, len(result.Deliveries), result.Shown, result.Deliveries)
	}
	return result.Shown[0]
}

// The way out: a press on the menu makes logic send a customer-service message through api-proxy, with
// a token that token-center fetched.
func TestACallOutTravelsTheWholeWay(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"everybody may call": nil, "with a callers file": callersFlags(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			callOut(t, harness.StartStandalone(t, flags...).Platform)
		})
	}
}

// callersFlags make standalone's api-proxy let nobody in but gateway and logic.
func callersFlags(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	key, callers := filepath.Join(dir, "key"), filepath.Join(dir, "callers.yaml")
	for path, text := range map[string]string{
		key:     strings.Repeat("house", 8),
		callers: fmt.Sprintf("callers: [{name: house, key_file: %s, accounts: \"*\", apis: POST /cgi-bin/message/custom/send}]\n", key),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"--callers", callers, "--api-proxy-key-file", key}
}

func callOut(t *testing.T, p *harness.Platform) {
	t.Helper()
	const from = "oOUTWARD0001"
	p.Push(harness.Push{Type: simulator.TypeEvent, Event: simulator.EventClick, EventKey: "MENU_NOTIFY", From: from})
	channels := map[simulator.Channel]int{}
	chat := p.Chat(from, 3)
	for _, line := range chat {
		channels[line.Channel]++
	}
	if channels[simulator.ChannelReply] != 1 || channels[simulator.ChannelCustom] != 1 {
		t.Fatalf("chat %+v; want the press, a reply, and a customer-service message", chat)
	}
	if fetches := p.Tokens("").Fetches; fetches.Stable != 1 {
		t.Errorf("fetches %+v, want one of a stable token", fetches)
	}
}

// Messages that fail to be answered must be seen by no follower: neither what is malformed nor what is
// hostile disturbs the next one.
func TestAnswersUnderLoad(t *testing.T) {
	t.Parallel()
	p := harness.StartStandalone(t).Platform
	got := p.Load(harness.Push{Content: "你好", Count: 500, Concurrency: 50, Followers: 20})
	if got.Sent != 500 || got.Shown != 500 || got.Notices != 0 || got.Attempts["1"] != 500 {
		t.Errorf("sent %d, shown %d, notices %d, attempts %v; failures: %+v", got.Sent, got.Shown, got.Notices, got.Attempts, got.Failures)
	}
}
