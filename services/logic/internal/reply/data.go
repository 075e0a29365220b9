package reply

import (
	"reflect"

	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
)

// Data is what templates can use. The names are WeChat's, written the Go way. A field that the
// message does not have is empty or zero.
type Data struct {
	AppID        string
	ToUserName   string // the account's original id
	FromUserName string // the follower's OpenID
	CreateTime   int64  // Unix seconds
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
	Ticket   string
}

// Fields lists the names that a template can use.
func Fields() []string {
	var names []string
	for field := range reflect.TypeFor[Data]().Fields() {
		names = append(names, field.Name)
	}

	return names
}

func dataOf(msg *messagev1.Message) Data {
	d := Data{
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
		d.Event, d.EventKey, d.Ticket = event.GetName(), event.GetKey(), event.GetTicket()
		position := event.GetPosition()
		d.Latitude, d.Longitude, d.Precision = position.GetLatitude(), position.GetLongitude(), position.GetPrecision()
	}

	return d
}

// sample has a value in every field, so that trying a template reaches as much of it as possible.
func sample() Data {
	const text = "示例内容 sample 123"

	return Data{
		AppID: text, ToUserName: text, FromUserName: text, CreateTime: 1, MsgID: 1, MsgType: text,
		Content: text, MenuEntryID: text,
		MediaID: text, PicURL: text, Format: text, Recognition: text, ThumbMediaID: text,
		Latitude: 1, Longitude: 1, Precision: 1, Scale: 1, Label: text,
		Title: text, Description: text, URL: text,
		Event: text, EventKey: text, Ticket: text,
	}
}
