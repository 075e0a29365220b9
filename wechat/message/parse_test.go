package message_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wxstack/wxstack/wechat/message"
)

// TestParseGuide parses the two messages of WeChat's own getting-started guide
// (入门指引), which have their elements in an order of their own.
func TestParseGuide(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		body string
		want message.Message
	}{
		"text": {
			body: `<xml>
 <ToUserName><![CDATA[公众号]]></ToUserName>
 <FromUserName><![CDATA[粉丝号]]></FromUserName>
 <CreateTime>1460537339</CreateTime>
 <MsgType><![CDATA[text]]></MsgType>
 <Content><![CDATA[欢迎开启公众号开发者模式]]></Content>
 <MsgId>6272960105994287618</MsgId>
</xml>`,
			want: message.Message{
				ToUserName: "公众号", FromUserName: "粉丝号", CreateTime: 1460537339, MsgType: "text",
				MsgID: 6272960105994287618, Text: &message.Text{Content: "欢迎开启公众号开发者模式"},
			},
		},
		"image": {
			body: `<xml>
 <ToUserName><![CDATA[公众号]]></ToUserName>
 <FromUserName><![CDATA[粉丝号]]></FromUserName>
 <CreateTime>1460536575</CreateTime>
 <MsgType><![CDATA[image]]></MsgType>
 <PicUrl><![CDATA[http://mmbiz.qpic.cn/xxxxxx /0]]></PicUrl>
 <MsgId>6272956824639273066</MsgId>
 <MediaId><![CDATA[gyci5a-xxxxx-OL]]></MediaId>
</xml>`,
			want: message.Message{
				ToUserName: "公众号", FromUserName: "粉丝号", CreateTime: 1460536575, MsgType: "image",
				MsgID: 6272956824639273066,
				Image: &message.Image{MediaID: "gyci5a-xxxxx-OL", PicURL: "http://mmbiz.qpic.cn/xxxxxx /0"},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := message.Parse([]byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
		})
	}
}

// head is what every push has, without MsgType.
const head = "<ToUserName>to</ToUserName><FromUserName>from</FromUserName><CreateTime>7</CreateTime>"

