// Package decide is what logic does with a message: it asks the rules in force, one after the other, until one
// answers.
package decide

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/responder"

	"github.com/wxstack/wxstack/services/logic/internal/followup"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// Rules gives the rules in force; they may change between two messages.
type Rules interface {
	Current() *route.Router
}

// Outbox takes what is sent after the reply, without waiting.
type Outbox interface {
	Enqueue(job followup.Job)
}

// Tags knows the tags (标签) of a follower, by name and by id.
type Tags interface {
	Of(ctx context.Context, appID, openID string) ([]string, error)
}

// Sessions knows which rule holds a follower at the moment.
type Sessions interface {
	// Holder returns the name of the rule, empty if none does.
	Holder(ctx context.Context, appID, openID string) (string, error)
}

// The outcomes, values of the label of logic_replies_total.
const (
	replied   = "replied"
	truncated = "truncated" // replied with a text that was cut to WeChat's limit
	silent    = "silent"
	failed    = "failed" // the rule could not answer; the next one was asked
)

// Options are what a Decider works with. Tags and Sessions may be nil: then no rule knows tags, and none
// holds a follower.
type Options struct {
	Rules    Rules
	Outbox   Outbox
	Tags     Tags
	Sessions Sessions
	Log      *slog.Logger
	Metrics  *prometheus.Registry
}

// Decider decides what followers are answered. It is a responder.PromptHandler.
type Decider struct {
	Options

	replies  *prometheus.CounterVec
	failures *prometheus.CounterVec
}

var _ responder.PromptHandler = (*Decider)(nil)

// New makes a Decider.
func New(o Options) *Decider {
	return &Decider{
		Options: o,
		replies: telemetry.Register(o.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "logic_replies_total",
			Help: "Decisions by rule. Outcome failed means that the rule could not answer and the next one was asked.",
		}, []string{"rule", "outcome"})),
		failures: telemetry.Register(o.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "logic_rule_failures_total",
			Help: "Rules that matched and could not answer, by reason: content, condition, tags, busy, timeout, backend, state, panic.",
		}, []string{"rule", "reason"})),
	}
}

// Reply answers with the first rule that matches and does not fail; without one the follower is shown
// nothing. A rule that holds the follower is asked before all others. It fails only when its time is over.
func (d *Decider) Reply(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	msg := req.GetMessage()
	if msg.GetNotice() != nil {
		// The rules answer followers, and of a notice nobody is the sender.
		return d.decide(req, route.Unmatched, route.Answer{}), nil
	}
	rules := d.Rules.Current()
	if rule, resumer := d.holder(ctx, rules, msg); resumer != nil {
		if resp, err := d.attempt(ctx, rule, req, resumer.Resume); resp != nil || err != nil {
			return resp, err
		}
	}
	for rule, err := range rules.Matching(d.query(ctx, msg)) {
		if err != nil {
			d.failed(ctx, rule, msg, err)
			continue
		}
		if resp, err := d.attempt(ctx, rule, req, rule.Handler.Answer); resp != nil || err != nil {
			return resp, err
		}
	}
	return d.decide(req, route.Unmatched, route.Answer{}), nil
}

// ReplyAtOnce answers if the first rule that has an answer has it without waiting. What goes wrong on the way
// is left to Reply, which counts it.
func (d *Decider) ReplyAtOnce(ctx context.Context, req *logicv1.ReplyRequest) (resp *logicv1.ReplyResponse, ok bool, err error) {
	msg := req.GetMessage()
	rules := d.Rules.Current()
	if rules.Holds() && msg.GetEvent() == nil {
		return nil, false, nil
	}
	if msg.GetNotice() != nil {
		return d.decide(req, route.Unmatched, route.Answer{}), true, nil
	}
	for rule, err := range rules.Matching(route.Query{Message: msg, Now: time.Now()}) {
		if err != nil || !rule.Prompt() {
			return nil, false, nil
		}
		answer, err := safely(ctx, req, rule.Handler.Answer)
		if errors.Is(err, route.ErrPass) {
			continue
		}
		if err != nil {
			return nil, false, nil
		}
		return d.decide(req, rule.Name, answer), true, nil
	}
	return d.decide(req, route.Unmatched, route.Answer{}), true, nil
}

