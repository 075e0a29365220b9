package responder

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
)

const (
	// maxUnderWay bounds the questions of one conversation that goroutines work on. Beyond it a question is
	// refused as throttled, which the gateway asks again, and does not wait: that would hold up the others.
	maxUnderWay = 4096
	// busyPause is how long the gateway is asked to wait then.
	busyPause = 100 * time.Millisecond
)

// conversation is one call of Converse.
type conversation struct {
	server *Server
	stream grpc.BidiStreamingServer[logicv1.ConverseRequest, logicv1.ConverseResponse]
	work   sync.WaitGroup

	mu sync.Mutex
	// cancels holds the questions that goroutines work on, by id.
	cancels map[uint64]context.CancelFunc
	// waiting are answers to send; sending says that somebody sends, who takes these as well.
	waiting  []*logicv1.Answer
	sending  bool
	farewell bool
}

// hear takes one message of the other side.
func (c *conversation) hear(ctx context.Context, in *logicv1.ConverseRequest) {
	c.cancel(in.GetCancelled())
	answers := make([]*logicv1.Answer, 0, len(in.GetQuestions()))
	for _, question := range in.GetQuestions() {
		answer, ok := c.answerAtOnce(ctx, question)
		if !ok {
			refused := c.begin(ctx, question)
			if refused == nil {
				continue
			}
			answer = answerOf(question.GetId(), nil, refused)
		}
		answers = append(answers, answer)
	}
	if len(answers) > 0 {
		c.say(answers)
	}
}

// begin answers a question in a goroutine of its own, unless there is no time or no room.
func (c *conversation) begin(ctx context.Context, question *logicv1.Question) error {
	ctx, cancel, err := rpc.Within(ctx, question.GetTimeLeft().AsDuration())
	if err != nil {
		return err
	}
	c.mu.Lock()
	full := len(c.cancels) >= maxUnderWay
	if !full {
		c.cancels[question.GetId()] = cancel
	}
	c.mu.Unlock()
	if full {
		cancel()
		return fault.New(fault.Throttled, "%d questions of this gateway are worked on already", maxUnderWay).WithRetryAfter(busyPause)
	}
	c.work.Go(func() {
		answer := c.answer(ctx, question)
		c.cancel([]uint64{question.GetId()})
		c.say([]*logicv1.Answer{answer})
	})
	return nil
}

// cancel ends the work on questions, as far as it is on.
func (c *conversation) cancel(ids []uint64) {
	if len(ids) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if cancel, ok := c.cancels[id]; ok {
			cancel()
			delete(c.cancels, id)
		}
	}
}

// answerAtOnce decides a question if that needs no waiting.
func (c *conversation) answerAtOnce(ctx context.Context, question *logicv1.Question) (answer *logicv1.Answer, ok bool) {
	prompt := c.server.prompt
	if prompt == nil {
		return nil, false
	}
	ok = true // also after a panic, which would only come again
	response, err := c.guard(ctx, func(ctx context.Context) (response *logicv1.ReplyResponse, err error) {
		if err := check(question.GetRequest()); err != nil {
			return nil, err
		}
		response, ok, err = prompt.ReplyAtOnce(ctx, question.GetRequest())
		return response, err
	})
	if !ok {
		return nil, false
	}
	return answerOf(question.GetId(), response, err), true
}

// answer decides a question as a call of Reply would.
func (c *conversation) answer(ctx context.Context, question *logicv1.Question) *logicv1.Answer {
	response, err := c.guard(ctx, func(ctx context.Context) (*logicv1.ReplyResponse, error) {
		return c.server.Reply(ctx, question.GetRequest())
	})
	return answerOf(question.GetId(), response, err)
}

func (c *conversation) guard(
	ctx context.Context, work func(context.Context) (*logicv1.ReplyResponse, error),
) (*logicv1.ReplyResponse, error) {
	return rpc.Guard(ctx, c.server.log, logicv1.LogicService_Converse_FullMethodName, work)
}

func answerOf(id uint64, response *logicv1.ReplyResponse, err error) *logicv1.Answer {
	if err == nil {
		return &logicv1.Answer{Id: id, Result: &logicv1.Answer_Response{Response: response}}
	}
	failure := &logicv1.Failure{Reason: string(fault.KindOf(err))}
	if known, ok := errors.AsType[*fault.Error](err); ok {
		// The same words as in the status of a call, which withholds what is internal.
		status := known.GRPCStatus()
		failure.Code, failure.Message = int32(status.Code()), status.Message() //nolint:gosec // gRPC has 17 codes.
	}
	if pause := fault.RetryAfter(err); pause > 0 {
		failure.RetryAfter = durationpb.New(pause)
	}
	return &logicv1.Answer{Id: id, Result: &logicv1.Answer_Failure{Failure: failure}}
}

// say sends answers. While somebody sends, the answers of others gather, and whoever sends takes them all
// into the next message.
func (c *conversation) say(answers []*logicv1.Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, answers...)
	c.send()
}

// sayFarewell tells the other side that this one drains.
func (c *conversation) sayFarewell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.farewell = true
	c.send()
}

// send sends what waits. The caller holds the lock, which is released while the message is written.
func (c *conversation) send() {
	if c.sending {
		return
	}
	c.sending = true
	for len(c.waiting) > 0 || c.farewell {
		out := &logicv1.ConverseResponse{Answers: c.waiting, Draining: c.farewell}
		c.waiting, c.farewell = nil, false
		c.mu.Unlock()
		_ = c.stream.Send(out) // a broken call shows at Recv.
		c.mu.Lock()
	}
	c.sending = false
}
