package simulator

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
)

// customMessage is the body of a customer-service message (客服消息).
type customMessage struct {
	ToUser  string `json:"touser"`
	MsgType string `json:"msgtype"`
	Text    struct {
		Content string `json:"content"`
	} `json:"text"`
	Image   customMedia `json:"image"`
	Voice   customMedia `json:"voice"`
	Video   customMedia `json:"video"`
	Music   customMusic `json:"music"`
	MPNews  customMedia `json:"mpnews"`
	Program customPage  `json:"miniprogrampage"`
	Link    customLink  `json:"link"`
	Menu    customMenu  `json:"msgmenu"`
	News    struct {
		Articles []struct {
			Title       string `json:"title"`
			Description string `json:"description"`
			URL         string `json:"url"`
			PicURL      string `json:"picurl"`
		} `json:"articles"`
	} `json:"news"`
	Article struct {
		ID string `json:"article_id"`
	} `json:"mpnewsarticle"`
	Card struct {
		ID string `json:"card_id"`
	} `json:"wxcard"`
	Agent struct {
		Account string `json:"kf_account"`
	} `json:"customservice"`
}

type customMedia struct {
	MediaID string `json:"media_id"`
	ThumbID string `json:"thumb_media_id"` // Of a video.
	Title   string `json:"title"`
}

type customMusic struct {
	Title   string `json:"title"`
	URL     string `json:"musicurl"`
	HQURL   string `json:"hqmusicurl"`
	ThumbID string `json:"thumb_media_id"`
}

type customPage struct {
	Title   string `json:"title"`
	AppID   string `json:"appid"`
	Path    string `json:"pagepath"`
	ThumbID string `json:"thumb_media_id"`
}

type customLink struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	URL         string `json:"url"`
	ThumbURL    string `json:"thumb_url"`
}

type customMenu struct {
	Head string `json:"head_content"`
	List []struct {
		ID      string `json:"id"`
		Content string `json:"content"`
	} `json:"list"`
	Tail string `json:"tail_content"`
}

// knownMedia tells whether an account has a file of one of the kinds.
type knownMedia func(id string, kinds ...string) bool

// line turns a message into the line that the follower sees, or WeChat's refusal.
// Which fields a type needs is documented; the codes of their absence mostly aren't,
// and the nearest of the table of codes is taken.
func (m customMessage) line(known knownMedia) (ChatEntry, errcode.Code) {
	switch m.MsgType {
	case "text":
		return m.textLine()
	case media.Image:
		return fileLine(m.Image, media.Image, known)
	case media.Voice:
		return fileLine(m.Voice, media.Voice, known)
	case media.Video:
		return fileLine(m.Video, media.Video, known)
	case "mpnews":
		return fileLine(m.MPNews, media.News, known)
	case "news":
		return m.newsLine()
	case "music":
		return m.Music.line(known)
	case "msgmenu":
		return m.Menu.line()
	case "miniprogrampage":
		return m.Program.line(known)
	default:
		return m.plainLine()
	}
}

// plainLine is the line of the types that need little but an id.
func (m customMessage) plainLine() (ChatEntry, errcode.Code) {
	switch m.MsgType {
	case "mpnewsarticle":
		return textOr(errcode.ArticleID, "[图文] ", m.Article.ID)
	case "wxcard":
		return textOr(errcode.CardID, "[卡券] ", m.Card.ID)
	case "link":
		if m.Link.URL == "" || m.Link.Title == "" {
			return ChatEntry{}, errcode.Arguments
		}

		return ChatEntry{Articles: []Article{{
			Title: m.Link.Title, Description: m.Link.Description, PicURL: m.Link.ThumbURL, URL: m.Link.URL,
		}}}, errcode.OK
	default:
		return ChatEntry{}, errcode.MessageType
	}
}

// textOr is a line that names an id, or the refusal if it is missing.
func textOr(missing errcode.Code, before, id string) (ChatEntry, errcode.Code) {
	if id == "" {
		return ChatEntry{}, missing
	}

	return ChatEntry{Text: before + id}, errcode.OK
}

func (m customMessage) textLine() (ChatEntry, errcode.Code) {
	switch {
	case m.Text.Content == "":
		return ChatEntry{}, errcode.EmptyText
	case len(m.Text.Content) > maxCustomText:
		return ChatEntry{}, errcode.TextTooLong
	default:
		return ChatEntry{Text: m.Text.Content}, errcode.OK
	}
}

// fileLine is the line of a file. The picture of a video may be left out, but must
// be known if it isn't.
func fileLine(file customMedia, kind string, known knownMedia) (ChatEntry, errcode.Code) {
	if !known(file.MediaID, kind) || (file.ThumbID != "" && !known(file.ThumbID, media.Thumb, media.Image)) {
		return ChatEntry{}, errcode.MediaID
	}

	return ChatEntry{MediaID: file.MediaID, Text: file.Title}, errcode.OK
}

func (m customMessage) newsLine() (ChatEntry, errcode.Code) {
	if len(m.News.Articles) != 1 { // More than one is refused since October 2018.
		return ChatEntry{}, errcode.Articles
	}
	article := m.News.Articles[0]

	return ChatEntry{Articles: []Article{{
		Title: article.Title, Description: article.Description, PicURL: article.PicURL, URL: article.URL,
	}}}, errcode.OK
}

func (m customMusic) line(known knownMedia) (ChatEntry, errcode.Code) {
	switch {
	case m.URL == "" || m.HQURL == "":
		return ChatEntry{}, errcode.Arguments
	case !known(m.ThumbID, media.Thumb, media.Image):
		return ChatEntry{}, errcode.MediaID
	default:
		return ChatEntry{Text: "[音乐] " + cmp.Or(m.Title, m.URL)}, errcode.OK
	}
}

// line of a menu: the follower sees its entries, and clicks one.
func (m customMenu) line() (ChatEntry, errcode.Code) {
	if len(m.List) == 0 {
		return ChatEntry{}, errcode.Arguments
	}
	lines := []string{m.Head}
	var choices []Choice
	for _, entry := range m.List {
		if entry.ID == "" || entry.Content == "" {
			return ChatEntry{}, errcode.Arguments
		}
		lines = append(lines, "· "+entry.Content)
		choices = append(choices, Choice{ID: entry.ID, Text: entry.Content})
	}
	lines = slices.DeleteFunc(append(lines, m.Tail), func(line string) bool { return line == "" })

	return ChatEntry{Text: strings.Join(lines, "\n"), Choices: choices}, errcode.OK
}

func (m customPage) line(known knownMedia) (ChatEntry, errcode.Code) {
	switch {
	case m.AppID == "":
		return ChatEntry{}, errcode.AppID
	case m.Path == "":
		return ChatEntry{}, errcode.PagePath
	case !known(m.ThumbID, media.Thumb, media.Image):
		return ChatEntry{}, errcode.MediaID
	default:
		return ChatEntry{Text: "[小程序] " + cmp.Or(m.Title, m.Path)}, errcode.OK
	}
}
