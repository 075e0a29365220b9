package late

import (
	"fmt"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/custommessage"
	"github.com/wxstack/wxstack/wechat/errcode"
	"github.com/wxstack/wxstack/wechat/message"
)

// maxParts is how many customer-service messages a follower's message allows, within 48 hours, before
// WeChat answers 45047 (微信公众平台 “客服消息”, 下发额度). To pick more than that up would try anybody's patience.
const maxParts = 5

const (
	// more ends a part that the next one follows only when the follower writes again.
	more = "\n（回复任意内容查看余下部分）"
	// cut ends a text whose rest is not sent.
	cut = "…"
)

// Split returns what brings a reply to the follower: a passive reply, and what has to come after it, if the
// reply is a text longer than WeChat takes in one piece. With the policy drop nothing may come after it.
func Split(r message.Reply, policy account.LateAnswerPolicy) (passive message.Reply, rest []message.Reply) {
	pieces := 1 + maxParts
	if policy == account.LateAnswerDrop {
		pieces = 1
	}
	replies := split(r, policy, pieces)
	return replies[0], replies[1:]
}

// split returns the pieces of a reply, at most so many; what is beyond is cut off.
func split(r message.Reply, policy account.LateAnswerPolicy, pieces int) []message.Reply {
	text, ok := r.(message.TextReply)
	if !ok || len(text.Content) <= message.MaxTextBytes {
		return []message.Reply{r}
	}
	ending := ""
	if policy == account.LateAnswerPickup {
		ending = more
	}
	contents := message.SplitText(text.Content, message.MaxTextBytes-len(ending))
	if len(contents) > pieces {
		contents = contents[:pieces]
		contents[pieces-1] = message.SplitText(contents[pieces-1], message.MaxTextBytes-len(cut))[0] + cut
	}
	replies := make([]message.Reply, 0, len(contents))
	for i, content := range contents {
		if i < len(contents)-1 {
			content += ending
		}
		replies = append(replies, message.TextReply{Content: content})
	}
	return replies
}

// Encode writes replies as the parts of a Job: bodies of customer-service messages, or passive replies to
// the text with which the follower picks them up. Its error names the rule of WeChat's that a reply breaks.
func Encode(replies []message.Reply, in message.Message, policy account.LateAnswerPolicy, now time.Time) ([][]byte, error) {
	parts := make([][]byte, 0, len(replies))
	for _, r := range replies {
		var part []byte
		var err error
		if policy == account.LateAnswerPickup {
			// It answers a text then, whatever it was that the follower sent first.
			text := in
			text.MsgType, text.Event = message.TypeText, nil
			part, err = message.Render(r, text, now.Unix())
		} else {
			part, err = custommessage.Marshal(in.FromUserName, r, "")
		}
		if err != nil {
			return nil, fmt.Errorf("late answer: %w", err)
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// verdict is what became of an attempt to send a part.
type verdict struct {
	outcome outcome
	// again says that the attempt is worth repeating, after the given time at least.
	again bool
	after time.Duration
	// reason is for the operator, with the remedy if there is one.
	reason error
}

const (
	// firstPause doubles with each attempt up to maxPause.
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second
	// maxUnknown is how often the proxy is asked what became of a message that it may have sent.
	maxUnknown = 3
)

// judge decides what to do after an attempt, given the number of attempts before it and how many of them
// ended without it being known what became of the message.
//
// All attempts carry one idempotency key: the proxy makes the call once, whoever asks.
func judge(answer *apiproxyv1.CallResponse, err error, attempts, unknown int) verdict {
	pause := min(firstPause<<min(attempts, 10), maxPause)
	if err != nil {
		switch fault.KindOf(err) {
		case fault.Unavailable, fault.Throttled:
			return verdict{outcome: outcomeFailed, again: true, after: max(pause, fault.RetryAfter(err)), reason: err}
		case fault.Deadline:
			if after := fault.RetryAfter(err); after > 0 { // The proxy is still at it.
				return verdict{outcome: outcomeFailed, again: true, after: after, reason: err}
			}
			return verdict{outcome: outcomeUnknown, again: unknown+1 < maxUnknown, after: pause, reason: err}
		default:
			return verdict{outcome: outcomeFailed, reason: err}
		}
	}
	code := errcode.Code(answer.GetErrcode())
	switch code.Class() {
	case errcode.OK:
		return verdict{outcome: outcomeSent}
	case errcode.Busy, errcode.RateLimited, errcode.TokenRejected:
		return verdict{outcome: outcomeRefused, again: true, after: pause, reason: refusal(code, answer)}
	default:
		return verdict{outcome: outcomeRefused, reason: refusal(code, answer)}
	}
}

func refusal(code errcode.Code, answer *apiproxyv1.CallResponse) error {
	return fmt.Errorf("WeChat refused the customer-service message: errcode %d %s; %s", code, answer.GetErrmsg(), code.Remedy())
}
