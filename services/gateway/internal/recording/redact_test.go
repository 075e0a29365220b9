package recording

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/services/gateway/internal/routing"
)

// redacted returns the message of a question that was redacted.
func redacted(t *testing.T, r *redactor, msg string, texts routing.Texts) *messagev1.Message {
	t.Helper()
	question := &logicv1.ReplyRequest{MessageKey: "mo1", Message: &messagev1.Message{}}
	if err := protojson.Unmarshal([]byte(msg), question.GetMessage()); err != nil {
		t.Fatal(err)
	}
	r.redact(question, texts)
	return question.GetMessage()
}

func TestRedact(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, redacted, none string }{
		"text": {
			`"text":{"content":"电话13800138000","menu_entry_id":"2024001"}`,
			`"text":{"content":"电话***********","menu_entry_id":"2024001"}`,
			`"text":{"menu_entry_id":"2024001"}`,
		},
		"image": {
			`"image":{"media_id":"m","pic_url":"http://mmbiz.qpic.cn/a"}`,
			`"image":{"media_id":"[hidden]","pic_url":"[hidden]"}`,
			`"image":{}`,
		},
		"voice": {
			`"voice":{"media_id":"m","format":"amr","recognition":"我住在1234号"}`,
			`"voice":{"media_id":"[hidden]","format":"amr","recognition":"我住在****号"}`,
			`"voice":{"format":"amr"}`,
		},
		"location": {
			`"location":{"latitude":23.137466,"longitude":113.352425,"scale":20,"label":"广州市海珠区客村"}`,
			`"location":{"latitude":23.14,"longitude":113.35,"scale":20,"label":"[hidden]"}`,
			`"location":{"scale":20}`,
		},
		"link": {
			`"link":{"title":"a","description":"b","url":"http://a.cn/b?openid=o1"}`,
			`"link":{"title":"a","description":"b","url":"http://a.cn/b"}`,
			`"link":{}`,
		},
		"press on the menu": {
			`"event":{"name":"CLICK","key":"MENU_2024"}`,
			`"event":{"name":"CLICK","key":"MENU_2024"}`,
			`"event":{"name":"CLICK","key":"MENU_2024"}`,
		},
		"view": {
			`"event":{"name":"VIEW","key":"http://a.cn/?code=1","menu_id":"43210"}`,
			`"event":{"name":"VIEW","key":"http://a.cn/","menu_id":"43210"}`,
			`"event":{"name":"VIEW","menu_id":"43210"}`,
		},
		"scene": {
			`"event":{"name":"SCAN","key":"user-100234","ticket":"T"}`,
			`"event":{"name":"SCAN","key":"user-******","ticket":"[hidden]"}`,
			`"event":{"name":"SCAN"}`,
		},
		"own position": {
			`"event":{"name":"LOCATION","position":{"latitude":-23.137466,"longitude":0.001,"precision":65}}`,
			`"event":{"name":"LOCATION","position":{"latitude":-23.14,"precision":65}}`,
			`"event":{"name":"LOCATION","position":{"precision":65}}`,
		},
		"scanned": {
			`"event":{"name":"scancode_push","scan_code":{"type":"qrcode","result":"wxp://f2f0"}}`,
			`"event":{"name":"scancode_push","scan_code":{"type":"qrcode","result":"[hidden]"}}`,
			`"event":{"name":"scancode_push","scan_code":{"type":"qrcode"}}`,
		},
		"pictures": {
			`"event":{"name":"pic_weixin","pictures":{"count":1,"md5_sums":["1b5f7c23b5bf75682a53e7b6d163e185"]}}`,
			`"event":{"name":"pic_weixin","pictures":{"count":1,"md5_sums":["[hidden]"]}}`,
			`"event":{"name":"pic_weixin","pictures":{"count":1,"md5_sums":[""]}}`,
		},
		"articles of a mass send": {
			`"event":{"name":"MASSSENDJOBFINISH","send_job":{"msg_id":"1000001625","status":"send success","articles":[{"idx":"1","url":"http://a.cn/12345"}]}}`,
			`"event":{"name":"MASSSENDJOBFINISH","send_job":{"msg_id":"1000001625","status":"send success","articles":[{"idx":"1","url":"http://a.cn/*****"}]}}`,
			`"event":{"name":"MASSSENDJOBFINISH","send_job":{"msg_id":"1000001625","articles":[{"idx":"1"}]}}`,
		},
		"unknown": {
			`"msg_type":"new","fields":[{"name":"Phone","value":"1"}],"raw":"PHhtbC8+"`,
			`"msg_type":"new"`,
			`"msg_type":"new"`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRedactor()
			for texts, want := range map[routing.Texts]string{routing.TextsRedacted: tt.redacted, routing.TextsNone: tt.none} {
				got := redacted(t, r, `{"app_id":"wxA",`+tt.in+`}`, texts)
				wanted := &messagev1.Message{}
				if err := protojson.Unmarshal([]byte(`{"app_id":"wxA",`+want+`}`), wanted); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(wanted, got, protocmp.Transform()); diff != "" {
					t.Errorf("%s: %s", texts, diff)
				}
			}
		})
	}
}

