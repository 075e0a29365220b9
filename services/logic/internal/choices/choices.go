// Package choices asks followers a question with choices (菜单消息). What they tap comes back as a text with the
// id of the choice (bizmsgmenuid).
package choices

import (
	"context"
	"fmt"
	"strings"

	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/reply"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// Question is the handler of a rule that asks one.
type Question struct {
	// Head and Tail are shown above and below the choices; nil: nothing.
	Head, Tail *reply.Template
	Choices    []Choice
	// AsLinks asks by a passive reply with links, which every account may send, instead of a customer-service
	// message, which looks better and needs the right to those.
	AsLinks bool
}

// Choice is one of the answers.
type Choice struct{ ID, Text string }

var _ route.PromptHandler = (*Question)(nil)

// Prompt marks a handler that never waits.
func (*Question) Prompt() {}

// Answer asks the question.
func (q *Question) Answer(_ context.Context, req *logicv1.ReplyRequest) (route.Answer, error) {
	head, err := q.Head.Fill(req, reply.MaxTextBytes)
	if err != nil {
		return route.Answer{}, err
	}
	tail, err := q.Tail.Fill(req, reply.MaxTextBytes)
	if err != nil {
		return route.Answer{}, err
	}
	if q.AsLinks {
		text := q.links(head, tail)
		if len(text) > reply.MaxTextBytes {
			// Cutting it would leave half a link.
			return route.Answer{}, fmt.Errorf("the question is %d bytes long for this message; WeChat shows %d: shorten head or tail", len(text), reply.MaxTextBytes)
		}

		return route.Answer{Reply: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: text}}}}, nil
	}
	menu := &apiproxyv1.MsgMenu{HeadContent: head, TailContent: tail}
	for _, choice := range q.Choices {
		menu.Choices = append(menu.Choices, &apiproxyv1.MsgMenu_Choice{Id: choice.ID, Content: choice.Text})
	}

	return route.Answer{Send: []route.Message{{Menu: menu}}}, nil
}

// Unlinkable are the characters that a choice asked by link must not have: whether clients undo an escape in the
// address is not known, while letters of all languages are known to work as they are.
const Unlinkable = "&#%+=?\"'<>"

// links writes a line for each choice. Tapping it sends the choice's text, with its id.
func (q *Question) links(head, tail string) string {
	lines := make([]string, 0, len(q.Choices)+2)
	if head != "" {
		lines = append(lines, head)
	}
	for _, choice := range q.Choices {
		lines = append(lines, `<a href="weixin://bizmsgmenu?msgmenucontent=`+choice.Text+`&msgmenuid=`+choice.ID+`">`+choice.Text+`</a>`)
	}
	if tail != "" {
		lines = append(lines, tail)
	}

	return strings.Join(lines, "\n")
}

// Size is how many bytes the question takes as links, without what head and tail take from the message.
func (q *Question) Size() int { return len(q.links(fixed(q.Head), fixed(q.Tail))) }

// fixed is the text of a template that has no placeholder.
func fixed(t *reply.Template) string {
	if t == nil {
		return ""
	}
	text, static := t.Static()
	if !static {
		return ""
	}

	return text
}
