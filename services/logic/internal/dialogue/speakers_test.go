package dialogue_test

import (
	"context"
	"errors"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// sends is a speaker that shows nothing and sends one message.
type sends struct{}

func (sends) AnswerWith(context.Context, *logicv1.ReplyRequest, map[string]string) (route.Answer, error) {
	return route.Answer{Send: []route.Message{{Content: &messagev1.Reply{}}}}, nil
}

// meanwhile is a speaker during whose words something happens.
type meanwhile struct {
	says

	happens func()
}

func (m *meanwhile) AnswerWith(ctx context.Context, req *logicv1.ReplyRequest, answers map[string]string) (route.Answer, error) {
	m.happens()

	return m.says.AnswerWith(ctx, req, answers)
}

// repeatsTheMessage is a speaker that says what the follower wrote, after something else has happened.
type repeatsTheMessage struct{ after func() }

func (r repeatsTheMessage) AnswerWith(ctx context.Context, req *logicv1.ReplyRequest, answers map[string]string) (route.Answer, error) {
	r.after()

	return says(req.GetMessage().GetText().GetContent()).AnswerWith(ctx, req, answers)
}

// backend is a speaker that others are asked by: it takes the answers or is away.
type backend struct {
	away  bool
	says  route.Answer
	err   error
	taken []map[string]string
}

func (b *backend) AnswerWith(_ context.Context, _ *logicv1.ReplyRequest, answers map[string]string) (route.Answer, error) {
	if b.away {
		return route.Answer{}, route.Fail(route.ReasonBackend, errors.New("connection refused"))
	}
	b.taken = append(b.taken, answers)

	return b.says, b.err
}
