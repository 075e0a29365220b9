// Package route finds the rules that answer a message. It is pure: no I/O, no clock, no state beyond
// the index that New builds, so a Router may be used from any number of goroutines.
package route

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
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
	// Kind is the word by which the rule file names the handler, and Line where the rule stands in it, for people
	// who look for the reason of an answer.
	Kind string
	Line int
	// Remembers says that the handler keeps something in Redis.
	Remembers bool
}

// Prompt reports whether deciding by this rule never waits: neither its conditions nor its handler do.
func (r *Rule) Prompt() bool {
	_, prompt := r.Handler.(PromptHandler)
	return prompt && len(r.Match.Tags) == 0
}

// Handler makes the answer of a rule.
type Handler interface {
	// Answer returns what the follower gets. An error means that this rule cannot answer this message
	// and that the next matching rule is asked; see ErrPass and Fail. The request must not be changed. It is
	// never a shadow, unless the handler is a PromptHandler.
	Answer(ctx context.Context, req *logicv1.ReplyRequest) (Answer, error)
}

// PromptHandler is a Handler that never waits: not for the network, not for a lock that is held long. Its
// answers are made where others wait for them, which saves what a goroutine each would cost.
type PromptHandler interface {
	Handler
	// Prompt marks the type.
	Prompt()
}

// Resumer is a Handler that goes on with a follower over several messages. While it holds one, what the
// follower writes comes to it ahead of all rules.
type Resumer interface {
	Handler
	// Resume answers a message of a follower whom the rule holds. ErrPass leaves the message to the rules.
	Resume(ctx context.Context, req *logicv1.ReplyRequest) (Answer, error)
}

// ErrPass is the error of a handler that has nothing to say to a message: the next rule is asked, and
// nothing is wrong.
var ErrPass = errors.New("the rule has no answer to this message")

// Reason classes the failures of rules, for a metric.
type Reason string

// The reasons why a rule that matches does not answer.
const (
	ReasonContent   Reason = "content"   // the answer cannot be shown: a template failed, a required field is empty
	ReasonCondition Reason = "condition" // the rule's expression cannot be evaluated on this message
	ReasonTags      Reason = "tags"      // the follower's tags (标签) cannot be looked up
	ReasonBusy      Reason = "busy"      // too many messages are in the handler's hands already
	ReasonTimeout   Reason = "timeout"   // the handler took longer than it may
	ReasonBackend   Reason = "backend"   // what the handler asks refused, or cannot be reached
	ReasonState     Reason = "state"     // Redis cannot be reached
	ReasonPanic     Reason = "panic"     // the handler panicked
)

// Fail gives err the reason under which it is counted. Without one an error counts as ReasonContent.
func Fail(reason Reason, err error) error { return &failure{reason: reason, err: err} }

// ReasonOf returns the reason of an error that came from a rule.
func ReasonOf(err error) Reason {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.reason
	}
	return ReasonContent
}

type failure struct {
	reason Reason
	err    error
}

func (f *failure) Error() string { return f.err.Error() }

func (f *failure) Unwrap() error { return f.err }

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
	// Content is what is sent, unless Menu is.
	Content *messagev1.Reply
	// Menu is a question with choices (菜单消息).
	Menu *apiproxyv1.MsgMenu
	// KfAccount is the agent (客服账号, name@account) who speaks; empty: the account itself.
	KfAccount string
}

// Router holds an ordered list of rules and an index over it, so that the time to route a message
// depends on how many rules could match it, not on how many there are. Only rules whose most specific
// condition is a pattern, or none that the index knows, are tried one by one.
type Router struct {
	rules  []Rule
	index  index
	byName map[string]int
	// holds and remembers are true if they are for any rule.
	holds, remembers bool
}

// New makes a Router. Earlier rules win over later ones.
func New(rules []Rule) *Router {
	r := &Router{rules: slices.Clone(rules), index: newIndex(), byName: map[string]int{}}
	for i := range r.rules {
		r.index.add(i, &r.rules[i].Match)
		r.byName[r.rules[i].Name] = i
		_, resumer := r.rules[i].Handler.(Resumer)
		r.holds = r.holds || resumer
		r.remembers = r.remembers || r.rules[i].Remembers
	}
	return r
}

// Len returns the number of rules.
func (r *Router) Len() int { return len(r.rules) }

// Holds reports whether any rule can hold a follower.
func (r *Router) Holds() bool { return r.holds }

// Remembers reports whether any rule keeps something in Redis.
func (r *Router) Remembers() bool { return r.remembers }

// Resumer returns the rule of a name, if it can hold a follower.
func (r *Router) Resumer(name string) (*Rule, Resumer) {
	i, known := r.byName[name]
	if !known {
		return nil, nil
	}
	resumer, _ := r.rules[i].Handler.(Resumer)
	return &r.rules[i], resumer
}

// Query is a message to be routed, and what conditions may ask beside it.
type Query struct {
	Message *messagev1.Message
	// Now counts as the time of a message that has none of its own.
	Now time.Time
	// Tags returns the follower's tags (标签), by name and by id. It is called once at the most, and only if
	// nothing but the tags keeps a rule from matching. Nil: they are not known, which is an error for such a rule.
	Tags func() ([]string, error)
}

// Matching yields the rules that match, the first to be asked first. A rule of which it cannot be told comes
// with the reason why.
func (r *Router) Matching(q Query) iter.Seq2[*Rule, error] {
	return func(yield func(*Rule, error) bool) {
		facts := factsOf(q)
		for _, i := range r.index.candidates(&facts) {
			rule := &r.rules[i]
			matches, err := rule.Match.matches(&facts)
			if (matches || err != nil) && !yield(rule, err) {
				return
			}
		}
	}
}
