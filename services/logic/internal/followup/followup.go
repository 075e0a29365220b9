// Package followup sends the customer-service messages (客服消息) that rules add to their replies,
// through api-proxy, after the reply is on its way.
//
// Messages to one follower keep their order. The work is bounded in memory and in time: WeChat accepts
// a message for only a minute after a menu click, so what could not be sent by then is given up,
// counted and logged. Nothing here is durable; what must survive a restart belongs into a late answer
// of the gateway.
package followup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"

	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// Platform sends one customer-service message. WeChat's refusal is data (an errcode); an error means
// that api-proxy could not do it.
type Platform interface {
	SendCustomerServiceMessage(ctx context.Context, req *apiproxyv1.SendCustomerServiceMessageRequest) (*apiproxyv1.SendCustomerServiceMessageResponse, error)
}

// PlatformFunc makes a function a Platform.
type PlatformFunc func(ctx context.Context, req *apiproxyv1.SendCustomerServiceMessageRequest) (*apiproxyv1.SendCustomerServiceMessageResponse, error)

// SendCustomerServiceMessage calls f.
func (f PlatformFunc) SendCustomerServiceMessage(ctx context.Context, req *apiproxyv1.SendCustomerServiceMessageRequest) (*apiproxyv1.SendCustomerServiceMessageResponse, error) {
	return f(ctx, req)
}

// Job is what one rule sends to one follower.
type Job struct {
	AppID    string
	OpenID   string
	Rule     string
	Messages []route.Message
}

const (
	// workers is how many followers are sent to at once; each worker serves a fixed share of them.
	workers = 8
	// queueLength is how many jobs may wait for one worker.
	queueLength = 256
	// lead lets the passive reply reach the follower first: logic is not told when it has.
	lead = 500 * time.Millisecond
	// lifetime is how long a job is worth trying, under the minute that WeChat gives after a menu
	// click (微信公众平台 “客服消息”).
	lifetime = 50 * time.Second
	// drainTime is how long Run goes on sending after its context is done: with the 15 s that the
	// server may drain before, it stays under the 20 s that a process has for stopping.
	drainTime = 4 * time.Second
	// maxAttempts bounds how often api-proxy may ask to be called again for one message.
	maxAttempts = 4
)

// The outcomes, values of the label of logic_followups_total. Each message has exactly one.
const (
	sent    = "sent"
	refused = "refused" // by WeChat
	failed  = "failed"  // api-proxy could not do it, or it is unknown whether it did
	expired = "expired"
	dropped = "dropped" // the queue was full or the process was stopping
	skipped = "skipped" // one before it in the same job did not get through
)

// Why a job is given up before anything of it was tried.
var (
	errStopping = errors.New("the process is stopping")
	errFull     = errors.New("too many messages are waiting for api-proxy")
)

// Sender is the queue and its workers. Make one with New, and Run it.
type Sender struct {
	platform Platform
	log      *slog.Logger
	outcomes *prometheus.CounterVec

	// mu guards closed and the sending side of the queues.
	mu     sync.RWMutex
	closed bool
	queues [workers]chan queued
}

type queued struct {
	Job

	// due is when the reply can be expected to have arrived, expiry when the job is given up.
	due, expiry time.Time
}

// New makes a Sender that sends through platform.
func New(platform Platform, tel *telemetry.Telemetry) *Sender {
	s := &Sender{
		platform: platform,
		log:      tel.Log,
		outcomes: telemetry.Register(tel.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "logic_followups_total",
			Help: "Customer-service messages that rules sent after a reply, by what became of them.",
		}, []string{"outcome"})),
	}
	for i := range s.queues {
		s.queues[i] = make(chan queued, queueLength)
	}

	return s
}

// Enqueue takes a job and returns at once. A job that finds the queue full is given up, which is
// counted and logged: a reply never waits for what follows it.
func (s *Sender) Enqueue(job Job) {
	now := time.Now()
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		s.giveUp(job, dropped, errStopping)

		return
	}
	select {
	case s.queues[shard(job.AppID, job.OpenID)] <- queued{Job: job, due: now.Add(lead), expiry: now.Add(lifetime)}:
	default:
		s.giveUp(job, dropped, errFull)
	}
}

