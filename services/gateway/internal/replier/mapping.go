package replier

import (
	"github.com/wxstack/wxstack/chassis/fault"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/wechat/message"
)

// toProto writes a message in the vocabulary that gateway and logic share. Nothing is left out but the
// secrets of a notice, which logic has no use for and must not hold.
func toProto(appID string, in message.Message) *messagev1.Message {
	out := &messagev1.Message{
		AppId:        appID,
		ToUserName:   in.ToUserName,
		FromUserName: in.FromUserName,
		CreateTime:   in.CreateTime,
		MsgId:        in.MsgID,
		MsgType:      in.MsgType,
		MsgDataId:    in.MsgDataID,
		Idx:          in.Idx,
		Fields:       fieldsToProto(in.Fields),
		Raw:          in.Raw,
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
			MediaId: in.Voice.MediaID, MediaId_16K: in.Voice.MediaID16K,
			Format: in.Voice.Format, Recognition: in.Voice.Recognition,
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
	case in.File != nil:
		out.Content = &messagev1.Message_File{File: &messagev1.File{
			Title: in.File.Title, Description: in.File.Description,
			Key: in.File.Key, Md5: in.File.MD5, Size: in.File.Size,
		}}
	case in.MiniProgramPage != nil:
		page := in.MiniProgramPage
		out.Content = &messagev1.Message_MiniProgramPage{MiniProgramPage: &messagev1.MiniProgramPage{
			Title: page.Title, AppId: page.AppID, PagePath: page.PagePath,
			ThumbUrl: page.ThumbURL, ThumbMediaId: page.ThumbMediaID,
		}}
	case in.Event != nil:
		out.Content = &messagev1.Message_Event{Event: eventToProto(in.Event)}
	case in.Notice != nil:
		out.Content = &messagev1.Message_Notice{Notice: &messagev1.Notice{
			ComponentAppId: in.Notice.AppID, InfoType: in.Notice.InfoType, AuthorizerAppId: in.Notice.AuthorizerAppID,
			AuthorizationCodeExpiredTime: in.Notice.AuthorizationCodeExpiredTime,
		}}
	}
	return out
}

func eventToProto(in *message.Event) *messagev1.Event {
	out := &messagev1.Event{Name: in.Name, Key: in.Key, Ticket: in.Ticket, MenuId: in.MenuID}
	switch {
	case in.Position != nil:
		out.Position = &messagev1.Position{
			Latitude: in.Position.Latitude, Longitude: in.Position.Longitude, Precision: in.Position.Precision,
		}
	case in.ScanCode != nil:
		out.Detail = &messagev1.Event_ScanCode{ScanCode: &messagev1.ScanCode{
			Type: in.ScanCode.Type, Result: in.ScanCode.Result,
		}}
	case in.Pictures != nil:
		out.Detail = &messagev1.Event_Pictures{Pictures: &messagev1.Pictures{
			Count: in.Pictures.Count, Md5Sums: in.Pictures.MD5Sums,
		}}
	case in.Place != nil:
		out.Detail = &messagev1.Event_Place{Place: &messagev1.Place{
			Latitude: in.Place.Latitude, Longitude: in.Place.Longitude, Scale: in.Place.Scale,
			Label: in.Place.Label, PoiName: in.Place.POIName,
		}}
	case in.SendJob != nil:
		out.Detail = &messagev1.Event_SendJob{SendJob: sendJobToProto(in.SendJob)}
	case in.PublishJob != nil:
		out.Detail = &messagev1.Event_PublishJob{PublishJob: &messagev1.PublishJob{
			PublishId: in.PublishJob.PublishID, Status: in.PublishJob.Status, ArticleId: in.PublishJob.ArticleID,
			Articles: articleURLsToProto(in.PublishJob.Articles), FailedIdx: in.PublishJob.FailedIdx,
		}}
	case in.Subscriptions != nil:
		out.Detail = &messagev1.Event_Subscriptions{Subscriptions: subscriptionsToProto(in.Subscriptions)}
	case in.AgentSession != nil:
		out.Detail = &messagev1.Event_AgentSession{AgentSession: &messagev1.AgentSession{
			KfAccount: in.AgentSession.KfAccount, FromKfAccount: in.AgentSession.FromKfAccount,
			ToKfAccount: in.AgentSession.ToKfAccount,
		}}
	case in.Authorization != nil:
		out.Detail = &messagev1.Event_Authorization{Authorization: &messagev1.Authorization{
			OpenId: in.Authorization.OpenID, UnionId: in.Authorization.UnionID,
			AppId: in.Authorization.AppID, RevokeInfo: in.Authorization.RevokeInfo,
		}}
	case in.Verification != nil:
		out.Detail = &messagev1.Event_Verification{Verification: &messagev1.Verification{
			ExpiredTime: in.Verification.ExpiredTime, FailTime: in.Verification.FailTime, FailReason: in.Verification.FailReason,
		}}
	}
	return out
}

func sendJobToProto(in *message.SendJob) *messagev1.SendJob {
	out := &messagev1.SendJob{
		MsgId: in.MsgID, Status: in.Status,
		TotalCount: in.TotalCount, FilterCount: in.FilterCount, SentCount: in.SentCount, ErrorCount: in.ErrorCount,
		CopyrightState: in.CopyrightState, Articles: articleURLsToProto(in.Articles),
	}
	for _, c := range in.Copyrights {
		out.Copyrights = append(out.Copyrights, &messagev1.Copyright{
			ArticleIdx: c.ArticleIdx, UserDeclareState: c.UserDeclareState, AuditState: c.AuditState,
			OriginalArticleUrl: c.OriginalArticleURL, OriginalArticleType: c.OriginalArticleType,
			CanReprint: c.CanReprint, NeedReplaceContent: c.NeedReplaceContent, NeedShowReprintSource: c.NeedShowReprintSource,
		})
	}
	return out
}

func articleURLsToProto(in []message.ArticleURL) []*messagev1.ArticleUrl {
	out := make([]*messagev1.ArticleUrl, 0, len(in))
	for _, article := range in {
		out = append(out, &messagev1.ArticleUrl{Idx: article.Idx, Url: article.URL})
	}
	return out
}

func subscriptionsToProto(in []message.Subscription) *messagev1.Subscriptions {
	out := &messagev1.Subscriptions{}
	for _, s := range in {
		out.Entries = append(out.Entries, &messagev1.Subscription{
			TemplateId: s.TemplateID, Status: s.Status, PopupScene: s.PopupScene,
			MsgId: s.MsgID, ErrorCode: s.ErrorCode, ErrorStatus: s.ErrorStatus,
		})
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
	case *messagev1.Reply_TransferBizAiIvr:
		return message.TransferBizAIIVR{}, nil
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
