package late

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/wechat/message"
)

// Replier decides what a follower is answered. It is replier.Client.
type Replier interface {
	// Reply returns a reply, nil for none, and the name of the rule that decided. It tries until the
	// deadline of ctx; deliveryEnds is when WeChat drops the present delivery, budgetEnds the last one.
	Reply(ctx context.Context, appID string, in message.Message, deliveryEnds, budgetEnds time.Time) (message.Reply, string, error)
	// Begin does the same without waiting and returns how to cancel it, or nil if it can't. It calls done
	// with what came of it; again says that Reply is to be called.
	Begin(appID string, in message.Message, deliveryEnds, budgetEnds, until time.Time,
		done func(reply message.Reply, rule string, again bool, err error)) (cancel func())
}

// Question is what logic is asked about one message, and for how long.
type Question struct {
	AppID string
	In    message.Message
	// DeliveryEnds and BudgetEnds are told to logic, see Replier.
	DeliveryEnds, BudgetEnds time.Time
	// Until is when the answer is of no use any more.
	Until time.Time
	// Again says that the message has probably been asked about before, by a replica that is dead.
	Again bool
}

// Observer is told of the questions that are asked for the first time. It is called on the way of a message, so
// it must not wait. Both functions may be nil.
type Observer struct {
	// Asked is called before logic is asked.
	Asked func(q Question)
	// Answered is called with what came of it, unless the question was cancelled before.
	Answered func(q Question, answer Answer)
}

// Asker asks logic. A question lives as long as somebody may want the answer, which is longer than the
// delivery that was its cause, and longer than its message's deliveries together.
type Asker struct {
	replier   Replier
	observers []Observer
	log       *slog.Logger
	work      sync.WaitGroup
}

// NewAsker returns an Asker of replier that tells observers.
func NewAsker(replier Replier, log *slog.Logger, observers ...Observer) *Asker {
	return &Asker{replier: replier, observers: observers, log: log}
}

// Asking is a question that is under way. Whoever has it cancels it in the end. Nil is no question: it is
// never done, and cancelling it does nothing.
type Asking struct {
	done   chan struct{}
	answer Answer

	mu        sync.Mutex
	cancelled bool
	cancel    func()
}

// Answer is what came of a question.
type Answer struct {
	// Reply is nil if the follower is to be shown nothing.
	Reply message.Reply
	// Rule is the name of what decided in logic.
	Rule string
	Err  error
}

// Ask begins to ask. Of ctx it keeps the values, such as the trace. The answer, or that there is none, is
// certain to come only until q.Until.
func (a *Asker) Ask(ctx context.Context, q Question) *Asking {
	a.tellAsked(q)
	asking := &Asking{done: make(chan struct{})}
	cancel := a.replier.Begin(q.AppID, q.In, q.DeliveryEnds, q.BudgetEnds, q.Until,
		func(reply message.Reply, rule string, again bool, err error) {
			if again {
				a.askAndWait(ctx, q, asking)
				return
			}
			a.conclude(q, asking, Answer{reply, rule, err})
		})
	if cancel == nil {
		a.askAndWait(ctx, q, asking)
		return asking
	}
	asking.cancelBy(cancel, false)
	return asking
}

// askAndWait has a goroutine ask for as long as it takes.
func (a *Asker) askAndWait(ctx context.Context, q Question, asking *Asking) {
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), q.Until)
	asking.cancelBy(cancel, true)
	a.work.Go(func() {
		defer cancel()
		a.conclude(q, asking, a.ask(ctx, q))
	})
}

func (a *Asker) ask(ctx context.Context, q Question) (answer Answer) {
	defer func() {
		if p := recover(); p != nil {
			a.log.ErrorContext(ctx, "panic while asking logic", "app_id", q.AppID, "message_key", q.In.Key(),
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			answer = Answer{Err: fault.New(fault.Internal, "panic while asking logic")}
		}
	}()
	answer.Reply, answer.Rule, answer.Err = a.replier.Reply(ctx, q.AppID, q.In, q.DeliveryEnds, q.BudgetEnds)
	return answer
}

// conclude gives the answer, first to who waits for it.
func (a *Asker) conclude(q Question, asking *Asking, answer Answer) {
	asking.answer = answer
	close(asking.done)
	if q.Again {
		return
	}
	for _, o := range a.observers {
		if o.Answered != nil {
			o.Answered(q, answer)
		}
	}
}

func (a *Asker) tellAsked(q Question) {
	if q.Again {
		return
	}
	for _, o := range a.observers {
		if o.Asked != nil {
			o.Asked(q)
		}
	}
}

// cancelBy says how the question is cancelled: from now on, or unless there is a way already.
func (a *Asking) cancelBy(cancel func(), fromNowOn bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cancelled {
		cancel()
	}
	if fromNowOn || a.cancel == nil {
		a.cancel = cancel
	}
}

// Done is closed when the answer is there.
func (a *Asking) Done() <-chan struct{} {
	if a == nil {
		return nil
	}
	return a.done
}

// Cancel ends the question; its answer is not wanted any more.
func (a *Asking) Cancel() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cancelled = true
	if a.cancel != nil {
		a.cancel()
	}
}

// Answer returns the answer once Done is closed.
func (a *Asking) Answer() Answer { return a.answer }

// Wait waits until no question is under way. Call it when all have been cancelled.
func (a *Asker) Wait() { a.work.Wait() }
