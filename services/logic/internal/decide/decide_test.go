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
