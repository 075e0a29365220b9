package callback

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
	"github.com/wxstack/wxstack/wechat/message"
)

// Deduper says who computes the answer of a message. It is dedupe.Window.
type Deduper interface {
	// Claim takes the message for owner, renews owner's claim, or tells what others make of it.
	Claim(ctx context.Context, key dedupe.Key, owner string) dedupe.Claim
	// Finish stores the answer and returns the one that counts, which is the first.
	Finish(ctx context.Context, key dedupe.Key, owner string, answer []byte) []byte
	// Release gives the claim back, so that another owner takes over at once.
	Release(ctx context.Context, key dedupe.Key, owner string)
}

// Replier decides what a follower is answered. It is replier.Client.
type Replier interface {
	// Reply returns a reply, nil for none, and the name of the rule that decided. It tries until the
	// deadline of ctx; deliveryEnds is when WeChat drops the present delivery, budgetEnds the last one.
	Reply(ctx context.Context, appID string, in message.Message, deliveryEnds, budgetEnds time.Time) (message.Reply, string, error)
}

// flights holds the computations of this replica, one per message. Every delivery of a message that
// arrives while its flight is on joins it.
//
// A flight doesn't end with the delivery that began it: WeChat drops that connection after 5 s and
// collects the answer with the next one.
type flights struct {
	deduper Deduper
	replier Replier
	owner   string
	log     *slog.Logger
	metrics *metrics

	// stop is closed when flights have to end at once.
	stop     chan struct{}
	stopping sync.Once
	work     sync.WaitGroup

	mu     sync.Mutex
	open   map[dedupe.Key]*flight
	closed bool
}

// flight is the computation of one answer.
type flight struct {
	key     dedupe.Key
	in      message.Message
	arrived time.Time
	// budgetEnds is when the last delivery ends; it is known once the message is claimed.
	budgetEnds time.Time

	// done is closed when the flight has landed; what it brought may be read then.
	done   chan struct{}
	landed landing
}

// landing is what a flight brought.
type landing struct {
	// answer is the body in clear, nil when this replica stops before there was one.
	answer  []byte
	outcome outcome
	// repeated says that the message was known before this flight began.
	repeated bool
}

// join returns the flight of a message, and whether it was on already. It returns nil when no flights are
// begun any more.
func (g *flights) join(ctx context.Context, key dedupe.Key, in message.Message, arrived time.Time) (*flight, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f, ok := g.open[key]; ok {
		return f, true
	}
	if g.closed {
		return nil, false
	}
	f := &flight{key: key, in: in, arrived: arrived, done: make(chan struct{})}
	g.open[key] = f
	// The request's context ends with the delivery; what it carries, such as the trace, stays.
	ctx = context.WithoutCancel(ctx)
	g.work.Go(func() { g.fly(ctx, f) })
	return f, false
}

// drain begins no new flights, waits for those that are on until ctx is done, and then ends them, giving
// their claims back.
func (g *flights) drain(ctx context.Context) {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		g.work.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		g.stopping.Do(func() { close(g.stop) })
		<-ended
	}
}

// fly runs a flight until it has landed.
func (g *flights) fly(ctx context.Context, f *flight) {
	landed := g.cruise(ctx, f)
	g.mu.Lock()
	delete(g.open, f.key)
	g.mu.Unlock()
	f.landed = landed
	close(f.done)
}

// cruise claims the message and then computes its answer or waits for the one who does.
func (g *flights) cruise(ctx context.Context, f *flight) landing {
	claim := g.deduper.Claim(ctx, f.key, g.owner)
	repeated := claim.State != dedupe.Won || claim.Age >= dedupe.Lease // won by itself, but not new: a take-over
	ends := budgetEnd(time.Now(), claim.Age)
	f.budgetEnds = ends
	budget, cancel := context.WithDeadline(ctx, ends)
	defer cancel()

	var answers chan landing
	state, act, pause := course{}.next(claim, time.Now(), ends)
	for {
		switch act {
		case land:
			return landing{answer: claim.Answer, outcome: outcomeOf(claim.Answer), repeated: repeated}
		case giveUp:
			return g.giveUp(ctx, f, state, repeated)
		case compute:
			answers = g.compute(budget, f)
		case wait:
		}
		select {
		case answer := <-answers:
			answer.repeated = repeated
			return g.settle(ctx, f, answer)
		case <-time.After(pause):
			claim = g.deduper.Claim(budget, f.key, g.owner)
			state, act, pause = state.next(claim, time.Now(), ends)
		case <-budget.Done():
			// A last look: another replica's answer may have come since the one before.
			claim = g.deduper.Claim(ctx, f.key, g.owner)
			state, act, pause = state.next(claim, time.Now(), ends)
		case <-g.stop:
			g.deduper.Release(ctx, f.key, g.owner)
			return landing{outcome: outcomeInterrupted, repeated: repeated}
		}
	}
}

