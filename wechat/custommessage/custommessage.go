// Package custommessage writes the JSON bodies of customer-service messages
// (客服消息), by which an account writes to a follower of its own accord: POST
// /cgi-bin/message/custom/send. Marshal makes one from a reply, for example one that
// came too late to be passive; MarshalContent writes what no reply can be.
//
// Source: 微信公众平台 “客服接口-发消息”. Whether a message may be sent at all
// depends on what the follower did last and when: see Record. WeChat answers 45015
// or 45047 when it may not.
package custommessage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wxstack/wxstack/wechat/message"
)

// MaxArticles is how many articles one customer-service message may have, since
// October 2018. WeChat answers 45008 to more.
const MaxArticles = 1

// ErrUnsupported says that a reply has no counterpart among customer-service
// messages.
var ErrUnsupported = errors.New("reply cannot be sent as a customer-service message")

// Marshal returns the body that sends r to the follower toUser (an OpenID). With
// kfAccount (name@account) the message comes from that agent, otherwise from the
// account itself.
//
// TransferCustomerService, TransferBizAIIVR and the nil reply give an error wrapping
// ErrUnsupported: they are passive replies by nature. A reply that WeChat would
// refuse gives one wrapping message.ErrInvalidReply. What message.Clean removes is
// left out.
//
// Text is written in real characters, since WeChat shows \u escapes as they are.
func Marshal(toUser string, r message.Reply, kfAccount string) ([]byte, error) {
	if toUser == "" {
		return nil, fmt.Errorf("%w: field touser is empty, it is the follower's OpenID", message.ErrInvalidReply)
	}
	if err := errors.Join(checkID("touser", toUser), checkID("customservice.kf_account", kfAccount)); err != nil {
		return nil, fmt.Errorf("%w: %w", message.ErrInvalidReply, err)
	}
	if r == nil {
		return nil, fmt.Errorf("%w: there is no reply", ErrUnsupported)
	}
	if err := message.Validate(r, MaxArticles); err != nil {
		return nil, fmt.Errorf("customer-service message: %w", err)
	}
	b := body{ToUser: toUser}
	if err := b.fill(message.Clean(r)); err != nil {
		return nil, err
	}

	return b.encode(kfAccount)
}

// encode writes the body, from the agent if one is named.
func (b *body) encode(kfAccount string) ([]byte, error) {
	if kfAccount != "" {
		b.Agent = &agent{KfAccount: kfAccount}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // otherwise a link's < would become \u003c
	if err := encoder.Encode(b); err != nil {
		return nil, fmt.Errorf("customer-service message: %w", err)
	}

	return unescapeSeparators(bytes.TrimSuffix(out.Bytes(), []byte("\n"))), nil
}

// unescapeSeparators writes the line and the paragraph separator (U+2028, U+2029) as themselves, which
// encoding/json escapes for the sake of old browsers.
func unescapeSeparators(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		switch {
		case bytes.HasPrefix(text, []byte(`\u2028`)):
			out, text = append(out, "\u2028"...), text[len(`\u2028`):]
		case bytes.HasPrefix(text, []byte(`\u2029`)):
			out, text = append(out, "\u2029"...), text[len(`\u2029`):]
		case text[0] == '\\': // what is escaped, such as a backslash, begins no escape itself.
			out, text = append(out, text[:2]...), text[2:]
		default:
			out, text = append(out, text[0]), text[1:]
		}
	}

	return out
}

// body is the request of /cgi-bin/message/custom/send; exactly one content is set.
type body struct {
	ToUser  string `json:"touser"`
	MsgType string `json:"msgtype"`

	Text            *text            `json:"text,omitempty"`
	Image           *media           `json:"image,omitempty"`
	Voice           *media           `json:"voice,omitempty"`
	Video           *video           `json:"video,omitempty"`
	Music           *music           `json:"music,omitempty"`
	News            *news            `json:"news,omitempty"`
	MpNews          *media           `json:"mpnews,omitempty"`
	MpNewsArticle   *publishedNews   `json:"mpnewsarticle,omitempty"`
	Menu            *menu            `json:"msgmenu,omitempty"`
	Card            *card            `json:"wxcard,omitempty"`
	MiniProgramPage *miniProgramPage `json:"miniprogrampage,omitempty"`
	Link            *link            `json:"link,omitempty"`

	Agent *agent `json:"customservice,omitempty"`
}

type text struct {
	Content string `json:"content"`
}

type media struct {
	MediaID string `json:"media_id"`
}

// video has no thumb_media_id where it is made from a passive reply, which has
// none either.
type video struct {
	MediaID      string `json:"media_id"`
	ThumbMediaID string `json:"thumb_media_id,omitempty"`
	Title        string `json:"title,omitempty"`
	Description  string `json:"description,omitempty"`
}

// music has its addresses without underscores, unlike every other field; so
// WeChat wants it.
type music struct {
	Title        string `json:"title,omitempty"`
	Description  string `json:"description,omitempty"`
	MusicURL     string `json:"musicurl"`
	HQMusicURL   string `json:"hqmusicurl"`
	ThumbMediaID string `json:"thumb_media_id"`
}

type news struct {
	Articles []article `json:"articles"`
}

type article struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	URL         string `json:"url"`
	PicURL      string `json:"picurl"`
}

type agent struct {
	KfAccount string `json:"kf_account"`
}

// fill sets the content that r becomes.
func (b *body) fill(r message.Reply) error {
	switch r := r.(type) {
	case message.TextReply:
		b.MsgType, b.Text = "text", &text{Content: r.Content}
	case message.ImageReply:
		b.MsgType, b.Image = "image", &media{MediaID: r.MediaID}
	case message.VoiceReply:
		b.MsgType, b.Voice = "voice", &media{MediaID: r.MediaID}
	case message.VideoReply:
		b.MsgType = "video"
		b.Video = &video{MediaID: r.MediaID, Title: r.Title, Description: r.Description}
	case message.MusicReply:
		b.MsgType = "music"
		b.Music = &music{
			Title: r.Title, Description: r.Description,
			MusicURL: r.MusicURL, HQMusicURL: r.HQMusicURL, ThumbMediaID: r.ThumbMediaID,
		}
	case message.NewsReply:
		b.MsgType, b.News = "news", &news{Articles: make([]article, 0, len(r.Articles))}
		for _, a := range r.Articles {
			b.News.Articles = append(b.News.Articles,
				article{Title: a.Title, Description: a.Description, URL: a.URL, PicURL: a.PicURL})
		}
	default:
		return fmt.Errorf("%w: %T", ErrUnsupported, r)
	}

	return nil
}