func TestParseTolerates(t *testing.T) {
	t.Parallel()

	text := func(content string, fields ...message.Field) message.Message {
		return message.Message{
			ToUserName: "to", FromUserName: "from", CreateTime: 7, MsgType: "text", MsgID: 9,
			Text: &message.Text{Content: content}, Fields: fields,
		}
	}
	const rest = "<MsgType>text</MsgType><MsgId>9</MsgId>"
	tests := map[string]struct {
		body string
		want message.Message
	}{
		"no CDATA":         {"<xml>" + head + rest + "<Content>a &lt;b&gt; &amp; c</Content></xml>", text("a <b> & c")},
		"another order":    {"<xml><Content>x</Content>" + rest + head + "</xml>", text("x")},
		"XML declaration":  {`<?xml version="1.0" encoding="UTF-8"?>` + "\n<xml>" + head + rest + "<Content>x</Content></xml>\n", text("x")},
		"space outside":    {" \r\n<xml> " + head + rest + "<Content>\n x \n</Content>\n</xml>\n", text("x")},
		"space in CDATA":   {"<xml>" + head + rest + "<Content>\n<![CDATA[ x\n ]]> </Content></xml>", text(" x\n ")},
		"space around all": {"<xml><ToUserName> <![CDATA[ to ]]></ToUserName><FromUserName>\nfrom</FromUserName><CreateTime> 7 </CreateTime><MsgType><![CDATA[text ]]></MsgType><MsgId><![CDATA[ 9 ]]></MsgId><Content>x</Content></xml>", text("x")},
		"split CDATA":      {"<xml>" + head + rest + "<Content><![CDATA[a]]]]><![CDATA[>b]]></Content></xml>", text("a]]>b")},
		"mixed text":       {"<xml>" + head + rest + "<Content> a <![CDATA[ b ]]> c </Content></xml>", text("a  b  c")},
		"empty CDATA":      {"<xml>" + head + rest + "<Content><![CDATA[]]></Content></xml>", text("")},
		"comments":         {"<!-- a --><xml>" + head + "<!-- b -->" + rest + "<Content>x<!-- c -->y</Content></xml><!-- d -->", text("xy")},
		"attributes":       {`<xml a="b">` + head + rest + `<Content c="d">x</Content></xml>`, text("x")},
		"unknown extras": {
			"<xml>" + head + "<New><A>1</A><A>2</A></New>" + rest + "<Content>x</Content><Other/></xml>",
			text("x",
				message.Field{Name: "New", Children: []message.Field{{Name: "A", Value: "1"}, {Name: "A", Value: "2"}}},
				message.Field{Name: "Other"}),
		},
		"second of a kind": {
			"<xml>" + head + rest + "<Content>x</Content><Content>y</Content></xml>",
			text("x", message.Field{Name: "Content", Value: "y"}),
		},
		"children in a plain element": {
			"<xml>" + head + rest + "<Content>x<b>y</b></Content></xml>",
			text("", message.Field{Name: "Content", Value: "x", Children: []message.Field{{Name: "b", Value: "y"}}}),
		},
		"other case is another element": {
			"<xml>" + head + rest + "<content>x</content></xml>",
			text("", message.Field{Name: "content", Value: "x"}),
		},
		"foreign name space": {
			`<xml>` + head + rest + `<a:Content xmlns:a="urn:a">x</a:Content></xml>`,
			text("", message.Field{Name: "urn:a:Content", Value: "x"}),
		},
		"control characters": {
			"<xml>" + head + rest + "<Content><![CDATA[a\x00b\x0bc\uffff]]></Content></xml>",
			text("a\ufffdb\ufffdc\ufffd"),
		},
		"broken UTF-8":   {"<xml>" + head + rest + "<Content><![CDATA[a\xe4\xbdb]]></Content></xml>", text("a\ufffd\ufffdb")},
		"CRLF":           {"<xml>" + head + rest + "<Content><![CDATA[a\r\nb]]></Content></xml>", text("a\nb")},
		"astral plane":   {"<xml>" + head + rest + "<Content>&#x1F600;😀</Content></xml>", text("😀😀")},
		"empty number":   {"<xml>" + head + "<MsgType>x</MsgType><MsgId/></xml>", message.Message{ToUserName: "to", FromUserName: "from", CreateTime: 7, MsgType: "x"}},
		"greatest MsgId": {"<xml>" + head + "<MsgType>x</MsgType><MsgId>18446744073709551615</MsgId></xml>", message.Message{ToUserName: "to", FromUserName: "from", CreateTime: 7, MsgType: "x", MsgID: 1<<64 - 1}},
		"lower-case event": {
			"<xml>" + head + "<MsgType>event</MsgType><Event>location</Event><Latitude>-1.5</Latitude></xml>",
			message.Message{
				ToUserName: "to", FromUserName: "from", CreateTime: 7, MsgType: "event",
				Event: &message.Event{Name: "location", Position: &message.Position{Latitude: -1.5}},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := message.Parse([]byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreFields(message.Message{}, "Raw")); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()

	const text = "<MsgType>text</MsgType>"
	tests := map[string]struct {
		body string
		want string // part of the error
	}{
		"nothing":            {"", "empty document"},
		"white space":        {" \n", "empty document"},
		"JSON in an array":   {`[{"ToUserName":"to"}]`, "text outside"},
		"BOM":                {"\ufeff<xml>" + head + text + "</xml>", "text outside"},
		"cut":                {"<xml>" + head, "not well-formed"},
		"wrong end":          {"<xml>" + head + text + "</yml>", "not well-formed"},
		"no receiver":        {"<xml><FromUserName>a</FromUserName>" + text + "</xml>", "ToUserName"},
		"empty sender":       {"<xml><ToUserName>a</ToUserName><FromUserName> </FromUserName>" + text + "</xml>", "FromUserName"},
		"no type":            {"<xml>" + head + "</xml>", "MsgType"},
		"receiver not plain": {"<xml><ToUserName><a/></ToUserName><FromUserName>a</FromUserName>" + text + "</xml>", "ToUserName"},
		"other root":         {"<root>" + head + text + "</root>", `"root"`},
		"second root":        {"<xml>" + head + text + "</xml><xml/>", "second root"},
		"text after root":    {"<xml>" + head + text + "</xml>x", "text outside"},
		"CDATA after root":   {"<xml>" + head + text + "</xml><![CDATA[ ]]>", "text outside"},
		"DTD":                {"<!DOCTYPE xml><xml>" + head + text + "</xml>", "document type"},
		"external entity":    {`<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml>` + head + text + "<Content>&e;</Content></xml>", "document type"},
		"DTD inside":         {"<xml><!ENTITY e 'x'>" + head + text + "</xml>", "document type"},
		"unknown entity":     {"<xml>" + head + text + "<Content>&nbsp;</Content></xml>", "not well-formed"},
		"other encoding":     {`<?xml version="1.0" encoding="GBK"?><xml>` + head + text + "</xml>", "not well-formed"},
		"too deep":           {"<xml>" + strings.Repeat("<a>", message.MaxDepth), "deeper than"},
		"too many elements":  {"<xml>" + strings.Repeat("<a/>", message.MaxElements) + "</xml>", "more than"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := message.Parse([]byte(test.body))
			if !errors.Is(err, message.ErrMalformed) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Parse: error %v, want ErrMalformed with %q", err, test.want)
			}
			if diff := cmp.Diff(message.Message{}, got); diff != "" {
				t.Errorf("Parse returned a message beside the error:\n%s", diff)
			}
		})
	}
}

// TestParseBounds shows that the bounds are where the constants say.
func TestParseBounds(t *testing.T) {
	t.Parallel()

	const typed = 4 // elements beside the root and the filling
	nested := strings.Repeat("<a>", message.MaxDepth-1) + strings.Repeat("</a>", message.MaxDepth-1)
	many := strings.Repeat("<a/>", message.MaxElements-1-typed)
	for name, filling := range map[string]string{"deepest": nested, "most elements": many} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := message.Parse([]byte("<xml>" + head + "<MsgType>x</MsgType>" + filling + "</xml>")); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestParseRefusesJSON: the same bounds, and nothing but one object.
func TestParseRefusesJSON(t *testing.T) {
	t.Parallel()

	const rest = `"FromUserName":"from","MsgType":"text"`
	tests := map[string]struct {
		body string
		want string // part of the error
	}{
		"cut":                 {`{"ToUserName":"to",`, "not well-formed"},
		"cut in a value":      {`{"ToUserName":"t`, "not well-formed"},
		"no quotes":           {`{ToUserName:"to"}`, "not well-formed"},
		"comma at the end":    {`{"ToUserName":"to",}`, "not well-formed"},
		"another bracket":     {`{"ToUserName":"to"]`, "not well-formed"},
		"no receiver":         {`{` + rest + `}`, "ToUserName"},
		"null receiver":       {`{"ToUserName":null,` + rest + `}`, "ToUserName"},
		"receiver an object":  {`{"ToUserName":{"a":"to"},` + rest + `}`, "ToUserName"},
		"text after":          {`{"ToUserName":"to",` + rest + `}x`, "after the end"},
		"second object":       {`{"ToUserName":"to",` + rest + `}{}`, "after the end"},
		"too deep":            {strings.Repeat(`{"a":`, message.MaxDepth+1) + "1", "deeper than"},
		"arrays too deep":     {`{"a":` + strings.Repeat("[", 1000), "deeper than"},
		"too many elements":   {`{"a":[0` + strings.Repeat(",0", message.MaxElements) + "]}", "more than"},
		"component is absent": {`{"InfoType":"authorized"}`, "AppId"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := message.Parse([]byte(test.body))
			if !errors.Is(err, message.ErrMalformed) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Parse: error %v, want ErrMalformed with %q", err, test.want)
			}
			if diff := cmp.Diff(message.Message{}, got); diff != "" {
				t.Errorf("Parse returned a message beside the error:\n%s", diff)
			}
		})
	}
}

