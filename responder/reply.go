package responder

import (
	"context"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
)

// Silence shows the follower nothing.
func Silence() *logicv1.ReplyResponse { return &logicv1.ReplyResponse{} }

// Text answers with text (文本). Of one over 2048 bytes the gateway sends the rest as a late answer.
func Text(content string) *logicv1.ReplyResponse {
	return reply(&messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: content}}})
}

// Image answers with a picture (图片), by its media id.
func Image(mediaID string) *logicv1.ReplyResponse {
	return reply(&messagev1.Reply{Content: &messagev1.Reply_Image{Image: &messagev1.ImageReply{MediaId: mediaID}}})
}

// Voice answers with a voice message (语音), by its media id.
func Voice(mediaID string) *logicv1.ReplyResponse {
	return reply(&messagev1.Reply{Content: &messagev1.Reply_Voice{Voice: &messagev1.VoiceReply{MediaId: mediaID}}})
}

// Video answers with a video (视频), of which only the media id is required.
func Video(video *messagev1.VideoReply) *logicv1.ReplyResponse {
	return reply(&messagev1.Reply{Content: &messagev1.Reply_Video{Video: video}})
}

// Music answers with music (音乐), of which only the media id of the thumbnail is required.
func Music(music *messagev1.MusicReply) *logicv1.ReplyResponse {
	return reply(&messagev1.Reply{Content: &messagev1.Reply_Music{Music: music}})
}

// News answers with articles (图文): one to a message, up to eight to an event.
func News(articles ...*messagev1.Article) *logicv1.ReplyResponse {
	return reply(&messagev1.Reply{Content: &messagev1.Reply_News{News: &messagev1.NewsReply{Articles: articles}}})
}

// Transfer hands the message to the account's human agents (转发消息到客服): to one of them, as name@account, or
// to whoever is online.
func Transfer(kfAccount string) *logicv1.ReplyResponse {
	return reply(&messagev1.Reply{Content: &messagev1.Reply_TransferCustomerService{
		TransferCustomerService: &messagev1.TransferCustomerServiceReply{KfAccount: kfAccount},
	}})
}

// TransferAI hands the message, which must not be an event, to WeChat's own AI reply (智能回复).
func TransferAI() *logicv1.ReplyResponse {
	return reply(&messagev1.Reply{Content: &messagev1.Reply_TransferBizAiIvr{TransferBizAiIvr: &messagev1.TransferBizAiIvrReply{}}})
}

func reply(content *messagev1.Reply) *logicv1.ReplyResponse {
	return &logicv1.ReplyResponse{Reply: content}
}

// Always returns a PromptHandler that gives every message the same response, which must not be changed any more.
func Always(resp *logicv1.ReplyResponse) Handler { return always{resp} }

type always struct{ resp *logicv1.ReplyResponse }

// Reply implements Handler.
func (a always) Reply(context.Context, *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	return a.resp, nil
}

// ReplyAtOnce implements PromptHandler.
func (a always) ReplyAtOnce(context.Context, *logicv1.ReplyRequest) (*logicv1.ReplyResponse, bool, error) {
	return a.resp, true, nil
}
