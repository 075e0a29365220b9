// Package message is the codec between WeChat's XML and Go values: Parse reads
// what WeChat pushes to an account's callback URL (接收普通消息, 接收事件推送),
// and Render writes the passive reply (被动回复用户消息) that goes back in the
// same HTTP exchange.
//
// Parsing is tolerant where the platform is: elements may come in any order, with
// or without CDATA, with unknown neighbours; what no typed field carries is kept
// in Fields. It is strict where tolerance would be dangerous: document type
// declarations, entities, a second root and unbounded nesting are refused.
// Rendering is strict throughout, because WeChat answers an invalid reply by
// showing the follower an error notice.
//
// Encryption is not this package's business: ParseEnvelope and RenderEnvelope
// handle the outer XML of an encrypted exchange, and package msgcrypt the rest.
package message

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
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
	TypeEvent      = "event"
)

// The names of the events that follow from what a follower does, for Event.Is.
const (
	EventSubscribe   = "subscribe"
	EventUnsubscribe = "unsubscribe"
	EventScan        = "SCAN"
	EventLocation    = "LOCATION"
	EventClick       = "CLICK"
	EventView        = "VIEW"
)

// Message is one push of WeChat's. A message has a MsgID; an event has none.
//
// At most one of the content pointers is set, the one for MsgType; none is set
// for a type without typed contents.
type Message struct {
	// ToUserName is the account's original id (原始ID, gh_…), not its AppID.
	ToUserName string
	// FromUserName is the follower's OpenID, or a system user such as mphelper.
	FromUserName string
	// CreateTime is WeChat's own time for the push in Unix seconds.
	CreateTime int64
	// MsgType is the type as WeChat wrote it.
	MsgType string
	// MsgID is the element MsgId, zero for events. The element MsgID of job-finish
	// events is another thing, the job's id, and stays in Fields.
	MsgID uint64

	Text     *Text
	Image    *Image
	Voice    *Voice
	Video    *Video // of both video and shortvideo (小视频)
	Location *Location
	Link     *Link
	Event    *Event

	// Fields holds every element that no typed field carries, in WeChat's order.
	Fields []Field
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

// Event is something that happened, such as a follow (关注) or a press on the
// menu (自定义菜单).
type Event struct {
	// Name is the Event element as WeChat wrote it; compare it with Is.
	Name string
	// Key is the EventKey: a menu button's key, the URL of a VIEW, or the scene of
	// a QR code, prefixed qrscene_ on subscribe.
	Key string
	// Ticket identifies the QR code of a subscribe or SCAN event.
	Ticket string
	// Position is set for the event LOCATION alone.
	Position *Position
}

// Is reports whether the event has the given name. Upper and lower case don't
// matter, because WeChat's own pages and pushes disagree about them.
func (e Event) Is(name string) bool {
	return strings.EqualFold(e.Name, name)
}

// Position is where a follower is (上报地理位置).
type Position struct {
	Latitude  float64
	Longitude float64
	// Precision is the accuracy of both.
	Precision float64
}

// Field is one element of a push in generic form.
type Field struct {
	Name string
	// Value is the element's own text. White space around it is removed, white
	// space inside CDATA is kept.
	Value    string
	Children []Field
}

// Parse reads a push in clear text: the body in plaintext mode (明文模式), or
// what msgcrypt opened. The caller bounds the length of body.
//
// Unknown types, events and elements are accepted and kept in Fields. Characters
// that XML forbids, which followers do paste into messages, become U+FFFD. Every
// error wraps ErrMalformed and names the element at fault.
func Parse(body []byte) (Message, error) {
	elements, err := scan(body)
	if err != nil {
		return Message{}, err
	}

	return fromElements(elements)
}

// fromElements maps the children of a push's root to a Message.
func fromElements(elements []Field) (Message, error) {
	t := taker{fields: elements, taken: make([]bool, len(elements))}
	m := Message{
		ToUserName:   t.required("ToUserName"),
		FromUserName: t.required("FromUserName"),
		CreateTime:   t.integer("CreateTime"),
		MsgType:      t.required("MsgType"),
		MsgID:        t.unsigned("MsgId"),
	}
	t.content(&m)
	m.Fields = t.rest()
	if err := errors.Join(t.faults...); err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}

	return m, nil
}

