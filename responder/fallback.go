package responder

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/wxstack/wxstack/chassis/fault"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
)

// Fallback gives a response where the handler fails or panics, which is logged; without it the follower would be
// shown nothing. What makes the gateway ask again (see Handler) stays an error, and so does what comes after ctx
// has ended. It does not reach goroutines that the handler starts.
func Fallback(instead *logicv1.ReplyResponse, log *slog.Logger) Middleware {
	return func(next Handler) Handler { return &fallback{next: promptOf(next), instead: instead, log: log} }
}

type fallback struct {
	next    PromptHandler
	instead *logicv1.ReplyResponse
	log     *slog.Logger
}

// Reply implements Handler.
func (f *fallback) Reply(ctx context.Context, req *logicv1.ReplyRequest) (resp *logicv1.ReplyResponse, err error) {
	defer func() { resp, err = f.judge(ctx, req, recover(), resp, err) }()
	return f.next.Reply(ctx, req)
}

// ReplyAtOnce implements PromptHandler.
func (f *fallback) ReplyAtOnce(ctx context.Context, req *logicv1.ReplyRequest) (resp *logicv1.ReplyResponse, ok bool, err error) {
	defer func() {
		panicked := recover()
		ok = ok || panicked != nil
		resp, err = f.judge(ctx, req, panicked, resp, err)
	}()
	return f.next.ReplyAtOnce(ctx, req)
}

// judge returns what comes of a handler's result. It is told the panic, which shows the stack only while it is
// recovered.
func (f *fallback) judge(
	ctx context.Context, req *logicv1.ReplyRequest, panicked any, resp *logicv1.ReplyResponse, err error,
) (*logicv1.ReplyResponse, error) {
	if panicked != nil {
		err = fault.Wrap(fault.Internal, fmt.Errorf("panic: %v\n%s", panicked, debug.Stack()), "panic")
	}
	if err == nil || ctx.Err() != nil || worthAskingAgain(err) {
		return resp, err
	}
	msg := req.GetMessage()
	f.log.ErrorContext(ctx, "handler failed, the fallback answers",
		"app_id", msg.GetAppId(), "msg_type", msg.GetMsgType(), "error", err)
	return f.instead, nil
}

func worthAskingAgain(err error) bool {
	kind := fault.KindOf(err)
	return kind == fault.Unavailable || kind == fault.Throttled
}
