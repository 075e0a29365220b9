package catalog

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func load(t testing.TB) *Catalog {
	t.Helper()
	catalog, err := Load()
	if err != nil {
		t.Fatal(err)
	}

	return catalog
}

// sampleOf returns a recorded sample without the indentation that it has for readers.
func sampleOf(t *testing.T, entry Entry) string {
	t.Helper()
	file := map[Kind]string{KindMessage: "msg.", KindEvent: "event.", KindNotice: "info."}[entry.Kind]
	data, err := samples.ReadFile("samples/" + file + entry.Name[strings.LastIndex(entry.Name, ":")+1:] + ".xml")
	if err != nil {
		t.Fatal(err)
	}

	return regexp.MustCompile(`>\s+<`).ReplaceAllString(strings.TrimSpace(string(data)), "><")
}

// headerOf is the header that a sample has.
func headerOf(entry Entry) Header {
	header := Header{To: "gh_0123456789ab", From: sampleFollower, CreateTime: 1700000000}
	if entry.Kind == KindNotice {
		header.To, header.CreateTime = "wxcomponent0000001", 1413192605
	}
	switch entry.Name {
	case "text.msgmenu":
		header.MsgID = 24300000000000002
	case "miniprogrampage":
		header.MsgID = 24300000000000003
	default:
		header.MsgID = 24300000000000001
	}

	return header
}

// Whatever is not set is as it was recorded, byte for byte.
func TestEveryEntryIsRenderedAsItsSample(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(samples, "samples/*.xml")
	if err != nil {
		t.Fatal(err)
	}
	entries := load(t).All()
	if len(entries) != len(files) || len(entries) < 100 {
		t.Errorf("%d entries of %d samples", len(entries), len(files))
	}
	for _, entry := range entries {
		document := entry.Build(headerOf(entry), nil)
		if diff := cmp.Diff(sampleOf(t, entry), document.XML()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", entry.Name, diff)
		}
		if text := JSONDocument(document); !json.Valid([]byte(text)) {
			t.Errorf("%s is no JSON: %s", entry.Name, text)
		}
	}
}

