package custommessage

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/wxstack/wxstack/wechat/message"
)

// ErrInvalid is what every error of MarshalContent wraps.
var ErrInvalid = errors.New("invalid customer-service message")

// Content is what a customer-service message may hold and a reply may not: one of
// MpNews, MpNewsArticle, Menu, Card, MiniProgramPage, Link and Video, by value.
type Content interface {
	// fill sets the content of a body, cleaned, and returns all that is wrong with it.
	fill(b *body) []error
}

// MpNews is an article (图文消息) by the media_id of permanent material.
type MpNews struct {
	// MediaID is required. That of a draft made since there is the draft box (草稿箱)
	// is refused by WeChat: publish it and use MpNewsArticle.
	MediaID string
}

// MpNewsArticle is a published article (已发布的图文).
type MpNewsArticle struct {
	// ArticleID is required; it is what a publication (发布) results in.
	ArticleID string
}

// Menu is a question with choices (菜单消息). A tap on a choice comes back as a text
// message whose MenuEntryID is the choice's ID.
type Menu struct {
	Head string
	// Choices has at least one entry.
	Choices []Choice
	Tail    string
}

// Choice is one entry of a Menu.
type Choice struct {
	// ID is required and no other choice's: it tells which one was tapped.
	ID string
	// Content is required.
	Content string
}

// Card is a card (卡券).
type Card struct {
	// CardID is required.
	CardID string
}

// MiniProgramPage is a card that leads into a mini program (小程序卡片), which has to
// be tied to the account.
type MiniProgramPage struct {
	Title string
	// AppID of the mini program, PagePath and ThumbMediaID, the picture, are required.
	AppID        string
	PagePath     string
	ThumbMediaID string
}

// Link is a link with a picture (图文链接), for the customer service of mini programs.
type Link struct {
	// Title and URL are required.
	Title       string
	Description string
	URL         string
	ThumbURL    string
}

// Video is a video (视频) with a cover of its own. Without one use a VideoReply.
type Video struct {
	// MediaID and ThumbMediaID are required.
	MediaID      string
	ThumbMediaID string
	Title        string
	Description  string
}

// MarshalContent returns the body that sends c to the follower toUser (an OpenID),
// from the agent kfAccount (name@account) or, if that is empty, from the account.
//
// Its error wraps ErrInvalid and names the fields in WeChat's words. Texts lose the
// characters that message.Clean removes from replies; in ids and addresses they are
// a fault.
func MarshalContent(toUser string, c Content, kfAccount string) ([]byte, error) {
	b := body{ToUser: toUser}
	faults := []error{checkRequired("touser", toUser), checkID("customservice.kf_account", kfAccount)}
	if c == nil {
		faults = append(faults, errors.New("there is no content"))
	} else {
		faults = append(faults, c.fill(&b)...)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}

	return b.encode(kfAccount)
}

// checkRequired refuses an empty value, and one that is no id or address.
func checkRequired(field, value string) error {
	if strings.TrimSpace(value) == "" {
		return fmt.Errorf("field %s is empty, it is required", field)
	}

	return checkID(field, value)
}

// checkID refuses characters that no id or address has: dropped silently they
// would make another one.
func checkID(field, value string) error {
	if message.CleanText(value) != value {
		return fmt.Errorf("field %s has a control character or broken UTF-8", field)
	}

	return nil
}

type publishedNews struct {
	ArticleID string `json:"article_id"`
}

type menu struct {
	Head string   `json:"head_content"`
	List []choice `json:"list"`
	Tail string   `json:"tail_content"`
}

type choice struct {
	ID      string `json:"id"`
	Content string `json:"content"`
}

type card struct {
	CardID string `json:"card_id"`
}

type miniProgramPage struct {
	Title        string `json:"title"`
	AppID        string `json:"appid"`
	PagePath     string `json:"pagepath"`
	ThumbMediaID string `json:"thumb_media_id"`
}

type link struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	URL         string `json:"url"`
	ThumbURL    string `json:"thumb_url"`
}

func (m MpNews) fill(b *body) []error {
	b.MsgType, b.MpNews = "mpnews", &media{m.MediaID}

	return []error{checkRequired("mpnews.media_id", m.MediaID)}
}

func (m MpNewsArticle) fill(b *body) []error {
	b.MsgType, b.MpNewsArticle = "mpnewsarticle", &publishedNews{m.ArticleID}

	return []error{checkRequired("mpnewsarticle.article_id", m.ArticleID)}
}

func (m Menu) fill(b *body) []error {
	var faults []error
	if len(m.Choices) == 0 {
		faults = append(faults, errors.New("field msgmenu.list is empty, at least one choice is required"))
	}
	list, seen := make([]choice, 0, len(m.Choices)), map[string]bool{}
	for i, c := range m.Choices {
		place := "msgmenu.list[" + strconv.Itoa(i) + "]."
		c.Content = message.CleanText(c.Content)
		faults = append(faults, checkRequired(place+"id", c.ID), checkRequired(place+"content", c.Content))
		if seen[c.ID] {
			faults = append(faults, fmt.Errorf("field %sid is that of another choice; without ids of their own nobody can tell which was tapped", place))
		}
		seen[c.ID] = true
		list = append(list, choice(c))
	}
	b.MsgType, b.Menu = "msgmenu", &menu{message.CleanText(m.Head), list, message.CleanText(m.Tail)}

	return faults
}

func (m Card) fill(b *body) []error {
	b.MsgType, b.Card = "wxcard", &card{m.CardID}

	return []error{checkRequired("wxcard.card_id", m.CardID)}
}

func (m MiniProgramPage) fill(b *body) []error {
	m.Title = message.CleanText(m.Title)
	page := miniProgramPage(m)
	b.MsgType, b.MiniProgramPage = "miniprogrampage", &page

	return []error{
		checkRequired("miniprogrampage.appid", m.AppID),
		checkRequired("miniprogrampage.pagepath", m.PagePath),
		checkRequired("miniprogrampage.thumb_media_id", m.ThumbMediaID),
	}
}

func (m Link) fill(b *body) []error {
	m.Title, m.Description = message.CleanText(m.Title), message.CleanText(m.Description)
	l := link(m)
	b.MsgType, b.Link = "link", &l

	return []error{
		checkRequired("link.title", m.Title),
		checkRequired("link.url", m.URL),
		checkID("link.thumb_url", m.ThumbURL),
	}
}

func (m Video) fill(b *body) []error {
	m.Title, m.Description = message.CleanText(m.Title), message.CleanText(m.Description)
	v := video(m)
	b.MsgType, b.Video = "video", &v

	return []error{
		checkRequired("video.media_id", m.MediaID),
		checkRequired("video.thumb_media_id", m.ThumbMediaID),
	}
}