func TestFullKeepsEverythingButPersons(t *testing.T) {
	t.Parallel()
	const in = `{"app_id":"wxA","from_user_name":"oA","location":{"latitude":23.137466,"label":"客村"},"fields":[{"name":"x"}],"raw":"PHhtbC8+"}`
	got := redacted(t, newRedactor(), in, routing.TextsFull)
	if got.GetLocation().GetLatitude() != 23.137466 || got.GetLocation().GetLabel() != "客村" {
		t.Errorf("kept %v", got)
	}
	if got.GetFromUserName() == "oA" || len(got.GetFields()) != 0 || len(got.GetRaw()) != 0 {
		t.Errorf("kept %v", got)
	}
}

func TestPseudonyms(t *testing.T) {
	t.Parallel()
	r := newRedactor()
	of := func(r *redactor, appID, openID string) string {
		return redacted(t, r, `{"app_id":"`+appID+`","from_user_name":"`+openID+`"}`, routing.TextsRedacted).GetFromUserName()
	}
	first := of(r, "wxA", "oA")
	if len(first) != 28 || first[0] != 'o' || first != of(r, "wxA", "oA") {
		t.Errorf("pseudonyms %q and %q", first, of(r, "wxA", "oA"))
	}
	for _, other := range []string{of(r, "wxA", "oB"), of(r, "wxB", "oA"), of(newRedactor(), "wxA", "oA")} {
		if other == first {
			t.Errorf("%q stands for two", other)
		}
	}
	if got := of(r, "wxA", ""); got != "" {
		t.Errorf("nobody is %q", got)
	}
}

func TestTheKeyOfAnEventDoesNotTellItsFollower(t *testing.T) {
	t.Parallel()
	question := &logicv1.ReplyRequest{
		MessageKey: "e2:oA,10:1700000000,5:CLICK,1:k,0:,", Message: &messagev1.Message{AppId: "wxA", FromUserName: "oA"},
	}
	newRedactor().redact(question, routing.TextsFull)
	if len(question.GetMessageKey()) != 1+keyLength || strings.Contains(question.GetMessageKey(), "oA,") {
		t.Errorf("message key %q", question.GetMessageKey())
	}
}

