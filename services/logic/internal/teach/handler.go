package teach

import (
	"context"
	"fmt"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// mostListed is how many waiting lessons are looked at for a list. More never fit into a text.
const mostListed = 50

// Handler learns from followers and answers them.
type Handler struct {
	rule   string
	course Course
	store  *Store
}

var _ route.Handler = (*Handler)(nil)

// New makes the handler of a rule.
func New(rule string, course Course, store *Store) *Handler {
	return &Handler{rule: rule, course: course, store: store}
}

// Answer learns from a text, does what a moderator says, or answers a question that is known. It passes on
// everything else.
func (h *Handler) Answer(ctx context.Context, req *logicv1.ReplyRequest) (route.Answer, error) {
	msg := req.GetMessage()
	if msg.GetText() == nil {
		return route.Answer{}, route.ErrPass
	}
	request := h.course.Read(msg.GetFromUserName(), msg.GetText().GetContent())
	text, err := h.answer(ctx, req, &request)
	if err != nil {
		return route.Answer{}, err
	}
	return route.Answer{Reply: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: text}}}}, nil
}

func (h *Handler) answer(ctx context.Context, req *logicv1.ReplyRequest, request *Request) (string, error) {
	place, key := Place{AppID: req.GetMessage().GetAppId(), Rule: h.rule}, req.GetMessageKey()
	var outcome Outcome
	var err error
	switch request.Meaning {
	case Asks:
		return h.find(ctx, place, request.Question)
	case TooLong:
		return h.course.Replies.Long, nil
	case Lists:
		entries, total, err := h.store.Pending(ctx, place, mostListed)
		return list(entries, total), err
	case Teaches:
		by := req.GetMessage().GetFromUserName()
		lesson := Lesson{Question: request.Question, Answer: request.Answer, By: by}
		outcome, err = h.store.Learn(ctx, place, key, lesson, h.modeFor(by), h.course.Limit)
	case Approves:
		outcome, err = h.store.Approve(ctx, place, key, request.ID, h.course.Limit)
	case Rejects:
		outcome, err = h.store.Reject(ctx, place, key, request.ID)
	case Forgets:
		outcome, err = h.store.Forget(ctx, place, key, request.Question)
	}
	if err != nil {
		return "", err
	}
	return h.words(request, outcome)
}

func (h *Handler) find(ctx context.Context, place Place, question string) (string, error) {
	answer, known, err := h.store.Find(ctx, place, question)
	if err == nil && !known {
		err = route.ErrPass
	}
	return answer, err
}

func (h *Handler) modeFor(openID string) Mode {
	switch {
	case h.course.moderates(openID):
		return Any
	case h.course.Moderated:
		return Wait
	}
	return Own
}

// words are what the follower is told of an outcome.
func (h *Handler) words(request *Request, outcome Outcome) (string, error) {
	replies := &h.course.Replies
	switch outcome {
	case Learned:
		return replies.Learned, nil
	case Pending:
		return replies.Pending, nil
	case Taken:
		return replies.Taken, nil
	case Waiting:
		return replies.Waiting, nil
	case Full:
		return replies.Full, nil
	case Approved:
		return fmt.Sprintf("已通过第 %d 条。", request.ID), nil
	case Rejected:
		return fmt.Sprintf("已拒绝第 %d 条。", request.ID), nil
	case Forgotten:
		return "已忘记。", nil
	case Absent:
		if request.Meaning == Forgets {
			return "没有学过这个问题。", nil
		}
		return fmt.Sprintf("没有待审核的第 %d 条；回复「待审」查看。", request.ID), nil
	}
	return "", route.Fail(route.ReasonState, fmt.Errorf("unexpected answer %q of a Redis script", outcome))
}
