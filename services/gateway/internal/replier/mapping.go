package replier

import (
	"github.com/wxstack/wxstack/chassis/fault"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/wechat/message"
)

// toProto writes a message in the vocabulary that gateway and logic share. Nothing is left out.
func toProto(appID string, in message.Message) *messagev1.Message {
	out := &messagev1.Message{
		AppId:        appID,
		ToUserName:   in.ToUserName,
		FromUserName: in.FromUserName,
		CreateTime:   in.CreateTime,
		MsgId:        in.MsgID,
		MsgType:      in.MsgType,
		Fields:       fieldsToProto(in.Fields),
	}
	switch {
	case in.Text != nil:
		out.Content = &messagev1.Message_Text{Text: &messagev1.Text{
			Content: in.Text.Content, MenuEntryId: in.Text.MenuEntryID,
		}}
	case in.Image != nil:
		out.Content = &messagev1.Message_Image{Image: &messagev1.Image{
			MediaId: in.Image.MediaID, PicUrl: in.Image.PicURL,
		}}
	case in.Voice != nil:
		out.Content = &messagev1.Message_Voice{Voice: &messagev1.Voice{
			MediaId: in.Voice.MediaID, Format: in.Voice.Format, Recognition: in.Voice.Recognition,
		}}
	case in.Video != nil:
		out.Content = &messagev1.Message_Video{Video: &messagev1.Video{
			MediaId: in.Video.MediaID, ThumbMediaId: in.Video.ThumbMediaID,
		}}
	case in.Location != nil:
		out.Content = &messagev1.Message_Location{Location: &messagev1.Location{
			Latitude: in.Location.Latitude, Longitude: in.Location.Longitude,
			Scale: in.Location.Scale, Label: in.Location.Label,
		}}
	case in.Link != nil:
		out.Content = &messagev1.Message_Link{Link: &messagev1.Link{
			Title: in.Link.Title, Description: in.Link.Description, Url: in.Link.URL,
		}}
	case in.Event != nil:
		out.Content = &messagev1.Message_Event{Event: eventToProto(in.Event)}
	}
	return out
}

func eventToProto(in *message.Event) *messagev1.Event {
	out := &messagev1.Event{Name: in.Name, Key: in.Key, Ticket: in.Ticket}
	if in.Position != nil {
		out.Position = &messagev1.Position{
			Latitude: in.Position.Latitude, Longitude: in.Position.Longitude, Precision: in.Position.Precision,
		}
	}
	return out
}

func fieldsToProto(in []message.Field) []*messagev1.Field {
	out := make([]*messagev1.Field, 0, len(in))
	for _, field := range in {
		out = append(out, &messagev1.Field{
			Name: field.Name, Value: field.Value, Children: fieldsToProto(field.Children),
		})
	}
	return out
}

// fromProto reads logic's reply. No reply, and one without content, are nil.
func fromProto(in *messagev1.Reply) (message.Reply, error) {
	switch content := in.GetContent().(type) {
	case nil:
		// A content that this version doesn't know also looks like none; its bytes are what is left of it.
		if len(in.ProtoReflect().GetUnknown()) > 0 {
			return nil, fault.New(fault.Invalid, "logic replied in a form that this gateway does not know, update the gateway")
		}
		return nil, nil //nolint:nilnil // nil is the codec's word for no reply.
	case *messagev1.Reply_Text:
		return message.TextReply{Content: content.Text.GetContent()}, nil
	case *messagev1.Reply_Image:
		return message.ImageReply{MediaID: content.Image.GetMediaId()}, nil
	case *messagev1.Reply_Voice:
		return message.VoiceReply{MediaID: content.Voice.GetMediaId()}, nil
	case *messagev1.Reply_Video:
		return message.VideoReply{
			MediaID: content.Video.GetMediaId(), Title: content.Video.GetTitle(), Description: content.Video.GetDescription(),
		}, nil
	case *messagev1.Reply_Music:
		return message.MusicReply{
			Title: content.Music.GetTitle(), Description: content.Music.GetDescription(),
			MusicURL: content.Music.GetMusicUrl(), HQMusicURL: content.Music.GetHqMusicUrl(),
			ThumbMediaID: content.Music.GetThumbMediaId(),
		}, nil
	case *messagev1.Reply_News:
		return newsFromProto(content.News), nil
	case *messagev1.Reply_TransferCustomerService:
		return message.TransferCustomerService{KfAccount: content.TransferCustomerService.GetKfAccount()}, nil
	default:
		return nil, fault.New(fault.Internal, "reply %T is missing in the mapping", content)
	}
}

func newsFromProto(in *messagev1.NewsReply) message.NewsReply {
	var out message.NewsReply
	for _, article := range in.GetArticles() {
		out.Articles = append(out.Articles, message.Article{
			Title: article.GetTitle(), Description: article.GetDescription(),
			PicURL: article.GetPicUrl(), URL: article.GetUrl(),
		})
	}
	return out
}
