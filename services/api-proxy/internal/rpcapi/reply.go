package rpcapi

import (
	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/wechat/custommessage"
	"github.com/wxstack/wxstack/wechat/message"
)

// contentOf turns a message that cannot be a reply into the type that WeChat's JSON is made from; nil if the request
// has none.
func contentOf(req *apiproxyv1.SendCustomerServiceMessageRequest) custommessage.Content {
	switch other := req.GetOther().(type) {
	case *apiproxyv1.SendCustomerServiceMessageRequest_Mpnews:
		return custommessage.MpNews{MediaID: other.Mpnews.GetMediaId()}
	case *apiproxyv1.SendCustomerServiceMessageRequest_MpnewsArticle:
		return custommessage.MpNewsArticle{ArticleID: other.MpnewsArticle.GetArticleId()}
	case *apiproxyv1.SendCustomerServiceMessageRequest_Msgmenu:
		return menuOf(other.Msgmenu)
	case *apiproxyv1.SendCustomerServiceMessageRequest_Wxcard:
		return custommessage.Card{CardID: other.Wxcard.GetCardId()}
	case *apiproxyv1.SendCustomerServiceMessageRequest_MiniProgramPage:
		p := other.MiniProgramPage
		return custommessage.MiniProgramPage{
			Title: p.GetTitle(), AppID: p.GetAppId(), PagePath: p.GetPagePath(), ThumbMediaID: p.GetThumbMediaId(),
		}
	case *apiproxyv1.SendCustomerServiceMessageRequest_Link:
		l := other.Link
		return custommessage.Link{Title: l.GetTitle(), Description: l.GetDescription(), URL: l.GetUrl(), ThumbURL: l.GetThumbUrl()}
	case *apiproxyv1.SendCustomerServiceMessageRequest_Video:
		v := other.Video
		return custommessage.Video{
			MediaID: v.GetMediaId(), ThumbMediaID: v.GetThumbMediaId(), Title: v.GetTitle(), Description: v.GetDescription(),
		}
	}
	return nil
}

func menuOf(m *apiproxyv1.MsgMenu) custommessage.Menu {
	menu := custommessage.Menu{Head: m.GetHeadContent(), Tail: m.GetTailContent()}
	for _, c := range m.GetChoices() {
		menu.Choices = append(menu.Choices, custommessage.Choice{ID: c.GetId(), Content: c.GetContent()})
	}
	return menu
}

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
