package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/responder"
)

const help = "发送「项目 金额」来记账，例如：咖啡 18。发送「合计」看总数。"

// amount is what an expense may be, in whole yuan.
var amount = regexp.MustCompile(`^\d{1,6}$`)

// handler answers the followers of the account that has the account book.
type handler struct {
	ledger *ledger
	budget int
	outbox *outbox
}

var _ responder.PromptHandler = (*handler)(nil)

// Reply implements responder.Handler.
func (h *handler) Reply(_ context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	msg := req.GetMessage()
	switch event := msg.GetEvent(); {
	case msg.GetText() != nil:
		return h.text(req, strings.TrimSpace(msg.GetText().GetContent())), nil
	// WeChat writes the names of events now in this case, now in that.
	case strings.EqualFold(event.GetName(), "subscribe"):
		return responder.Text("欢迎！" + help), nil
	case strings.EqualFold(event.GetName(), "CLICK") && event.GetKey() == "TOTAL":
		return h.total(msg), nil
	}
	return responder.Silence(), nil
}

// ReplyAtOnce implements responder.PromptHandler: the account book is in memory, so nobody has to wait for it.
// With a database behind it, leave this method out.
func (h *handler) ReplyAtOnce(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, bool, error) {
	resp, err := h.Reply(ctx, req)
	return resp, true, err
}

func (h *handler) text(req *logicv1.ReplyRequest, content string) *logicv1.ReplyResponse {
	if content == "合计" {
		return h.total(req.GetMessage())
	}
	words := strings.Fields(content)
	if len(words) != 2 || !amount.MatchString(words[1]) {
		return responder.Text("看不懂。" + help)
	}
	yuan, _ := strconv.Atoi(words[1]) // six digits are always a number.
	return h.record(req, entry{item: words[0], yuan: yuan})
}

func (h *handler) record(req *logicv1.ReplyRequest, e entry) *logicv1.ReplyResponse {
	msg, key := req.GetMessage(), req.GetMessageKey()
	if req.GetShadow() {
		return recorded(h.ledger.preview(ownerOf(msg), key, e))
	}
	e = h.ledger.record(ownerOf(msg), key, e)
	if e.total > h.budget && e.total-e.yuan <= h.budget {
		// The key makes it one message, however often this is asked and sent.
		h.outbox.send(msg, "over-budget/"+key, fmt.Sprintf("提醒：已经超出预算 %d 元。", h.budget))
	}
	return recorded(e)
}

func recorded(e entry) *logicv1.ReplyResponse {
	return responder.Text(fmt.Sprintf("记下了：%s %d 元，合计 %d 元。", e.item, e.yuan, e.total))
}

func (h *handler) total(msg *messagev1.Message) *logicv1.ReplyResponse {
	count, total := h.ledger.total(ownerOf(msg))
	return responder.Text(fmt.Sprintf("一共 %d 笔，合计 %d 元。", count, total))
}

func ownerOf(msg *messagev1.Message) owner {
	return owner{appID: msg.GetAppId(), openID: msg.GetFromUserName()}
}
