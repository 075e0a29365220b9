package rpcapi

import (
	"github.com/wxstack/wxstack/chassis/fault"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/wechat/message"
)

// replyOf turns the message of a request into the type that WeChat's JSON is made from.
func replyOf(m *messagev1.Reply) (message.Reply, error) {
	switch content := m.GetContent().(type) {
	case *messagev1.Reply_Text:
		return message.TextReply{Content: content.Text.GetContent()}, nil
	case *messagev1.Reply_Image:
		return message.ImageReply{MediaID: content.Image.GetMediaId()}, nil
	case *messagev1.Reply_Voice:
		return message.VoiceReply{MediaID: content.Voice.GetMediaId()}, nil
	case *messagev1.Reply_Video:
		v := content.Video
		return message.VideoReply{MediaID: v.GetMediaId(), Title: v.GetTitle(), Description: v.GetDescription()}, nil
	case *messagev1.Reply_Music:
		m := content.Music
		return message.MusicReply{
			Title: m.GetTitle(), Description: m.GetDescription(), MusicURL: m.GetMusicUrl(),
			HQMusicURL: m.GetHqMusicUrl(), ThumbMediaID: m.GetThumbMediaId(),
		}, nil
	case *messagev1.Reply_News:
		return message.NewsReply{Articles: articlesOf(content.News.GetArticles())}, nil
	case *messagev1.Reply_TransferCustomerService:
		return nil, fault.New(fault.Invalid,
			"field message: transfer_customer_service can only answer a message; it cannot be sent later")
	case *messagev1.Reply_TransferBizAiIvr:
		return nil, fault.New(fault.Invalid,
			"field message: transfer_biz_ai_ivr can only answer a message; it cannot be sent later")
	}
	return nil, fault.New(fault.Invalid, "field message: it has no content, so there is nothing to send")
}

func articlesOf(articles []*messagev1.Article) []message.Article {
	out := make([]message.Article, 0, len(articles))
	for _, a := range articles {
		out = append(out, message.Article{
			Title: a.GetTitle(), Description: a.GetDescription(), PicURL: a.GetPicUrl(), URL: a.GetUrl(),
		})
	}
	return out
}
