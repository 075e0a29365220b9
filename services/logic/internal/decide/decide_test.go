package decide_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/decide"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// handler makes a function a route.Handler.
type handler func(ctx context.Context) (route.Answer, error)

func (h handler) Answer(ctx context.Context, _ *logicv1.ReplyRequest) (route.Answer, error) {
	return h(ctx)
}

// fixed are Rules that never change.
type fixed []route.Rule

func (f fixed) Current() *route.Router { return route.New(f) }

func answers(content string) handler {
	return func(context.Context) (route.Answer, error) {
		return route.Answer{Reply: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: content}}}}, nil
	}
}

func newDecider(rules decide.Rules, outbox decide.Outbox) *decide.Decider {
	tel := telemetry.Discard()
	return decide.New(decide.Options{Rules: rules, Outbox: outbox, Log: tel.Log, Metrics: tel.Metrics})
}

// TestANoticeIsAcknowledged although no rule is asked: even the one that answers everything has nobody to answer.
func TestANoticeIsAcknowledged(t *testing.T) {
	t.Parallel()
	subject := newDecider(fixed{{Name: "all", Handler: answers("hello")}}, &recorder{})
	notice := &messagev1.Message{Content: &messagev1.Message_Notice{Notice: &messagev1.Notice{InfoType: "authorized"}}}
	got, err := subject.Reply(t.Context(), &logicv1.ReplyRequest{Message: notice})
	if err != nil || got.GetReply() != nil || got.GetRule() != route.Unmatched {
		t.Errorf("%v, %v", got, err)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	tel := telemetry.ForTest(&log)
	rules := fixed{
		{Name: "fails", Match: route.Match{Types: []string{"text"}}, Handler: handler(func(context.Context) (route.Answer, error) {
			return route.Answer{}, errors.New("no luck")
		})},
		{Name: "passes", Match: route.Match{Types: []string{"text"}}, Handler: handler(func(context.Context) (route.Answer, error) {
			return route.Answer{}, route.ErrPass
		})},
		{Name: "panics", Match: route.Match{Types: []string{"text"}}, Handler: handler(func(context.Context) (route.Answer, error) {
			panic("oh no")
		})},
		{Name: "long", Match: route.Match{Types: []string{"text"}}, Handler: handler(func(context.Context) (route.Answer, error) {
			return route.Answer{Reply: &messagev1.Reply{}, Truncated: true}, nil
		})},
		{Name: "picture", Match: route.Match{Types: []string{"image"}}, Handler: answers("x")},
	}
	subject := decide.New(decide.Options{Rules: rules, Outbox: &recorder{}, Log: tel.Log, Metrics: tel.Metrics})
	for _, kind := range []string{"text", "image", "link"} {
		if _, err := subject.Reply(t.Context(), &logicv1.ReplyRequest{Message: &messagev1.Message{FromUserName: "oFOLLOWER", MsgType: kind}}); err != nil {
			t.Error(err)
		}
	}
	families, err := tel.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "logic_r") {
			for _, metric := range family.GetMetric() {
				got[labels(metric)] = metric.GetCounter().GetValue()
			}
		}
	}
	want := map[string]float64{
		"rule=fails outcome=failed": 1, "rule=fails reason=content": 1, "rule=panics outcome=failed": 1, "rule=panics reason=panic": 1,
		"rule=long outcome=truncated": 1, "rule=picture outcome=replied": 1, "rule=(none) outcome=silent": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(log.String(), "no luck") || strings.Contains(log.String(), "oFOLLOWER") {
		t.Errorf("the log must give the reason and no OpenID: %s", log.String())
	}
}

// labels are those of a metric, the rule first.
func labels(metric *dto.Metric) string {
	var rule, other string
	for _, label := range metric.GetLabel() {
		pair := label.GetName() + "=" + label.GetValue()
		if label.GetName() == "rule" {
			rule = pair
		} else {
			other = pair
		}
	}
	return rule + " " + other
}

// promptly makes a handler a route.PromptHandler.
type promptly struct{ handler }

func (promptly) Prompt() {}

