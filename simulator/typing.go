package simulator

import (
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

const (
	// typingWindow is how recent the follower's last message must be (客服输入状态).
	typingWindow = 30 * time.Second
	// typingShown is how long the follower's client shows the state, if it isn't
	// cancelled and no message follows.
	typingShown = 15 * time.Second
)

// typingRequest is the body of message/custom/typing.
type typingRequest struct {
	ToUser  string `json:"touser"`
	Command string `json:"command"`
}

// sendTyping serves POST /cgi-bin/message/custom/typing. Nothing is written into the
// chat: the state passes.
func (p *Platform) sendTyping(r *apiRequest) apiAnswer {
	var asked typingRequest
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	recipient, code := r.recipient(asked.ToUser)
	if code != errcode.OK {
		return refuse(code)
	}

	code = recipient.typing(asked.Command, r.now)
	if code == errcode.OK {
		p.state.hub.publish(topicChat) // The phone shows it.
	}

	return refuse(code)
}

// typing shows or hides that somebody answers the follower.
func (f *follower) typing(command string, now time.Time) errcode.Code {
	switch command {
	case "Typing":
		if f.lastMessage.IsZero() || now.Sub(f.lastMessage) > typingWindow {
			return errcode.TypingWindow
		}
		if now.Before(f.typingUntil) {
			return errcode.TypingTwice
		}
		f.typingUntil = now.Add(typingShown)

		return errcode.OK
	case "CancelTyping":
		f.typingUntil = time.Time{}

		return errcode.OK
	default:
		return errcode.TypingCommand
	}
}