// maskedOnPurpose are the fields that are not in the table because they may hold anything.
var maskedOnPurpose = []protoreflect.FullName{
	"wxstack.message.v1.Message.msg_data_id", "wxstack.message.v1.Text.content", "wxstack.message.v1.Voice.recognition",
	"wxstack.message.v1.Link.title", "wxstack.message.v1.Link.description", "wxstack.message.v1.File.title",
	"wxstack.message.v1.File.description", "wxstack.message.v1.MiniProgramPage.title", keyField,
	"wxstack.message.v1.SendJob.status", "wxstack.message.v1.Copyright.original_article_url", "wxstack.message.v1.ArticleUrl.url",
	"wxstack.message.v1.PublishJob.publish_id", "wxstack.message.v1.PublishJob.status", "wxstack.message.v1.PublishJob.article_id",
	"wxstack.message.v1.Subscription.template_id", "wxstack.message.v1.Subscription.status", "wxstack.message.v1.Subscription.popup_scene",
	"wxstack.message.v1.Subscription.error_code", "wxstack.message.v1.Subscription.error_status",
	"wxstack.message.v1.AgentSession.kf_account", "wxstack.message.v1.AgentSession.from_kf_account", "wxstack.message.v1.AgentSession.to_kf_account",
	"wxstack.message.v1.Authorization.revoke_info", "wxstack.message.v1.Verification.fail_reason",
	"wxstack.message.v1.Notice.info_type", "wxstack.message.v1.Notice.authorizer_app_id", // notices are not recorded.
}

// TestEveryTextIsThoughtOf fails for a field that is new: it goes into the table or the list.
func TestEveryTextIsThoughtOf(t *testing.T) {
	t.Parallel()
	known := map[protoreflect.FullName]bool{}
	var visit func(d protoreflect.MessageDescriptor)
	visit = func(d protoreflect.MessageDescriptor) {
		for i := range d.Fields().Len() {
			field := d.Fields().Get(i)
			_, listed := treatments[field.FullName()]
			switch {
			case known[field.FullName()], field.FullName() == restField:
			case field.Message() != nil:
				known[field.FullName()] = true
				visit(field.Message())
			case field.Kind() == protoreflect.StringKind:
				known[field.FullName()] = true
				if !listed && !slices.Contains(maskedOnPurpose, field.FullName()) {
					t.Errorf("what becomes of %s?", field.FullName())
				}
			case field.Kind() == protoreflect.BytesKind && field.FullName() != rawField:
				t.Errorf("%s holds bytes, which nothing redacts", field.FullName())
			}
		}
	}
	visit((&messagev1.Message{}).ProtoReflect().Descriptor())
	for field := range treatments {
		if !known[field] {
			t.Errorf("there is no %s", field)
		}
	}
}

// FuzzRedact takes any message: nothing of it may make a line that cannot be read again.
func FuzzRedact(f *testing.F) {
	for _, msg := range []*messagev1.Message{
		{AppId: "wxA", FromUserName: "oA", Content: &messagev1.Message_Text{Text: &messagev1.Text{Content: "138 0013 8000"}}},
		{AppId: "wxA", Content: &messagev1.Message_Event{Event: &messagev1.Event{
			Name: "VIEW", Key: "x?y", Detail: &messagev1.Event_Pictures{Pictures: &messagev1.Pictures{Md5Sums: []string{"1234"}}},
		}}, Raw: []byte("x")},
	} {
		data, err := proto.Marshal(msg)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "redacted")
		f.Add(data, "full")
		f.Add(data, "none")
	}
	r := newRedactor()
	f.Fuzz(func(t *testing.T, data []byte, texts string) {
		question := &logicv1.ReplyRequest{Message: &messagev1.Message{}, MessageKey: "k"}
		if proto.Unmarshal(data, question.GetMessage()) != nil {
			return
		}
		question.GetMessage().ProtoReflect().SetUnknown(nil)
		openID := question.GetMessage().GetFromUserName()
		r.redact(question, routing.Texts(texts))
		line, err := encode(question)
		if err != nil {
			t.Fatal(err)
		}
		if got := question.GetMessage().GetFromUserName(); openID != "" && got == openID {
			t.Errorf("%q stayed", openID)
		}
		for read := range Read(strings.NewReader(string(line))) {
			if read.Err != nil {
				t.Errorf("%s: %v", line, read.Err)
			}
		}
	})
}