func TestParseToleratesJSON(t *testing.T) {
	t.Parallel()

	field := func(name, value string, children ...message.Field) message.Field {
		return message.Field{Name: name, Value: value, Children: children}
	}
	tests := map[string]struct {
		members string
		id      uint64
		content string
		fields  []message.Field
	}{
		"number":           {members: `"MsgId":18446744073709551615`, id: 1<<64 - 1},
		"number in quotes": {members: `"MsgId":"18446744073709551615"`, id: 1<<64 - 1},
		"fraction":         {members: `"MsgId":1.5`, fields: []message.Field{field("MsgId", "1.5")}},
		"other values": {
			members: `"a":true,"b":null,"c":-1e3,"d":{},"e":[]`,
			fields:  []message.Field{field("a", "true"), field("b", ""), field("c", "-1e3"), field("d", "")},
		},
		"arrays": {
			members: `"a":["x",["y",{"z":1}],[]]`,
			fields:  []message.Field{field("a", "x"), field("a", "y"), field("a", "", field("z", "1"))},
		},
		"twice":              {members: `"Content":"x","Content":"y"`, content: "x", fields: []message.Field{field("Content", "y")}},
		"escapes":            {members: `"Content":"\u4f60\ud83d\ude00\n\"\/"`, content: "你😀\n\"/"},
		"white space":        {members: `"Content":" x\n"`, content: " x\n"},
		"control characters": {members: "\"Content\":\"a\x01b\\u0000c\\ud800\xff\"", content: "a\ufffdb\ufffdc\ufffd\ufffd"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := message.Parse([]byte(`{"ToUserName":"to","FromUserName":"from","CreateTime":7,"MsgType":"text",` + test.members + "}"))
			if err != nil {
				t.Fatal(err)
			}
			want := message.Message{
				Format: message.JSON, ToUserName: "to", FromUserName: "from", CreateTime: 7, MsgType: "text", MsgID: test.id,
				Text: &message.Text{Content: test.content}, Fields: test.fields,
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(message.Message{}, "Raw"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseKeepsWhatItCannotRead: a value of the wrong kind costs its field, not
// the message.
func TestParseKeepsWhatItCannotRead(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		msgType, body string
		want          message.Field
	}{
		"MsgId negative":      {"text", "<MsgId>-1</MsgId>", message.Field{Name: "MsgId", Value: "-1"}},
		"MsgId too great":     {"text", "<MsgId>18446744073709551616</MsgId>", message.Field{Name: "MsgId", Value: "18446744073709551616"}},
		"Idx a word":          {"image", "<Idx>first</Idx>", message.Field{Name: "Idx", Value: "first"}},
		"latitude not finite": {"location", "<Location_X>NaN</Location_X>", message.Field{Name: "Location_X", Value: "NaN"}},
		"longitude a word":    {"event", "<Event>LOCATION</Event><Longitude>east</Longitude>", message.Field{Name: "Longitude", Value: "east"}},
		"a value for a structure": {
			"event", "<Event>scancode_push</Event><ScanCodeInfo>x</ScanCodeInfo>", message.Field{Name: "ScanCodeInfo", Value: "x"},
		},
		"a word in a structure": {
			"event", "<Event>location_select</Event><SendLocationInfo><Label>x</Label><Scale>wide</Scale></SendLocationInfo>",
			message.Field{Name: "SendLocationInfo", Children: []message.Field{{Name: "Scale", Value: "wide"}}},
		},
		"a wrong count": {
			"event", "<Event>MASSSENDJOBFINISH</Event><ArticleUrlResult><Count>2</Count></ArticleUrlResult>",
			message.Field{Name: "ArticleUrlResult", Children: []message.Field{{Name: "Count", Value: "2"}}},
		},
		"a word in a list": {
			"event", "<Event>PUBLISHJOBFINISH</Event><PublishEventInfo><fail_idx>1</fail_idx><fail_idx>x</fail_idx></PublishEventInfo>",
			message.Field{Name: "PublishEventInfo", Children: []message.Field{{Name: "fail_idx", Value: "x"}}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := message.Parse([]byte("<xml>" + head + "<MsgType>" + test.msgType + "</MsgType>" + test.body + "</xml>"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]message.Field{test.want}, got.Fields); diff != "" {
				t.Errorf("Fields (-want +got):\n%s", diff)
			}
		})
	}
	got, err := message.Parse([]byte("<xml>" + strings.Replace(head, "7", "now", 1) + "<MsgType>text</MsgType></xml>"))
	if err != nil || got.CreateTime != 0 || len(got.Fields) != 1 {
		t.Errorf("CreateTime a word: %+v, %v", got, err)
	}
}

// TestParseQuirks holds the forms in which WeChat's pages and pushes disagree.
func TestParseQuirks(t *testing.T) {
	t.Parallel()

	pictures := &message.Pictures{Count: 2, MD5Sums: []string{"a", "b"}}
	subscription := []message.Subscription{{TemplateID: "a", Status: "accept"}}
	tests := map[string]struct {
		xml, json string
		want      message.Event
	}{
		"pictures in lists of their own": {
			xml:  "<Event>pic_weixin</Event><SendPicsInfo><Count>2</Count><PicList><item><PicMd5Sum>a</PicMd5Sum></item></PicList><PicList><item><PicMd5Sum>b</PicMd5Sum></item></PicList></SendPicsInfo>",
			json: `"Event":"pic_weixin","SendPicsInfo":{"Count":2,"PicList":[{"item":{"PicMd5Sum":"a"}},{"item":{"PicMd5Sum":"b"}}]}`,
			want: message.Event{Name: "pic_weixin", Pictures: pictures},
		},
		"pictures without items": {
			xml:  "<Event>pic_weixin</Event><SendPicsInfo><Count>2</Count><PicList><PicMd5Sum>a</PicMd5Sum></PicList><PicList><PicMd5Sum>b</PicMd5Sum></PicList></SendPicsInfo>",
			json: `"Event":"pic_weixin","SendPicsInfo":{"Count":"2","PicList":[{"PicMd5Sum":"a"},{"PicMd5Sum":"b"}]}`,
			want: message.Event{Name: "pic_weixin", Pictures: pictures},
		},
		"list in the root": {
			xml:  "<Event>subscribe_msg_change_event</Event><List><TemplateId>a</TemplateId><SubscribeStatusString>accept</SubscribeStatusString></List>",
			json: `"Event":"subscribe_msg_change_event","List":{"TemplateId":"a","SubscribeStatusString":"accept"}`,
			want: message.Event{Name: "subscribe_msg_change_event", Subscriptions: subscription},
		},
		"list as an array": {
			xml:  "<Event>subscribe_msg_popup_event</Event><SubscribeMsgPopupEvent><List><TemplateId>a</TemplateId><SubscribeStatusString>accept</SubscribeStatusString></List></SubscribeMsgPopupEvent>",
			json: `"Event":"subscribe_msg_popup_event","List":[{"TemplateId":"a","SubscribeStatusString":"accept"}]`,
			want: message.Event{Name: "subscribe_msg_popup_event", Subscriptions: subscription},
		},
		"names in lower case": {
			xml:  "<Event>user_info_modified</Event><openid>a</openid><appid>b</appid><unionid>c</unionid>",
			json: `"Event":"user_info_modified","openid":"a","appid":"b","unionid":"c"`,
			want: message.Event{Name: "user_info_modified", Authorization: &message.Authorization{OpenID: "a", AppID: "b", UnionID: "c"}},
		},
		"another name of the event": {
			xml:  "<Event>FREEPUBLISHJOBFINISH</Event><PublishEventInfo><publish_id>1</publish_id><publish_status>2</publish_status><fail_idx>1</fail_idx><fail_idx>3</fail_idx></PublishEventInfo>",
			json: `"Event":"FREEPUBLISHJOBFINISH","PublishEventInfo":{"publish_id":"1","publish_status":2,"fail_idx":[1,3]}`,
			want: message.Event{Name: "FREEPUBLISHJOBFINISH", PublishJob: &message.PublishJob{PublishID: "1", Status: "2", FailedIdx: []int64{1, 3}}},
		},
		"lower-case job event": {
			xml:  "<Event>templatesendjobfinish</Event><MsgID>1</MsgID><Status>success</Status>",
			json: `"Event":"templatesendjobfinish","MsgID":1,"Status":"success"`,
			want: message.Event{Name: "templatesendjobfinish", SendJob: &message.SendJob{MsgID: 1, Status: "success"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, body := range []string{
				"<xml>" + head + "<MsgType>event</MsgType>" + test.xml + "</xml>",
				`{"ToUserName":"to","FromUserName":"from","CreateTime":7,"MsgType":"event",` + test.json + "}",
			} {
				got, err := message.Parse([]byte(body))
				if err != nil {
					t.Fatal(err)
				}
				want := message.Message{
					ToUserName: "to", FromUserName: "from", CreateTime: 7, MsgType: "event", Event: &test.want, Format: got.Format,
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("Parse %s (-want +got):\n%s", body, diff)
				}
			}
		})
	}
}

func TestSendJobSucceeded(t *testing.T) {
	t.Parallel()

	for status, want := range map[string]bool{
		"success": true, "send success": true, "sendsuccess": true, "Send Success": true,
		"": false, "send fail": false, "failed:user block": false, "failed: system failed": false, "err(10001)": false,
	} {
		if got := (message.SendJob{Status: status}).Succeeded(); got != want {
			t.Errorf("%q: %v", status, got)
		}
	}
}

// TestSecretsAreNotPrinted: no usual way to print a notice shows its ticket.
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()

	m, err := message.Parse(sample(t, "info.component_verify_ticket"))
	if err != nil {
		t.Fatal(err)
	}
	const ticket = "ticket@@@example"
	if got := m.Notice.ComponentVerifyTicket.Reveal(); got != ticket {
		t.Fatalf("ticket %q", got)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("a", "notice", *m.Notice, "ticket", m.Notice.ComponentVerifyTicket)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("a", "notice", m.Notice, "ticket", m.Notice.ComponentVerifyTicket)
	inJSON, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	ways := []string{log.String(), string(inJSON)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		ways = append(ways, fmt.Sprintf(verb, *m.Notice), fmt.Sprintf(verb, m.Notice.ComponentVerifyTicket), fmt.Sprintf(verb, m))
	}
	for _, way := range ways {
		if strings.Contains(way, ticket) || strings.Contains(way, fmt.Sprintf("%x", ticket)) {
			t.Errorf("the ticket is in %s", way)
		}
	}
}

func TestEventIs(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, other string
		want        bool
	}{
		{"SCAN", message.EventScan, true},
		{"scan", message.EventScan, true},
		{"Subscribe", message.EventSubscribe, true},
		{"unsubscribe", message.EventSubscribe, false},
		{"", message.EventView, false},
	}
	for _, test := range tests {
		if got := (message.Event{Name: test.name}).Is(test.other); got != test.want {
			t.Errorf("Event %q Is(%q) = %v, want %v", test.name, test.other, got, test.want)
		}
	}
}

// FuzzParse: whatever comes in, Parse must not panic, must give either a usable
// message or an ErrMalformed, and must give the same key for the same bytes.
func FuzzParse(f *testing.F) {
	for _, name := range sampleNames(f, "*") {
		f.Add(sample(f, name))
	}
	f.Add([]byte("<xml>" + head + "<MsgType>text</MsgType><Content> a <![CDATA[ b ]]> c\x00</Content></xml>"))
	f.Add([]byte(`<!DOCTYPE xml [<!ENTITY e "x">]><xml>&e;</xml>`))
	f.Fuzz(checkParse)
}

// FuzzParseJSON does the same for the other format, and holds what is accepted
// against encoding/json.
func FuzzParseJSON(f *testing.F) {
	for _, name := range pushNames(f) {
		f.Add(document(f, name).json(false))
		f.Add(document(f, name).json(true))
	}
	f.Add(`{"ToUserName":"a","FromUserName":"b","MsgType":"c","d":[[],[1,{"e":null}],true,-1e9],"d":"\ud800"}`)
	f.Fuzz(func(t *testing.T, body string) {
		if !strings.HasPrefix(body, "{") {
			body = "{" + body
		}
		checkParse(t, []byte(body))
		if _, err := message.Parse([]byte(body)); err == nil && strings.ToValidUTF8(body, "") == body && !json.Valid([]byte(body)) {
			// Control characters in strings are the one thing that only Parse accepts.
			if !strings.ContainsFunc(body, func(r rune) bool { return r < ' ' }) {
				t.Error("encoding/json refuses what Parse read")
			}
		}
	})
}

func checkParse(t *testing.T, body []byte) {
	t.Helper()
	m, err := message.Parse(body)
	if err != nil {
		if !errors.Is(err, message.ErrMalformed) {
			t.Errorf("error %v does not wrap ErrMalformed", err)
		}

		return
	}
	if m.Notice == nil && (m.ToUserName == "" || m.FromUserName == "" || m.MsgType == "") ||
		m.Notice != nil && (m.Notice.AppID == "" || m.Notice.InfoType == "") {
		t.Errorf("accepted without a required element: %+v", m)
	}
	again, err := message.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, again, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("a second Parse differs:\n%s", diff)
	}
	if key := m.Key(); key != again.Key() || len(key) >= 130 {
		t.Errorf("Key = %q, then %q", key, again.Key())
	}
}