// taker moves elements from the generic list into typed fields, and remembers
// which ones, so that the others can be kept.
type taker struct {
	fields []Field
	taken  []bool
	faults []error
}

// content fills the typed content that belongs to m.MsgType.
func (t *taker) content(m *Message) {
	switch m.MsgType {
	case TypeText:
		m.Text = &Text{Content: t.text("Content"), MenuEntryID: t.text("bizmsgmenuid")}
	case TypeImage:
		m.Image = &Image{MediaID: t.text("MediaId"), PicURL: t.text("PicUrl")}
	case TypeVoice:
		m.Voice = &Voice{MediaID: t.text("MediaId"), Format: t.text("Format"), Recognition: t.text("Recognition")}
	case TypeVideo, TypeShortVideo:
		m.Video = &Video{MediaID: t.text("MediaId"), ThumbMediaID: t.text("ThumbMediaId")}
	case TypeLocation:
		m.Location = &Location{
			Latitude:  t.decimal("Location_X"),
			Longitude: t.decimal("Location_Y"),
			Scale:     t.decimal("Scale"),
			Label:     t.text("Label"),
		}
	case TypeLink:
		m.Link = &Link{Title: t.text("Title"), Description: t.text("Description"), URL: t.text("Url")}
	case TypeEvent:
		m.Event = t.event()
	}
}

// event takes the content of an event.
func (t *taker) event() *Event {
	e := &Event{Name: strings.TrimSpace(t.text("Event")), Key: t.text("EventKey"), Ticket: t.text("Ticket")}
	if e.Is(EventLocation) {
		e.Position = &Position{
			Latitude:  t.decimal("Latitude"),
			Longitude: t.decimal("Longitude"),
			Precision: t.decimal("Precision"),
		}
	}

	return e
}

// text takes the first plain element of that name; absence is an empty text. An
// element with children is not what the typed field means and stays in Fields,
// as does a second one.
func (t *taker) text(name string) string {
	for i, field := range t.fields {
		if field.Name == name && !t.taken[i] && len(field.Children) == 0 {
			t.taken[i] = true

			return field.Value
		}
	}

	return ""
}

// required takes an element without which a push cannot be handled.
func (t *taker) required(name string) string {
	value := strings.TrimSpace(t.text(name))
	if value == "" {
		t.faults = append(t.faults, fmt.Errorf("element %s is missing or empty", name))
	}

	return value
}

// integer takes a signed whole number; an empty element counts as absent.
func (t *taker) integer(name string) int64 {
	value := strings.TrimSpace(t.text(name))
	if value == "" {
		return 0
	}
	number, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		t.misread(name, value, "a whole number of 64 bits")
	}

	return number
}

// unsigned takes an unsigned whole number; an empty element counts as absent.
func (t *taker) unsigned(name string) uint64 {
	value := strings.TrimSpace(t.text(name))
	if value == "" {
		return 0
	}
	number, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		t.misread(name, value, "an unsigned whole number of 64 bits")
	}

	return number
}

// decimal takes a finite decimal number; an empty element counts as absent.
func (t *taker) decimal(name string) float64 {
	value := strings.TrimSpace(t.text(name))
	if value == "" {
		return 0
	}
	number, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
		t.misread(name, value, "a decimal number")
	}

	return number
}

// misread records an element whose value is of the wrong kind. The value is cut,
// because it comes from outside and ends in a log.
func (t *taker) misread(name, value, kind string) {
	t.faults = append(t.faults, fmt.Errorf("element %s: %.40q is not %s", name, value, kind))
}

// rest returns the elements that nothing took, or nil.
func (t *taker) rest() []Field {
	var rest []Field
	for i, field := range t.fields {
		if !t.taken[i] {
			rest = append(rest, field)
		}
	}

	return rest
}
