package callback

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/gateway/internal/allowance"
	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
	"github.com/wxstack/wxstack/services/gateway/internal/late"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/custommessage"
	"github.com/wxstack/wxstack/wechat/message"
)

// Deduper says who computes the answer of a message. It is dedupe.Window.
type Deduper interface {
	// Claim takes the message for owner, renews owner's claim, or tells what others make of it.
	Claim(ctx context.Context, key dedupe.Key, owner string) dedupe.Claim
	// Finish stores the answer and returns the one that counts, which is the first.
	Finish(ctx context.Context, key dedupe.Key, owner string, answer []byte) []byte
	// Keep stores the answer of a message whose claim surely still holds, without waiting.
	Keep(key dedupe.Key, owner string, answer []byte)
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

// Allowances notes how many customer-service messages a follower allows. It is allowance.Book.
type Allowances interface {
	// Grant notes what a follower did, without waiting.
	Grant(g allowance.Grant)
}

// flights holds the computations of this replica, one per message. Every delivery of a message that
// arrives while its flight is on joins it.
//
// The delivery that begins a flight is its pilot, which spares most messages a goroutine of their own. A
// flight doesn't end with it: WeChat drops that connection after 5 s and collects the answer with the next
// one, so the flight goes on by itself then.
type flights struct {
	deduper    Deduper
	asker      *late.Asker
	late       Late
	allowances Allowances
	owner      string
	log        *slog.Logger
	metrics    *metrics

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
	push   []byte
	policy account.LateAnswer
	// trigger is what the push allows the account to send.
	trigger custommessage.Trigger
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

// join returns the flight of a message, and whether the caller begins it and has to pilot it. It returns nil
// when no flights are begun any more.
func (g *flights) join(key dedupe.Key, d delivery) (f *flight, begins bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f, ok := g.open[key]; ok {
		return f, false
	}
	if g.closed {
		return nil, false
	}
	f = &flight{
		key: key, in: d.in, push: d.plaintext, policy: d.account.LateAnswer, arrived: d.arrived, done: make(chan struct{}),
	}
	if d.in.Notice != nil { // Some hold secrets, which must not lie in a store until logic has time.
		f.policy.Policy = account.LateAnswerDrop
	}
	if d.account.SendsCustomerService() {
		f.trigger = custommessage.TriggerOf(d.in)
	}
	g.open[key] = f
	g.work.Add(1)
	return f, true
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

// pilot begins a flight and flies it until it lands, the delivery is done, or it has been held until it must
// be. It reports whether the flight has landed; otherwise it goes on by itself. It calls hold when the answer
// is not there soon.
func (g *flights) pilot(delivery context.Context, f *flight, hold func(), until time.Time) bool {
	// The delivery's context ends with it; what it carries, such as the trace, stays.
	c := &cruise{flights: g, flight: f, ctx: context.WithoutCancel(delivery), hold: hold}
	handedOver := false
	defer func() {
		if !handedOver {
			c.land() // also after a panic, since others may wait for it
		}
	}()
	c.begin()
	if c.fly(delivery.Done(), until) {
		return true
	}
	handedOver = true
	c.hold = nil
	go func() {
		defer c.land()
		defer c.rescue()
		c.fly(nil, time.Time{})
	}()
	return false
}

// rescue ends a panic of ours where no request is left whose handler would: no panic may end the process.
func (c *cruise) rescue() {
	if p := recover(); p != nil {
		messageLog{c.log, c.key}.ErrorContext(c.ctx, "panic while answering", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	}
}

// cruise is a flight on its way.
type cruise struct {
	*flights
	*flight

	ctx context.Context //nolint:containedctx // the flight outlives the call that begins it.
	// claimed is when the claim was last seen to be ours.
	claimed time.Time
	claim   dedupe.Claim
	state   course
	act     action
	pause   time.Duration
	asking  *late.Asking
	// hold, if there is one, is to be called before the delivery has to wait for long.
	hold   func()
	result landing
}

// land ends a flight. What has no result by now is due to a panic of ours.
func (c *cruise) land() {
	defer c.work.Done()
	if c.result.outcome == "" {
		c.result = success(outcomeFailed)
	}
	c.asking.Cancel()
	c.mu.Lock()
	delete(c.open, c.key)
	c.mu.Unlock()
	c.landed = c.result
	close(c.done)
}

// begin claims the message.
func (c *cruise) begin() {
	c.look()
	// Won by itself, but not new: a take-over.
	c.result.repeated = c.claim.State != dedupe.Won || c.claim.Age >= dedupe.Lease
	if !c.result.repeated && c.trigger != custommessage.NoTrigger {
		// Before logic is asked, since what logic sends counts towards it.
		c.allowances.Grant(allowance.Grant{AppID: c.key.AppID, OpenID: c.in.FromUserName, Trigger: c.trigger, At: c.arrived})
	}
	now := time.Now()
	c.budgetEnds = budgetEnd(now, ageOf(c.claim, c.in.CreateTime, now, c.policy.Policy != account.LateAnswerDrop))
	c.state, c.act, c.pause = course{}.next(c.claim, now, c.budgetEnds)
}

// look claims the message: for the first time, to renew the claim, or to see what another replica makes of it.
func (c *cruise) look() {
	asked := time.Now()
	c.claim = c.deduper.Claim(c.ctx, c.key, c.owner)
	if c.claim.State == dedupe.Won {
		c.claimed = asked
	}
}

// fly computes the answer or waits for the one who does, until the flight has landed. It returns false, and
// may be called again, when leave is closed or the time until, if any, has come.
func (c *cruise) fly(leave <-chan struct{}, until time.Time) bool {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if c.step() {
			return true
		}
		pause := c.pause
		if !until.IsZero() {
			pause = min(pause, time.Until(until))
		}
		timer.Reset(pause)
		select {
		case <-c.asking.Done():
			c.answered(c.asking.Answer())
			return true
		case <-timer.C:
			if !until.IsZero() && !time.Now().Before(until) {
				return false
			}
			if c.hold != nil {
				c.hold()
				c.hold = nil
			}
			c.look()
			c.state, c.act, c.pause = c.state.next(c.claim, time.Now(), c.budgetEnds)
		case <-leave:
			return false
		case <-c.stop:
			c.deduper.Release(c.ctx, c.key, c.owner)
			c.result.outcome = outcomeInterrupted
			return true
		}
	}
}

// step does what is to be done next, and reports whether the flight has landed by it.
func (c *cruise) step() bool {
	switch c.act {
	case land:
		c.result.answer, c.result.outcome = c.claim.Answer, outcomeOf(c.claim.Answer)
		return true
	case handOver:
		c.handOver()
		return true
	case compute:
		if picked, ok := c.pickUp(); ok {
			c.settle(picked)
			return true
		}
		c.asking = c.asker.Ask(c.ctx, c.question(c.result.repeated))
	case wait:
	}
	c.act = wait
	return false
}

// answered takes logic's answer.
func (c *cruise) answered(answer late.Answer) {
	if c.policy.Policy == account.LateAnswerDrop && fault.KindOf(answer.Err) == fault.Deadline {
		c.handOver() // The question ended with the budget.
		return
	}
	c.settle(c.read(answer))
}

// settle stores an answer of our own. What another replica stored before counts instead, but there can be none
// as long as our claim surely holds: then nobody has to wait for the store.
func (c *cruise) settle(own landing) {
	c.result.answer, c.result.outcome = own.answer, own.outcome
	if time.Since(c.claimed) < dedupe.Lease/2 {
		c.deduper.Keep(c.key, c.owner, own.answer)
		return
	}
	kept := c.deduper.Finish(c.ctx, c.key, c.owner, own.answer)
	if string(kept) != string(own.answer) {
		c.result.answer, c.result.outcome = kept, outcomeOf(kept)
	}
}

// handOver closes the last delivery and leaves the answer to the policy for late ones. If it is not us who
// has asked logic, that one is dead, since it has not closed the message, and logic has to be asked again.
func (c *cruise) handOver() {
	c.metrics.replyTimeouts.WithLabelValues(c.key.AppID).Inc()
	own := landing{answer: []byte(message.Success), outcome: outcomeTimedOut}
	if c.policy.Policy == account.LateAnswerDrop {
		c.log.WarnContext(c.ctx, "no answer from logic before the last delivery ended, the follower was shown nothing",
			"app_id", c.key.AppID, "message_key", c.key.Message, "budget", replyBudget.String())
		c.settle(own)
		return
	}
	c.late.Adopt(c.ctx, c.job(nil), c.in, c.asking)
	c.asking = nil // It is the adopter's now.
	if c.policy.Policy == account.LateAnswerPickup {
		if placeholder, ok := c.placeholder(); ok {
			own.answer = placeholder
		}
	}
	c.settle(own)
}

// question is what logic is asked, once more if again. With a policy for late answers it lives on when the budget has ended.
func (f *flight) question(again bool) late.Question {
	until := f.budgetEnds
	if f.policy.Policy != account.LateAnswerDrop {
		until = f.arrived.Add(f.policy.TTL)
	}
	return late.Question{
		AppID: f.key.AppID, In: f.in, DeliveryEnds: f.arrived.Add(deliveryTimeout), BudgetEnds: f.budgetEnds, Until: until, Again: again,
	}
}

// job is the flight's message as one whose answer comes late.
func (f *flight) job(parts [][]byte) late.Job {
	return late.Job{
		AppID: f.key.AppID, Key: f.key.Message, OpenID: f.in.FromUserName, Push: f.push,
		Policy: f.policy.Policy, Parts: parts, Left: time.Until(f.arrived.Add(f.policy.TTL)),
	}
}

// placeholder is what a follower reads who has to come back for the answer.
func (c *cruise) placeholder() ([]byte, bool) {
	if !c.in.Answerable() {
		return nil, false
	}
	body, err := message.Render(message.TextReply{Content: c.policy.Placeholder}, c.in, time.Now().Unix())
	if err != nil {
		c.log.ErrorContext(c.ctx, "late_answer.placeholder cannot be shown", "app_id", c.key.AppID, "error", err)
		return nil, false
	}
	return body, true
}

// pickUp answers a text with the late answer that is due to its follower.
func (c *cruise) pickUp() (landing, bool) {
	if c.policy.Policy != account.LateAnswerPickup || c.in.MsgType != message.TypeText {
		return landing{}, false
	}
	pickup, err := c.late.Pick(c.ctx, c.key.AppID, c.in.FromUserName, c.key.Message)
	if err != nil {
		c.log.DebugContext(c.ctx, "late answers cannot be looked up", "app_id", c.key.AppID, "message_key", c.key.Message, "error", err)
		return landing{}, false
	}
	switch pickup.State {
	case late.Found:
		return landing{answer: pickup.Part, outcome: outcomeReplied}, true
	case late.Waiting:
		body, ok := c.placeholder()
		return landing{answer: body, outcome: outcomeReplied}, ok
	case late.Nothing:
	}
	return landing{}, false
}

// read makes logic's answer one for WeChat.
func (c *cruise) read(got late.Answer) landing {
	log := messageLog{c.log, c.key}
	switch {
	case got.Err != nil:
		log.ErrorContext(c.ctx, "logic failed, the follower was shown nothing", "error", got.Err)
		return success(outcomeFailed)
	case got.Reply == nil:
		return success(outcomeAcknowledged)
	case !c.in.Answerable():
		log.DebugContext(c.ctx, "reply dropped, WeChat shows none for this event", "event", c.in.Name(), "rule", got.Rule)
		return success(outcomeUnanswerable)
	}
	reply, rest := late.Split(got.Reply, c.policy.Policy)
	body, err := message.Render(reply, c.in, time.Now().Unix())
	if err != nil {
		log.ErrorContext(c.ctx, "invalid reply, the follower was shown nothing", "rule", got.Rule, "error", err)
		return success(outcomeInvalidReply)
	}
	if len(rest) > 0 {
		parts, err := late.Encode(rest, c.in, c.policy.Policy, time.Now())
		if err != nil {
			log.ErrorContext(c.ctx, "the rest of a long reply is lost", "rule", got.Rule, "error", err)
		} else {
			c.late.Adopt(c.ctx, c.job(parts), c.in, nil)
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
