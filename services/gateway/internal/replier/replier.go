// Package replier asks the logic service, over gRPC, what a follower is to be answered.
package replier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wxstack/wxstack/chassis/fault"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	"github.com/wxstack/wxstack/wechat/message"
)

// The pauses between two attempts to reach a logic service that is not available.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = time.Second
)

// Client asks the logic service: with many questions in one call where the service offers that, and with
// a call for each where it does not, or not at the moment.
type Client struct {
	conn  *grpc.ClientConn
	logic logicv1.LogicServiceClient
	lines *lines
}

// New returns a Client over conn, which stays the caller's to close after the Client.
func New(conn *grpc.ClientConn) *Client {
	logic := logicv1.NewLogicServiceClient(conn)
	return &Client{conn: conn, logic: logic, lines: newLines(logic)}
}

// Close breaks the calls that are open and waits for their ends.
func (c *Client) Close() { c.lines.close() }

// Reply returns the reply to a message, nil for none, and the name of the rule that decided. Logic is
// told deliveryEnds, when WeChat drops the delivery that is the cause of asking, and budgetEnds, when the
// last delivery of the message ends. An answer may be of use after both, so neither ends the call.
//
// While logic is not available Reply goes on asking until ctx ends. Any other failure is returned at
// once, as a fault whose kind is logic's.
func (c *Client) Reply(ctx context.Context, appID string, in message.Message, deliveryEnds, budgetEnds time.Time) (message.Reply, string, error) {
	asked, key := toProto(appID, in), in.Key()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		answer, err := c.ask(ctx, &logicv1.ReplyRequest{
			Message: asked, MessageKey: key,
			DeliveryTimeLeft: timeLeft(deliveryEnds), BudgetTimeLeft: timeLeft(budgetEnds),
		})
		if err == nil {
			reply, err := fromProto(answer.GetReply())
			return reply, answer.GetRule(), err
		}
		if !worthRepeating(err) {
			return nil, "", fmt.Errorf("ask logic: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, "", fault.Wrap(fault.Deadline, err, "logic was not available in time")
		case <-time.After(max(pause, fault.RetryAfter(err))):
		}
	}
}

// Begin asks like Reply, but returns at once, if there is a line to ask on; otherwise it returns nil. It
// returns how to cancel the question. The function done is called with what comes of it, and must not wait;
// again says that logic was not available, and that Reply is to be called.
func (c *Client) Begin(
	appID string, in message.Message, deliveryEnds, budgetEnds, until time.Time,
	done func(reply message.Reply, rule string, again bool, err error),
) (cancel func()) {
	l := c.lines.pick()
	if l == nil {
		return nil
	}
	id, ok := l.begin(Request(appID, in, time.Until(deliveryEnds), time.Until(budgetEnds)), until, func(r result) {
		switch {
		case r.err == nil:
			reply, err := fromProto(r.response.GetReply())
			done(reply, r.response.GetRule(), false, err)
		case errors.Is(r.err, errNotAsked), worthRepeating(r.err):
			done(nil, "", true, r.err)
		default:
			done(nil, "", false, fmt.Errorf("ask logic: %w", r.err))
		}
	})
	if !ok {
		return nil
	}
	return func() { l.cancel(id) }
}

// Copy gives logic a copy of a question that another service answers, and returns what logic would have replied.
// It asks once, and fails at once if logic cannot be reached. Of the two times logic is told what was left of
// them when the other one was asked.
func (c *Client) Copy(ctx context.Context, appID string, in message.Message, deliveryLeft, budgetLeft time.Duration) (message.Reply, string, error) {
	question := Request(appID, in, deliveryLeft, budgetLeft)
	question.Shadow = true
	answer, err := c.ask(ctx, question, grpc.WaitForReady(false))
	if err != nil {
		return nil, "", fmt.Errorf("ask logic: %w", err)
	}
	reply, err := fromProto(answer.GetReply())
	return reply, answer.GetRule(), err
}

// Request is what logic is asked about a message.
func Request(appID string, in message.Message, deliveryLeft, budgetLeft time.Duration) *logicv1.ReplyRequest {
	return &logicv1.ReplyRequest{
		Message: toProto(appID, in), MessageKey: in.Key(),
		DeliveryTimeLeft: durationpb.New(max(0, deliveryLeft)), BudgetTimeLeft: durationpb.New(max(0, budgetLeft)),
	}
}

// ask asks once, on a line if there is one.
func (c *Client) ask(ctx context.Context, question *logicv1.ReplyRequest, options ...grpc.CallOption) (*logicv1.ReplyResponse, error) {
	if l := c.lines.pick(); l != nil {
		answer, err := l.ask(ctx, question)
		if !errors.Is(err, errNotAsked) {
			return answer, err
		}
	}
	return c.logic.Reply(ctx, question, options...)
}

// worthRepeating reports whether the same question can get an answer a little later.
func worthRepeating(err error) bool {
	kind := fault.KindOf(err)
	return kind == fault.Unavailable || kind == fault.Throttled
}

// timeLeft is the time until end, zero when it is over.
func timeLeft(end time.Time) *durationpb.Duration {
	return durationpb.New(max(0, time.Until(end)))
}

// errUnreachable is what Watch reports. The reason stands in the error of the first call that fails.
var errUnreachable = errors.New("no logic service can be reached")

// Watch reports, until ctx is done, whether a logic service can be reached: nil or the reason why not.
// It also makes the connection before the first message needs it.
func (c *Client) Watch(ctx context.Context, report func(error)) error {
	for {
		state := c.conn.GetState()
		switch state {
		case connectivity.Idle:
			c.conn.Connect()
		case connectivity.Ready:
			report(nil)
		case connectivity.TransientFailure:
			report(fmt.Errorf("%w at %s, check the address and whether it runs", errUnreachable, c.conn.Target()))
		case connectivity.Connecting, connectivity.Shutdown:
			// Nothing is known yet, or nothing matters any more.
		}
		if !c.conn.WaitForStateChange(ctx, state) {
			return nil
		}
	}
}
