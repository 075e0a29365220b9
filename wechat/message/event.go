package message

import "strings"

// The names of the events that follow from what a follower does, for Event.Is.
const (
	EventSubscribe   = "subscribe"
	EventUnsubscribe = "unsubscribe"
	EventScan        = "SCAN"
	EventLocation    = "LOCATION"
	EventClick       = "CLICK"
	EventView        = "VIEW"
)

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
	// MenuID is, for VIEW and view_miniprogram, the conditional menu (个性化菜单)
	// whose rule the follower met.
	MenuID string

	// At most one of the following is set, the one of the event's family. The events
	// of cards, invoices and shops (卡券, 发票, 门店) have none: they share hardly more
	// than CardId and UserCardCode, and a reader of theirs needs Fields anyway.

	Position      *Position      // LOCATION
	ScanCode      *ScanCode      // scancode_push, scancode_waitmsg
	Pictures      *Pictures      // pic_sysphoto, pic_photo_or_album, pic_weixin
	Place         *Place         // location_select
	SendJob       *SendJob       // TEMPLATESENDJOBFINISH, MASSSENDJOBFINISH
	PublishJob    *PublishJob    // PUBLISHJOBFINISH, also seen as FREEPUBLISHJOBFINISH
	Subscriptions []Subscription // subscribe_msg_popup_event, …_change_event, …_sent_event
	AgentSession  *AgentSession  // kf_create_session, kf_close_session, kf_switch_session
	Authorization *Authorization // user_info_modified, user_authorization_revoke, …_cancellation
	Verification  *Verification  // qualification_verify_…, naming_verify_…, annual_renew, verify_expired
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

// ScanCode is what the follower scanned with a menu button (扫码推事件).
type ScanCode struct {
	// Type is qrcode, barcode or another word.
	Type   string
	Result string
}

// Pictures announces pictures that the follower chose with a menu button; they
// come as image messages of their own (弹出拍照或者相册发图).
type Pictures struct {
	Count int64
	// MD5Sums are those of the files, in order.
	MD5Sums []string
}

// Place is what the follower chose with a menu button (弹出地理位置选择器); a
// location message of its own follows.
type Place struct {
	// Latitude and Longitude are in degrees.
	Latitude  float64
	Longitude float64
	// Scale is the zoom level of the map.
	Scale float64
	Label string
	// POIName is the name of the point of interest (朋友圈 POI), often empty.
	POIName string
}

// SendJob is the end of a template message (模板消息) or a mass send (群发).
type SendJob struct {
	// MsgID is what the API answered when the job was begun.
	MsgID uint64
	// Status is WeChat's word for the outcome, such as "failed:user block" or
	// "err(20002)"; see Succeeded.
	Status string

	// The following have values for a mass send alone.

	TotalCount int64
	// FilterCount is how many followers were left after filtering, about the sum of
	// the two below.
	FilterCount int64
	SentCount   int64
	ErrorCount  int64
	// CopyrightState is the outcome of the check for original articles (原创校验):
	// 1 not a reprint, 2 a reprint that may be sent, 3 one that may not.
	CopyrightState int64
	Copyrights     []Copyright
	Articles       []ArticleURL
}

// Succeeded reports whether WeChat calls the job a success. Case and spaces don't
// matter, because its own pages disagree about them.
func (j SendJob) Succeeded() bool {
	status := strings.ReplaceAll(j.Status, " ", "")

	return strings.EqualFold(status, "success") || strings.EqualFold(status, "sendsuccess")
}

// Copyright is what the check for original articles found out about one article.
// The numbers are as WeChat's page on mass sends lists them.
type Copyright struct {
	// ArticleIdx is which article of the job it is, from 1.
	ArticleIdx            int64
	UserDeclareState      int64
	AuditState            int64
	OriginalArticleURL    string
	OriginalArticleType   int64
	CanReprint            int64
	NeedReplaceContent    int64
	NeedShowReprintSource int64
}

// ArticleURL is where an article of a job can be read.
type ArticleURL struct {
	// Idx is which article of the job it is, from 1.
	Idx int64
	URL string
}

