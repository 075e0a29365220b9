// Package message is the codec between WeChat's documents and Go values: Parse
// reads what WeChat pushes to an account's callback URL (接收普通消息,
// 接收事件推送), and Render writes the passive reply (被动回复用户消息) that goes
// back in the same HTTP exchange.
//
// Both data formats of the console (数据格式), XML and JSON, are read, and told
// apart by their first byte; a reply is written in the format of its push. So
// nothing has to be configured, and switching the console loses nothing.
//
// Parsing is tolerant where the platform is: elements may come in any order, with
// or without CDATA, with unknown neighbours. What programs use has typed fields;
// what no typed field carries, be it unknown or not of the kind expected, is kept
// in Fields, and the whole document then in Raw. It is strict where tolerance
// would be dangerous: document type declarations, entities, a second root and
// unbounded nesting are refused. Rendering is strict throughout, because WeChat
// answers an invalid reply by showing the follower an error notice.
//
// Encryption is not this package's business: ParseEnvelope and RenderEnvelope
// handle the outside of an encrypted exchange, and package msgcrypt the rest.
package message

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrMalformed is what every error of Parse and ParseEnvelope wraps.
var ErrMalformed = errors.New("malformed push")

// The message types (MsgType) that have typed contents. WeChat has more; they
// arrive in Message.Fields.
const (
	TypeText       = "text"
	TypeImage      = "image"
	TypeVoice      = "voice"
	TypeVideo      = "video"
	TypeShortVideo = "shortvideo"
	TypeLocation   = "location"
	TypeLink       = "link"
	TypeFile       = "file"
	TypeEvent      = "event"

	// TypeMiniProgramPage is a card of a mini program (小程序卡片).
	TypeMiniProgramPage = "miniprogrampage"
)

// Message is one push of WeChat's: a message, which has a MsgID, an event, which
// has none, or a Notice to a third-party platform.
//
// At most one of the content pointers is set, the one for MsgType; none is set
// for a type without typed contents. A notice has neither MsgType nor sender nor
// receiver.
type Message struct {
	// Format is how the push was written, and how its reply has to be.
	Format Format
	// ToUserName is the account's original id (原始ID, gh_…), not its AppID.
	ToUserName string
	// FromUserName is the follower's OpenID, or a system user such as mphelper.
	FromUserName string
	// CreateTime is WeChat's own time for the push in Unix seconds.
	CreateTime int64
	// MsgType is the type as WeChat wrote it.
	MsgType string
	// MsgID is the element MsgId, zero for events. The element MsgID of job-finish
	// events is another thing, the job's id: see SendJob.
	MsgID uint64
	// MsgDataID is the article from within which the message was sent, if any.
	MsgDataID string
	// Idx is which of the articles under MsgDataID it was, from 1.
	Idx int64

	Text     *Text
	Image    *Image
	Voice    *Voice
	Video    *Video // of both video and shortvideo (小视频)
	Location *Location
	Link     *Link
	File     *File
	Event    *Event
	Notice   *Notice

	MiniProgramPage *MiniProgramPage

	// Fields holds every element that no typed field carries, in WeChat's order. An
	// element with children holds those of them that no typed field carries.
	Fields []Field
	// Raw is the whole document, set if there are Fields. A notice has none, since
	// it would hold the notice's secrets.
	Raw []byte
}

// Name returns what the push is for a log: the Event, InfoType or MsgType. WeChat
// may invent any number of them.
func (m Message) Name() string {
	switch {
	case m.Event != nil:
		return m.Event.Name
	case m.Notice != nil:
		return m.Notice.InfoType
	default:
		return m.MsgType
	}
}

// Text is the content of a text message (文本消息).
type Text struct {
	Content string
	// MenuEntryID is the id of the entry that the follower tapped in a menu message
	// (msgmenu), element bizmsgmenuid; Content is then the entry's label.
	MenuEntryID string
}

// Image is the content of an image message (图片消息).
type Image struct {
	// MediaID can be sent back in an ImageReply. It is missing in old pushes.
	MediaID string
	// PicURL opens in a browser.
	PicURL string
}

// Voice is the content of a voice message (语音消息).
type Voice struct {
	MediaID string
	// MediaID16K is the same speech at 16 kHz, where WeChat has it.
	MediaID16K string
	// Format is amr or speex.
	Format string
	// Recognition is the speech as text, where the account has 语音识别.
	Recognition string
}

// Video is the content of a video or short video message (视频消息, 小视频消息).
type Video struct {
	MediaID      string
	ThumbMediaID string
}

// Location is the content of a location message (地理位置消息): a place that the
// follower chose. The reporting of a follower's own position is Event.Position.
type Location struct {
	// Latitude is Location_X, in degrees.
	Latitude float64
	// Longitude is Location_Y, in degrees.
	Longitude float64
	// Scale is the zoom level of the map.
	Scale float64
	Label string
}

