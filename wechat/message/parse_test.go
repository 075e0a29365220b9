package message_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wxstack/wxstack/wechat/message"
)

// account and follower are the two ends of every sample.
const (
	account  = "gh_0123456789ab"
	follower = "oABCDEFGHIJKLMNOPQRSTUVWXYZ0"
)

// sample returns one document of testdata/samples, one per type of push and reply.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "samples", name+".xml"))
	if err != nil {
		t.Fatal(err)
	}

	return body
}

// sampleNames lists the samples that match a pattern.
func sampleNames(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "samples", pattern+".xml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no samples match %q: %v", pattern, err)
	}
	names := make([]string, 0, len(paths))
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".xml"))
	}

	return names
}

// event is a sample event with the common fields filled.
func event(e message.Event, fields ...message.Field) message.Message {
	return message.Message{
		ToUserName: account, FromUserName: follower, CreateTime: 1700000000,
		MsgType: "event", Event: &e, Fields: fields,
	}
}

// userMessage is a sample message with the common fields filled.
func userMessage(msgType string, content func(*message.Message)) message.Message {
	m := message.Message{
		ToUserName: account, FromUserName: follower, CreateTime: 1700000000,
		MsgType: msgType, MsgID: 24300000000000001,
	}
	content(&m)

	return m
}

func TestParseSamples(t *testing.T) {
	t.Parallel()

	tests := map[string]message.Message{
		"msg.text": userMessage("text", func(m *message.Message) {
			m.Text = &message.Text{Content: "你好，公众号"}
		}),
		"msg.text.msgmenu": userMessage("text", func(m *message.Message) {
			m.MsgID = 24300000000000002
			m.Text = &message.Text{Content: "满意", MenuEntryID: "101"}
		}),
		"msg.text.from_article": userMessage("text", func(m *message.Message) {
			m.Text = &message.Text{Content: "读者留言"}
			m.Fields = []message.Field{{Name: "MsgDataId", Value: "2247483650_1"}, {Name: "Idx", Value: "1"}}
		}),
		"msg.image": userMessage("image", func(m *message.Message) {
			m.Image = &message.Image{MediaID: "MEDIA_ID_0001", PicURL: "http://mmbiz.qpic.cn/mmbiz_jpg/EXAMPLE/0"}
		}),
		"msg.voice": userMessage("voice", func(m *message.Message) {
			m.Voice = &message.Voice{MediaID: "MEDIA_ID_0001", Format: "amr"}
			m.Fields = []message.Field{{Name: "MediaId16K", Value: "MEDIA_ID_16K_0001"}}
		}),
		"msg.voice.recognition": userMessage("voice", func(m *message.Message) {
			m.Voice = &message.Voice{MediaID: "MEDIA_ID_0001", Format: "amr", Recognition: "今天天气怎么样"}
		}),
		"msg.video": userMessage("video", func(m *message.Message) {
			m.Video = &message.Video{MediaID: "MEDIA_ID_0001", ThumbMediaID: "THUMB_MEDIA_ID_0001"}
		}),
		"msg.shortvideo": userMessage("shortvideo", func(m *message.Message) {
			m.Video = &message.Video{MediaID: "MEDIA_ID_0001", ThumbMediaID: "THUMB_MEDIA_ID_0001"}
		}),
		"msg.location": userMessage("location", func(m *message.Message) {
			m.Location = &message.Location{Latitude: 23.134521, Longitude: 113.358803, Scale: 20, Label: "广州市海珠区"}
		}),
		"msg.link": userMessage("link", func(m *message.Message) {
			m.Link = &message.Link{Title: "示例标题", Description: "示例描述", URL: "https://example.com/a?b=1&c=2"}
		}),
		"event.subscribe": event(message.Event{Name: "subscribe"}),
		"event.subscribe.qrscene": event(message.Event{
			Name: "subscribe", Key: "qrscene_123123", Ticket: "TICKET_0001",
		}),
		"event.unsubscribe": event(message.Event{Name: "unsubscribe"}),
		"event.SCAN":        event(message.Event{Name: "SCAN", Key: "123123", Ticket: "TICKET_0001"}),
		"event.CLICK":       event(message.Event{Name: "CLICK", Key: "MENU_KEY_1"}),
		"event.VIEW": event(message.Event{Name: "VIEW", Key: "https://example.com/page"},
			message.Field{Name: "MenuId", Value: "400000001"}),
		"event.LOCATION": event(message.Event{
			Name:     "LOCATION",
			Position: &message.Position{Latitude: 23.137466, Longitude: 113.352425, Precision: 119.385040},
		}),
		"event.pic_weixin": event(message.Event{Name: "pic_weixin", Key: "MENU_KEY_3"},
			message.Field{Name: "SendPicsInfo", Children: []message.Field{
				{Name: "Count", Value: "2"},
				{Name: "PicList", Children: []message.Field{
					{Name: "item", Children: []message.Field{{Name: "PicMd5Sum", Value: "00112233445566778899aabbccddeeff"}}},
					{Name: "item", Children: []message.Field{{Name: "PicMd5Sum", Value: "ffeeddccbbaa99887766554433221100"}}},
				}},
			}}),
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := message.Parse(sample(t, name))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
		})
	}
}

// node is a document as encoding/xml's own generic decoding sees it, a second
// opinion on what Parse keeps.
type node struct {
	XMLName  xml.Name
	Text     string `xml:",chardata"`
	Children []node `xml:",any"`
}

