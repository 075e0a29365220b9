// Package echo sends a message back to whoever wrote it (回声): text for text, the same picture for a picture.
package echo

import (
	"context"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// Handler answers texts, pictures, voice messages and videos with themselves.
type Handler struct{}

var _ route.PromptHandler = Handler{}

// Prompt marks a handler that never waits.
func (Handler) Prompt() {}

// Answer passes on what cannot be sent back: other types, and media without an id.
func (Handler) Answer(_ context.Context, req *logicv1.ReplyRequest) (route.Answer, error) {
	reply := &messagev1.Reply{}
	switch content := req.GetMessage().GetContent().(type) {
	case *messagev1.Message_Text:
		if content.Text.GetContent() == "" {
			return route.Answer{}, route.ErrPass
		}
		reply.Content = &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: content.Text.GetContent()}}
	case *messagev1.Message_Image:
		reply.Content = &messagev1.Reply_Image{Image: &messagev1.ImageReply{MediaId: content.Image.GetMediaId()}}
	case *messagev1.Message_Voice:
		reply.Content = &messagev1.Reply_Voice{Voice: &messagev1.VoiceReply{MediaId: content.Voice.GetMediaId()}}
	case *messagev1.Message_Video:
		reply.Content = &messagev1.Reply_Video{Video: &messagev1.VideoReply{MediaId: content.Video.GetMediaId()}}
	default:
		return route.Answer{}, route.ErrPass
	}
	if reply.GetText() == nil && mediaID(reply) == "" {
		return route.Answer{}, route.ErrPass
	}
	return route.Answer{Reply: reply}, nil
}

// mediaID returns the media id of a picture, voice message or video.
func mediaID(reply *messagev1.Reply) string {
	return reply.GetImage().GetMediaId() + reply.GetVoice().GetMediaId() + reply.GetVideo().GetMediaId()
}