// PublishJob is the end of a publication (发布).
type PublishJob struct {
	PublishID string
	// Status is 0 for success, 2 for a failed check for original articles, 3 for
	// other failures, 4 for a rejection. It is a text, so that its absence isn't
	// taken for success.
	Status string
	// ArticleID and Articles are set on success.
	ArticleID string
	Articles  []ArticleURL
	// FailedIdx are the articles that a status 2 or 4 is about, from 1.
	FailedIdx []int64
}

// Subscription is what became of one template of subscription messages (订阅通知):
// the follower's choice, or the delivery of a message.
type Subscription struct {
	TemplateID string
	// Status is accept or reject, for a choice.
	Status string
	// PopupScene is where the choice was offered: 1 a web page, 2 an article.
	PopupScene string
	// MsgID, ErrorCode and ErrorStatus are set for a delivery. ErrorCode is 0 for
	// success; it is a text, so that its absence isn't taken for success.
	MsgID       uint64
	ErrorCode   string
	ErrorStatus string
}

// AgentSession is a follower's conversation with a human agent (客服会话).
type AgentSession struct {
	// KfAccount is the agent of a conversation that began or ended.
	KfAccount string
	// FromKfAccount and ToKfAccount are the agents of one that was handed over.
	FromKfAccount string
	ToKfAccount   string
}

// Authorization tells that somebody changed or withdrew what they had allowed the
// account to know (授权用户信息变更). The account must then update or delete it.
type Authorization struct {
	// OpenID is the person; FromUserName is a system user of WeChat's.
	OpenID  string
	UnionID string
	AppID   string
	// RevokeInfo says what was withdrawn, as numbers that WeChat's pages disagree about.
	RevokeInfo string
}

// Verification is about the certification of the account (微信认证).
type Verification struct {
	// ExpiredTime is when the certification ends or ended, in Unix seconds.
	ExpiredTime int64
	// FailTime and FailReason are set for a rejection.
	FailTime   int64
	FailReason string
}

// event takes the content of an event.
func (t *taker) event() *Event {
	e := &Event{Name: t.word("Event"), Key: t.text("EventKey"), Ticket: t.text("Ticket")}
	if t.left > 0 {
		e.MenuID = t.text("MenuId")
		t.detail(e)
	}

	return e
}

// detail takes what the events of one family have in common.
func (t *taker) detail(e *Event) {
	switch strings.ToLower(e.Name) {
	case "location":
		e.Position = &Position{
			Latitude: t.decimal("Latitude"), Longitude: t.decimal("Longitude"), Precision: t.decimal("Precision"),
		}
	case "scancode_push", "scancode_waitmsg":
		e.ScanCode = &ScanCode{}
		t.inside("ScanCodeInfo", func(t *taker) { *e.ScanCode = ScanCode{t.text("ScanType"), t.text("ScanResult")} })
	case "pic_sysphoto", "pic_photo_or_album", "pic_weixin":
		e.Pictures = &Pictures{}
		t.inside("SendPicsInfo", func(t *taker) { t.pictures(e.Pictures) })
	case "location_select":
		e.Place = &Place{}
		t.inside("SendLocationInfo", func(t *taker) { t.place(e.Place) })
	case "templatesendjobfinish", "masssendjobfinish":
		e.SendJob = t.sendJob()
	case "publishjobfinish", "freepublishjobfinish":
		e.PublishJob = &PublishJob{}
		t.inside("PublishEventInfo", func(t *taker) { t.publishJob(e.PublishJob) })
	case "subscribe_msg_popup_event":
		e.Subscriptions = t.subscriptions("SubscribeMsgPopupEvent")
	case "subscribe_msg_change_event":
		e.Subscriptions = t.subscriptions("SubscribeMsgChangeEvent")
	case "subscribe_msg_sent_event":
		e.Subscriptions = t.subscriptions("SubscribeMsgSentEvent")
	case "kf_create_session", "kf_close_session", "kf_switch_session":
		e.AgentSession = &AgentSession{t.text("KfAccount"), t.text("FromKfAccount"), t.text("ToKfAccount")}
	case "user_info_modified", "user_authorization_revoke", "user_authorization_cancellation":
		// WeChat writes these names as OpenID and openid, AppID and appid.
		t.anyCase = true
		e.Authorization = &Authorization{t.text("OpenID"), t.text("UnionID"), t.text("AppID"), t.text("RevokeInfo")}
		t.anyCase = false
	case "qualification_verify_success", "qualification_verify_fail", "naming_verify_success", "naming_verify_fail",
		"annual_renew", "verify_expired":
		e.Verification = &Verification{t.integer("ExpiredTime"), t.integer("FailTime"), t.text("FailReason")}
	}
}

