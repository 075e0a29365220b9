// Package shadow gives logic services that are on trial copies of messages, and counts how often they would
// have replied the same. A copy never delays a message, and its answer reaches nobody.
package shadow

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/gateway/internal/late"
	"github.com/wxstack/wxstack/wechat/message"
)

const (
	// timeout is how long a shadow may take, the time of one delivery.
	timeout = 5 * time.Second
	// maxUnderWay is how many copies one shadow may have at once. A service that hangs reaches it soon; one that
	// answers in 50 ms takes 2500 messages a second.
	maxUnderWay = 128
)

// outcome is what came of a copy.
type outcome string

const (
	outcomeSame      outcome = "same"
	outcomeDifferent outcome = "different"
	outcomeFailed    outcome = "failed"
	outcomeDropped   outcome = "dropped"
)

// Service would have replied to a message. It is replier.Client.
type Service interface {
	// Copy asks once what the reply would be, nil for none, and which rule decides.
	Copy(ctx context.Context, appID string, in message.Message, deliveryLeft, budgetLeft time.Duration) (message.Reply, string, error)
}

// Target is a service that is to get a copy.
type Target struct {
	Name    string
	Service Service
	// Release is called when the service is not needed any more.
	Release func()
}

// Copier copies messages. Nothing is copied unless Run runs.
type Copier struct {
	targets func(appID, openID string) []Target
	log     *slog.Logger
	replies *prometheus.CounterVec

	mu sync.Mutex
	// ctx is nil while Run does not run.
	ctx      context.Context //nolint:containedctx // that of Run.
	underWay map[string]int
	work     sync.WaitGroup
}

// New returns a Copier that asks for the targets of each message.
func New(targets func(appID, openID string) []Target, tel *telemetry.Telemetry) *Copier {
	return &Copier{
		targets: targets, log: tel.Log, underWay: map[string]int{},
		replies: telemetry.Register(tel.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_shadow_replies_total",
			Help: "Copies of messages by what the shadow made of them: the same reply as the follower's, a different one, none in time or an error (failed), or not asked because too many were under way (dropped).",
		}, []string{"shadow", "outcome"})),
	}
}

// Answered is a late.Observer's. The copy is made when the real answer is there, which it can be compared with:
// so it cannot come in the way of it.
func (c *Copier) Answered(q late.Question, given late.Answer) {
	if q.In.Notice != nil {
		return // It concerns the platform, whose tokens a service on trial must not touch.
	}
	for _, t := range c.targets(q.AppID, q.In.FromUserName) {
		ctx, ok := c.begin(t.Name)
		if !ok {
			t.Release()
			c.count(t.Name, outcomeDropped)
			continue
		}
		go func() {
			defer c.end(t.Name)
			defer t.Release()
			c.count(t.Name, c.ask(ctx, t, q, given))
		}()
	}
}

// begin takes a place for a copy, if there is one. Whoever has it ends it.
func (c *Copier) begin(name string) (context.Context, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil || c.underWay[name] >= maxUnderWay {
		return nil, false
	}
	c.underWay[name]++
	c.work.Add(1)
	return c.ctx, true
}

func (c *Copier) end(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.underWay[name]--
	c.work.Done()
}

func (c *Copier) count(name string, o outcome) { c.replies.WithLabelValues(name, string(o)).Inc() }

// ask asks a shadow, and compares.
func (c *Copier) ask(ctx context.Context, t Target, q late.Question, given late.Answer) (o outcome) {
	defer func() {
		if p := recover(); p != nil {
			c.log.ErrorContext(ctx, "panic while asking a shadow", "shadow", t.Name, "app_id", q.AppID, "message_key", q.In.Key(),
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			o = outcomeFailed
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	reply, rule, err := t.Service.Copy(ctx, q.AppID, q.In, timeout, budget(q))
	o = judge(given, reply, err)
	if o != outcomeSame {
		c.log.DebugContext(ctx, "a shadow did not reply the same", "shadow", t.Name, "app_id", q.AppID, "message_key", q.In.Key(),
			"outcome", string(o), "rule", given.Rule, "shadow_rule", rule, "error", err)
	}
	return o
}

// budget is what a message has in all, as the service that really answers was told.
func budget(q late.Question) time.Duration { return q.BudgetEnds.Sub(q.DeliveryEnds) + timeout }

// judge compares what a shadow replied with what the follower was given.
func judge(given late.Answer, reply message.Reply, err error) outcome {
	switch {
	case err != nil:
		return outcomeFailed
	case given.Err == nil && reflect.DeepEqual(given.Reply, reply):
		return outcomeSame
	default:
		return outcomeDifferent
	}
}

// Run lets messages be copied until ctx is done, and waits for the copies that are under way to end.
func (c *Copier) Run(ctx context.Context) error {
	c.mu.Lock()
	c.ctx = ctx
	c.mu.Unlock()
	<-ctx.Done()
	c.mu.Lock()
	c.ctx = nil
	c.mu.Unlock()
	c.work.Wait()
	return nil
}