// TestAShadowHasNoEffect: it shows which rule decides, but nothing is sent and nobody else is asked.
func TestAShadowHasNoEffect(t *testing.T) {
	t.Parallel()
	outbox := &recorder{}
	subject := newDecider(fixed{
		{Name: "canned", Match: route.Match{Types: []string{"text"}}, Handler: promptly{func(context.Context) (route.Answer, error) {
			return route.Answer{Reply: &messagev1.Reply{}, Send: []route.Message{{Content: &messagev1.Reply{}}}}, nil
		}}},
		{Name: "asks others", Handler: handler(func(context.Context) (route.Answer, error) {
			t.Error("the handler was asked")
			return route.Answer{}, nil
		})},
	}, outbox)
	for kind, want := range map[string]string{"text": "canned", "image": "asks others"} {
		req := &logicv1.ReplyRequest{Message: &messagev1.Message{FromUserName: "o", MsgType: kind}, Shadow: true}
		resp, err := subject.Reply(t.Context(), req)
		if err != nil || resp.GetRule() != want {
			t.Errorf("%s: %v, %v", kind, resp, err)
		}
		if at, ok, err := subject.ReplyAtOnce(t.Context(), req); err != nil || ok != (kind == "text") || (ok && at.GetRule() != want) {
			t.Errorf("%s at once: %v, %v, %v", kind, at, ok, err)
		}
	}
	if len(outbox.jobs) > 0 {
		t.Errorf("sent %v", outbox.jobs)
	}
}

// sessions say that a follower is held by a rule.
type sessions struct {
	rule string
	err  error
}

func (s sessions) Holder(context.Context, string, string) (string, error) { return s.rule, s.err }

// holding is a handler that holds followers.
type holding struct{ handler }

func (h holding) Resume(ctx context.Context, req *logicv1.ReplyRequest) (route.Answer, error) {
	if req.GetMessage().GetMsgType() == "link" {
		return route.Answer{}, route.ErrPass
	}
	return answers("resumed")(ctx)
}

func TestWhoHoldsAFollowerIsAskedFirst(t *testing.T) {
	t.Parallel()
	rules := fixed{
		{Name: "all", Handler: promptly{answers("rule")}},
		{Name: "dialogue", Match: route.Match{Texts: []string{"begin"}}, Handler: holding{answers("begun")}},
	}
	event := &messagev1.Message{FromUserName: "o", MsgType: "event", Content: &messagev1.Message_Event{Event: &messagev1.Event{Name: "CLICK"}}}
	for name, test := range map[string]struct {
		sessions sessions
		msg      *messagev1.Message
		want     string
	}{
		"held":               {sessions{rule: "dialogue"}, &messagev1.Message{FromUserName: "o", MsgType: "text"}, "resumed"},
		"not held":           {sessions{}, &messagev1.Message{FromUserName: "o", MsgType: "text"}, "rule"},
		"passed":             {sessions{rule: "dialogue"}, &messagev1.Message{FromUserName: "o", MsgType: "link"}, "rule"},
		"an event":           {sessions{rule: "dialogue"}, event, "rule"},
		"the rule is gone":   {sessions{rule: "former"}, &messagev1.Message{FromUserName: "o", MsgType: "text"}, "rule"},
		"no longer a holder": {sessions{rule: "all"}, &messagev1.Message{FromUserName: "o", MsgType: "text"}, "rule"},
		"nobody knows":       {sessions{err: errors.New("Redis is away")}, &messagev1.Message{FromUserName: "o", MsgType: "text"}, "rule"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tel := telemetry.Discard()
			subject := decide.New(decide.Options{Rules: rules, Outbox: &recorder{}, Sessions: test.sessions, Log: tel.Log, Metrics: tel.Metrics})
			req := &logicv1.ReplyRequest{Message: test.msg}
			resp, ok, err := subject.ReplyAtOnce(t.Context(), req)
			if err != nil || ok != (test.msg.GetEvent() != nil) {
				t.Errorf("at once: %v, %v, %v", resp, ok, err)
			}
			resp, err = subject.Reply(t.Context(), req)
			if err != nil || resp.GetReply().GetText().GetContent() != test.want {
				t.Errorf("want %q, got %v, %v", test.want, resp, err)
			}
		})
	}
}

// TestOutOfTime: an answer that comes after the deadline is none, and no further rule is asked.
func TestOutOfTime(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	rules := fixed{
		{Name: "slow", Handler: handler(func(context.Context) (route.Answer, error) {
			cancel()

			return route.Answer{}, ctx.Err()
		})},
		{Name: "next", Handler: handler(func(context.Context) (route.Answer, error) {
			t.Error("the next rule was asked")

			return route.Answer{}, nil
		})},
	}
	subject := newDecider(rules, &recorder{})
	_, err := subject.Reply(ctx, &logicv1.ReplyRequest{Message: &messagev1.Message{FromUserName: "o", MsgType: "text"}})
	if err == nil || fault.KindOf(err) != fault.Deadline {
		t.Errorf("want a deadline fault, got %v", err)
	}
}
