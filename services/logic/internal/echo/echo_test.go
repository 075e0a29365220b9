package echo_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/echo"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

func TestAnswer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		message *messagev1.Message
		want    *messagev1.Reply // nil: the next rule is asked
	}{
		"text": {
			&messagev1.Message{Content: &messagev1.Message_Text{Text: &messagev1.Text{Content: " 你好 {{ .Content }} <a>", MenuEntryId: "1"}}},
			&messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: " 你好 {{ .Content }} <a>"}}},
		},
		"picture": {
			&messagev1.Message{Content: &messagev1.Message_Image{Image: &messagev1.Image{MediaId: "P", PicUrl: "http://x"}}},
			&messagev1.Reply{Content: &messagev1.Reply_Image{Image: &messagev1.ImageReply{MediaId: "P"}}},
		},
		"voice message": {
			&messagev1.Message{Content: &messagev1.Message_Voice{Voice: &messagev1.Voice{MediaId: "V", Recognition: "你好"}}},
			&messagev1.Reply{Content: &messagev1.Reply_Voice{Voice: &messagev1.VoiceReply{MediaId: "V"}}},
		},
		"video": {
			&messagev1.Message{Content: &messagev1.Message_Video{Video: &messagev1.Video{MediaId: "F", ThumbMediaId: "T"}}},
			&messagev1.Reply{Content: &messagev1.Reply_Video{Video: &messagev1.VideoReply{MediaId: "F"}}},
		},
		"empty text":       {&messagev1.Message{Content: &messagev1.Message_Text{Text: &messagev1.Text{}}}, nil},
		"picture by link":  {&messagev1.Message{Content: &messagev1.Message_Image{Image: &messagev1.Image{PicUrl: "http://x"}}}, nil},
		"voice without id": {&messagev1.Message{Content: &messagev1.Message_Voice{Voice: &messagev1.Voice{Recognition: "你好"}}}, nil},
		"video without id": {&messagev1.Message{Content: &messagev1.Message_Video{Video: &messagev1.Video{ThumbMediaId: "T"}}}, nil},
		"location":         {&messagev1.Message{Content: &messagev1.Message_Location{Location: &messagev1.Location{Label: "x"}}}, nil},
		"link":             {&messagev1.Message{Content: &messagev1.Message_Link{Link: &messagev1.Link{Url: "http://x"}}}, nil},
		"event":            {&messagev1.Message{Content: &messagev1.Message_Event{Event: &messagev1.Event{Name: "CLICK"}}}, nil},
		"no content":       {&messagev1.Message{MsgType: "new_type"}, nil},
		"no message":       {nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer, err := echo.Handler{}.Answer(t.Context(), &logicv1.ReplyRequest{Message: test.message})
			if errors.Is(err, route.ErrPass) != (test.want == nil) || (test.want != nil && err != nil) {
				t.Errorf("%v", err)
			}
			if diff := cmp.Diff(route.Answer{Reply: test.want}, answer, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
