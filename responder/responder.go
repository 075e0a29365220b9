// Package responder is for writing what decides the replies: a Handler, in the manner of net/http, Middleware to
// put around it, and Main, which makes a program of it that the gateway can ask as LogicService. What is more
// than that uses the parts of which Main is made: Listen, and below it Server. The logic service of this
// repository is one such program; docs/own-logic.md builds another.
package responder

import (
	"context"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
)

// Handler decides what a follower is answered.
type Handler interface {
	// Reply is asked once per message, however often WeChat delivers it, and must not change req. An answer
	// within req's delivery_time_left reaches the follower at once, one within budget_time_left with one of
	// WeChat's repeated deliveries, a later one by the account's policy for late answers; ctx ends when the
	// answer is of no use any more. Asked again with the same message_key, which happens when a gateway dies,
	// it should answer the same. If req is a shadow, somebody else answers the follower: nothing may be sent,
	// stored or spent then.
	//
	// A response without a reply shows the follower nothing. So does an error, which the gateway logs; one of
	// kind fault.Unavailable or fault.Throttled makes the gateway ask again.
	Reply(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error)
}

// HandlerFunc makes a function a Handler.
type HandlerFunc func(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error)

// Reply calls f.
func (f HandlerFunc) Reply(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	return f(ctx, req)
}

// PromptHandler is a Handler that can answer some messages without waiting for anything: not for the
// network, not for a lock that is held long. Those the Server answers where others wait for their turn, which
// saves what a goroutine each would cost.
type PromptHandler interface {
	Handler
	// ReplyAtOnce answers as Reply does, if it can without waiting. Otherwise ok is false, nothing has been
	// done, and Reply is asked.
	ReplyAtOnce(ctx context.Context, req *logicv1.ReplyRequest) (resp *logicv1.ReplyResponse, ok bool, err error)
}
