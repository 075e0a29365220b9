package simulator

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// maxCustomText is the limit of a text in bytes.
const maxCustomText = 2048

// sendCustomMessage serves POST /cgi-bin/message/custom/send, and its sister business/send, whose businessid any may be.
func (p *Platform) sendCustomMessage(r *apiRequest) apiAnswer {
	var message customMessage
	if code := r.decodeText(&message); code != errcode.OK {
		return refuse(code)
	}
	recipient, code := r.recipient(message.ToUser)
	if code != errcode.OK {
		return refuse(code)
	}
	switch {
	case recipient.blacklisted:
		return refuse(errcode.Blacklisted)
	case recipient.refuses:
		return refuse(errcode.Refused)
	case !r.state.agents.may(message.Agent.Account):
		return refuse(errcode.Agent)
	}
	line, code := message.line(r.knownMedia)
	if code != errcode.OK {
		return refuse(code)
	}
	if code := recipient.spend(r.now); code != errcode.OK {
		return refuse(code)
	}
	line.Side, line.Channel, line.Type = SideAccount, ChannelCustom, message.MsgType
	recipient.typingUntil = time.Time{} // The message ends the state 正在输入.
	p.say(recipient, line)

	return refuse(errcode.OK)
}

// knownMedia reports whether the account has a file of one of the kinds, temporary
// or permanent.
func (r *apiRequest) knownMedia(id string, kinds ...string) bool {
	return r.state.media(id, r.now, kinds...) != nil
}

// recipient returns the follower that a message is for.
func (r *apiRequest) recipient(openID string) (*follower, errcode.Code) {
	known, ok := r.state.followers[openID]
	switch {
	case !ok:
		return nil, errcode.OpenID
	case !known.following:
		return nil, errcode.NotFollowing
	default:
		return known, errcode.OK
	}
}

// hasUnicodeEscape reports whether a JSON text has \uXXXX escapes of characters
// that could stand for themselves. WeChat wants real characters.
func hasUnicodeEscape(body []byte) bool {
	for position := 0; position < len(body)-1; position++ {
		if body[position] != '\\' {
			continue
		}
		position++ // Whatever is escaped, an escaped backslash above all, is skipped.
		if body[position] == 'u' && !isControlEscape(body[position:]) {
			return true
		}
	}

	return false
}

// isControlEscape reports whether an escape stands for a control character or a
// line separator, which encoders may have to escape.
func isControlEscape(escape []byte) bool {
	var value string
	const length = len("u0000")
	if len(escape) < length {
		return false
	}
	quoted := bytes.Join([][]byte{[]byte(`"\`), escape[:length], []byte(`"`)}, nil)
	if err := json.Unmarshal(quoted, &value); err != nil {
		return false
	}

	return value < " " || value == "\u2028" || value == "\u2029" || value == "\x7f"
}
