// Package reply makes answers from templates: the canned replies (固定回复) that rule files describe.
package reply

import (
	"context"
	"errors"
	"fmt"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/route"
)

const (
	// MaxTextBytes is how long a text may be, in bytes of UTF-8: 微信公众平台
	// “发送消息-被动回复消息”. Longer ones are cut, because what WeChat does with them is not documented.
	MaxTextBytes = 2048
	// MaxArticlesToMessage is how many articles (图文) a passive reply to a message may have.
	MaxArticlesToMessage = 1
	// MaxArticlesToEvent is how many articles a passive reply to an event may have.
	MaxArticlesToEvent = 8
	// MaxArticlesToSend is how many articles a customer-service message may have.
	MaxArticlesToSend = 1
	// maxFieldBytes bounds fields whose length WeChat does not document: media ids, titles, addresses.
	maxFieldBytes = 4096
)

// ErrEmpty says that a field that WeChat requires came out empty.
var ErrEmpty = errors.New("is empty")

// Content makes one message to the follower. The kinds are Text, Image, Voice, Video, Music, News,
// Transfer and TransferAI. A nil Content is silence.
type Content interface {
	build(f *filler) *messagev1.Reply
}

// Text answers with text (文本).
type Text struct{ Content *Template }

// Image answers with a picture (图片).
type Image struct{ MediaID *Template }

// Voice answers with a voice message (语音).
type Voice struct{ MediaID *Template }

// Video answers with a video (视频).
type Video struct{ MediaID, Title, Description *Template }

// Music answers with music (音乐).
type Music struct{ Title, Description, MusicURL, HQMusicURL, ThumbMediaID *Template }

// News answers with articles (图文).
type News struct{ Articles []Article }

// Article is one article of News.
type Article struct{ Title, Description, PicURL, URL *Template }

// Transfer hands the message to the account's human agents (转发消息到客服).
type Transfer struct{ KfAccount string }

// TransferAI hands the message to WeChat's own AI reply (智能回复).
type TransferAI struct{}

// Canned is the handler of a rule whose answer stands in the rule file.
type Canned struct {
	// Reply is nil for silence.
	Reply Content
	Send  []Message
}

// Message is a customer-service message (客服消息) that follows the reply.
type Message struct {
	Content   Content
	KfAccount string
}

var _ route.PromptHandler = (*Canned)(nil)

// Prompt marks a handler that never waits.
func (*Canned) Prompt() {}

// Answer fills in the templates. It fails when a template does, or when a required field comes out
// empty; then nothing is sent at all.
func (c *Canned) Answer(ctx context.Context, req *logicv1.ReplyRequest) (route.Answer, error) {
	return c.AnswerWith(ctx, req, nil)
}

// AnswerWith is Answer in a dialogue, where templates may use what the follower has answered so far.
func (c *Canned) AnswerWith(_ context.Context, req *logicv1.ReplyRequest, answers map[string]string) (route.Answer, error) {
	f := &filler{data: viewOf(req, answers)}
	answer := route.Answer{}
	if c.Reply != nil {
		answer.Reply = c.Reply.build(f)
	}
	if f.err != nil {
		return route.Answer{}, fmt.Errorf("reply: %w", f.err)
	}
	for i, message := range c.Send {
		answer.Send = append(answer.Send, route.Message{Content: message.Content.build(f), KfAccount: message.KfAccount})
		if f.err != nil {
			return route.Answer{}, fmt.Errorf("send[%d]: %w", i, f.err)
		}
	}
	answer.Truncated = f.truncated

	return answer, nil
}

// filler executes templates and keeps the first error, so that the kinds below read as lists of fields.
type filler struct {
	data      data
	truncated bool
	err       error
}

// fill fills a text that a follower reads, which may be cut.
func (f *filler) fill(name string, t *Template) string {
	text, truncated, err := t.execute(&f.data, MaxTextBytes)
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("%s: %w", name, err)
	}
	f.truncated = f.truncated || truncated

	return text
}

// field fills an identifier or address, which cutting would spoil.
func (f *filler) field(name string, t *Template) string {
	text, truncated, err := t.execute(&f.data, maxFieldBytes)
	if truncated {
		err = fmt.Errorf("longer than %d bytes", maxFieldBytes)
	}
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("%s: %w", name, err)
	}

	return text
}

func (f *filler) required(name, text string) string {
	if text == "" && f.err == nil {
		f.err = fmt.Errorf("%s %w", name, ErrEmpty)
	}

	return text
}

func (t Text) build(f *filler) *messagev1.Reply {
	return &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{
		Content: f.required("text", f.fill("text", t.Content)),
	}}}
}

func (i Image) build(f *filler) *messagev1.Reply {
	return &messagev1.Reply{Content: &messagev1.Reply_Image{Image: &messagev1.ImageReply{
		MediaId: f.required("media_id", f.field("media_id", i.MediaID)),
	}}}
}

func (v Voice) build(f *filler) *messagev1.Reply {
	return &messagev1.Reply{Content: &messagev1.Reply_Voice{Voice: &messagev1.VoiceReply{
		MediaId: f.required("media_id", f.field("media_id", v.MediaID)),
	}}}
}

func (v Video) build(f *filler) *messagev1.Reply {
	return &messagev1.Reply{Content: &messagev1.Reply_Video{Video: &messagev1.VideoReply{
		MediaId:     f.required("media_id", f.field("media_id", v.MediaID)),
		Title:       f.fill("title", v.Title),
		Description: f.fill("description", v.Description),
	}}}
}

func (m Music) build(f *filler) *messagev1.Reply {
	return &messagev1.Reply{Content: &messagev1.Reply_Music{Music: &messagev1.MusicReply{
		Title:        f.fill("title", m.Title),
		Description:  f.fill("description", m.Description),
		MusicUrl:     f.field("music_url", m.MusicURL),
		HqMusicUrl:   f.field("hq_music_url", m.HQMusicURL),
		ThumbMediaId: f.required("thumb_media_id", f.field("thumb_media_id", m.ThumbMediaID)),
	}}}
}

func (n News) build(f *filler) *messagev1.Reply {
	news := &messagev1.NewsReply{}
	for _, article := range n.Articles {
		news.Articles = append(news.Articles, &messagev1.Article{
			Title:       f.required("title", f.fill("title", article.Title)),
			Description: f.fill("description", article.Description),
			PicUrl:      f.field("pic_url", article.PicURL),
			Url:         f.field("url", article.URL),
		})
	}

	return &messagev1.Reply{Content: &messagev1.Reply_News{News: news}}
}

func (t Transfer) build(*filler) *messagev1.Reply {
	return &messagev1.Reply{Content: &messagev1.Reply_TransferCustomerService{
		TransferCustomerService: &messagev1.TransferCustomerServiceReply{KfAccount: t.KfAccount},
	}}
}

func (TransferAI) build(*filler) *messagev1.Reply {
	return &messagev1.Reply{Content: &messagev1.Reply_TransferBizAiIvr{TransferBizAiIvr: &messagev1.TransferBizAiIvrReply{}}}
}
