package responder

import (
	"context"
	"errors"
	"time"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
)

// Timeout ends the context of a handler's Reply after a limit of its own and gives a response instead: Silence, or
// a text that says so. Without it an answer that takes longer than WeChat's deliveries becomes a late answer. A
// handler that does not heed its context is waited for all the same, and what it answers after the limit counts.
func Timeout(limit time.Duration, instead *logicv1.ReplyResponse) Middleware {
	return timeoutBy(func(*logicv1.ReplyRequest) time.Duration { return limit }, instead)
}

// DeliveryTimeout is Timeout with the limit at the end of the delivery that caused the question, less a margin for
// the way back: the follower reads one thing or the other within WeChat's 5 s. Where no delivery is under way,
// because the answer will be a late one, there is no limit.
func DeliveryTimeout(margin time.Duration, instead *logicv1.ReplyResponse) Middleware {
	return timeoutBy(func(req *logicv1.ReplyRequest) time.Duration {
		left := req.GetDeliveryTimeLeft().AsDuration()
		if left <= 0 {
			return unlimited
		}
		return left - margin
	}, instead)
}

func timeoutBy(limit func(*logicv1.ReplyRequest) time.Duration, instead *logicv1.ReplyResponse) Middleware {
	return func(next Handler) Handler {
		return &timeout{PromptHandler: promptOf(next), limit: limit, instead: instead}
	}
}

// unlimited is longer than anybody waits.
const unlimited = 24 * time.Hour

var errTimeout = errors.New("the handler's own time is over")

// timeout leaves ReplyAtOnce as it is, which waits for nothing.
type timeout struct {
	PromptHandler

	limit   func(*logicv1.ReplyRequest) time.Duration
	instead *logicv1.ReplyResponse
}

// Reply implements Handler.
func (t *timeout) Reply(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, t.limit(req), errTimeout)
	defer cancel()
	resp, err := t.PromptHandler.Reply(ctx, req)
	if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
		return t.instead, nil
	}
	return resp, err
}
