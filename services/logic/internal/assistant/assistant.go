// Package assistant has followers answered by a language model (AI 助手, 大模型): any chat endpoint that speaks
// the protocol of OpenAI's chat completions, hosted or local. It remembers a conversation in Redis, reads the
// answer as a stream, and makes it a text that WeChat can show.
package assistant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/chassis/config"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/reply"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// Config says whom to ask, and how.
type Config struct {
	// Rule is the name of the rule; conversations are kept by it.
	Rule string
	// BaseURL is the address of the endpoint up to /chat/completions.
	BaseURL string
	// Key is sent as a bearer token; the zero value is none.
	Key   config.Secret
	Model string
	// System is what the assistant is told ahead of every conversation. Nil is nothing.
	System *reply.Template
	// History says how much of a conversation is remembered.
	History Limits
	// Reset are texts that begin a new conversation, answered with ResetReply.
	Reset      []string
	ResetReply string
	// MaxTokens and Temperature are sent unless they are nil.
	MaxTokens   *int64
	Temperature *float64
	// MaxBytes is how long an answer may be. A longer one ends at a sentence.
	MaxBytes int
	// IdleTimeout is how long a stream may stand still after it has begun.
	IdleTimeout time.Duration
	// KeepMarkdown shows Markdown as it is written.
	KeepMarkdown bool
}

// MaxSystemBytes is how long System may become.
const MaxSystemBytes = 32 << 10

// Resources are what a Handler works with.
type Resources struct {
	Redis     redis.UniversalClient
	Transport http.RoundTripper
	Log       *slog.Logger
	Metrics   *Metrics
}

// Handler is the handler of one rule. It takes its time: put it within a bulkhead.
type Handler struct {
	config   Config
	endpoint *endpoint
	history  *History
	log      *slog.Logger
	metrics  *Metrics
}

var _ route.Handler = (*Handler)(nil)

// New makes a Handler. It connects to nobody.
func New(c Config, with Resources) *Handler {
	return &Handler{
		config: c, endpoint: newEndpoint(c, with.Transport), history: NewHistory(with.Redis, c.History),
		log: with.Log, metrics: with.Metrics,
	}
}

// Answer has texts, and voice messages that WeChat recognised, answered by the assistant and passes on all else. The
// same message gets the answer that it got before. An assistant that does not answer is route.ReasonBackend; a
// Redis that cannot be reached costs the memory, and keeps only a conversation from being forgotten
// (route.ReasonState).
func (h *Handler) Answer(ctx context.Context, req *logicv1.ReplyRequest) (route.Answer, error) {
	msg := req.GetMessage()
	question := questionIn(msg)
	if question == "" {
		return route.Answer{}, route.ErrPass
	}
	conversation := fmt.Sprintf("wx:{%s}:assistant:%s:%s", msg.GetAppId(), h.config.Rule, msg.GetFromUserName())
	if slices.Contains(h.config.Reset, strings.TrimRight(question, "。.！!")) {
		return h.forget(ctx, conversation)
	}
	turns := h.turns(ctx, conversation)
	if answer, known := answerTo(req.GetMessageKey(), turns); known {
		h.metrics.count(h.config.Rule, outcomeRepeated)

		return text(answer), nil
	}
	system, err := h.config.System.Fill(req, MaxSystemBytes)
	if err != nil {
		return route.Answer{}, fmt.Errorf("system: %w", err)
	}
	answer, outcome, err := h.ask(ctx, system, turns, question)
	if err != nil {
		return route.Answer{}, route.Fail(route.ReasonBackend, err)
	}
	h.metrics.count(h.config.Rule, outcome)
	shown := text(h.add(ctx, conversation, Turn{Key: req.GetMessageKey(), Question: question, Answer: answer}))
	shown.Truncated = outcome == outcomeCut

	return shown, nil
}

// questionIn is what the follower wrote, or said.
func questionIn(msg *messagev1.Message) string {
	return strings.TrimSpace(msg.GetText().GetContent() + msg.GetVoice().GetRecognition())
}

func text(content string) route.Answer {
	return route.Answer{Reply: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: content}}}}
}

func answerTo(key string, turns []Turn) (answer string, known bool) {
	i := slices.IndexFunc(turns, func(turn Turn) bool { return key != "" && turn.Key == key })
	if i < 0 {
		return "", false
	}

	return turns[i].Answer, true
}

func (h *Handler) forget(ctx context.Context, conversation string) (route.Answer, error) {
	if err := h.history.Forget(ctx, conversation); err != nil {
		h.metrics.historyFailed(h.config.Rule)

		return route.Answer{}, route.Fail(route.ReasonState, err)
	}
	h.metrics.count(h.config.Rule, outcomeForgotten)

	return text(h.config.ResetReply), nil
}

// turns is the conversation so far, none of it where Redis cannot be reached.
func (h *Handler) turns(ctx context.Context, conversation string) []Turn {
	turns, err := h.history.Turns(ctx, conversation)
	if err != nil {
		h.log.WarnContext(ctx, "the assistant is asked without what was said before", "rule", h.config.Rule, "error", err)
		h.metrics.historyFailed(h.config.Rule)
	}

	return turns
}

// add remembers a turn and returns the answer that counts.
func (h *Handler) add(ctx context.Context, conversation string, turn Turn) string {
	answer, err := h.history.Add(ctx, conversation, turn)
	if err != nil {
		h.log.WarnContext(ctx, "the assistant's answer is not remembered", "rule", h.config.Rule, "error", err)
		h.metrics.historyFailed(h.config.Rule)
	}

	return answer
}

// What a follower reads below an answer that is not all of it.
const (
	cutNote    = "\n（内容较长，只显示前面部分）"
	brokenNote = "\n（回答中断，只收到以上部分）"
)

// worthShowing is how many bytes of an answer have to be there, when it breaks off, to be more use to the
// follower than the next rule: about 60 Chinese characters.
const worthShowing = 180

// ask has a question answered, with a text for the follower. An answer that breaks off when much of it is there
// is shown as far as it came, and says so: to ask again would take as long once more.
func (h *Handler) ask(ctx context.Context, system string, turns []Turn, question string) (string, outcome, error) {
	came, err := h.endpoint.ask(ctx, messages(system, turns, question, h.config.History.MaxBytes))
	answer := came.text
	if !h.config.KeepMarkdown {
		answer = Plain(answer)
	}
	switch {
	// Whoever left asks again, for all of it.
	case err != nil && len(answer) >= worthShowing && !errors.Is(ctx.Err(), context.Canceled):
		h.log.WarnContext(ctx, "the assistant's answer broke off, the follower gets what came", "rule", h.config.Rule, "error", err)

		return Sentences(answer, h.config.MaxBytes-len(brokenNote)) + brokenNote, outcomeBroken, nil
	case err != nil:
		return "", "", err
	case answer == "":
		return "", "", errEmpty
	case came.unfinished || len(answer) > h.config.MaxBytes:
		return Sentences(answer, h.config.MaxBytes-len(cutNote)) + cutNote, outcomeCut, nil
	}

	return answer, outcomeWhole, nil
}
