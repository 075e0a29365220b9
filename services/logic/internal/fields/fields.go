// Package fields is what a rule file can say about a message: the names that its templates and expressions use.
package fields

import (
	"reflect"
	"strings"
	"time"

	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
)

// Message has the fields of a message. The names are WeChat's, written the Go way. A field that the
// message does not have is empty or zero.
type Message struct {
	AppID        string
	ToUserName   string    // the account's original id
	FromUserName string    // the follower's OpenID
	CreateTime   int64     // Unix seconds
	Time         time.Time // CreateTime on a clock in China
	MsgID        uint64
	MsgType      string

	Content     string // text
	MenuEntryID string // text that stems from a menu message (msgmenu)

	MediaID      string // image, voice, video
	PicURL       string // image
	Format       string // voice
	Recognition  string // voice
	ThumbMediaID string // video

	Latitude  float64 // location, event LOCATION
	Longitude float64
	Precision float64 // event LOCATION
	Scale     float64 // location
	Label     string  // location

	Title       string // link
	Description string
	URL         string

	Event    string
	EventKey string
	Scene    string // of the QR code (场景值) that was scanned, or by which the follower came
	Ticket   string
}

// Names lists the names.
func Names() []string {
	var names []string
	for field := range reflect.TypeFor[Message]().Fields() {
		names = append(names, field.Name)
	}

	return names
}

// China is the time zone of everything in a rule file that names none (北京时间). It has no daylight saving.
var China = time.FixedZone("Asia/Shanghai", 8*60*60)

// Of returns the fields of a message that was written at the time at.
func Of(msg *messagev1.Message, at time.Time) Message {
	d := Message{
		Time:         at.In(China),
		AppID:        msg.GetAppId(),
		ToUserName:   msg.GetToUserName(),
		FromUserName: msg.GetFromUserName(),
		CreateTime:   msg.GetCreateTime(),
		MsgID:        msg.GetMsgId(),
		MsgType:      msg.GetMsgType(),
	}
	switch content := msg.GetContent().(type) {
	case *messagev1.Message_Text:
		d.Content, d.MenuEntryID = content.Text.GetContent(), content.Text.GetMenuEntryId()
	case *messagev1.Message_Image:
		d.MediaID, d.PicURL = content.Image.GetMediaId(), content.Image.GetPicUrl()
	case *messagev1.Message_Voice:
		d.MediaID, d.Format, d.Recognition = content.Voice.GetMediaId(), content.Voice.GetFormat(), content.Voice.GetRecognition()
	case *messagev1.Message_Video:
		d.MediaID, d.ThumbMediaID = content.Video.GetMediaId(), content.Video.GetThumbMediaId()
	case *messagev1.Message_Location:
		place := content.Location
		d.Latitude, d.Longitude, d.Scale, d.Label = place.GetLatitude(), place.GetLongitude(), place.GetScale(), place.GetLabel()
	case *messagev1.Message_Link:
		d.Title, d.Description, d.URL = content.Link.GetTitle(), content.Link.GetDescription(), content.Link.GetUrl()
	case *messagev1.Message_Event:
		event := content.Event
		d.Event, d.EventKey, d.Scene, d.Ticket = event.GetName(), event.GetKey(), SceneOf(event), event.GetTicket()
		position := event.GetPosition()
		d.Latitude, d.Longitude, d.Precision = position.GetLatitude(), position.GetLongitude(), position.GetPrecision()
	}

	return d
}

// At is when a message was written: WeChat's own time, which is the same for every delivery and after every
// restart, or now for a message that has none.
func At(msg *messagev1.Message, now time.Time) time.Time {
	if created := msg.GetCreateTime(); created > 0 {
		return time.Unix(created, 0)
	}

	return now
}

// SceneOf returns the scene (场景值) of the QR code by which an event came about, empty if none did. WeChat
// writes it as EventKey, with a prefix when somebody followed by the code: 微信公众平台 “接收事件推送”.
func SceneOf(event *messagev1.Event) string {
	switch strings.ToLower(event.GetName()) {
	case "scan":
		return event.GetKey()
	case "subscribe":
		scene, byCode := strings.CutPrefix(event.GetKey(), "qrscene_")
		if byCode {
			return scene
		}
	}

	return ""
}

// Sample has a value in every field, so that trying something on it reaches as much of it as possible.
func Sample() Message {
	const text = "示例内容 sample 123"

	return Message{
		AppID: text, ToUserName: text, FromUserName: text, CreateTime: 1, Time: time.Unix(1, 0).In(China), MsgID: 1, MsgType: text,
		Content: text, MenuEntryID: text,
		MediaID: text, PicURL: text, Format: text, Recognition: text, ThumbMediaID: text,
		Latitude: 1, Longitude: 1, Precision: 1, Scale: 1, Label: text,
		Title: text, Description: text, URL: text,
		Event: text, EventKey: text, Scene: text, Ticket: text,
	}
}
