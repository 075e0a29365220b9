package rpcapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	"github.com/wxstack/wxstack/wechat/custommessage"
	"github.com/wxstack/wxstack/wechat/message"

	"github.com/wxstack/wxstack/services/api-proxy/internal/caller"
	"github.com/wxstack/wxstack/services/api-proxy/internal/forward"
	"github.com/wxstack/wxstack/services/api-proxy/internal/idempotency"
	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
)

// sendPath is the API that sends customer-service messages (客服接口-发消息).
const sendPath = "/cgi-bin/message/custom/send"

// Allowances knows how many customer-service messages a follower still allows.
type Allowances interface {
	// Read returns what is known, the zero Record where nothing is, and the time that it was read at.
	Read(ctx context.Context, appID, openID string) (custommessage.Record, time.Time)
}

// SendCustomerServiceMessage sends a customer-service message (客服消息), a long text in parts.
func (s *Server) SendCustomerServiceMessage(
	ctx context.Context, req *apiproxyv1.SendCustomerServiceMessageRequest,
) (*apiproxyv1.SendCustomerServiceMessageResponse, error) {
	parts, err := partsOf(req)
	if err != nil {
		return nil, err
	}
	c, err := s.calls.Admit(ctx, forward.Call{
		Caller: caller.FromContext(ctx), AppID: req.GetAppId(), Method: http.MethodPost, Target: target.Target{Path: sendPath}, Key: req.GetIdempotencyKey(),
	})
	if err != nil {
		return nil, err
	}
	resp, err := s.sendParts(ctx, c, parts)
	if err != nil {
		return nil, err
	}
	resp.Allowance = allowanceOf(s.allowances.Read(ctx, c.AppID, req.GetToUser()))
	return resp, nil
}

// sendParts sends the parts of a message in order, up to the first that WeChat refuses.
func (s *Server) sendParts(ctx context.Context, c forward.Call, parts [][]byte) (*apiproxyv1.SendCustomerServiceMessageResponse, error) {
	key, resp := c.Key, &apiproxyv1.SendCustomerServiceMessageResponse{}
	for i, part := range parts {
		c.Key = partKey(key, i)
		answer, err := s.sendPart(ctx, c, part)
		if err != nil {
			return nil, interrupted(err, i, len(parts), key)
		}
		resp.Errcode, resp.Errmsg = answer.GetErrcode(), answer.GetErrmsg()
		if resp.GetErrcode() != 0 {
			break
		}
		resp.PartsSent++
	}
	return resp, nil
}

func (s *Server) sendPart(ctx context.Context, c forward.Call, part []byte) (*apiproxyv1.CallResponse, error) {
	answer, err := s.send(ctx, c, part)
	if err == nil && answer.GetHttpStatus() != http.StatusOK && answer.GetErrcode() == 0 {
		// Not Unavailable: a client would send it again, and the follower might get it twice.
		return nil, fault.New(fault.Deadline, "WeChat answered HTTP %d without a verdict; the message may have been sent", answer.GetHttpStatus())
	}
	return answer, err
}

// interrupted says how far a message came that could not be sent to its end. What must not be sent again as a whole,
// because nothing protects the parts that the follower has, is no Unavailable and bears no retry-after.
func interrupted(err error, sent, of int, key string) error {
	if sent == 0 {
		return err
	}
	kind, wait, reason := fault.KindOf(err), fault.RetryAfter(err), "it failed by our own fault"
	if known, ok := errors.AsType[*fault.Error](err); ok && kind != fault.Internal {
		reason = known.Message()
	}
	remedy := "a repeat with the same idempotency_key doesn't send those again"
	if key == "" {
		kind, wait = fault.Deadline, 0
		remedy = "don't send the whole again, the follower would get those twice; an idempotency_key prevents that"
	}
	if kind == fault.Internal { // whose message would not reach the caller.
		kind = fault.Deadline
	}
	return fault.Wrap(kind, err, "%d of %d parts were sent, then: %s; %s", sent, of, reason, remedy).WithRetryAfter(wait)
}

// partKey derives the idempotency key of a part, so that a repeat of the whole finds what became of each. The first
// keeps the key of the whole, as if it were the only one. A key with no room for a number is replaced by its hash.
func partKey(key string, part int) string {
	if key == "" || part == 0 {
		return key
	}
	suffix := "#" + strconv.Itoa(part+1)
	if len(key)+len(suffix) > idempotency.MaxKeyBytes {
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:])
	}
	return key + suffix
}

// partsOf writes what is to be sent: one body for WeChat, or several of a long text.
func partsOf(req *apiproxyv1.SendCustomerServiceMessageRequest) ([][]byte, error) {
	if other := contentOf(req); other != nil {
		if req.GetMessage() != nil {
			return nil, fault.New(fault.Invalid, "field message is set and so is one of its alternatives; a request sends one message, so set one of them")
		}
		body, err := custommessage.MarshalContent(req.GetToUser(), other, req.GetKfAccount())
		if err != nil {
			return nil, unsendable(err)
		}
		return [][]byte{body}, nil
	}
	reply, err := replyOf(req.GetMessage())
	if err != nil {
		return nil, err
	}
	replies, err := split(reply)
	if err != nil {
		return nil, err
	}
	parts := make([][]byte, 0, len(replies))
	for _, r := range replies {
		body, err := custommessage.Marshal(req.GetToUser(), r, req.GetKfAccount())
		if err != nil {
			return nil, unsendable(err)
		}
		parts = append(parts, body)
	}
	return parts, nil
}

func unsendable(err error) error {
	return fault.Wrap(fault.Invalid, err, "the message cannot be sent: %v", err)
}

// split cuts a text that is too long for one message. Nothing that a follower does allows more than
// custommessage.MaxPerMessage, so that more would surely be cut off in the middle.
func split(r message.Reply) ([]message.Reply, error) {
	text, ok := r.(message.TextReply)
	if !ok || len(text.Content) <= message.MaxTextBytes {
		return []message.Reply{r}, nil
	}
	contents := message.SplitText(text.Content, message.MaxTextBytes)
	if len(contents) > custommessage.MaxPerMessage {
		return nil, fault.New(fault.Invalid,
			"field message: a text of %d bytes takes %d messages, but a follower allows %d at the most; shorten it to about %d bytes",
			len(text.Content), len(contents), custommessage.MaxPerMessage, custommessage.MaxPerMessage*message.MaxTextBytes)
	}
	if len(contents) == 0 {
		return nil, fault.New(fault.Invalid, "field message: there is nothing to see in the text")
	}
	replies := make([]message.Reply, 0, len(contents))
	for _, content := range contents {
		replies = append(replies, message.TextReply{Content: content})
	}
	return replies, nil
}

// allowanceOf says what a record means at a time.
func allowanceOf(r custommessage.Record, now time.Time) *apiproxyv1.Allowance {
	a := &apiproxyv1.Allowance{Known: r.Known(now), Left: int32(r.Left(now))} //nolint:gosec // a record counts to 65535 at most.
	if end := r.LeftUntil(now); !end.IsZero() {
		a.EndTime = timestamppb.New(end)
	}
	return a
}