// field is the node in the form of Message.Fields.
func (n node) field() message.Field {
	f := message.Field{Name: n.XMLName.Local, Value: strings.TrimSpace(n.Text)}
	for _, child := range n.Children {
		f.Children = append(f.Children, child.field())
	}

	return f
}

// TestParseLosesNothing compares every sample with a generic decoding of it:
// each element stands in a typed field or, unchanged and in order, in Fields.
func TestParseLosesNothing(t *testing.T) {
	t.Parallel()

	for _, name := range append(sampleNames(t, "msg.*"), sampleNames(t, "event.*")...) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := sample(t, name)
			var document node
			if err := xml.Unmarshal(body, &document); err != nil {
				t.Fatal(err)
			}
			m, err := message.Parse(body)
			if err != nil {
				t.Fatal(err)
			}
			fields := m.Fields
			m.Fields = nil
			typed := dump(t, m)
			for _, child := range document.Children {
				want := child.field()
				if len(fields) > 0 && cmp.Equal(want, fields[0]) {
					fields = fields[1:]

					continue
				}
				// Numbers lose their trailing zeros; nothing else may change.
				if !strings.Contains(typed, want.Value) && !strings.Contains(typed, strings.TrimRight(want.Value, "0")) {
					t.Errorf("element %s with value %q is in no field", want.Name, want.Value)
				}
			}
			if len(fields) != 0 {
				t.Errorf("fields that are in no element: %v", fields)
			}
		})
	}
}

// dump shows all values of a message.
func dump(t testing.TB, m message.Message) string {
	t.Helper()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(m); err != nil {
		t.Fatal(err)
	}

	return out.String()
}

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
			if diff := cmp.Diff(test.want, got); diff != "" {
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
		"nothing":             {"", "empty document"},
		"white space":         {" \n", "empty document"},
		"JSON":                {`{"ToUserName":"to"}`, "text outside"},
		"BOM":                 {"\ufeff<xml>" + head + text + "</xml>", "text outside"},
		"cut":                 {"<xml>" + head, "not well-formed"},
		"wrong end":           {"<xml>" + head + text + "</yml>", "not well-formed"},
		"no receiver":         {"<xml><FromUserName>a</FromUserName>" + text + "</xml>", "ToUserName"},
		"empty sender":        {"<xml><ToUserName>a</ToUserName><FromUserName> </FromUserName>" + text + "</xml>", "FromUserName"},
		"no type":             {"<xml>" + head + "</xml>", "MsgType"},
		"receiver not plain":  {"<xml><ToUserName><a/></ToUserName><FromUserName>a</FromUserName>" + text + "</xml>", "ToUserName"},
		"other root":          {"<root>" + head + text + "</root>", `"root"`},
		"second root":         {"<xml>" + head + text + "</xml><xml/>", "second root"},
		"text after root":     {"<xml>" + head + text + "</xml>x", "text outside"},
		"CDATA after root":    {"<xml>" + head + text + "</xml><![CDATA[ ]]>", "text outside"},
		"DTD":                 {"<!DOCTYPE xml><xml>" + head + text + "</xml>", "document type"},
		"external entity":     {`<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml>` + head + text + "<Content>&e;</Content></xml>", "document type"},
		"DTD inside":          {"<xml><!ENTITY e 'x'>" + head + text + "</xml>", "document type"},
		"unknown entity":      {"<xml>" + head + text + "<Content>&nbsp;</Content></xml>", "not well-formed"},
		"other encoding":      {`<?xml version="1.0" encoding="GBK"?><xml>` + head + text + "</xml>", "not well-formed"},
		"too deep":            {"<xml>" + strings.Repeat("<a>", message.MaxDepth), "deeper than"},
		"too many elements":   {"<xml>" + strings.Repeat("<a/>", message.MaxElements) + "</xml>", "more than"},
		"CreateTime a word":   {"<xml><ToUserName>a</ToUserName><FromUserName>b</FromUserName><CreateTime>now</CreateTime>" + text + "</xml>", "CreateTime"},
		"MsgId negative":      {"<xml>" + head + text + "<MsgId>-1</MsgId></xml>", "MsgId"},
		"MsgId too great":     {"<xml>" + head + text + "<MsgId>18446744073709551616</MsgId></xml>", "MsgId"},
		"latitude not finite": {"<xml>" + head + "<MsgType>location</MsgType><Location_X>NaN</Location_X></xml>", "Location_X"},
		"longitude a word":    {"<xml>" + head + "<MsgType>event</MsgType><Event>LOCATION</Event><Longitude>east</Longitude></xml>", "Longitude"},
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

// TestParseThirdPartySystemPush pins down that pushes of a third-party platform
// to itself, which have no follower, are not messages.
func TestParseThirdPartySystemPush(t *testing.T) {
	t.Parallel()

	for _, name := range sampleNames(t, "info.*") {
		_, err := message.Parse(sample(t, name))
		if !errors.Is(err, message.ErrMalformed) || !strings.Contains(err.Error(), "element MsgType") {
			t.Errorf("%s: error %v, want one that names MsgType", name, err)
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
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := message.Parse(body)
		if err != nil {
			if !errors.Is(err, message.ErrMalformed) {
				t.Errorf("error %v does not wrap ErrMalformed", err)
			}

			return
		}
		if m.ToUserName == "" || m.FromUserName == "" || m.MsgType == "" {
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
	})
}
