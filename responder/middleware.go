package responder

import (
	"context"
	"slices"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
)

// Middleware puts something around a Handler. Those of this package keep a PromptHandler prompt. One that returns
// a HandlerFunc does not: behind it every message costs a goroutine, and all else stays the same.
type Middleware func(next Handler) Handler

// Chain puts middleware around a handler. The first is the outermost: it gets a message first and its answer last.
func Chain(handler Handler, middleware ...Middleware) Handler {
	for _, put := range slices.Backward(middleware) {
		handler = put(handler)
	}
	return handler
}

// promptOf makes all handlers alike to the middleware of this package.
func promptOf(handler Handler) PromptHandler {
	if prompt, ok := handler.(PromptHandler); ok {
		return prompt
	}
	return waiting{handler}
}

// waiting is a Handler that answers nothing at once.
type waiting struct{ Handler }

// ReplyAtOnce implements PromptHandler.
func (waiting) ReplyAtOnce(context.Context, *logicv1.ReplyRequest) (*logicv1.ReplyResponse, bool, error) {
	return nil, false, nil
}

// Named makes a handler's responses say what decided, for logs and metrics, unless they say it themselves.
func Named(rule string) Middleware {
	return func(next Handler) Handler { return &named{next: promptOf(next), rule: rule} }
}

type named struct {
	next PromptHandler
	rule string
}

// Reply implements Handler.
func (n *named) Reply(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	resp, err := n.next.Reply(ctx, req)
	return n.name(resp), err
}

// ReplyAtOnce implements PromptHandler.
func (n *named) ReplyAtOnce(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, bool, error) {
	resp, ok, err := n.next.ReplyAtOnce(ctx, req)
	return n.name(resp), ok, err
}

// name leaves the response alone, which others may hold as well.
func (n *named) name(resp *logicv1.ReplyResponse) *logicv1.ReplyResponse {
	if resp == nil || resp.GetRule() != "" {
		return resp
	}
	return &logicv1.ReplyResponse{Reply: resp.GetReply(), Rule: n.rule}
}
