package simulator

import (
	"strconv"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

func subscriptionEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/cgi-bin/message/template/subscribe": post((*Platform).sendOnce),
		"/cgi-bin/message/subscribe/bizsend":  post((*Platform).sendSubscription),
	}
}

// subscriptionMessage is what a user subscribed to: once (一次性订阅消息) or by a template (订阅通知).
type subscriptionMessage struct {
	templateMessage

	Scene string `json:"scene"`
	Title string `json:"title"`
}

// subscription reads a message of either kind and who gets it. That the user subscribed is not checked: the simulator's
// users never refuse a dialogue.
func (r *apiRequest) subscription() (subscriptionMessage, *follower, string, errcode.Code) {
	var message subscriptionMessage
	if code := r.decodeText(&message); code != errcode.OK {
		return message, nil, "", code
	}
	known, ok := r.state.followers[message.ToUser]
	if !ok {
		return message, nil, "", errcode.OpenID
	}
	values, code := message.values()
	switch position := r.state.templates.find(message.TemplateID); {
	case code != errcode.OK:
		return message, nil, "", code
	case position < 0:
		return message, nil, "", errcode.TemplateID
	default:
		return message, known, r.state.templates.templates[position].fill(values), errcode.OK
	}
}

// sendOnce serves POST /cgi-bin/message/template/subscribe.
func (p *Platform) sendOnce(r *apiRequest) apiAnswer {
	message, recipient, text, code := r.subscription()
	switch {
	case code != errcode.OK:
		return refuse(code)
	case message.Title == "" || message.Scene == "":
		return refuse(errcode.Arguments)
	}
	p.say(recipient, ChatEntry{Side: SideAccount, Channel: ChannelTemplate, Type: "template", Text: message.Title + "\n" + text})

	return refuse(errcode.OK)
}

// sendSubscription serves POST /cgi-bin/message/subscribe/bizsend; subscribe_msg_sent_event tells how it went.
func (p *Platform) sendSubscription(r *apiRequest) apiAnswer {
	message, recipient, text, code := r.subscription()
	if code != errcode.OK {
		return refuse(code)
	}
	p.say(recipient, ChatEntry{Side: SideAccount, Channel: ChannelTemplate, Type: "template", Text: text})
	const list = "SubscribeMsgSentEvent/List/"
	p.report(r.state, Push{From: recipient.openID, Event: "subscribe_msg_sent_event", Fields: map[string]string{
		list + "TemplateId": message.TemplateID, list + "MsgID": strconv.FormatInt(p.messages.Add(1), 10),
		list + "ErrorCode": "0", list + "ErrorStatus": "success",
	}})

	return refuse(errcode.OK)
}
