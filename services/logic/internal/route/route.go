// Package route finds the rules that answer a message. It is pure: no I/O, no clock, no state beyond
// the index that New builds, so a Router may be used from any number of goroutines.
package route

import (
	"context"
	"iter"
	"slices"

	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
)

// Unmatched is the name under which a message that no rule answered is reported. No rule can have it,
// because names begin with a letter or a digit.
const Unmatched = "(none)"

// Rule is one entry of the ordered list: the first that matches and whose handler succeeds decides.
type Rule struct {
	// Name is unique within a Router; logs, metrics and the gateway see it.
	Name    string
	Match   Match
	Handler Handler
}

// Handler makes the answer of a rule.
type Handler interface {
	// Answer returns what the follower gets. An error means that this rule cannot answer this message
	// and that the next matching rule is asked. The message must not be changed.
	Answer(ctx context.Context, msg *messagev1.Message) (Answer, error)
}

// PromptHandler is a Handler that never waits: not for the network, not for a lock that is held long. Its
// answers are made where others wait for them, which saves what a goroutine each would cost.
type PromptHandler interface {
	Handler
	// Prompt marks the type.
	Prompt()
}

// Answer is what a rule decided.
type Answer struct {
	// Reply is the passive reply (被动回复); nil shows the follower nothing (success).
	Reply *messagev1.Reply
	// Send are customer-service messages (客服消息) that follow the reply, in this order.
	Send []Message
	// Truncated says that a text was longer than WeChat shows and was cut.
	Truncated bool
}

// Message is one customer-service message to the follower who is being answered.
type Message struct {
	Content *messagev1.Reply
	// KfAccount is the agent (客服账号, name@account) who speaks; empty: the account itself.
	KfAccount string
}

// Router holds an ordered list of rules and an index over it, so that the time to route a message
// depends on how many rules could match it, not on how many there are. Only rules whose most specific
// condition is a pattern are tried one by one.
type Router struct {
	rules  []Rule
	index  index
	prompt bool
}

// New makes a Router. Earlier rules win over later ones.
func New(rules []Rule) *Router {
	r := &Router{rules: slices.Clone(rules), index: newIndex(), prompt: true}
	for i := range r.rules {
		r.index.add(i, &r.rules[i].Match)
		_, prompt := r.rules[i].Handler.(PromptHandler)
		r.prompt = r.prompt && prompt
	}

	return r
}

// Len returns the number of rules.
func (r *Router) Len() int { return len(r.rules) }

// Prompt reports whether no rule waits for anything: every handler is a PromptHandler.
func (r *Router) Prompt() bool { return r.prompt }

// Matching yields the rules that match msg, the first to be asked first.
func (r *Router) Matching(msg *messagev1.Message) iter.Seq[*Rule] {
	return func(yield func(*Rule) bool) {
		facts := factsOf(msg)
		for _, i := range r.index.candidates(&facts) {
			rule := &r.rules[i]
			if rule.Match.matches(&facts) && !yield(rule) {
				return
			}
		}
	}
}
