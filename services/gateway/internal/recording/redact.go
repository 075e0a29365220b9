package recording

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/services/gateway/internal/routing"
)

// treatment is what becomes of a text field.
type treatment int

const (
	// masked goes through mask: what people write, and everything that is not in the table.
	masked treatment = iota
	// kept is the account's own or WeChat's, the same for all followers.
	kept
	// person is the id of a person; a pseudonym takes its place, whatever is kept of texts.
	person
	// secret is taken out: it opens a file or names a place.
	secret
	// page is a link or a path with a query.
	page
)

// treatments of the fields of wxstack.message.v1. One that is missing is masked.
var treatments = map[protoreflect.FullName]treatment{
	"wxstack.message.v1.Message.app_id":         kept,
	"wxstack.message.v1.Message.to_user_name":   kept,
	"wxstack.message.v1.Message.msg_type":       kept,
	"wxstack.message.v1.Message.from_user_name": person,

	"wxstack.message.v1.Text.menu_entry_id":      kept,
	"wxstack.message.v1.Image.media_id":          secret,
	"wxstack.message.v1.Image.pic_url":           secret,
	"wxstack.message.v1.Voice.media_id":          secret,
	"wxstack.message.v1.Voice.media_id_16k":      secret,
	"wxstack.message.v1.Voice.format":            kept,
	"wxstack.message.v1.Video.media_id":          secret,
	"wxstack.message.v1.Video.thumb_media_id":    secret,
	"wxstack.message.v1.Location.label":          secret,
	"wxstack.message.v1.Link.url":                page,
	"wxstack.message.v1.File.key":                secret,
	"wxstack.message.v1.File.md5":                secret,
	"wxstack.message.v1.MiniProgramPage.app_id":  kept,
	"wxstack.message.v1.Notice.component_app_id": kept,

	"wxstack.message.v1.MiniProgramPage.page_path":      page,
	"wxstack.message.v1.MiniProgramPage.thumb_url":      secret,
	"wxstack.message.v1.MiniProgramPage.thumb_media_id": secret,

	"wxstack.message.v1.Event.name":        kept,
	"wxstack.message.v1.Event.ticket":      secret,
	"wxstack.message.v1.Event.menu_id":     kept,
	"wxstack.message.v1.ScanCode.type":     kept,
	"wxstack.message.v1.ScanCode.result":   secret,
	"wxstack.message.v1.Pictures.md5_sums": secret,
	"wxstack.message.v1.Place.label":       secret,
	"wxstack.message.v1.Place.poi_name":    secret,

	"wxstack.message.v1.Authorization.open_id":  person,
	"wxstack.message.v1.Authorization.union_id": person,
	"wxstack.message.v1.Authorization.app_id":   kept,
}

const (
	keyField  protoreflect.FullName = "wxstack.message.v1.Event.key"
	rawField  protoreflect.FullName = "wxstack.message.v1.Message.raw"
	restField protoreflect.FullName = "wxstack.message.v1.Message.fields"
)

// rounding of coordinates: a hundredth of a degree, about a kilometre.
const rounding = 100

// redactor takes out of messages what nobody needs who replays them.
type redactor struct {
	// key makes pseudonyms. It is forgotten with the process, and nobody can find out then whose they are.
	key []byte
}

func newRedactor() *redactor {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // it never fails.
	return &redactor{key: key}
}

// redact changes a question. Ids of persons become pseudonyms, and what no typed field carries is dropped, whatever
// is kept of texts.
func (r *redactor) redact(question *logicv1.ReplyRequest, texts routing.Texts) {
	msg := question.GetMessage()
	question.MessageKey = "k" + r.digest(msg.GetAppId(), question.GetMessageKey())[:keyLength]
	w := walk{redactor: r, appID: msg.GetAppId(), texts: texts}
	if event := msg.GetEvent(); event != nil {
		w.eventKey = treatmentOfKey(event)
	}
	w.message(msg.ProtoReflect())
}

// treatmentOfKey tells what the key of an event is: that of a menu entry is the account's own, and rules look for
// it; that of a VIEW is a link; scenes of QR codes may be a person's number.
func treatmentOfKey(event *messagev1.Event) treatment {
	switch strings.ToUpper(event.GetName()) {
	case "CLICK":
		return kept
	case "VIEW", "VIEW_MINIPROGRAM":
		return page
	default:
		return masked
	}
}

// The lengths of what stands for ids: OpenIDs have 28 characters.
const (
	pseudonymLength = 27
	keyLength       = 22
)

// pseudonym is the same for the same person of an account, as long as the process lives.
func (r *redactor) pseudonym(appID, id string) string {
	if id == "" {
		return ""
	}
	return "o" + r.digest(appID, id)[:pseudonymLength]
}

func (r *redactor) digest(appID, id string) string {
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(appID + "\x00" + id))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// walk goes through one message.
type walk struct {
	*redactor

	appID    string
	texts    routing.Texts
	eventKey treatment
}

func (w *walk) message(m protoreflect.Message) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.FullName() == rawField, field.FullName() == restField:
			m.Clear(field)
		case field.IsList():
			w.list(field, value.List())
		case field.Kind() == protoreflect.MessageKind:
			w.message(value.Message())
		default:
			m.Set(field, w.value(field, value))
		}
		return true
	})
}

func (w *walk) list(field protoreflect.FieldDescriptor, list protoreflect.List) {
	for i := range list.Len() {
		if field.Kind() == protoreflect.MessageKind {
			w.message(list.Get(i).Message())
		} else {
			list.Set(i, w.value(field, list.Get(i)))
		}
	}
}

func (w *walk) value(field protoreflect.FieldDescriptor, value protoreflect.Value) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(w.text(field.FullName(), value.String()))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(w.number(field.Name(), value.Float()))
	default: // numbers of other kinds tell nothing about a person.
		return value
	}
}

func (w *walk) text(field protoreflect.FullName, text string) string {
	how := treatments[field]
	if field == keyField {
		how = w.eventKey
	}
	switch {
	case how == person:
		return w.pseudonym(w.appID, text)
	case how == kept, w.texts == routing.TextsFull, text == "":
		return text
	case w.texts == routing.TextsNone:
		return ""
	case how == secret:
		return hidden
	case how == page:
		return mask(withoutQuery(text))
	default:
		return mask(text)
	}
}

func (w *walk) number(name protoreflect.Name, number float64) float64 {
	if name != "latitude" && name != "longitude" || w.texts == routing.TextsFull {
		return number
	}
	if w.texts == routing.TextsNone {
		return 0
	}
	return math.Round(number*rounding) / rounding
}