// Run sends until ctx is done, then sends what is waiting for up to 4 s more.
func (s *Sender) Run(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var running sync.WaitGroup
	for _, queue := range s.queues {
		running.Go(func() {
			for job := range queue {
				s.handle(ctx, work, job)
			}
		})
	}
	<-ctx.Done()
	s.close()
	hard := time.AfterFunc(drainTime, cancel)
	defer hard.Stop()
	running.Wait()

	return nil
}

func (s *Sender) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, queue := range s.queues {
		close(queue)
	}
}

// handle sends one job. It cuts the wait short when stopping is done, and the work when work is.
func (s *Sender) handle(stopping, work context.Context, job queued) {
	lifecycle.Sleep(stopping, time.Until(job.due))
	ctx, cancel := context.WithDeadline(work, job.expiry)
	defer cancel()
	for i, message := range job.Messages {
		outcome, err := s.send(ctx, job.Job, message)
		s.outcomes.WithLabelValues(outcome).Inc()
		if outcome == sent {
			continue
		}
		rest := len(job.Messages) - i - 1
		s.outcomes.WithLabelValues(skipped).Add(float64(rest))
		s.report(job.Job, outcome, err, "position", i, "skipped", rest)

		return
	}
}

// send sends one message. It is repeated only when api-proxy says when to come back, which it does
// only before it has called WeChat: otherwise the follower might get it twice. A proxy that cannot be
// reached is waited for by the connection itself.
func (s *Sender) send(ctx context.Context, job Job, message route.Message) (string, error) {
	req := Request(job, message)
	for attempt := 1; ; attempt++ {
		if ctx.Err() != nil {
			return outOfTime(ctx), ctx.Err()
		}
		resp, err := s.platform.SendCustomerServiceMessage(ctx, req)
		switch {
		case err == nil && resp.GetErrcode() == 0:
			return sent, nil
		case err == nil:
			return refused, refusal(resp.GetErrcode())
		case ctx.Err() != nil:
			return outOfTime(ctx), err
		}
		wait := fault.RetryAfter(err)
		if wait <= 0 || attempt == maxAttempts {
			return failed, err
		}
		lifecycle.Sleep(ctx, wait)
	}
}

// Request is what api-proxy is asked to send one message of a job.
func Request(job Job, message route.Message) *apiproxyv1.SendCustomerServiceMessageRequest {
	req := &apiproxyv1.SendCustomerServiceMessageRequest{
		AppId: job.AppID, ToUser: job.OpenID, Message: message.Content, KfAccount: message.KfAccount,
	}
	if message.Menu != nil {
		req.Other = &apiproxyv1.SendCustomerServiceMessageRequest_Msgmenu{Msgmenu: message.Menu}
	}

	return req
}

// outOfTime tells a job that grew too old from one that the end of the process cut off.
func outOfTime(ctx context.Context) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return expired
	}

	return dropped
}

// refusal is WeChat's errcode as an error. Its text is left out, because it can quote the message.
type refusal int32

// Error names the class of the refusal; the code itself is an attribute of the log line.
func (refusal) Error() string { return "WeChat refused the message" }

// giveUp counts and logs a job of which nothing was sent.
func (s *Sender) giveUp(job Job, outcome string, err error) {
	s.outcomes.WithLabelValues(outcome).Add(float64(len(job.Messages)))
	s.report(job, outcome, err)
}

// report logs a failure: who and why, never what.
func (s *Sender) report(job Job, outcome string, err error, more ...any) {
	attributes := append([]any{
		"outcome", outcome, "app_id", job.AppID, "follower", hashed(job.OpenID), "rule", job.Rule, "error", err,
	}, more...)
	if code, ok := errors.AsType[refusal](err); ok {
		attributes = append(attributes, "errcode", int32(code))
	}
	s.log.Warn("customer-service message not sent", attributes...)
}

// hashed lets log lines about one follower be found together without naming him.
func hashed(openID string) string {
	const shown = 6
	sum := sha256.Sum256([]byte(openID))

	return hex.EncodeToString(sum[:shown])
}

// shard keeps one follower with one worker, which is what keeps the order.
func shard(appID, openID string) uint32 {
	h := fnv.New32a()
	_, _ = io.WriteString(h, appID+"/"+openID) // a hash never fails to be written to.

	return h.Sum32() % workers
}