func (d *Decider) query(ctx context.Context, msg *messagev1.Message) route.Query {
	q := route.Query{Message: msg, Now: time.Now()}
	if d.Tags != nil {
		q.Tags = func() ([]string, error) { return d.Tags.Of(ctx, msg.GetAppId(), msg.GetFromUserName()) }
	}
	return q
}

// holder returns the rule that holds the follower, if any. What the follower does with the menu is no part of
// a conversation. Where it cannot be told, the rules answer as if there were none.
func (d *Decider) holder(ctx context.Context, rules *route.Router, msg *messagev1.Message) (*route.Rule, route.Resumer) {
	if !rules.Holds() || d.Sessions == nil || msg.GetEvent() != nil {
		return nil, nil
	}
	name, err := d.Sessions.Holder(ctx, msg.GetAppId(), msg.GetFromUserName())
	if err != nil {
		d.Log.WarnContext(ctx, "it is not known whether the follower is in a dialogue", "app_id", msg.GetAppId(), "error", err)
		d.failures.WithLabelValues(route.Unmatched, string(route.ReasonState)).Inc()
		return nil, nil
	}
	return rules.Resumer(name)
}

// attempt asks one rule. It returns nothing when the next one is to be asked.
func (d *Decider) attempt(ctx context.Context, rule *route.Rule, req *logicv1.ReplyRequest, ask asker) (*logicv1.ReplyResponse, error) {
	if _, prompt := rule.Handler.(route.PromptHandler); req.GetShadow() && !prompt {
		// Who waits for others has effects on them: it stores, or spends.
		return d.decide(req, rule.Name, route.Answer{}), nil
	}
	answer, err := safely(ctx, req, ask)
	switch {
	case ctx.Err() != nil:
		return nil, fault.Wrap(fault.Deadline, ctx.Err(), "no time left to answer the message")
	case errors.Is(err, route.ErrPass):
		return nil, nil //nolint:nilnil // see above.
	case err != nil:
		d.failed(ctx, rule, req.GetMessage(), err)
		return nil, nil //nolint:nilnil // see above.
	}
	return d.decide(req, rule.Name, answer), nil
}

type asker = func(ctx context.Context, req *logicv1.ReplyRequest) (route.Answer, error)

// safely makes a panic a failure of the rule alone.
func safely(ctx context.Context, req *logicv1.ReplyRequest, ask asker) (answer route.Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = route.Fail(route.ReasonPanic, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	return ask(ctx, req)
}

func (d *Decider) failed(ctx context.Context, rule *route.Rule, msg *messagev1.Message, err error) {
	reason := string(route.ReasonOf(err))
	d.replies.WithLabelValues(rule.Name, failed).Inc()
	d.failures.WithLabelValues(rule.Name, reason).Inc()
	d.Log.WarnContext(ctx, "rule failed, the next one that matches is asked",
		"rule", rule.Name, "reason", reason, "app_id", msg.GetAppId(), "msg_type", msg.GetMsgType(), "error", err)
}

func (d *Decider) decide(req *logicv1.ReplyRequest, rule string, answer route.Answer) *logicv1.ReplyResponse {
	outcome := replied
	switch {
	case answer.Truncated:
		outcome = truncated
	case answer.Reply == nil:
		outcome = silent
	}
	d.replies.WithLabelValues(rule, outcome).Inc()
	if len(answer.Send) > 0 && !req.GetShadow() {
		msg := req.GetMessage()
		d.Outbox.Enqueue(followup.Job{
			AppID: msg.GetAppId(), OpenID: msg.GetFromUserName(), Rule: rule, Messages: answer.Send,
		})
	}

	return &logicv1.ReplyResponse{Reply: answer.Reply, Rule: rule}
}
