package simulator

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/catalog"
	"github.com/wxstack/wxstack/simulator/internal/media"
)

// PushType is one of the messages, events and notices that WeChat pushes, with the values that a Push may set in its
// Fields. Forms are generated from it.
type PushType = catalog.Entry

// Types returns everything that WeChat is known to push (接收普通消息、接收事件推送、第三方平台通知), by group and name.
func (p *Platform) Types() []PushType { return p.catalog.All() }

// pushed is the document of a push with what the platform must know of it.
type pushed struct {
	element    catalog.Element
	own        string // The caller's own document as it is to be sent; empty for one of the catalogue's.
	msgID      int64
	event      string
	isEvent    bool
	answerable bool // Whether WeChat shows a reply to it.
	byFollower bool // Whether a follower did it.
	line       ChatEntry
	secrets    []string // Values that no record may show.
}

// compose makes the document of a push. What it decides on the way, such as who sent a document of the caller's own, it
// writes into the push. The caller holds the lock.
func (p *Platform) compose(account *accountState, push *Push) (pushed, error) {
	if push.XML != "" {
		return composeOwn(push)
	}
	fields := maps.Clone(push.Fields)
	if fields == nil {
		fields = make(map[string]string)
	}
	push.addShorthands(fields)
	entry, err := p.catalog.Select(string(push.Type), push.Event, push.InfoType, fields)
	if err != nil {
		return pushed{}, invalidDocument(err)
	}
	now := p.state.clock.now()
	if known := account.followers[push.From]; entry.Has("MenuId") && fields["MenuId"] == "" {
		_, menuID := account.menuOf(known)
		fields["MenuId"] = strconv.FormatInt(menuID, 10)
	}
	if err := p.attachFiles(account, entry, push, fields, now); err != nil {
		return pushed{}, err
	}
	header := catalog.Header{To: account.OriginalID, From: push.From, CreateTime: time.Now().Unix()}
	if entry.Kind == catalog.KindMessage {
		header.MsgID = p.messages.Add(1)
	}
	if entry.Kind == catalog.KindNotice {
		header.To = account.AppID
	}
	document := pushed{
		element: entry.Build(header, fields), msgID: header.MsgID, event: entry.Event, isEvent: entry.Kind != catalog.KindMessage,
		answerable: entry.Answerable, byFollower: entry.ByFollower,
	}
	document.line = followerLine(&document.element)
	document.secrets = secretsOf(&document.element)

	return document, nil
}

// addShorthands writes the fields of a push that have names of their own, unless they are among its Fields.
func (push Push) addShorthands(fields map[string]string) {
	add := func(path, value string) {
		if _, set := fields[path]; !set && value != "" {
			fields[path] = value
		}
	}
	if push.Type == TypeText {
		add("Content", push.Content)
		add("bizmsgmenuid", push.MenuEntryID)
	}
	add("EventKey", push.EventKey)
	add("Ticket", push.Ticket)
	if push.Event == EventLocation && (push.Latitude != 0 || push.Longitude != 0 || push.Precision != 0) {
		add("Latitude", formatDegrees(push.Latitude))
		add("Longitude", formatDegrees(push.Longitude))
		add("Precision", formatDegrees(push.Precision))
	}
}

// formatDegrees writes the six decimals that WeChat sends.
func formatDegrees(value float64) string { return strconv.FormatFloat(value, 'f', 6, 64) }

// composeOwn reads a document of the caller's own.
func composeOwn(push *Push) (pushed, error) {
	text := strings.TrimSpace(push.XML)
	parse := catalog.ParseXML
	if push.Format = FormatXML; strings.HasPrefix(text, "{") {
		push.Format, parse = FormatJSON, catalog.ParseJSON
	}
	element, err := parse([]byte(text))
	if err != nil {
		return pushed{}, invalidDocument(err)
	}
	push.From = cmp.Or(element.Value("FromUserName"), push.From)
	push.Type, push.Event, push.InfoType = Type(element.Value("MsgType")), element.Value("Event"), element.Value("InfoType")
	number, _ := strconv.ParseInt(element.Value("MsgId"), 10, 64) // Of no use if it is none.
	document := pushed{
		element: element, own: push.XML, msgID: number, event: push.Event, isEvent: push.Type == TypeEvent || push.InfoType != "",
		byFollower: push.InfoType == "" && openIDPattern.MatchString(push.From), line: followerLine(&element), secrets: secretsOf(&element),
	}
	document.answerable = push.InfoType == "" && (push.Type != TypeEvent || catalog.Answerable(push.Event))

	return document, nil
}

// invalidDocument makes an error about a document one about the request.
func invalidDocument(err error) error {
	return fmt.Errorf("%w: %s", ErrInvalid, strings.TrimPrefix(err.Error(), catalog.ErrDocument.Error()+": "))
}

// secretsOf are the values in a notice by which calls are made.
func secretsOf(document *catalog.Element) []string {
	var secrets []string
	for _, name := range []string{"ComponentVerifyTicket", "AuthorizationCode", "PreAuthCode", "auth_code"} {
		if value := document.Value(name); value != "" {
			secrets = append(secrets, value)
		}
	}

	return secrets
}

// followerLine is the chat line of what the follower did.
func followerLine(document *catalog.Element) ChatEntry {
	value := document.Value
	line := ChatEntry{Side: SideFollower, Type: value("MsgType"), MediaID: value("MediaId"), ThumbID: value("ThumbMediaId")}
	switch line.Type {
	case catalog.MsgTypeEvent:
		return ChatEntry{Side: SideEvent, Type: value("Event"), Text: value("EventKey")}
	case string(TypeText):
		if content := document.Find("Content"); content != nil {
			line.Text = content.Text
		}
	case media.Voice:
		line.Text = value("Recognition")
	case string(TypeLocation):
		line.Text, line.Position = value("Label"), &Position{Latitude: number(value("Location_X")), Longitude: number(value("Location_Y"))}
	case string(TypeLink):
		line.Articles = []Article{{Title: value("Title"), Description: value("Description"), URL: value("Url")}}
	case "miniprogrampage":
		line.Articles = []Article{{Title: value("Title"), Description: value("PagePath"), PicURL: value("ThumbUrl")}}
	case "file":
		line.Text = value("Title")
	}

	return line
}

// number reads a coordinate; what is none is 0, for JSON has neither NaN nor an infinity.
func number(text string) float64 {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
		return 0
	}

	return value
}
