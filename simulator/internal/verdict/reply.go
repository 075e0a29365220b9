package verdict

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// reply is a passive reply (被动回复) or its sealed envelope as it came over the
// wire, in either format. Pointers tell an absent element from an empty one.
type reply struct {
	XMLName      xml.Name `json:"-"            xml:"xml"`
	ToUserName   string   `json:"ToUserName"   xml:"ToUserName"`
	FromUserName string   `json:"FromUserName" xml:"FromUserName"`
	CreateTime   numeral  `json:"CreateTime"   xml:"CreateTime"`
	MsgType      string   `json:"MsgType"      xml:"MsgType"`
	Content      *string  `json:"Content"      xml:"Content"`
	Image        media    `json:"Image"        xml:"Image"`
	Voice        media    `json:"Voice"        xml:"Voice"`
	Video        media    `json:"Video"        xml:"Video"`
	Music        music    `json:"Music"        xml:"Music"`
	ArticleCount numeral  `json:"ArticleCount" xml:"ArticleCount"`
	Articles     items    `json:"Articles"     xml:"Articles>item"`

	Encrypt      string  `json:"Encrypt"      xml:"Encrypt"`
	MsgSignature string  `json:"MsgSignature" xml:"MsgSignature"`
	TimeStamp    numeral `json:"TimeStamp"    xml:"TimeStamp"`
	Nonce        string  `json:"Nonce"        xml:"Nonce"`
}

type media struct {
	MediaID     string `json:"MediaId"     xml:"MediaId"`
	Title       string `json:"Title"       xml:"Title"`
	Description string `json:"Description" xml:"Description"`
}

type music struct {
	Title        string `json:"Title"        xml:"Title"`
	Description  string `json:"Description"  xml:"Description"`
	MusicURL     string `json:"MusicUrl"     xml:"MusicUrl"`
	HQMusicURL   string `json:"HQMusicUrl"   xml:"HQMusicUrl"`
	ThumbMediaID string `json:"ThumbMediaId" xml:"ThumbMediaId"`
}

// Article is one entry of a news reply (图文消息), or music with its address.
type Article struct {
	Title       string `json:"Title"       xml:"Title"`
	Description string `json:"Description" xml:"Description"`
	PicURL      string `json:"PicUrl"      xml:"PicUrl"`
	URL         string `json:"Url"         xml:"Url"`
}

// numeral is a number as it was written; in JSON it may stand in quotes.
type numeral string

// UnmarshalJSON reads either form.
func (n *numeral) UnmarshalJSON(data []byte) error {
	*n = numeral(strings.Trim(string(data), `"`))

	return nil
}

// items are the articles of a news reply. In JSON they are an array, or, shaped as the XML, an object that has one; which
// of the two WeChat takes is not documented.
type items []Article

// UnmarshalJSON reads either form.
func (i *items) UnmarshalJSON(data []byte) error {
	var shaped struct {
		Items []Article `json:"item"`
	}
	if err := json.Unmarshal(data, &shaped); err == nil {
		*i = shaped.Items

		return nil
	}

	return json.Unmarshal(data, (*[]Article)(i))
}

// parseReply reads exactly one document, or says what is wrong with it. What is before or after it makes the
// whole body abnormal, as it does for WeChat.
func parseReply(body []byte) (parsed reply, problem Reason) {
	switch {
	case bytes.HasPrefix(body, []byte(byteOrderMark)):
		return reply{}, Because(ByteOrderMark)
	case !utf8.Valid(body):
		return reply{}, Because(NotUTF8)
	case looksLikeJSON(body):
		return parseReplyJSON(body)
	default:
		return parseReplyXML(body)
	}
}

const byteOrderMark = "\uFEFF"

// looksLikeJSON tells the two formats apart.
func looksLikeJSON(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) }

func parseReplyJSON(body []byte) (parsed reply, problem Reason) {
	if err := json.Unmarshal(body, &parsed); err != nil {
		return reply{}, Because(Malformed, err)
	}

	return parsed, Reason{}
}

func parseReplyXML(body []byte) (parsed reply, problem Reason) {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&parsed); err != nil {
		return reply{}, Because(Malformed, err)
	}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return parsed, Reason{}
		}
		if text, ok := token.(xml.CharData); err != nil || !ok || len(bytes.TrimSpace(text)) > 0 {
			return reply{}, Because(Trailing)
		}
	}
}
