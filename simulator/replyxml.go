package simulator

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// reply is a passive reply (被动回复) or its sealed envelope as it came over the
// wire. Pointers tell an absent element from an empty one.
type reply struct {
	XMLName      xml.Name `xml:"xml"`
	ToUserName   string   `xml:"ToUserName"`
	FromUserName string   `xml:"FromUserName"`
	CreateTime   string   `xml:"CreateTime"`
	MsgType      string   `xml:"MsgType"`
	Content      *string  `xml:"Content"`
	Image        media    `xml:"Image"`
	Voice        media    `xml:"Voice"`
	Video        media    `xml:"Video"`
	Music        music    `xml:"Music"`
	ArticleCount string   `xml:"ArticleCount"`
	Articles     []item   `xml:"Articles>item"`

	Encrypt      string `xml:"Encrypt"`
	MsgSignature string `xml:"MsgSignature"`
	TimeStamp    string `xml:"TimeStamp"`
	Nonce        string `xml:"Nonce"`
}

type media struct {
	MediaID string `xml:"MediaId"`
	Title   string `xml:"Title"`
}

type music struct {
	Title        string `xml:"Title"`
	Description  string `xml:"Description"`
	MusicURL     string `xml:"MusicUrl"`
	ThumbMediaID string `xml:"ThumbMediaId"`
}

type item struct {
	Title       string `xml:"Title"`
	Description string `xml:"Description"`
	PicURL      string `xml:"PicUrl"`
	URL         string `xml:"Url"`
}

var (
	errByteOrderMark = errors.New("the body begins with a UTF-8 byte order mark")
	errNotUTF8       = errors.New("the body isn't UTF-8")
	errTrailing      = errors.New("something follows after </xml>")
)

// parseReply reads exactly one XML document. What is before or after it makes the
// whole body abnormal, as it does for WeChat.
func parseReply(body []byte) (reply, error) {
	if bytes.HasPrefix(body, []byte("\xEF\xBB\xBF")) {
		return reply{}, errByteOrderMark
	}
	if !utf8.Valid(body) {
		return reply{}, errNotUTF8
	}
	decoder := xml.NewDecoder(bytes.NewReader(body))
	var parsed reply
	if err := decoder.Decode(&parsed); err != nil {
		return reply{}, fmt.Errorf("the body isn't a reply document: %w", err)
	}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return parsed, nil
		}
		if text, ok := token.(xml.CharData); err != nil || !ok || len(bytes.TrimSpace(text)) > 0 {
			return reply{}, errTrailing
		}
	}
}