// settle stores the answer of our own computation. What another replica stored before counts instead.
func (g *flights) settle(ctx context.Context, f *flight, own landing) landing {
	if own.outcome == outcomeTimedOut {
		return g.giveUp(ctx, f, course{computing: true}, own.repeated)
	}
	kept := g.deduper.Finish(ctx, f.key, g.owner, own.answer)
	if string(kept) != string(own.answer) {
		own.answer, own.outcome = kept, outcomeOf(kept)
	}
	return own
}

// giveUp closes the message cleanly. Only who computed counts it, so that it is counted once.
func (g *flights) giveUp(ctx context.Context, f *flight, state course, repeated bool) landing {
	own := landing{answer: []byte(message.Success), outcome: outcomeTimedOut, repeated: repeated}
	if !state.computing {
		g.log.DebugContext(ctx, "message closed without an answer", "app_id", f.key.AppID, "message_key", f.key.Message)
		return own
	}
	g.metrics.replyTimeouts.WithLabelValues(f.key.AppID).Inc()
	g.log.WarnContext(ctx, "no answer from logic before the last delivery ended, the follower was shown nothing",
		"app_id", f.key.AppID, "message_key", f.key.Message, "budget", replyBudget.String())
	kept := g.deduper.Finish(ctx, f.key, g.owner, own.answer)
	if string(kept) != string(own.answer) {
		own.answer, own.outcome = kept, outcomeOf(kept)
	}
	return own
}

// compute asks logic in a goroutine of its own, which ends at the latest with budget.
func (g *flights) compute(budget context.Context, f *flight) chan landing {
	answers := make(chan landing, 1)
	g.work.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				g.log.ErrorContext(budget, "panic while answering", "app_id", f.key.AppID, "message_key", f.key.Message,
					"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				answers <- success(outcomeFailed)
			}
		}()
		answers <- g.answer(budget, f)
	})
	return answers
}

// answer asks logic and renders its reply.
func (g *flights) answer(budget context.Context, f *flight) landing {
	log := g.log.With("app_id", f.key.AppID, "message_key", f.key.Message)
	reply, rule, err := g.replier.Reply(budget, f.key.AppID, f.in, f.arrived.Add(deliveryTimeout), f.budgetEnds)
	switch {
	case err == nil:
	case fault.KindOf(err) == fault.Deadline:
		log.DebugContext(budget, "logic did not answer in time", "error", err)
		return success(outcomeTimedOut)
	default:
		log.ErrorContext(budget, "logic failed, the follower was shown nothing", "error", err)
		return success(outcomeFailed)
	}
	switch {
	case reply == nil:
		return success(outcomeAcknowledged)
	case !answerable(f.in):
		log.DebugContext(budget, "reply dropped, WeChat shows none for this event", "event", f.in.Event.Name, "rule", rule)
		return success(outcomeUnanswerable)
	}
	body, err := message.Render(reply, f.in, time.Now().Unix())
	if err != nil {
		log.ErrorContext(budget, "invalid reply, the follower was shown nothing", "rule", rule, "error", err)
		return success(outcomeInvalidReply)
	}
	return landing{answer: body, outcome: outcomeReplied}
}

// success is the landing that shows the follower nothing.
func success(o outcome) landing { return landing{answer: []byte(message.Success), outcome: o} }

// outcomeOf tells the outcome of an answer that came from a record, which doesn't say why there is none.
func outcomeOf(answer []byte) outcome {
	if string(answer) == message.Success {
		return outcomeAcknowledged
	}
	return outcomeReplied
}

// answerable reports whether WeChat shows the follower a passive reply to this push. Of the events those
// in the list, which follow from what the follower just did in the chat; for all others WeChat's pages ask
// for success only.
func answerable(in message.Message) bool {
	if in.Event == nil {
		return in.MsgType != message.TypeEvent
	}
	switch strings.ToLower(in.Event.Name) {
	case "subscribe", "scan", "click", "scancode_waitmsg", "scancode_push",
		"pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select":
		return true
	default:
		return false
	}
}
