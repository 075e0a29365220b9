package message

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrInvalidReply is what every error of Render and Validate wraps.
var ErrInvalidReply = errors.New("invalid reply")

const (
	// Success is the body that acknowledges a push without showing the follower
	// anything and without making WeChat deliver it again. It is sent as it is,
	// never encrypted.
	Success = "success"

	// MaxTextBytes is the greatest length of a text in bytes of UTF-8, about 680
	// Chinese characters. Source: 微信公众平台 “发送消息-被动回复消息”; what WeChat
	// does with a longer one is not documented.
	MaxTextBytes = 2048

	// MaxArticlesToMessage is how many articles may answer a message (text, image,
	// voice, video, location, link), since October 2018.
	MaxArticlesToMessage = 1

	// MaxArticlesToEvent is how many articles may answer an event.
	MaxArticlesToEvent = 8
)

// Reply is a passive reply: one of TextReply, ImageReply, VoiceReply, VideoReply,
// MusicReply, NewsReply, TransferCustomerService and TransferBizAIIVR, always by
// value. The nil Reply acknowledges the push and shows the follower nothing.
type Reply interface {
	// isReply keeps the set closed: WeChat knows no other types.
	isReply()
}

// TextReply answers with text (文本). Links are written <a href="…">…</a>, line
// breaks \n.
type TextReply struct {
	// Content is required, at most MaxTextBytes long; see SplitText.
	Content string
}

// ImageReply answers with a picture (图片).
type ImageReply struct {
	// MediaID is required: of uploaded material, or of a message received.
	MediaID string
}

// VoiceReply answers with a voice message (语音).
type VoiceReply struct {
	// MediaID is required.
	MediaID string
}

// VideoReply answers with a video (视频).
type VideoReply struct {
	// MediaID is required.
	MediaID     string
	Title       string
	Description string
}

// MusicReply answers with music (音乐).
type MusicReply struct {
	Title       string
	Description string
	MusicURL    string
	// HQMusicURL is what clients on Wi-Fi use.
	HQMusicURL string
	// ThumbMediaID is required: the cover's picture.
	ThumbMediaID string
}

// NewsReply answers with articles (图文): at most MaxArticlesToMessage or
// MaxArticlesToEvent, and at least one.
type NewsReply struct {
	Articles []Article
}

// Article is one entry of a NewsReply.
type Article struct {
	// Title is required.
	Title       string
	Description string
	// PicURL is the address of a JPG or PNG picture.
	PicURL string
	// URL is where a tap leads.
	URL string
}

// TransferCustomerService hands the message to the account's human agents
// (转发消息到客服).
type TransferCustomerService struct {
	// KfAccount is one agent's full account (name@account); empty: whoever is online.
	KfAccount string
}

// TransferBizAIIVR hands the message to WeChat's own AI reply (智能回复). It answers
// messages only, not events, and the account must have the feature enabled in the
// console.
type TransferBizAIIVR struct{}

func (TextReply) isReply()               {}
func (ImageReply) isReply()              {}
func (VoiceReply) isReply()              {}
func (VideoReply) isReply()              {}
func (MusicReply) isReply()              {}
func (NewsReply) isReply()               {}
func (TransferCustomerService) isReply() {}
func (TransferBizAIIVR) isReply()        {}

// Render writes the reply to the push in, in the format of the push: to the
// follower who sent it, from the account that received it. The time now is in Unix
// seconds; WeChat records it and does nothing else with it. A nil reply gives
// Success.
//
// What Clean removes is left out. A reply that WeChat would not show is refused
// with an error that wraps ErrInvalidReply and names the field and the rule.
func Render(r Reply, in Message, now int64) ([]byte, error) {
	if r == nil {
		return []byte(Success), nil
	}
	maxArticles := MaxArticlesToMessage
	if in.MsgType == TypeEvent {
		maxArticles = MaxArticlesToEvent
	}
	if err := errors.Join(
		checkRequired("ToUserName", in.FromUserName),
		checkRequired("FromUserName", in.ToUserName),
	); err != nil {
		return nil, fmt.Errorf("%w: the push has no one to answer: %w", ErrInvalidReply, err)
	}
	if err := Validate(r, maxArticles); err != nil {
		return nil, err
	}
	if _, ok := r.(TransferBizAIIVR); ok && in.MsgType == TypeEvent {
		return nil, fmt.Errorf("%w: transfer_biz_ai_ivr answers messages only, this is an event", ErrInvalidReply)
	}

	return in.Format.render(append([]node{
		{name: "ToUserName", text: in.FromUserName},
		{name: "FromUserName", text: in.ToUserName},
		{name: "CreateTime", text: strconv.FormatInt(now, 10), number: true},
	}, replyNodes(Clean(r))...)), nil
}

