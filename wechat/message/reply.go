package message

import (
	"errors"
	"fmt"
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
// MusicReply, NewsReply and TransferCustomerService, always by value. The nil
// Reply acknowledges the push and shows the follower nothing.
type Reply interface {
	// isReply keeps the set closed: WeChat knows no other types.
	isReply()
}

// TextReply answers with text (文本). Links are written <a href="…">…</a>, line
// breaks \n.
type TextReply struct {
	// Content is required, at most MaxTextBytes long.
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

func (TextReply) isReply()               {}
func (ImageReply) isReply()              {}
func (VoiceReply) isReply()              {}
func (VideoReply) isReply()              {}
func (MusicReply) isReply()              {}
func (NewsReply) isReply()               {}
func (TransferCustomerService) isReply() {}

// Render writes the reply to the push in as XML: to the follower who sent it, from
// the account that received it. The time now is in Unix seconds; WeChat records
// it and does nothing else with it. A nil reply gives Success.
//
// A reply that WeChat would not show is refused with an error that wraps
// ErrInvalidReply and names the field and the rule.
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

	w := writer{}
	w.raw("<xml>")
	w.text("ToUserName", in.FromUserName)
	w.text("FromUserName", in.ToUserName)
	w.raw("<CreateTime>" + strconv.FormatInt(now, 10) + "</CreateTime>")
	w.reply(r)
	w.raw("</xml>")

	return w.buffer, nil
}

// Validate checks a reply without writing it: required fields, the length of a
// text, the number of articles against maxArticles, and characters that XML
// forbids. Its error wraps ErrInvalidReply and joins all faults.
func Validate(r Reply, maxArticles int) error {
	var faults []error
	switch r := r.(type) {
	case TextReply:
		faults = []error{checkText(r.Content)}
	case ImageReply:
		faults = []error{checkRequired("Image.MediaId", r.MediaID)}
	case VoiceReply:
		faults = []error{checkRequired("Voice.MediaId", r.MediaID)}
	case VideoReply:
		faults = []error{
			checkRequired("Video.MediaId", r.MediaID),
			checkCharacters("Video.Title", r.Title),
			checkCharacters("Video.Description", r.Description),
		}
	case MusicReply:
		faults = []error{
			checkRequired("Music.ThumbMediaId", r.ThumbMediaID),
			checkCharacters("Music.Title", r.Title),
			checkCharacters("Music.Description", r.Description),
			checkCharacters("Music.MusicUrl", r.MusicURL),
			checkCharacters("Music.HQMusicUrl", r.HQMusicURL),
		}
	case NewsReply:
		faults = checkArticles(r.Articles, maxArticles)
	case TransferCustomerService:
		faults = []error{checkCharacters("TransInfo.KfAccount", r.KfAccount)}
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
		return fmt.Errorf("field Content has %d bytes, at most %d are allowed", len(content), MaxTextBytes)
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
			checkCharacters(prefix+"Description", article.Description),
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
// silently would change what somebody meant to say.
func checkCharacters(name, value string) error {
	if at := firstForbidden(value); at >= 0 {
		return fmt.Errorf("field %s has at byte %d a character that XML forbids (a control character or broken UTF-8), remove it",
			name, at)
	}

	return nil
}

// writer appends XML to a buffer. Strings go into CDATA, in which line breaks
// and links need no escaping, as in WeChat's own examples.
type writer struct {
	buffer []byte
}

// raw appends markup.
func (w *writer) raw(markup string) {
	w.buffer = append(w.buffer, markup...)
}

// text appends an element with a value in CDATA.
func (w *writer) text(name, value string) {
	w.raw("<" + name + ">" + cdataStart)
	// "]]>" would end the section, so a second one begins in its midst.
	w.raw(strings.ReplaceAll(value, "]]>", "]]]]>"+cdataStart+">"))
	w.raw("]]></" + name + ">")
}

// optional appends an element unless its value is empty.
func (w *writer) optional(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

// reply appends the elements that depend on the type, for a valid reply.
func (w *writer) reply(r Reply) {
	switch r := r.(type) {
	case TextReply:
		w.text("MsgType", TypeText)
		w.text("Content", r.Content)
	case ImageReply:
		w.text("MsgType", TypeImage)
		w.media("Image", r.MediaID)
	case VoiceReply:
		w.text("MsgType", TypeVoice)
		w.media("Voice", r.MediaID)
	case VideoReply:
		w.text("MsgType", TypeVideo)
		w.raw("<Video>")
		w.text("MediaId", r.MediaID)
		w.optional("Title", r.Title)
		w.optional("Description", r.Description)
		w.raw("</Video>")
	case MusicReply:
		w.text("MsgType", "music")
		w.raw("<Music>")
		w.optional("Title", r.Title)
		w.optional("Description", r.Description)
		w.optional("MusicUrl", r.MusicURL)
		w.optional("HQMusicUrl", r.HQMusicURL)
		w.text("ThumbMediaId", r.ThumbMediaID)
		w.raw("</Music>")
	case NewsReply:
		w.news(r.Articles)
	case TransferCustomerService:
		w.text("MsgType", "transfer_customer_service")
		if r.KfAccount != "" {
			w.raw("<TransInfo>")
			w.text("KfAccount", r.KfAccount)
			w.raw("</TransInfo>")
		}
	}
}

// media appends the body of the types that are a media id and nothing else.
func (w *writer) media(name, mediaID string) {
	w.raw("<" + name + ">")
	w.text("MediaId", mediaID)
	w.raw("</" + name + ">")
}

// news appends articles. All four elements are written even when empty, because
// the platform lists all of them as required.
func (w *writer) news(articles []Article) {
	w.text("MsgType", "news")
	w.raw("<ArticleCount>" + strconv.Itoa(len(articles)) + "</ArticleCount><Articles>")
	for _, article := range articles {
		w.raw("<item>")
		w.text("Title", article.Title)
		w.text("Description", article.Description)
		w.text("PicUrl", article.PicURL)
		w.text("Url", article.URL)
		w.raw("</item>")
	}
	w.raw("</Articles>")
}
