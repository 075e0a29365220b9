package dialogue_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/dialogue"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// says is a speaker that says its own name.
type says string

func (s says) AnswerWith(context.Context, *logicv1.ReplyRequest, map[string]string) (route.Answer, error) {
	return route.Answer{Reply: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: string(s)}}}}, nil
}

func form() dialogue.Script {
	return dialogue.Script{
		Timeout: time.Minute, Exits: []string{"退出", "Quit"}, Goodbye: says("goodbye"), End: says("end"),
		Steps: []dialogue.Step{
			{Save: "name", Ask: says("name?"), Retry: says("name again"), Attempts: 2, GiveUp: says("no name")},
			{Save: "phone", Ask: says("phone?"), Retry: says("phone again"), Attempts: 3, GiveUp: says("no phone"), Expect: dialogue.Expectation{Pattern: regexp.MustCompile(`^1\d{10}$`)}},
			{Save: "half", Ask: says("half?"), Retry: says("half again"), Attempts: 3, GiveUp: says("no half"), Expect: dialogue.Expectation{Choices: []string{"AM", "PM"}}},
			{Save: "photo", Ask: says("photo?"), Retry: says("photo again"), Attempts: 3, GiveUp: says("no photo"), Expect: dialogue.Expectation{Type: "image"}},
		},
	}
}

func text(content string) *messagev1.Message {
	return &messagev1.Message{AppId: "wx1", FromUserName: "o1", MsgType: "text", Content: &messagev1.Message_Text{Text: &messagev1.Text{Content: content}}}
}

func image(mediaID string) *messagev1.Message {
	return &messagev1.Message{AppId: "wx1", FromUserName: "o1", MsgType: "image", Content: &messagev1.Message_Image{Image: &messagev1.Image{MediaId: mediaID}}}
}

func TestNext(t *testing.T) {
	t.Parallel()
	type state = dialogue.State
	type answers = map[string]string
	tests := map[string]struct {
		state state
		msg   *messagev1.Message
		want  state
		says  says
	}{
		"first answer":         {state{Step: "name"}, text(" 张三\n"), state{Step: "phone", Answers: answers{"name": "张三"}}, "phone?"},
		"picture for a text":   {state{Step: "name"}, image("P"), state{Step: "name", Failed: 1}, "name again"},
		"blank":                {state{Step: "name"}, text(" \n"), state{Step: "name", Failed: 1}, "name again"},
		"endless":              {state{Step: "name"}, text(strings.Repeat("x", 5000)), state{Step: "name", Failed: 1}, "name again"},
		"no more attempts":     {state{Step: "name", Failed: 1}, image("P"), state{Over: true}, "no name"},
		"pattern fits":         {state{Step: "phone", Answers: answers{"name": "a"}}, text("13800000000"), state{Step: "half", Answers: answers{"name": "a", "phone": "13800000000"}}, "half?"},
		"pattern does not fit": {state{Step: "phone", Answers: answers{"name": "a"}}, text("138"), state{Step: "phone", Failed: 1, Answers: answers{"name": "a"}}, "phone again"},
		"the count starts new": {state{Step: "phone", Failed: 2}, text("13800000000"), state{Step: "half", Answers: answers{"phone": "13800000000"}}, "half?"},
		"a choice":             {state{Step: "half"}, text("pm"), state{Step: "photo", Answers: answers{"half": "PM"}}, "photo?"},
		"no choice":            {state{Step: "half"}, text("noon"), state{Step: "half", Failed: 1}, "half again"},
		"last answer":          {state{Step: "photo", Answers: answers{"name": "a"}}, image("P"), state{Over: true, Answers: answers{"name": "a", "photo": "P"}}, "end"},
		"text for a picture":   {state{Step: "photo"}, text("P"), state{Step: "photo", Failed: 1}, "photo again"},
		"picture without id":   {state{Step: "photo"}, image(""), state{Step: "photo", Failed: 1}, "photo again"},
		"way out":              {state{Step: "photo", Answers: answers{"name": "a"}}, text(" quit "), state{Over: true}, "goodbye"},
		"out of the question":  {state{Step: "former"}, text("x"), state{Over: true}, "goodbye"},
		"no state":             {state{}, text("x"), state{Over: true}, "goodbye"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := form()
			before := len(test.state.Answers)
			got, speaker := script.Next(test.state, test.msg)
			if diff := cmp.Diff(test.want, got); diff != "" || speaker != test.says {
				t.Errorf("says %v, want %v (-want +got):\n%s", speaker, test.says, diff)
			}
			if len(test.state.Answers) != before {
				t.Error("the state before was changed")
			}
		})
	}
}

// TestEveryTypeCanBeKept: a step may expect any of Types, and something is kept of each.
func TestEveryTypeCanBeKept(t *testing.T) {
	t.Parallel()
	messages := map[string]*messagev1.Message{
		"text":       text("x"),
		"image":      image("x"),
		"voice":      {Content: &messagev1.Message_Voice{Voice: &messagev1.Voice{MediaId: "x"}}},
		"video":      {Content: &messagev1.Message_Video{Video: &messagev1.Video{MediaId: "x"}}},
		"shortvideo": {Content: &messagev1.Message_Video{Video: &messagev1.Video{MediaId: "x"}}},
		"location":   {Content: &messagev1.Message_Location{Location: &messagev1.Location{Label: "x"}}},
		"link":       {Content: &messagev1.Message_Link{Link: &messagev1.Link{Url: "x"}}},
	}
	for _, kind := range dialogue.Types() {
		msg, has := messages[kind]
		if !has {
			t.Errorf("no message of type %s", kind)
			continue
		}
		msg.MsgType = kind
		script := form()
		script.Steps = []dialogue.Step{{Save: "it", Expect: dialogue.Expectation{Type: kind}, Attempts: 2}}
		if got, _ := script.Next(dialogue.State{Step: "it"}, msg); !got.Over || got.Answers["it"] != "x" {
			t.Errorf("%s: %+v", kind, got)
		}
		if got, _ := script.Next(dialogue.State{Step: "it"}, &messagev1.Message{MsgType: "file"}); got.Failed != 1 {
			t.Errorf("%s: a file will do: %+v", kind, got)
		}
	}
	somewhere := &messagev1.Message{MsgType: "location", Content: &messagev1.Message_Location{Location: &messagev1.Location{Latitude: 23.125, Longitude: 113.5}}}
	script := form()
	script.Steps = []dialogue.Step{{Save: "it", Expect: dialogue.Expectation{Type: "location"}, Attempts: 2}}
	if got, _ := script.Next(dialogue.State{Step: "it"}, somewhere); got.Answers["it"] != "23.125,113.5" {
		t.Errorf("a place without a label is kept as %+v", got)
	}
}