// Link is the content of a link message (链接消息).
type Link struct {
	Title       string
	Description string
	URL         string
}

// File is the content of a file message (文件消息), which WeChat doesn't document:
// there is no interface to download the file.
type File struct {
	Title       string
	Description string
	Key         string
	MD5         string
	// Size is FileTotalLen, in bytes.
	Size int64
}

// MiniProgramPage is the content of a card of a mini program (小程序卡片), which
// mini programs' own customer service receives.
type MiniProgramPage struct {
	Title        string
	AppID        string
	PagePath     string
	ThumbURL     string
	ThumbMediaID string
}

// Field is one element of a push in generic form. The entries of a JSON array are
// elements of one name, as in XML.
type Field struct {
	Name string
	// Value is the element's own text. In XML, white space around it is removed,
	// white space inside CDATA is kept.
	Value    string
	Children []Field
}

// Parse reads a push in clear text: the body in plaintext mode (明文模式), or
// what msgcrypt opened. The caller bounds the length of body.
//
// Unknown types, events and elements are accepted and kept in Fields, and so is an
// element of which a typed field can make nothing, such as a word where a number
// belongs. Characters that XML forbids, which followers do paste into messages,
// become U+FFFD. An error means that the document is broken, or that it doesn't
// say who sent what to whom; it wraps ErrMalformed and names the element at fault.
func Parse(body []byte) (Message, error) {
	format := FormatOf(body)
	elements, err := scan(body, format)
	if err != nil {
		return Message{}, err
	}
	m, err := fromElements(elements)
	if err != nil {
		return Message{}, err
	}
	m.Format = format
	if len(m.Fields) > 0 && m.Notice == nil {
		m.Raw = bytes.Clone(body)
	}

	return m, nil
}

// fromElements maps the children of a push's root to a Message.
func fromElements(elements []Field) (Message, error) {
	t := taker{fields: elements, left: len(elements)}
	m := Message{MsgType: t.word("MsgType"), CreateTime: t.integer("CreateTime")}
	var err error
	if m.MsgType == "" && t.contains("InfoType") {
		m.Notice, err = t.notice()
	} else {
		err = t.message(&m)
	}
	if err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	m.Fields = t.rest()

	return m, nil
}

// message fills what a message or an event has beside MsgType and CreateTime.
func (t *taker) message(m *Message) error {
	m.ToUserName = t.word("ToUserName")
	m.FromUserName = t.word("FromUserName")
	if err := errors.Join(
		missing("ToUserName", m.ToUserName), missing("FromUserName", m.FromUserName), missing("MsgType", m.MsgType),
	); err != nil {
		return err
	}
	m.MsgID = t.unsigned("MsgId")
	t.content(m)
	if t.left > 0 && m.Event == nil {
		m.MsgDataID, m.Idx = t.text("MsgDataId"), t.integer("Idx")
	}

	return nil
}

// missing refuses the absence of an element without which a push cannot be handled.
func missing(name, value string) error {
	if value == "" {
		return fmt.Errorf("element %s is missing or empty", name)
	}

	return nil
}

// content fills the typed content that belongs to m.MsgType.
func (t *taker) content(m *Message) {
	switch m.MsgType {
	case TypeText:
		m.Text = &Text{Content: t.text("Content"), MenuEntryID: t.text("bizmsgmenuid")}
	case TypeImage:
		m.Image = &Image{MediaID: t.text("MediaId"), PicURL: t.text("PicUrl")}
	case TypeVoice:
		m.Voice = &Voice{
			MediaID: t.text("MediaId"), MediaID16K: t.text("MediaId16K"),
			Format: t.text("Format"), Recognition: t.text("Recognition"),
		}
	case TypeVideo, TypeShortVideo:
		m.Video = &Video{MediaID: t.text("MediaId"), ThumbMediaID: t.text("ThumbMediaId")}
	case TypeLocation:
		m.Location = &Location{
			Latitude: t.decimal("Location_X"), Longitude: t.decimal("Location_Y"),
			Scale: t.decimal("Scale"), Label: t.text("Label"),
		}
	case TypeLink:
		m.Link = &Link{Title: t.text("Title"), Description: t.text("Description"), URL: t.text("Url")}
	case TypeFile:
		m.File = &File{
			Title: t.text("Title"), Description: t.text("Description"),
			Key: t.text("FileKey"), MD5: t.text("FileMd5"), Size: t.integer("FileTotalLen"),
		}
	case TypeMiniProgramPage:
		m.MiniProgramPage = &MiniProgramPage{
			Title: t.text("Title"), AppID: t.text("AppId"), PagePath: t.text("PagePath"),
			ThumbURL: t.text("ThumbUrl"), ThumbMediaID: t.text("ThumbMediaId"),
		}
	case TypeEvent:
		m.Event = t.event()
	}
}
