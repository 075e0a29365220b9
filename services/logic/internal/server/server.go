// Package server is the inward face of logic: it serves LogicService over the rules in force.
package server

import (
	"context"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

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

// The outcomes, values of the label of logic_replies_total.
const (
	replied   = "replied"
	truncated = "truncated" // replied with a text that was cut to WeChat's limit
	silent    = "silent"
	failed    = "failed" // the rule could not answer; the next one was asked
)

// Server implements LogicService.
type Server struct {
	logicv1.UnimplementedLogicServiceServer

	rules   Rules
	outbox  Outbox
	log     *slog.Logger
	replies *prometheus.CounterVec

	mu            sync.Mutex
	conversations map[*conversation]struct{}
	draining      bool
}

// New makes a Server that asks rules and hands follow-ups to outbox.
func New(rules Rules, outbox Outbox, tel *telemetry.Telemetry) *Server {
	return &Server{
		rules:         rules,
		outbox:        outbox,
		log:           tel.Log,
		conversations: map[*conversation]struct{}{},
		replies: telemetry.Register(tel.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "logic_replies_total",
			Help: "Decisions by rule. Outcome failed means that the rule could not answer and the next one was asked.",
		}, []string{"rule", "outcome"})),
	}
}

// Reply answers with the first rule that matches and does not fail; without one the follower is shown
// nothing. It fails only on a request without message or sender, or when its time is over.
func (s *Server) Reply(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	return s.reply(ctx, s.rules.Current(), req)
}

func (s *Server) reply(ctx context.Context, rules *route.Router, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	msg := req.GetMessage()
	if msg.GetNotice() != nil {
		// The rules answer followers, and of a notice nobody is the sender.
		return s.decide(msg, route.Unmatched, route.Answer{}), nil
	}
	if err := check(msg); err != nil {
		return nil, err
	}
	for rule := range rules.Matching(msg) {
		answer, err := rule.Handler.Answer(ctx, msg)
		if ctx.Err() != nil {
			return nil, fault.Wrap(fault.Deadline, ctx.Err(), "no time left to answer the message")
		}
		if err != nil {
			s.replies.WithLabelValues(rule.Name, failed).Inc()
			s.log.WarnContext(ctx, "rule failed, the next one that matches is asked",
				"rule", rule.Name, "app_id", msg.GetAppId(), "msg_type", msg.GetMsgType(), "error", err)

			continue
		}

		return s.decide(msg, rule.Name, answer), nil
	}

	return s.decide(msg, route.Unmatched, route.Answer{}), nil
}

func check(msg *messagev1.Message) error {
	switch {
	case msg == nil:
		return fault.New(fault.Invalid, "message is missing; set ReplyRequest.message")
	case msg.GetFromUserName() == "":
		return fault.New(fault.Invalid, "message.from_user_name is empty; it names whom to answer")
	case msg.GetMsgType() == "":
		return fault.New(fault.Invalid, "message.msg_type is empty; set it to WeChat's MsgType")
	}

	return nil
}

func (s *Server) decide(msg *messagev1.Message, rule string, answer route.Answer) *logicv1.ReplyResponse {
	outcome := replied
	switch {
	case answer.Truncated:
		outcome = truncated
	case answer.Reply == nil:
		outcome = silent
	}
	s.replies.WithLabelValues(rule, outcome).Inc()
	if len(answer.Send) > 0 {
		s.outbox.Enqueue(followup.Job{
			AppID: msg.GetAppId(), OpenID: msg.GetFromUserName(), Rule: rule, Messages: answer.Send,
		})
	}

	return &logicv1.ReplyResponse{Reply: answer.Reply, Rule: rule}
}
