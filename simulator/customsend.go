package simulator

import (
	"bytes"
	"encoding/json"
	"strings"
)

// customMessage is the body of a customer-service message (客服消息), so far as the
// simulator knows its types.
type customMessage struct {
	ToUser  string `json:"touser"`
	MsgType string `json:"msgtype"`
	Text    struct {
		Content string `json:"content"`
	} `json:"text"`
	Image customMedia `json:"image"`
	Voice customMedia `json:"voice"`
	Video customMedia `json:"video"`
	News  struct {
		Articles []struct {
			Title       string `json:"title"`
			Description string `json:"description"`
			URL         string `json:"url"`
			PicURL      string `json:"picurl"`
		} `json:"articles"`
	} `json:"news"`
	Menu struct {
		Head string `json:"head_content"`
		List []struct {
			Content string `json:"content"`
		} `json:"list"`
		Tail string `json:"tail_content"`
	} `json:"msgmenu"`
}

type customMedia struct {
	MediaID string `json:"media_id"`
	Title   string `json:"title"`
}

// maxCustomText is the limit of a text in bytes.
const maxCustomText = 2048

// sendCustomMessage serves POST /cgi-bin/message/custom/send.
func (p *Platform) sendCustomMessage(r *apiRequest) apiAnswer {
	var message customMessage
	if code := r.decode(&message); code != codeOK {
		return refuse(code)
	}
	if hasUnicodeEscape(r.body) {
		return refuse(codeCharset)
	}
	recipient, code := r.recipient(message.ToUser)
	if code != codeOK {
		return refuse(code)
	}
	line, code := p.customLine(message, r)
	if code != codeOK {
		return refuse(code)
	}
	if code := recipient.spend(r.now); code != codeOK {
		return refuse(code)
	}
	line.Side, line.Channel, line.Type = SideAccount, ChannelCustom, message.MsgType
	p.say(recipient, line)

	return refuse(codeOK)
}

// recipient returns the follower that a message is for.
func (r *apiRequest) recipient(openID string) (*follower, errcode) {
	known, ok := r.state.followers[openID]
	switch {
	case !ok:
		return nil, codeOpenID
	case !known.following:
		return nil, codeNotFollowing
	default:
		return known, codeOK
	}
}

// customLine turns a message into the line that the follower sees.
func (p *Platform) customLine(message customMessage, r *apiRequest) (ChatEntry, errcode) {
	switch message.MsgType {
	case "text":
		if message.Text.Content == "" {
			return ChatEntry{}, codeEmptyText
		}
		if len(message.Text.Content) > maxCustomText {
			return ChatEntry{}, codeTextTooLong
		}

		return ChatEntry{Text: message.Text.Content}, codeOK
	case kindImage:
		return p.customFile(message.Image, kindImage, r)
	case kindVoice:
		return p.customFile(message.Voice, kindVoice, r)
	case kindVideo:
		return p.customFile(message.Video, kindVideo, r)
	case "news":
		return newsLine(message)
	case "msgmenu":
		return menuLine(message), codeOK
	default:
		return ChatEntry{}, codeMessageType
	}
}

func (p *Platform) customFile(file customMedia, kind string, r *apiRequest) (ChatEntry, errcode) {
	if r.state.media(file.MediaID, r.now, kind) == nil {
		return ChatEntry{}, codeMediaID
	}

	return ChatEntry{MediaID: file.MediaID, Text: file.Title}, codeOK
}

func newsLine(message customMessage) (ChatEntry, errcode) {
	if len(message.News.Articles) != 1 { // More than one is refused since October 2018.
		return ChatEntry{}, codeArticles
	}
	article := message.News.Articles[0]

	return ChatEntry{Articles: []Article{{
		Title: article.Title, Description: article.Description, PicURL: article.PicURL, URL: article.URL,
	}}}, codeOK
}

func menuLine(message customMessage) ChatEntry {
	lines := []string{message.Menu.Head}
	for _, entry := range message.Menu.List {
		lines = append(lines, "· "+entry.Content)
	}

	return ChatEntry{Text: strings.Join(append(lines, message.Menu.Tail), "\n")}
}

// hasUnicodeEscape reports whether a JSON text has \uXXXX escapes of characters
// that could stand for themselves. WeChat wants real characters.
func hasUnicodeEscape(body []byte) bool {
	for position := 0; position < len(body)-1; position++ {
		if body[position] != '\\' {
			continue
		}
		position++ // Whatever is escaped, an escaped backslash above all, is skipped.
		if body[position] == 'u' && !isControlEscape(body[position:]) {
			return true
		}
	}

	return false
}

// isControlEscape reports whether an escape stands for a control character or a
// line separator, which encoders may have to escape.
func isControlEscape(escape []byte) bool {
	var value string
	const length = len("u0000")
	if len(escape) < length {
		return false
	}
	quoted := bytes.Join([][]byte{[]byte(`"\`), escape[:length], []byte(`"`)}, nil)
	if err := json.Unmarshal(quoted, &value); err != nil {
		return false
	}

	return value < " " || value == "\u2028" || value == "\u2029" || value == "\x7f"
}
