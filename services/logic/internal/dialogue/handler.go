package dialogue

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"

	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// afterlife is how long the end of a dialogue is remembered, for whoever asks for its last message again: as
// long as a gateway may keep a message that waits for a late answer.
const afterlife = 10 * time.Minute

// Handler holds the dialogues of one rule.
type Handler struct {
	rule   string
	script Script
	store  *Store
}

var _ route.Resumer = (*Handler)(nil)

// New makes the handler of a rule.
func New(rule string, script Script, store *Store) *Handler {
	return &Handler{rule: rule, script: script, store: store}
}

// Answer begins a dialogue, in the place of any other.
func (h *Handler) Answer(ctx context.Context, req *logicv1.ReplyRequest) (route.Answer, error) {
	before, err := h.store.load(ctx, followerOf(req.GetMessage()))
	if err != nil {
		return route.Answer{}, err
	}
	if h.repeats(&before, req) {
		return before.said()
	}
	state, speaker := h.script.Begin()
	return h.advance(ctx, req, &before, state, speaker)
}

// Resume takes a message as the answer to the question that waits.
func (h *Handler) Resume(ctx context.Context, req *logicv1.ReplyRequest) (route.Answer, error) {
	before, err := h.store.load(ctx, followerOf(req.GetMessage()))
	switch {
	case err != nil:
		return route.Answer{}, err
	case h.repeats(&before, req):
		return before.said()
	case before.Rule != h.rule, before.Over:
		return route.Answer{}, route.ErrPass
	}
	state, speaker := h.script.Next(before.State, req.GetMessage())
	return h.advance(ctx, req, &before, state, speaker)
}

// repeats reports whether a message was answered already: the gateway asks again when a replica dies. What was
// sent after the reply is not sent again, since it may have arrived.
func (h *Handler) repeats(before *record, req *logicv1.ReplyRequest) bool {
	return before.Rule == h.rule && before.MessageKey != "" && before.MessageKey == req.GetMessageKey()
}

// advance says what is to be said and stores how far the dialogue has come. Of two messages at once one counts;
// the other is told what that one was told.
func (h *Handler) advance(ctx context.Context, req *logicv1.ReplyRequest, before *record, state State, speaker Speaker) (route.Answer, error) {
	answer, err := speaker.AnswerWith(ctx, req, state.Answers)
	if err != nil {
		return route.Answer{}, err
	}
	next, life := &record{State: state, Rule: h.rule, MessageKey: req.GetMessageKey()}, h.script.Timeout
	if state.Over {
		// What the follower has answered is kept no longer than it is needed.
		next.Answers, life = nil, afterlife
	}
	if answer.Reply != nil {
		if next.Reply, err = proto.Marshal(answer.Reply); err != nil {
			return route.Answer{}, fmt.Errorf("write down the reply of a dialogue: %w", err)
		}
	}
	faster, err := h.store.replace(ctx, followerOf(req.GetMessage()), before, next, life)
	switch {
	case err != nil:
		return route.Answer{}, err
	case faster != nil:
		return faster.said()
	}
	return answer, nil
}