// Clean returns the reply without the characters that XML forbids, control
// characters and broken UTF-8, in the texts that people read: Content, Title and
// Description. They show nothing, so that losing them is better than losing the
// answer. In ids and addresses they are a fault, which Validate names.
func Clean(r Reply) Reply {
	switch r := r.(type) {
	case TextReply:
		r.Content = dropForbidden(r.Content)

		return r
	case VideoReply:
		r.Title, r.Description = dropForbidden(r.Title), dropForbidden(r.Description)

		return r
	case MusicReply:
		r.Title, r.Description = dropForbidden(r.Title), dropForbidden(r.Description)

		return r
	case NewsReply:
		articles := slices.Clone(r.Articles)
		for i, article := range articles {
			articles[i].Title, articles[i].Description = dropForbidden(article.Title), dropForbidden(article.Description)
		}

		return NewsReply{Articles: articles}
	default:
		return r
	}
}

// CleanText returns a text that people read without the characters that Clean
// removes. An id or address that it changes is a fault.
func CleanText(text string) string { return dropForbidden(text) }

// Validate checks a reply as Clean leaves it: required fields, the length of a
// text, the number of articles against maxArticles, and characters that XML
// forbids. Its error wraps ErrInvalidReply and joins all faults.
func Validate(r Reply, maxArticles int) error {
	var faults []error
	switch r := Clean(r).(type) {
	case TextReply:
		faults = []error{checkText(r.Content)}
	case ImageReply:
		faults = []error{checkRequired("Image.MediaId", r.MediaID)}
	case VoiceReply:
		faults = []error{checkRequired("Voice.MediaId", r.MediaID)}
	case VideoReply:
		faults = []error{checkRequired("Video.MediaId", r.MediaID)}
	case MusicReply:
		faults = []error{
			checkRequired("Music.ThumbMediaId", r.ThumbMediaID),
			checkCharacters("Music.MusicUrl", r.MusicURL),
			checkCharacters("Music.HQMusicUrl", r.HQMusicURL),
		}
	case NewsReply:
		faults = checkArticles(r.Articles, maxArticles)
	case TransferCustomerService:
		faults = []error{checkCharacters("TransInfo.KfAccount", r.KfAccount)}
	case TransferBizAIIVR: // has no fields
	default:
		// Pointers to the types above satisfy Reply too.
		faults = []error{fmt.Errorf("type %T is not a reply, pass the struct by value", r)}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidReply, err)
	}

	return nil
}

func checkText(content string) error {
	if len(content) > MaxTextBytes {
		return fmt.Errorf("field Content has %d bytes, at most %d are allowed: split it, see SplitText", len(content), MaxTextBytes)
	}

	return checkRequired("Content", content)
}

func checkArticles(articles []Article, maxArticles int) []error {
	if len(articles) == 0 {
		return []error{errors.New("field Articles is empty, at least one article is required")}
	}
	if len(articles) > maxArticles {
		return []error{fmt.Errorf("field Articles has %d articles, at most %d are allowed here: %d to a message, %d to an event",
			len(articles), maxArticles, MaxArticlesToMessage, MaxArticlesToEvent)}
	}
	var faults []error
	for i, article := range articles {
		prefix := "Articles[" + strconv.Itoa(i) + "]."
		faults = append(faults,
			checkRequired(prefix+"Title", article.Title),
			checkCharacters(prefix+"PicUrl", article.PicURL),
			checkCharacters(prefix+"Url", article.URL),
		)
	}

	return faults
}

// checkRequired refuses an empty value. White space alone counts as empty,
// because the follower would see nothing.
func checkRequired(name, value string) error {
	if strings.TrimSpace(value) == "" {
		return fmt.Errorf("field %s is empty, it is required", name)
	}

	return checkCharacters(name, value)
}

// checkCharacters refuses what no XML document can hold, even escaped. To drop it
// silently would make another id or address.
func checkCharacters(name, value string) error {
	if at := firstForbidden(value); at >= 0 {
		return fmt.Errorf("field %s has at byte %d a character that XML forbids (a control character or broken UTF-8), remove it",
			name, at)
	}

	return nil
}
