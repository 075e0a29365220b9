package reply

import (
	"errors"
	"fmt"

	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
)

// Check returns what is wrong with a reply that somebody else made: what WeChat requires and it lacks, or
// more than WeChat shows. The length of texts is no fault, since long ones are sent in parts.
func Check(r *messagev1.Reply, toEvent bool) error {
	switch content := r.GetContent().(type) {
	case *messagev1.Reply_Text:
		return required("text.content", content.Text.GetContent())
	case *messagev1.Reply_Image:
		return required("image.media_id", content.Image.GetMediaId())
	case *messagev1.Reply_Voice:
		return required("voice.media_id", content.Voice.GetMediaId())
	case *messagev1.Reply_Video:
		return required("video.media_id", content.Video.GetMediaId())
	case *messagev1.Reply_Music:
		return required("music.thumb_media_id", content.Music.GetThumbMediaId())
	case *messagev1.Reply_News:
		return checkNews(content.News, toEvent)
	case *messagev1.Reply_TransferCustomerService, *messagev1.Reply_TransferBizAiIvr:
		if toEvent {
			return errors.New("messages can be handed over, not events")
		}
		return nil
	default:
		return errors.New("has no content")
	}
}

func required(name, value string) error {
	if value == "" {
		return fmt.Errorf("%s %w", name, ErrEmpty)
	}

	return nil
}

func checkNews(news *messagev1.NewsReply, toEvent bool) error {
	limit := MaxArticlesToMessage
	if toEvent {
		limit = MaxArticlesToEvent
	}
	if n := len(news.GetArticles()); n == 0 || n > limit {
		return fmt.Errorf("news has %d articles; it needs one at least, and WeChat shows %d here", n, limit)
	}
	for i, article := range news.GetArticles() {
		if err := required(fmt.Sprintf("news.articles[%d].title", i), article.GetTitle()); err != nil {
			return err
		}
	}

	return nil
}