// pictures takes a SendPicsInfo. Some pushes have one PicList of all pictures,
// others one of each.
func (t *taker) pictures(p *Pictures) {
	p.Count = t.integer("Count")
	t.entries("PicList", func(t *taker) {
		if sum := t.text("PicMd5Sum"); sum != "" {
			p.MD5Sums = append(p.MD5Sums, sum)
		}
	})
}

func (t *taker) place(p *Place) {
	*p = Place{
		Latitude: t.decimal("Location_X"), Longitude: t.decimal("Location_Y"), Scale: t.decimal("Scale"),
		Label: t.text("Label"), POIName: t.text("Poiname"),
	}
}

func (t *taker) sendJob() *SendJob {
	j := &SendJob{
		MsgID: t.unsigned("MsgID"), Status: t.text("Status"),
		TotalCount: t.integer("TotalCount"), FilterCount: t.integer("FilterCount"),
		SentCount: t.integer("SentCount"), ErrorCount: t.integer("ErrorCount"),
	}
	t.inside("CopyrightCheckResult", func(t *taker) {
		j.CopyrightState = t.integer("CheckState")
		t.entries("ResultList", func(t *taker) { j.Copyrights = append(j.Copyrights, t.copyright()) })
		t.countOf("Count", len(j.Copyrights))
	})
	t.inside("ArticleUrlResult", func(t *taker) {
		t.entries("ResultList", func(t *taker) {
			j.Articles = append(j.Articles, ArticleURL{t.integer("ArticleIdx"), t.text("ArticleUrl")})
		})
		t.countOf("Count", len(j.Articles))
	})

	return j
}

func (t *taker) copyright() Copyright {
	return Copyright{
		ArticleIdx: t.integer("ArticleIdx"), UserDeclareState: t.integer("UserDeclareState"),
		AuditState: t.integer("AuditState"), OriginalArticleURL: t.text("OriginalArticleUrl"),
		OriginalArticleType: t.integer("OriginalArticleType"), CanReprint: t.integer("CanReprint"),
		NeedReplaceContent: t.integer("NeedReplaceContent"), NeedShowReprintSource: t.integer("NeedShowReprintSource"),
	}
}

func (t *taker) publishJob(j *PublishJob) {
	j.PublishID, j.Status, j.ArticleID = t.word("publish_id"), t.word("publish_status"), t.text("article_id")
	t.inside("article_detail", func(t *taker) {
		t.each("item", func(t *taker) {
			j.Articles = append(j.Articles, ArticleURL{t.integer("idx"), t.text("article_url")})
		})
		t.countOf("count", len(j.Articles))
	})
	for before := t.left; ; before = t.left {
		idx := t.integer("fail_idx")
		if t.left == before { // there is none, or none that is a number
			break
		}
		j.FailedIdx = append(j.FailedIdx, idx)
	}
}

// subscriptions takes a list that XML has within the element named, and JSON
// directly in the root.
func (t *taker) subscriptions(within string) []Subscription {
	var s []Subscription
	entry := func(t *taker) {
		s = append(s, Subscription{
			TemplateID: t.text("TemplateId"), Status: t.text("SubscribeStatusString"), PopupScene: t.text("PopupScene"),
			MsgID: t.unsigned("MsgID"), ErrorCode: t.text("ErrorCode"), ErrorStatus: t.text("ErrorStatus"),
		})
	}
	t.inside(within, func(t *taker) { t.each("List", entry) })
	t.each("List", entry)

	return s
}
