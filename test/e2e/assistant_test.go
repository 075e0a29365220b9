package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

// chatEndpoint is an OpenAI-compatible chat endpoint that takes as long as the question says: "12s …".
type chatEndpoint struct {
	*httptest.Server

	mu    sync.Mutex
	asked map[string]int
	// left are the questions that nobody wanted an answer to any more.
	left map[string]bool
}

func startChatEndpoint(t *testing.T) *chatEndpoint {
	t.Helper()
	e := &chatEndpoint{asked: map[string]int{}, left: map[string]bool{}}
	e.Server = httptest.NewServer(http.HandlerFunc(e.answer))
	t.Cleanup(e.Close)
	return e
}

// answerOf is what the endpoint says to a question: to one for a long answer as much as three messages hold.
func answerOf(question string) string {
	answer := "回答「" + question + "」。"
	if strings.Contains(question, "long") {
		answer += strings.Repeat("这句话正好有二十个汉字那么长，算上句号。", 80)
	}
	return answer
}

func (e *chatEndpoint) answer(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Messages []struct{ Content string } `json:"messages"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil || len(request.Messages) == 0 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	question := request.Messages[len(request.Messages)-1].Content
	e.note(func() { e.asked[question]++ })
	var takes string
	_, _ = fmt.Sscan(question, &takes)
	delay, _ := time.ParseDuration(takes)
	w.Header().Set("Content-Type", "text/event-stream")
	// Most of the time passes before the first word, as with a model that thinks first.
	words := []rune(answerOf(question))
	parts := []struct {
		text  string
		takes time.Duration
	}{{string(words[:3]), delay * 3 / 4}, {string(words[3:]), delay / 4}}
	for _, part := range parts {
		select {
		case <-time.After(part.takes):
		case <-r.Context().Done():
			e.note(func() { e.left[question] = true })
			return
		}
		fmt.Fprintf(w, "data: {\"choices\": [{\"delta\": {\"content\": %q}}]}\n\n", part.text)
		_ = http.NewResponseController(w).Flush()
	}
	_, _ = io.WriteString(w, "data: {\"choices\": [{\"delta\": {}, \"finish_reason\": \"stop\"}]}\n\ndata: [DONE]\n\n")
}

func (e *chatEndpoint) note(what func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	what()
}

// errNotYet is what a check returns until it holds.
var errNotYet = errors.New("not yet")

// TestTheAssistantSolvesTheFiveSeconds: whether a model takes 1, 6, 12 or 40 seconds, the follower gets the
// answer once, by the first delivery that can carry it or by the account's policy, and the model is asked once.
func TestTheAssistantSolvesTheFiveSeconds(t *testing.T) {
	t.Parallel()
	endpoint := startChatEndpoint(t)
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	file := "rules:\n  - name: ai\n    match: {type: text}\n    assistant: {base_url: " + endpoint.URL + "/v1, model: test, timeout: 2m}\n"
	if err := os.WriteFile(rules, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	policies := []account.LateAnswerPolicy{account.LateAnswerCustomerService, account.LateAnswerPickup, account.LateAnswerDrop}
	accounts := make([]account.Account, 0, len(policies))
	for i, policy := range policies {
		a := account.Development()
		a.AppID, a.OriginalID = fmt.Sprintf("wxassistant0000000%d", i), fmt.Sprintf("gh_assistant%d", i)
		a.LateAnswer.Policy = policy
		accounts = append(accounts, a)
	}
	s := harness.StartServicesFor(t, accounts, "WX_RULES_FILE="+rules)

	var conversations sync.WaitGroup
	for _, a := range accounts {
		for deliveries, delay := range []time.Duration{time.Second, 6 * time.Second, 12 * time.Second, 40 * time.Second} {
			c := &conversation{
				t: t, platform: s.Platform, endpoint: endpoint, policy: a.LateAnswer.Policy,
				push: simulator.Push{Account: a.AppID, From: fmt.Sprintf("o%s%s", a.LateAnswer.Policy, delay), Content: delay.String() + " " + string(a.LateAnswer.Policy)},
			}
			conversations.Go(func() {
				if delay < 15*time.Second {
					c.answeredBy(deliveries + 1)
				} else {
					c.answeredLate()
				}
				c.askedOnce()
			})
		}
		c := &conversation{
			t: t, platform: s.Platform, endpoint: endpoint, policy: a.LateAnswer.Policy,
			push: simulator.Push{Account: a.AppID, From: fmt.Sprintf("o%slong", a.LateAnswer.Policy), Content: "1s long " + string(a.LateAnswer.Policy)},
		}
		conversations.Go(func() {
			c.answeredAtLength()
			c.askedOnce()
		})
	}
	conversations.Wait()
	secrets := []string{"回答「"}
	for name, process := range s.Processes {
		if err := harness.CheckLog(process.Output(), secrets...); err != nil {
			t.Errorf("log of %s: %v", name, err)
		}
	}
}

// conversation is one question of one follower.
type conversation struct {
	t        *testing.T
	platform *simulator.Platform
	endpoint *chatEndpoint
	policy   account.LateAnswerPolicy
	push     simulator.Push
}

// send sends the question, and returns what the deliveries showed when they are over.
func (c *conversation) send() simulator.PushResult {
	result, err := c.platform.Push(context.WithoutCancel(c.t.Context()), c.push)
	if err != nil {
		c.t.Errorf("%s: %v", c.push.Content, err)
	}
	return result
}

// answeredBy expects the answer by a delivery.
func (c *conversation) answeredBy(delivery int) {
	got := c.send()
	if len(got.Shown) != 1 || got.Shown[0].Text != answerOf(c.push.Content) || len(got.Deliveries) != delivery {
		c.t.Errorf("%s: shown %+v after %d deliveries, want the answer by number %d", c.push.Content, got.Shown, len(got.Deliveries), delivery)
	}
	c.answers(1)
}

// answeredLate expects what the account's policy says of an answer that no delivery can carry.
func (c *conversation) answeredLate() {
	got := c.send()
	if len(got.Deliveries) != 3 {
		c.t.Errorf("%s: %d deliveries", c.push.Content, len(got.Deliveries))
	}
	switch c.policy {
	case account.LateAnswerCustomerService:
		c.silent(got)
		c.eventually("comes late", func() bool { return c.count() == 1 })
	case account.LateAnswerPickup:
		if len(got.Shown) != 1 || got.Shown[0].Text != account.DefaultPlaceholder {
			c.t.Errorf("%s: shown %+v, want the placeholder", c.push.Content, got.Shown)
		}
		c.eventually("is picked up", func() bool {
			again := *c
			again.push.Content = "好了吗"
			again.send()
			return c.count() == 1
		})
	case account.LateAnswerDrop:
		c.silent(got)
		c.eventually("is not waited for", func() bool {
			var left bool
			c.endpoint.note(func() { left = c.endpoint.left[c.push.Content] })
			return left
		})
		c.answers(0)
		return
	}
	c.answers(1)
}

// answeredAtLength expects an answer that no single message can carry.
func (c *conversation) answeredAtLength() {
	got := c.send()
	want := answerOf(c.push.Content)
	if len(got.Shown) != 1 || len(got.Deliveries) != 1 || !strings.HasPrefix(want, c.told()) && c.policy != account.LateAnswerDrop {
		c.t.Errorf("%s: shown %+v after %d deliveries, want the beginning of the answer", c.push.Content, got.Shown, len(got.Deliveries))
	}
	switch c.policy {
	case account.LateAnswerCustomerService:
		c.eventually("comes in full", func() bool { return c.told() == want })
	case account.LateAnswerPickup:
		c.eventually("is picked up in full", func() bool {
			again := *c
			again.push.Content = "然后呢"
			again.send()
			return c.told() == want
		})
	case account.LateAnswerDrop:
		if begun, cut := strings.CutSuffix(c.told(), "…"); !cut || !strings.HasPrefix(want, begun) || len(c.told()) > 2048 {
			c.t.Errorf("%s: the follower has read %q", c.push.Content, c.told())
		}
	}
}

// told is all that the account has told the follower, without what the gateway writes below a part.
func (c *conversation) told() string {
	var text strings.Builder
	for _, line := range c.platform.Chat(c.push.From) {
		if line.Side == simulator.SideAccount && line.Text != account.DefaultPlaceholder {
			text.WriteString(strings.TrimSuffix(line.Text, "\n（回复任意内容查看余下部分）"))
		}
	}
	return text.String()
}

func (c *conversation) silent(got simulator.PushResult) {
	if len(got.Shown) != 0 || got.Outcome != simulator.OutcomeSilent {
		c.t.Errorf("%s: shown %+v, outcome %s", c.push.Content, got.Shown, got.Outcome)
	}
}

func (c *conversation) eventually(what string, holds func() bool) {
	harness.Eventually(c.t, c.push.Content+" "+what, func() error {
		if !holds() {
			return errNotYet
		}
		return nil
	})
}

// count is how often the follower has read the answer.
func (c *conversation) count() int {
	n := 0
	for _, line := range c.platform.Chat(c.push.From) {
		if line.Text == answerOf(c.push.Content) {
			n++
		}
	}
	return n
}

func (c *conversation) answers(want int) {
	if got := c.count(); got != want {
		c.t.Errorf("%s: the follower has read the answer %d times, want %d", c.push.Content, got, want)
	}
	for _, line := range c.platform.Chat(c.push.From) {
		if line.Side == simulator.SideNotice {
			c.t.Errorf("%s: the follower read WeChat's error notice", c.push.Content)
		}
	}
}

func (c *conversation) askedOnce() {
	var asked int
	c.endpoint.note(func() { asked = c.endpoint.asked[c.push.Content] })
	if asked != 1 {
		c.t.Errorf("%s: the endpoint was asked %d times", c.push.Content, asked)
	}
}