func TestEveryEntryHasATitleAndEveryTitleAnEntry(t *testing.T) {
	t.Parallel()
	names := make(map[string]bool)
	for _, entry := range load(t).All() {
		names[entry.Name] = true
		if entry.Group == "" || entry.GroupEn == "" || titles[entry.Name].zh == "" || titles[entry.Name].en == "" {
			t.Errorf("%s has no title in titles.go", entry.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(titles)) {
		if !names[name] {
			t.Errorf("title %q has no sample", name)
		}
	}
}

// A value that is set appears, and nothing else changes.
func TestEveryFieldCanBeSet(t *testing.T) {
	t.Parallel()
	for _, entry := range load(t).All() {
		for _, field := range entry.Fields {
			document := entry.Build(headerOf(entry), map[string]string{field.Path: "新 <值> ]]>"})
			read, err := ParseXML([]byte(document.XML()))
			if err != nil {
				t.Fatalf("%s: %v", entry.Name, err)
			}
			changed := 0
			walk(&read, "", func(where string, element *Element) {
				if element.Text == "新 <值> ]]>" && where == field.Path {
					changed++
				}
			})
			if changed != 1 {
				t.Errorf("%s: %s appears %d times in %s", entry.Name, field.Path, changed, document.XML())
			}
		}
	}
}

// An element that repeats can be set as often as it is counted, whatever the order.
func TestRepeatedElements(t *testing.T) {
	t.Parallel()
	entry, err := load(t).Select("event", "PUBLISHJOBFINISH", "", map[string]string{"PublishEventInfo/article_detail/item[3]/idx": "3"})
	if err != nil {
		t.Fatal(err)
	}
	document := entry.Build(headerOf(entry), map[string]string{
		"PublishEventInfo/article_detail/item[3]/idx": "3", "PublishEventInfo/article_detail/item[2]/article_url": "https://example.com/2",
	})
	const want = `<item><idx>1</idx><article_url><![CDATA[https://mp.weixin.qq.com/s/EXAMPLE]]></article_url></item>` +
		`<item><idx>1</idx><article_url><![CDATA[https://example.com/2]]></article_url></item>` +
		`<item><idx>3</idx><article_url><![CDATA[https://mp.weixin.qq.com/s/EXAMPLE]]></article_url></item>`
	if got := document.XML(); !strings.Contains(got, want) {
		t.Errorf("%s", got)
	}
	for _, wrong := range []string{"PublishEventInfo/article_detail/item[100]/idx", "PublishEventInfo/article_detail/item[0]/idx", "PublishEventInfo/x[2]"} {
		if entry.Has(wrong) {
			t.Errorf("it has %s", wrong)
		}
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	catalog := load(t)
	cases := map[string]struct {
		msgType, event, info string
		fields               []string
		want, problem        string
	}{
		"plain":                    {msgType: "voice", want: "voice"},
		"variant by its field":     {msgType: "voice", fields: []string{"Recognition"}, want: "voice.recognition"},
		"event":                    {msgType: "event", event: "SCAN", want: "event:SCAN"},
		"event variant":            {msgType: "event", event: "subscribe", fields: []string{"Ticket", "EventKey"}, want: "event:subscribe.qrscene"},
		"the smaller variant":      {msgType: "event", event: "TEMPLATESENDJOBFINISH", fields: []string{"Status"}, want: "event:TEMPLATESENDJOBFINISH"},
		"the other variant":        {msgType: "event", event: "PUBLISHJOBFINISH", fields: []string{"PublishEventInfo/fail_idx[2]"}, want: "event:PUBLISHJOBFINISH.fail"},
		"notice":                   {info: "authorized", want: "info:authorized"},
		"unknown type":             {msgType: "smell", problem: `type "smell" is unknown, use one of event, file, image`},
		"unknown event":            {msgType: "event", event: "scan", problem: `event "scan" is unknown, use one of CLICK`},
		"unknown notice":           {info: "x", problem: `info_type "x" is unknown, use one of authorized`},
		"unknown field":            {msgType: "link", fields: []string{"Titel"}, problem: `link has no field "Titel", it has Title, Description, Url`},
		"header is not a field":    {msgType: "text", fields: []string{"FromUserName"}, problem: `text has no field "FromUserName"`},
		"fields of two variants":   {msgType: "text", fields: []string{"bizmsgmenuid", "Idx"}, problem: "text has no field"},
		"second of a repeated one": {msgType: "event", event: "pic_weixin", fields: []string{"SendPicsInfo/PicList/item[2]/PicMd5Sum"}, want: "event:pic_weixin"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fields := make(map[string]string)
			for _, field := range test.fields {
				fields[field] = "x"
			}
			got, err := catalog.Select(test.msgType, test.event, test.info, fields)
			if test.problem != "" {
				if !errors.Is(err, ErrDocument) || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("error %v, want %q", err, test.problem)
				}

				return
			}
			if err != nil || got.Name != test.want {
				t.Errorf("entry %q, error %v, want %q", got.Name, err, test.want)
			}
		})
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	catalog := load(t)
	if got, ok := catalog.Find("event:SCAN"); !ok || !got.Answerable || got.Kind != KindEvent {
		t.Errorf("entry %+v, %v", got, ok)
	}
	if _, ok := catalog.Find("event:scan"); ok {
		t.Error("names differ by their case")
	}
}

// The shape of the format JSON: numbers, nesting, what repeats, and the lists of subscription messages in the root.
func TestJSON(t *testing.T) {
	t.Parallel()
	catalog := load(t)
	for name, want := range map[string]string{
		"text": `{"ToUserName":"gh_0123456789ab","FromUserName":"` + sampleFollower + `","CreateTime":1700000000,"MsgType":"text",` +
			`"Content":"你好，公众号","MsgId":24300000000000001}`,
		"event:scancode_push": `{"ToUserName":"gh_0123456789ab","FromUserName":"` + sampleFollower + `","CreateTime":1700000000,"MsgType":"event",` +
			`"Event":"scancode_push","EventKey":"MENU_KEY_2","ScanCodeInfo":{"ScanType":"qrcode","ScanResult":"https://example.com/x"}}`,
		"event:subscribe_msg_change_event": `{"ToUserName":"gh_0123456789ab","FromUserName":"` + sampleFollower + `","CreateTime":1700000000,` +
			`"MsgType":"event","Event":"subscribe_msg_change_event","List":{"TemplateId":"TEMPLATE_ID_1","SubscribeStatusString":"reject"}}`,
		"event:subscribe_msg_popup_event": `{"ToUserName":"gh_0123456789ab","FromUserName":"` + sampleFollower + `","CreateTime":1700000000,` +
			`"MsgType":"event","Event":"subscribe_msg_popup_event","List":[` +
			`{"TemplateId":"TEMPLATE_ID_1","SubscribeStatusString":"accept","PopupScene":2},` +
			`{"TemplateId":"TEMPLATE_ID_2","SubscribeStatusString":"reject","PopupScene":2}]}`,
	} {
		entry, ok := catalog.Find(name)
		if !ok {
			t.Fatalf("no entry %q", name)
		}
		if diff := cmp.Diff(want, JSONDocument(entry.Build(headerOf(entry), nil))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestParseXMLRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                            "there is no element",
		"<x></x>":                     "the root is <x>, must be <xml>",
		"<xml>":                       "unexpected EOF",
		"<xml><a></b></xml>":          "line 1",
		"<xml></xml><xml></xml>":      "second root",
		"<xml></xml>text":             "outside of the root",
		`<xml><a b="c"></a></xml>`:    "attributes",
		`<!DOCTYPE x><xml></xml>`:     "no DTD",
		"<xml>text<a></a></xml>":      "both text and elements",
		"<xml>\n<a>&unknown;</a>":     "line 2",
		strings.Repeat("<xml>", 1000): "levels",
	} {
		if _, err := ParseXML([]byte(text)); !errors.Is(err, ErrDocument) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %q", text, err, want)
		}
	}
}

func TestParseJSON(t *testing.T) {
	t.Parallel()
	const text = `{"ToUserName":"gh_1","CreateTime":1700000000,"List":[{"A":"x"},{"A":1.5}],"Nested":{"B":"<>&"},"Nothing":null}`
	read, err := ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"ToUserName":"gh_1","CreateTime":1700000000,"List":[{"A":"x"},{"A":1.5}],"Nested":{"B":"<>&"}}`
	if diff := cmp.Diff(want, read.JSON()); diff != "" {
		t.Errorf("written again (-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		``: "EOF", `[]`: "must be a JSON object", `"x"`: "must be a JSON object", `{"a":1} 2`: "something follows", `{"a"`: "byte 4",
		strings.Repeat(`{"a":`, 100): "levels", `{a:1}`: "invalid character",
	} {
		if _, err := ParseJSON([]byte(text)); !errors.Is(err, ErrDocument) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %q", text, err, want)
		}
	}
}

// What is read can be written and read again.
func FuzzParseJSON(f *testing.F) {
	f.Add(`{"ToUserName":"gh_1","CreateTime":1700000000,"List":[{"A":"x"},{"A":1.5}]}`)
	f.Add(`{"a":[[{}],true,null]}`)
	f.Fuzz(func(t *testing.T, text string) {
		read, err := ParseJSON([]byte(text))
		if err != nil {
			return
		}
		if _, err := ParseJSON([]byte(read.JSON())); err != nil && len(read.Children) > 0 {
			t.Errorf("%q was written as %q, which is refused: %v", text, read.JSON(), err)
		}
	})
}

// What is read is what is written, and written again it is the same.
func FuzzParseXML(f *testing.F) {
	for _, file := range []string{"event.MASSSENDJOBFINISH", "msg.text", "event.pic_weixin", "info.authorized"} {
		data, err := samples.ReadFile(path.Join("samples", file+".xml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add("<xml><a>1</a><a>x]]&gt;</a><b><![CDATA[]]></b></xml>")
	f.Fuzz(func(t *testing.T, text string) {
		first, err := ParseXML([]byte(text))
		if err != nil {
			return
		}
		second, err := ParseXML([]byte(first.XML()))
		if err != nil {
			t.Fatalf("%q was written as %q, which is refused: %v", text, first.XML(), err)
		}
		if diff := cmp.Diff(first.XML(), second.XML()); diff != "" {
			t.Errorf("written twice (-first +second):\n%s", diff)
		}
		if written := JSONDocument(first); !json.Valid([]byte(written)) {
			t.Errorf("%q is no JSON", written)
		}
	})
}
