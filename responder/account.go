package responder

import (
	"context"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
)

// ByAccount asks the handler of the account that got the message, which the map names by AppID or by original id
// (gh_…), and otherwise for all other accounts. To give accounts to programs of their own, see docs/routing.md.
func ByAccount(handlers map[string]Handler, otherwise Handler) Handler {
	b := &byAccount{handlers: make(map[string]PromptHandler, len(handlers)), otherwise: promptOf(otherwise)}
	for account, handler := range handlers {
		b.handlers[account] = promptOf(handler)
	}
	return b
}

type byAccount struct {
	handlers  map[string]PromptHandler
	otherwise PromptHandler
}

// Reply implements Handler.
func (b *byAccount) Reply(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	return b.of(req).Reply(ctx, req)
}

// ReplyAtOnce implements PromptHandler.
func (b *byAccount) ReplyAtOnce(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, bool, error) {
	return b.of(req).ReplyAtOnce(ctx, req)
}

func (b *byAccount) of(req *logicv1.ReplyRequest) PromptHandler {
	if handler, ok := b.handlers[req.GetMessage().GetAppId()]; ok {
		return handler
	}
	if handler, ok := b.handlers[req.GetMessage().GetToUserName()]; ok {
		return handler
	}
	return b.otherwise
}
