package callback

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
	"github.com/wxstack/wxstack/services/gateway/internal/late"
	"github.com/wxstack/wxstack/wechat/account"
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

// Late brings followers the answers that come after the last delivery. It is late.Courier.
type Late interface {
	// Adopt takes over a message whose deliveries have ended, with the question to logic that is under
	// way, or with parts of the answer that follow the passive reply.
	Adopt(ctx context.Context, job late.Job, in message.Message, asking *late.Asking)
	// Pick gives the follower's text by, a message key, what is due to the follower.
	Pick(ctx context.Context, appID, openID, by string) (late.Pickup, error)
}

// flights holds the computations of this replica, one per message. Every delivery of a message that
// arrives while its flight is on joins it.
//
// A flight doesn't end with the delivery that began it: WeChat drops that connection after 5 s and
// collects the answer with the next one.
type flights struct {
	deduper Deduper
	asker   *late.Asker
	late    Late
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
	key dedupe.Key
	in  message.Message
	// push is what in was read from.
	push    []byte
	policy  account.LateAnswer
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
func (g *flights) join(ctx context.Context, key dedupe.Key, d delivery) (*flight, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f, ok := g.open[key]; ok {
		return f, true
	}
	if g.closed {
		return nil, false
	}
	f := &flight{
		key: key, in: d.in, push: d.plaintext, policy: d.account.LateAnswer, arrived: d.arrived, done: make(chan struct{}),
	}
	if d.in.Notice != nil { // Some hold secrets, which must not lie in a store until logic has time.
		f.policy.Policy = account.LateAnswerDrop
	}
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
	f.budgetEnds = budgetEnd(time.Now(), ageOf(claim, f.in.CreateTime, time.Now()))
	var asking *late.Asking
	state, act, pause := course{}.next(claim, time.Now(), f.budgetEnds)
	for {
		switch act {
		case land:
			asking.Cancel()
			return landing{answer: claim.Answer, outcome: outcomeOf(claim.Answer), repeated: repeated}
		case handOver:
			return g.handOver(ctx, f, asking, repeated)
		case compute:
			if picked, ok := g.pickUp(ctx, f); ok {
				return g.settle(ctx, f, picked, repeated)
			}
			asking = g.asker.Ask(ctx, f.question())
		case wait:
		}
		select {
		case <-asking.Done():
			asking.Cancel()
			answer := asking.Answer()
			if f.policy.Policy == account.LateAnswerDrop && fault.KindOf(answer.Err) == fault.Deadline {
				return g.handOver(ctx, f, nil, repeated) // The question ended with the budget.
			}
			return g.settle(ctx, f, g.read(ctx, f, answer), repeated)
		case <-time.After(pause):
			claim = g.deduper.Claim(ctx, f.key, g.owner)
			state, act, pause = state.next(claim, time.Now(), f.budgetEnds)
		case <-g.stop:
			asking.Cancel()
			g.deduper.Release(ctx, f.key, g.owner)
			return landing{outcome: outcomeInterrupted, repeated: repeated}
		}
	}
}

// question is what logic is asked. With a policy for late answers it lives on when the budget has ended.
func (f *flight) question() late.Question {
	until := f.budgetEnds
	if f.policy.Policy != account.LateAnswerDrop {
		until = f.arrived.Add(f.policy.TTL)
	}
	return late.Question{
		AppID: f.key.AppID, In: f.in, DeliveryEnds: f.arrived.Add(deliveryTimeout), BudgetEnds: f.budgetEnds, Until: until,
	}
}

// settle stores an answer of our own. What another replica stored before counts instead.
func (g *flights) settle(ctx context.Context, f *flight, own landing, repeated bool) landing {
	own.repeated = repeated
	kept := g.deduper.Finish(ctx, f.key, g.owner, own.answer)
	if string(kept) != string(own.answer) {
		own.answer, own.outcome = kept, outcomeOf(kept)
	}
	return own
}

// handOver closes the last delivery and leaves the answer to the policy for late ones. Without asking,
// logic has to be asked again: the replica that did is dead, since it has not closed the message.
func (g *flights) handOver(ctx context.Context, f *flight, asking *late.Asking, repeated bool) landing {
	g.metrics.replyTimeouts.WithLabelValues(f.key.AppID).Inc()
	answer := []byte(message.Success)
	switch f.policy.Policy {
	case account.LateAnswerDrop:
		asking.Cancel()
		g.log.WarnContext(ctx, "no answer from logic before the last delivery ended, the follower was shown nothing",
			"app_id", f.key.AppID, "message_key", f.key.Message, "budget", replyBudget.String())
	case account.LateAnswerPickup:
		g.late.Adopt(ctx, f.job(nil), f.in, asking)
		if placeholder, ok := g.placeholder(ctx, f); ok {
			answer = placeholder
		}
	default:
		g.late.Adopt(ctx, f.job(nil), f.in, asking)
	}
	return g.settle(ctx, f, landing{answer: answer, outcome: outcomeTimedOut}, repeated)
}

// job is the flight's message as one whose answer comes late.
func (f *flight) job(parts [][]byte) late.Job {
	return late.Job{
		AppID: f.key.AppID, Key: f.key.Message, OpenID: f.in.FromUserName, Push: f.push,
		Policy: f.policy.Policy, Parts: parts, Left: time.Until(f.arrived.Add(f.policy.TTL)),
	}
}

// placeholder is what a follower reads who has to come back for the answer.
func (g *flights) placeholder(ctx context.Context, f *flight) ([]byte, bool) {
	if !f.in.Answerable() {
		return nil, false
	}
	body, err := message.Render(message.TextReply{Content: f.policy.Placeholder}, f.in, time.Now().Unix())
	if err != nil {
		g.log.ErrorContext(ctx, "late_answer.placeholder cannot be shown", "app_id", f.key.AppID, "error", err)
		return nil, false
	}
	return body, true
}

// pickUp answers a text with the late answer that is due to its follower.
func (g *flights) pickUp(ctx context.Context, f *flight) (landing, bool) {
	if f.policy.Policy != account.LateAnswerPickup || f.in.MsgType != message.TypeText {
		return landing{}, false
	}
	pickup, err := g.late.Pick(ctx, f.key.AppID, f.in.FromUserName, f.key.Message)
	if err != nil {
		g.log.DebugContext(ctx, "late answers cannot be looked up", "app_id", f.key.AppID, "message_key", f.key.Message, "error", err)
		return landing{}, false
	}
	switch pickup.State {
	case late.Found:
		return landing{answer: pickup.Part, outcome: outcomeReplied}, true
	case late.Waiting:
		body, ok := g.placeholder(ctx, f)
		return landing{answer: body, outcome: outcomeReplied}, ok
	case late.Nothing:
	}
	return landing{}, false
}

// read makes logic's answer one for WeChat.
func (g *flights) read(ctx context.Context, f *flight, got late.Answer) landing {
	log := messageLog{g.log, f.key}
	switch {
	case got.Err != nil:
		log.ErrorContext(ctx, "logic failed, the follower was shown nothing", "error", got.Err)
		return success(outcomeFailed)
	case got.Reply == nil:
		return success(outcomeAcknowledged)
	case !f.in.Answerable():
		log.DebugContext(ctx, "reply dropped, WeChat shows none for this event", "event", f.in.Name(), "rule", got.Rule)
		return success(outcomeUnanswerable)
	}
	reply, rest := late.Split(got.Reply, f.policy.Policy)
	body, err := message.Render(reply, f.in, time.Now().Unix())
	if err != nil {
		log.ErrorContext(ctx, "invalid reply, the follower was shown nothing", "rule", got.Rule, "error", err)
		return success(outcomeInvalidReply)
	}
	if len(rest) > 0 {
		parts, err := late.Encode(rest, f.in, f.policy.Policy, time.Now())
		if err != nil {
			log.ErrorContext(ctx, "the rest of a long reply is lost", "rule", got.Rule, "error", err)
		} else {
			g.late.Adopt(ctx, f.job(parts), f.in, nil)
		}
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
