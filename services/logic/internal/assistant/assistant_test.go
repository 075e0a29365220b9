package assistant_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/redisconn/redistest"
	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/assistant"
	"github.com/wxstack/wxstack/services/logic/internal/reply"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// asked is what an endpoint was asked.
type asked struct {
	Model    string `json:"model"`
	Stream   bool   `json:"stream"`
	Messages []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"messages"`
	MaxTokens   int64   `json:"max_tokens"`
	Temperature float64 `json:"temperature"`
}

// endpoint is an OpenAI-compatible chat endpoint of a test.
type endpoint struct {
	// respond answers one request; n counts them from 1.
	respond func(w *stream, n int)

	mu       sync.Mutex
	requests []asked
	keys     []string
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var one asked
	_ = json.Unmarshal(body, &one)
	e.mu.Lock()
	e.requests = append(e.requests, one)
	e.keys = append(e.keys, r.Header.Get("Authorization"))
	n := len(e.requests)
	e.mu.Unlock()
	if r.URL.Path != "/v1/chat/completions" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	e.respond(&stream{w: w, ctx: r.Context()}, n)
}

func (e *endpoint) heard() []asked {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.requests
}

// stream is an answer on its way.
type stream struct {
	w   http.ResponseWriter
	ctx context.Context // of the request.
}

// refuse answers with a status and a body that quotes what must not be quoted.
func (s *stream) refuse(status int, body string) {
	s.w.Header().Set("Content-Type", "application/json")
	s.w.WriteHeader(status)
	_, _ = io.WriteString(s.w, body)
}

// chunk is a part of an answer.
type chunk struct {
	Choices []choice `json:"choices"`
}

type choice struct {
	Delta struct {
		Content string `json:"content,omitempty"`
		Refusal string `json:"refusal,omitempty"`
	} `json:"delta"`
	FinishReason string `json:"finish_reason,omitempty"`
}

// say sends pieces of the answer.
func (s *stream) say(pieces ...string) {
	for _, piece := range pieces {
		var c choice
		c.Delta.Content = piece
		s.send(c)
	}
}

// decline sends a piece of a refusal.
func (s *stream) decline(piece string) {
	var c choice
	c.Delta.Refusal = piece
	s.send(c)
}

// end ends the answer.
func (s *stream) end(reason string) {
	s.send(choice{FinishReason: reason})
	_, _ = io.WriteString(s.w, "data: [DONE]\n\n")
}

func (s *stream) send(c choice) {
	s.w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(s.w, "data: ")
	if err := json.NewEncoder(s.w).Encode(chunk{Choices: []choice{c}}); err != nil { // with its line end
		return // the client has left.
	}
	_, _ = io.WriteString(s.w, "\n")
	_ = http.NewResponseController(s.w).Flush()
}

// stall goes on without a word until the client has left.
func (s *stream) stall() { <-s.ctx.Done() }

// bench is a handler, what it asks and what it tells.
type bench struct {
	*assistant.Handler

	endpoint *endpoint
	log      *strings.Builder
	metrics  *prometheus.Registry
}

func newBench(t *testing.T, client redis.UniversalClient, respond func(w *stream, n int), change func(*assistant.Config)) bench {
	t.Helper()
	b := bench{endpoint: &endpoint{respond: respond}, log: &strings.Builder{}}
	server := httptest.NewServer(b.endpoint)
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	system, err := reply.ParseTemplate("你是客服，{{ .FromUserName }} 在问。")
	if err != nil {
		t.Fatal(err)
	}
	c := assistant.Config{
		Rule: "ai", BaseURL: server.URL + "/v1", Key: config.NewSecret("sk-secret"), Model: "qwen", System: system,
		History: assistant.Limits{Turns: 2, TTL: time.Hour, MaxBytes: 1000}, Reset: []string{"新话题"}, ResetReply: "好的",
		MaxBytes: 600, IdleTimeout: time.Minute,
	}
	if change != nil {
		change(&c)
	}
	tel := telemetry.ForTest(b.log)
	b.metrics = tel.Metrics
	b.Handler = assistant.New(c, assistant.Resources{Redis: client, Transport: transport, Log: tel.Log, Metrics: assistant.NewMetrics(tel.Metrics)})
	return b
}

func asking(key, content string) *logicv1.ReplyRequest {
	return &logicv1.ReplyRequest{MessageKey: key, Message: &messagev1.Message{
		AppId: "wx1", FromUserName: "oFOLLOWER", MsgType: "text", Content: &messagev1.Message_Text{Text: &messagev1.Text{Content: content}},
	}}
}

// tells asks and returns the answer.
func (b bench) tells(t *testing.T, req *logicv1.ReplyRequest) string {
	t.Helper()
	answer, err := b.Answer(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Reply.GetText().GetContent()
}

// says answers with fixed words.
func says(pieces ...string) func(*stream, int) {
	return func(w *stream, _ int) {
		w.say(pieces...)
		w.end("stop")
	}
}

// TestConversation: what was said before is shown, no more of it than the rule allows, until a new one begins.
func TestConversation(t *testing.T) {
	t.Parallel()
	b := newBench(t, redistest.Start(t).Client(t), func(w *stream, n int) {
		w.say("<think>嗯</think>", "**答", strconv.Itoa(n), "**")
		w.end("stop")
	}, nil)
	for i, want := range []string{"答1", "答2", "答3"} {
		if got := b.tells(t, asking(fmt.Sprint("k", i), fmt.Sprint("问", i+1))); got != want {
			t.Errorf("answered %q, want %q", got, want)
		}
	}
	if got := b.tells(t, asking("k2", "问3")); got != "答3" || len(b.endpoint.heard()) != 3 {
		t.Errorf("the same message again: %q, asked %d times", got, len(b.endpoint.heard()))
	}
	if got := b.tells(t, asking("k3", "新话题。")); got != "好的" {
		t.Errorf("a new conversation is begun with %q", got)
	}
	b.tells(t, asking("k4", "问4"))
	const system = "system 你是客服，oFOLLOWER 在问。"
	want := [][]string{
		{system, "user 问1"},
		{system, "user 问1", "assistant 答1", "user 问2"},
		{system, "user 问1", "assistant 答1", "user 问2", "assistant 答2", "user 问3"},
		{system, "user 问4"},
	}
	var got [][]string
	for _, request := range b.endpoint.heard() {
		var said []string
		for _, message := range request.Messages {
			said = append(said, message.Role+" "+message.Content)
		}
		got = append(got, said)
		if request.Model != "qwen" || !request.Stream {
			t.Errorf("asked %+v", request)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if b.endpoint.keys[0] != "Bearer sk-secret" {
		t.Error("the key was not sent")
	}
}

func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, says("好"), func(c *assistant.Config) {
		c.Key, c.System, c.History.Turns = config.Secret{}, nil, 0
		c.MaxTokens, c.Temperature = new(int64(50)), new(0.5)
	})
	b.tells(t, asking("k", "问"))
	got := b.endpoint.heard()[0]
	if got.MaxTokens != 50 || got.Temperature != 0.5 || len(got.Messages) != 1 || b.endpoint.keys[0] != "" {
		t.Errorf("sent %+v with key %q", got, b.endpoint.keys[0])
	}
}

// TestHistoryHasABudget: of what is remembered the newest turns are shown, as many as fit.
func TestHistoryHasABudget(t *testing.T) {
	t.Parallel()
	b := newBench(t, redistest.Start(t).Client(t), says("答"), func(c *assistant.Config) {
		c.History = assistant.Limits{Turns: 10, TTL: time.Hour, MaxBytes: 20}
	})
	for i, question := range []string{"第一个问题", "二", "三", "四"} { // with its answer 18 bytes, then 6 each
		b.tells(t, asking(strconv.Itoa(i), question))
	}
	var got []int
	for _, request := range b.endpoint.heard() {
		got = append(got, len(request.Messages))
	}
	if diff := cmp.Diff([]int{2, 4, 4, 6}, got); diff != "" {
		t.Error(diff)
	}
}

func TestMarkdownCanBeKept(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, says("**好**"), func(c *assistant.Config) { c.History.Turns, c.KeepMarkdown = 0, true })
	if got := b.tells(t, asking("k", "问")); got != "**好**" {
		t.Errorf("got %q", got)
	}
}

func TestVoiceAndOtherTypes(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, says("好"), func(c *assistant.Config) { c.History.Turns = 0 })
	spoken := asking("k", "")
	spoken.Message.Content = &messagev1.Message_Voice{Voice: &messagev1.Voice{Recognition: "几点开门"}}
	if got := b.tells(t, spoken); got != "好" || b.endpoint.heard()[0].Messages[1].Content != "几点开门" {
		t.Errorf("%q to %+v", got, b.endpoint.heard())
	}
	for name, content := range map[string]*messagev1.Message{
		"picture":          {Content: &messagev1.Message_Image{Image: &messagev1.Image{MediaId: "P"}}},
		"voice in silence": {Content: &messagev1.Message_Voice{Voice: &messagev1.Voice{MediaId: "V"}}},
		"event":            {Content: &messagev1.Message_Event{Event: &messagev1.Event{Name: "CLICK"}}},
		"nothing":          {},
	} {
		if _, err := b.Answer(t.Context(), &logicv1.ReplyRequest{Message: content}); !errors.Is(err, route.ErrPass) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLongAndBroken: the follower reads whole sentences, and that there would have been more.
func TestLongAndBroken(t *testing.T) {
	t.Parallel()
	sentence := strings.Repeat("长", 29) + "。" // 90 bytes
	tests := map[string]struct {
		respond func(*stream, int)
		want    string
		outcome string
	}{
		"too long":   {says(strings.Repeat(sentence, 20)), strings.Repeat(sentence, 6) + "\n（内容较长，只显示前面部分）", "cut"},
		"max_tokens": {func(w *stream, _ int) { w.say(sentence, "还有"); w.end("length") }, sentence + "\n（内容较长，只显示前面部分）", "cut"},
		"breaks off": {func(w *stream, _ int) { w.say(sentence, sentence, sentence, "还") }, strings.Repeat(sentence, 3) + "\n（回答中断，只收到以上部分）", "broken"},
		"an error": {func(w *stream, _ int) {
			w.say(sentence, sentence, sentence)
			_, _ = io.WriteString(w.w, "data: {\"error\": {\"message\": \"overloaded\"}}\n\n")
		}, strings.Repeat(sentence, 3) + "\n（回答中断，只收到以上部分）", "broken"},
		"stands still": {func(w *stream, _ int) { w.say(sentence, sentence, sentence); w.stall() }, strings.Repeat(sentence, 3) + "\n（回答中断，只收到以上部分）", "broken"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil, test.respond, func(c *assistant.Config) {
				c.History.Turns, c.IdleTimeout = 0, 50*time.Millisecond
			})
			if got := b.tells(t, asking("k", "问")); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			expected := "# HELP logic_assistant_answers_total Answers of assistants: whole, cut, broken (as far as it came), repeated (the message was answered before), forgotten (a new conversation).\n" +
				"# TYPE logic_assistant_answers_total counter\n" +
				fmt.Sprintf("logic_assistant_answers_total{outcome=%q,rule=\"ai\"} 1\n", test.outcome)
			if err := testutil.GatherAndCompare(b.metrics, strings.NewReader(expected), "logic_assistant_answers_total"); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFailures: the next rule answers, and whoever reads the log learns what to do, but not what was said.
func TestFailures(t *testing.T) {
	t.Parallel()
	const quote = `{"error": {"message": "sk-secret 秘密", "code": "invalid"}}`
	refuses := func(status int) func(*stream, int) { return func(w *stream, _ int) { w.refuse(status, quote) } }
	tests := map[string]struct {
		respond  func(*stream, int)
		want     string
		requests int
	}{
		"wrong key":   {refuses(401), "refuses with HTTP status 401: it does not accept the key: check api_key_file", 1},
		"no balance":  {refuses(402), "top it up at the provider", 1},
		"wrong model": {refuses(404), "check base_url, which mostly ends in /v1, and model", 1},
		"bad request": {refuses(400), "check model, max_tokens and temperature", 1},
		"too many":    {func(w *stream, _ int) { w.w.Header().Set("Retry-After", "0"); w.refuse(429, quote) }, "HTTP status 429: too many requests", 3},
		"overloaded":  {func(w *stream, _ int) { w.w.Header().Set("Retry-After", "0"); w.refuse(503, quote) }, "HTTP status 503: it is out of order or overloaded", 3},
		"filtered": {func(w *stream, _ int) {
			w.refuse(400, `{"error": {"message": "秘密", "code": "data_inspection_failed"}}`)
		}, "content filter", 1},
		"filtered later": {func(w *stream, _ int) { w.say("秘密"); w.end("content_filter") }, "content filter stopped the answer", 1},
		"refusal": {func(w *stream, _ int) {
			w.decline("秘密")
			w.end("stop")
		}, "the model refused to answer", 1},
		"empty":         {says(""), "the assistant's answer is empty", 1},
		"only thoughts": {says("<think>秘密"), "the assistant's answer is empty; if the model thinks first, raise max_tokens", 1},
		"breaks off":    {func(w *stream, _ int) { w.say("秘密") }, "ended before its end", 1},
		"stands still":  {func(w *stream, _ int) { w.say("秘密"); w.stall() }, "stood still for longer than idle_timeout", 1},
		"no stream":     {func(w *stream, _ int) { w.refuse(200, `{"choices": [{"message": {"content": "秘密"}}]}`) }, "base_url must be that of an OpenAI-compatible API", 1},
		"a web page": {func(w *stream, _ int) {
			w.w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w.w, "<html>秘密</html>")
		}, "base_url must be that of an OpenAI-compatible API", 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil, test.respond, func(c *assistant.Config) {
				c.History.Turns, c.IdleTimeout = 0, 50*time.Millisecond
			})
			_, err := b.Answer(t.Context(), asking("k", "秘密的问题"))
			if err == nil || !strings.Contains(err.Error(), test.want) || route.ReasonOf(err) != route.ReasonBackend {
				t.Fatalf("want %q, got %v", test.want, err)
			}
			for _, private := range []string{"秘密", "sk-secret", "oFOLLOWER"} {
				if strings.Contains(err.Error()+b.log.String(), private) {
					t.Errorf("%q is told: %v\n%s", private, err, b.log)
				}
			}
			if got := len(b.endpoint.heard()); got != test.requests {
				t.Errorf("asked %d times, want %d", got, test.requests)
			}
		})
	}
}

func TestComesBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, func(w *stream, n int) {
		if n < 3 {
			w.w.Header().Set("Retry-After", "0")
			w.refuse(http.StatusTooManyRequests, "{}")
			return
		}
		w.say("好")
		w.end("stop")
	}, func(c *assistant.Config) { c.History.Turns = 0 })
	if got := b.tells(t, asking("k", "问")); got != "好" {
		t.Errorf("got %q", got)
	}
}

// TestWhoLeavesGetsNothing: a question that is given up must not become an answer that is remembered.
func TestWhoLeavesGetsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	b := newBench(t, nil, func(w *stream, _ int) {
		w.say(strings.Repeat("长", 100))
		cancel()
		w.stall()
	}, func(c *assistant.Config) { c.History.Turns = 0 })
	if answer, err := b.Answer(ctx, asking("k", "问")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", answer, err)
	}
}

// TestWithoutRedis: the assistant answers without its memory; only a conversation cannot be forgotten.
func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	b := newBench(t, nowhere(t), says("好"), nil)
	if got := b.tells(t, asking("k", "问")); got != "好" {
		t.Errorf("got %q", got)
	}
	if n := strings.Count(b.log.String(), `"level":"WARN"`); n != 2 {
		t.Errorf("%d warnings, want one for reading and one for remembering: %s", n, b.log)
	}
	if _, err := b.Answer(t.Context(), asking("k", "新话题")); route.ReasonOf(err) != route.ReasonState {
		t.Errorf("%v", err)
	}
}
