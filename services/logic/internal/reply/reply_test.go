package reply_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/fields"
	"github.com/wxstack/wxstack/services/logic/internal/reply"
)

func text(content string) *messagev1.Message {
	return &messagev1.Message{MsgType: "text", FromUserName: "o1", Content: &messagev1.Message_Text{Text: &messagev1.Text{Content: content}}}
}

func asked(msg *messagev1.Message) *logicv1.ReplyRequest { return &logicv1.ReplyRequest{Message: msg} }

func TestTemplate(t *testing.T) {
	t.Parallel()
	everything := &messagev1.Message{
		AppId: "wx1", ToUserName: "gh_1", FromUserName: "o1", CreateTime: 2, MsgId: 3, MsgType: "event",
		Content: &messagev1.Message_Event{Event: &messagev1.Event{
			Name: "LOCATION", Key: "k", Ticket: "t", Position: &messagev1.Position{Latitude: 23.5, Longitude: 113.25, Precision: 40},
		}},
	}
	scanned := &messagev1.Message{Content: &messagev1.Message_Event{Event: &messagev1.Event{Name: "subscribe", Key: "qrscene_shop-7"}}}
	tests := map[string]struct {
		source string
		msg    *messagev1.Message
		want   string
	}{
		"no placeholder":  {"a } b", text("x"), "a } b"},
		"content":         {"你说：{{ .Content }}", text("<&>"), "你说：<&>"},
		"content is data": {"{{ .Content }}", text("{{ .MsgID }}"), "{{ .MsgID }}"},
		"condition":       {"{{ if eq .Content \"a\" }}是{{ else }}否{{ end }}", text("b"), "否"},
		"with":            {"{{ with .Content }}[{{ . }}]{{ end }}{{ $.MsgType }}", text("b"), "[b]text"},
		"function":        {"{{ printf \"%05d\" .MsgID }}", everything, "00003"},
		"event":           {"{{ .AppID }} {{ .ToUserName }} {{ .FromUserName }} {{ .CreateTime }} {{ .Event }} {{ .EventKey }} {{ .Ticket }}", everything, "wx1 gh_1 o1 2 LOCATION k t"},
		"time":            {"{{ .Time.Format \"15:04\" }}", everything, "08:00"},
		"scene":           {"{{ .Scene }}", scanned, "shop-7"},
		"position":        {"{{ .Latitude }} {{ .Longitude }} {{ .Precision }}", everything, "23.5 113.25 40"},
		"comment":         {"{{/* why */}}a", text("x"), "a"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parsed, err := reply.ParseTemplate(test.source)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := (&reply.Canned{Reply: reply.Text{Content: parsed}}).Answer(t.Context(), asked(test.msg))
			if err != nil {
				t.Fatal(err)
			}
			if got := answer.Reply.GetText().GetContent(); got != test.want || answer.Truncated {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	parsed, err := reply.ParseTemplate("{{ .Content }}{{ .Content }}")
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{strings.Repeat("长", 400), strings.Repeat("a", 1025), strings.Repeat("a长", 1<<18)} {
		answer, err := (&reply.Canned{Reply: reply.Text{Content: parsed}}).Answer(t.Context(), asked(text(content)))
		got := answer.Reply.GetText().GetContent()
		if err != nil || !answer.Truncated || len(got) > reply.MaxTextBytes || len(got) < reply.MaxTextBytes-4 ||
			!utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
			t.Errorf("cut to %d bytes, truncated %v, %v", len(got), answer.Truncated, err)
		}
	}
}

func TestAnswerFails(t *testing.T) {
	t.Parallel()
	content, err := reply.ParseTemplate("{{ .Content }}")
	if err != nil {
		t.Fatal(err)
	}
	short, err := reply.ParseTemplate("{{ slice .Content 0 5 }}")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		canned  reply.Canned
		content string
		want    string
	}{
		"empty text":    {reply.Canned{Reply: reply.Text{Content: content}}, "", "reply: text is empty"},
		"empty media":   {reply.Canned{Reply: reply.Image{MediaID: content}}, "", "reply: media_id is empty"},
		"absent media":  {reply.Canned{Reply: reply.Voice{}}, "x", "reply: media_id is empty"},
		"endless media": {reply.Canned{Reply: reply.Video{MediaID: content}}, strings.Repeat("x", 5000), "reply: media_id: longer than 4096 bytes"},
		"execution":     {reply.Canned{Reply: reply.Text{Content: short}}, "ab", "reply: text: "},
		"send": {
			reply.Canned{Send: []reply.Message{{Content: reply.Transfer{}}, {Content: reply.Text{Content: short}}}},
			"ab", "send[1]: text: ",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, err := test.canned.Answer(t.Context(), asked(text(test.content)))
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("want %q, got %v", test.want, err)
			}
			if answer.Reply != nil || answer.Send != nil {
				t.Errorf("a failed rule answered %+v", answer)
			}
		})
	}
}

func TestFieldsCoverTheSample(t *testing.T) {
	t.Parallel()
	for _, field := range fields.Names() {
		if _, err := reply.ParseTemplate("{{ if not ." + field + " }}{{ slice .Content 0 999 }}{{ end }}"); err != nil {
			t.Errorf("the sample has no value for .%s: %v", field, err)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("你说：{{ .Content }}", "内容")
	f.Add("{{ if .MediaID }}{{ printf \"%9999999d\" .MsgID }}{{ end }}", "")
	f.Add("{{ with $x := .Content }}{{ len $x }}{{ end }}{{ define \"a\" }}{{ end }}", "x")
	f.Fuzz(func(t *testing.T, source, content string) {
		parsed, err := reply.ParseTemplate(source)
		if err != nil {
			if !errors.Is(err, reply.ErrTemplate) {
				t.Errorf("%v is no ErrTemplate", err)
			}

			return
		}
		answer, err := (&reply.Canned{Reply: reply.Text{Content: parsed}}).Answer(t.Context(), asked(text(content)))
		if got := answer.Reply.GetText().GetContent(); (err == nil && got == "") || len(got) > reply.MaxTextBytes {
			t.Errorf("%d bytes with error %v", len(got), err)
		}
	})
}
