package choices_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/choices"
	"github.com/wxstack/wxstack/services/logic/internal/reply"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

func template(t *testing.T, text string) *reply.Template {
	t.Helper()
	parsed, err := reply.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func wrote(text string) *logicv1.ReplyRequest {
	return &logicv1.ReplyRequest{Message: &messagev1.Message{
		MsgType: "text", FromUserName: "o1", Content: &messagev1.Message_Text{Text: &messagev1.Text{Content: text}},
	}}
}

func text(content string) route.Answer {
	return route.Answer{Reply: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: content}}}}
}

func menu(head, tail string) route.Answer {
	return route.Answer{Send: []route.Message{{Menu: &apiproxyv1.MsgMenu{
		HeadContent: head, TailContent: tail,
		Choices: []*apiproxyv1.MsgMenu_Choice{{Id: "1", Content: "是"}, {Id: "2", Content: "否"}},
	}}}}
}

func TestQuestion(t *testing.T) {
	t.Parallel()
	yesOrNo := []choices.Choice{{ID: "1", Text: "是"}, {ID: "2", Text: "否"}}
	const links = `<a href="weixin://bizmsgmenu?msgmenucontent=是&msgmenuid=1">是</a>` + "\n" +
		`<a href="weixin://bizmsgmenu?msgmenucontent=否&msgmenuid=2">否</a>`
	tests := map[string]struct {
		question choices.Question
		want     route.Answer
	}{
		"message":         {choices.Question{Choices: yesOrNo}, menu("", "")},
		"head and tail":   {choices.Question{Choices: yesOrNo, Head: template(t, "{{ .Content }}？"), Tail: template(t, "谢谢")}, menu("在吗？", "谢谢")},
		"links":           {choices.Question{Choices: yesOrNo, AsLinks: true}, text(links)},
		"links with both": {choices.Question{Choices: yesOrNo, Head: template(t, "{{ .Content }}？"), Tail: template(t, "谢谢"), AsLinks: true}, text("在吗？\n" + links + "\n谢谢")},
		"a head that came out empty": {
			choices.Question{Choices: yesOrNo, Head: template(t, "{{ .MenuEntryID }}"), AsLinks: true}, text(links),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, err := test.question.Answer(t.Context(), wrote("在吗"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, answer, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNoHalfLinks: what a follower wrote can make a question too long; then another rule answers, as cutting it
// would spoil a link.
func TestNoHalfLinks(t *testing.T) {
	t.Parallel()
	question := &choices.Question{Head: template(t, "{{ .Content }}"), Choices: []choices.Choice{{ID: "1", Text: "是"}}, AsLinks: true}
	room := reply.MaxTextBytes - question.Size() - len("\n")
	if answer, err := question.Answer(t.Context(), wrote(strings.Repeat("x", room))); err != nil || len(answer.Reply.GetText().GetContent()) != reply.MaxTextBytes {
		t.Errorf("what just fits: %d bytes, %v", len(answer.Reply.GetText().GetContent()), err)
	}
	answer, err := question.Answer(t.Context(), wrote(strings.Repeat("x", room+1)))
	if err == nil || answer.Reply != nil || !strings.Contains(err.Error(), "the question is 2049 bytes long for this message; WeChat shows 2048") {
		t.Errorf("%v, %v", answer, err)
	}
	if route.ReasonOf(err) != route.ReasonContent || strings.Contains(err.Error(), "xx") {
		t.Errorf("%s: %v", route.ReasonOf(err), err)
	}
}

func TestAFailingTemplateAsksNothing(t *testing.T) {
	t.Parallel()
	broken := "{{ if eq .Content \"x\" }}{{ slice .Content 5 }}{{ end }}"
	for name, question := range map[string]*choices.Question{
		"head": {Head: template(t, broken)},
		"tail": {Tail: template(t, broken)},
	} {
		if answer, err := question.Answer(t.Context(), wrote("x")); err == nil || answer.Send != nil {
			t.Errorf("%s: %v, %v", name, answer, err)
		}
	}
}
