package message_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/wechat/message"
)

// push is what the sample replies answer.
func push(msgType string) message.Message {
	return message.Message{ToUserName: account, FromUserName: follower, CreateTime: 1700000000, MsgType: msgType}
}

// betweenElements is the indentation of the samples.
var betweenElements = regexp.MustCompile(`>\s+<`)

// compact removes indentation.
func compact(body []byte) string {
	return strings.TrimSpace(betweenElements.ReplaceAllString(string(body), "><"))
}

// children decodes a document by encoding/xml alone and returns what its root
// holds, text untrimmed.
func children(t testing.TB, body []byte) []message.Field {
	t.Helper()
	var document node
	if err := xml.Unmarshal(body, &document); err != nil {
		t.Fatalf("%v in %q", err, body)
	}

	return verbatim(document).Children
}

// verbatim is node.field without trimming.
func verbatim(n node) message.Field {
	f := message.Field{Name: n.XMLName.Local, Value: n.Text}
	for _, child := range n.Children {
		f.Children = append(f.Children, verbatim(child))
	}

	return f
}

func TestRenderSamples(t *testing.T) {
	t.Parallel()

	tests := map[string]message.Reply{
		"reply.text":  message.TextReply{Content: "第一行\n第二行 <a href=\"https://example.com/\">链接</a>"},
		"reply.image": message.ImageReply{MediaID: "MEDIA_ID_0001"},
		"reply.voice": message.VoiceReply{MediaID: "MEDIA_ID_0001"},
		"reply.video": message.VideoReply{MediaID: "MEDIA_ID_0001", Title: "标题", Description: "描述"},
		"reply.music": message.MusicReply{
			Title: "标题", Description: "描述",
			MusicURL: "https://example.com/a.mp3", HQMusicURL: "https://example.com/a-hq.mp3",
			ThumbMediaID: "THUMB_MEDIA_ID_0001",
		},
		"reply.news": message.NewsReply{Articles: []message.Article{{
			Title: "标题", Description: "描述", PicURL: "https://example.com/p.jpg", URL: "https://example.com/a",
		}}},
		"reply.transfer_customer_service":            message.TransferCustomerService{},
		"reply.transfer_customer_service.kf_account": message.TransferCustomerService{KfAccount: "test1@test"},
		"reply.transfer_biz_ai_ivr":                  message.TransferBizAIIVR{},
	}
	for _, name := range sampleNames(t, "reply.*") {
		if _, ok := tests[name]; !ok && name != "reply.encrypted" {
			t.Errorf("%s is tested nowhere", name)
		}
	}
	for name, reply := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := push("text")
			got, err := message.Render(reply, in, 1700000000)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(compact(sample(t, name)), string(got)); diff != "" {
				t.Errorf("Render (-want +got):\n%s", diff)
			}
			if plain := sealAndOpen(t, got); string(plain) != string(got) {
				t.Errorf("sealed and opened: %s", plain)
			}
			in.Format = message.JSON
			inJSON, err := message.Render(reply, in, 1700000000)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(golden(t, name, inJSON), string(inJSON)); diff != "" {
				t.Errorf("Render in JSON (-want +got):\n%s", diff)
			}
			if plain := sealAndOpen(t, inJSON); string(plain) != string(inJSON) {
				t.Errorf("sealed and opened: %s", plain)
			}
		})
	}
}

// TestRenderDropsTheUnseen: a character that XML forbids doesn't cost the answer.
func TestRenderDropsTheUnseen(t *testing.T) {
	t.Parallel()

	const text, want = "a\x00好\x0b\xe4\xbdb\uffff", "a好b"
	for name, reply := range map[string]message.Reply{
		"text":  message.TextReply{Content: text},
		"video": message.VideoReply{MediaID: "m", Title: text, Description: text},
		"music": message.MusicReply{ThumbMediaID: "m", Title: text, Description: text},
		"news":  message.NewsReply{Articles: []message.Article{{Title: text, Description: text}}},
	} {
		for _, format := range []message.Format{message.XML, message.JSON} {
			in := push("text")
			in.Format = format
			body, err := message.Render(reply, in, 1)
			if err != nil {
				t.Errorf("%s in %v: %v", name, format, err)
			}
			if wanted := 1 + strings.Count(fmt.Sprintf("%+v", reply), "Description"); strings.Count(string(body), want) != wanted {
				t.Errorf("%s in %v: %q", name, format, body)
			}
		}
	}
	// What is dropped doesn't count.
	long := message.TextReply{Content: strings.Repeat("a", message.MaxTextBytes) + "\x00"}
	if _, err := message.Render(long, push("text"), 1); err != nil {
		t.Error(err)
	}
	// The caller's articles are the caller's.
	news := message.NewsReply{Articles: []message.Article{{Title: text}}}
	if message.Clean(news); news.Articles[0].Title != text {
		t.Error("Clean wrote into its argument")
	}
}

// TestTheAIAnswersMessagesOnly: WeChat has nothing to hand on of an event.
func TestTheAIAnswersMessagesOnly(t *testing.T) {
	t.Parallel()

	_, err := message.Render(message.TransferBizAIIVR{}, push("event"), 1)
	if !errors.Is(err, message.ErrInvalidReply) || !strings.Contains(err.Error(), "transfer_biz_ai_ivr") {
		t.Errorf("error %v", err)
	}
}

// TestRenderNothing: no reply is the word success, whatever was pushed.
func TestRenderNothing(t *testing.T) {
	t.Parallel()

	got, err := message.Render(nil, message.Message{}, 1)
	if err != nil || string(got) != "success" {
		t.Errorf("Render(nil) = %q, %v, want success", got, err)
	}
}

func TestRenderOmitsEmptyOptions(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		reply message.Reply
		want  message.Field
	}{
		"video": {
			message.VideoReply{MediaID: "m"},
			message.Field{Name: "Video", Children: []message.Field{{Name: "MediaId", Value: "m"}}},
		},
		"music": {
			message.MusicReply{ThumbMediaID: "m"},
			message.Field{Name: "Music", Children: []message.Field{{Name: "ThumbMediaId", Value: "m"}}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := message.Render(test.reply, push("text"), 1)
			if err != nil {
				t.Fatal(err)
			}
			got := children(t, body)
			if diff := cmp.Diff(test.want, got[len(got)-1]); diff != "" {
				t.Errorf("Render (-want +got):\n%s", diff)
			}
		})
	}
}

// articles returns n valid articles.
func articles(n int) message.NewsReply {
	var reply message.NewsReply
	for i := range n {
		reply.Articles = append(reply.Articles, message.Article{Title: strconv.Itoa(i)})
	}

	return reply
}

func TestRenderArticleCount(t *testing.T) {
	t.Parallel()

	tests := []struct {
		trigger string
		count   int
		valid   bool
	}{
		{"text", 0, false},
		{"text", 1, true},
		{"text", 2, false},
		{"location", 2, false},
		{"event", 0, false},
		{"event", 2, true},
		{"event", 8, true},
		{"event", 9, false},
	}
	for _, test := range tests {
		body, err := message.Render(articles(test.count), push(test.trigger), 1)
		if (err == nil) != test.valid || (err != nil && !strings.Contains(err.Error(), "Articles")) {
			t.Errorf("%d articles to %s: error %v, want valid %v", test.count, test.trigger, err, test.valid)
		}
		if err == nil && !strings.Contains(string(body), fmt.Sprintf("<ArticleCount>%d<", test.count)) {
			t.Errorf("%d articles to %s: wrong ArticleCount in %s", test.count, test.trigger, body)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		reply message.Reply
		want  string // part of the error: the field
	}{
		"empty text":      {message.TextReply{}, "Content"},
		"blank text":      {message.TextReply{Content: " \n"}, "Content"},
		"long text":       {message.TextReply{Content: strings.Repeat("好", message.MaxTextBytes/3+1)}, "2048"},
		"nothing to see":  {message.TextReply{Content: "\x0b\xff\uffff "}, "Content"},
		"broken UTF-8":    {message.ImageReply{MediaID: "a\xe4\xbd"}, "byte 1"},
		"noncharacter":    {message.VoiceReply{MediaID: "\uffff"}, "byte 0"},
		"image":           {message.ImageReply{}, "Image.MediaId"},
		"voice":           {message.VoiceReply{}, "Voice.MediaId"},
		"video":           {message.VideoReply{Title: "t"}, "Video.MediaId"},
		"video id":        {message.VideoReply{MediaID: "m\x00"}, "Video.MediaId has at byte 1"},
		"music":           {message.MusicReply{Title: "t"}, "Music.ThumbMediaId"},
		"music address":   {message.MusicReply{ThumbMediaID: "m", MusicURL: "\x1f"}, "Music.MusicUrl"},
		"article title":   {message.NewsReply{Articles: []message.Article{{URL: "u"}}}, "Articles[0].Title"},
		"article address": {message.NewsReply{Articles: []message.Article{{Title: "t", URL: "\x02"}}}, "Articles[0].Url"},
		"agent":           {message.TransferCustomerService{KfAccount: "\x03"}, "TransInfo.KfAccount"},
		"pointer":         {&message.TextReply{Content: "a"}, "*message.TextReply"},
		"nil pointer":     {(*message.TextReply)(nil), "*message.TextReply"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := message.Render(test.reply, push("text"), 1)
			if !errors.Is(err, message.ErrInvalidReply) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Render: error %v, want ErrInvalidReply with %q", err, test.want)
			}
			if body != nil {
				t.Errorf("Render returned %q beside the error", body)
			}
		})
	}
}

// TestRenderNeedsPush: a reply to nobody would be shown as an error notice.
func TestRenderNeedsPush(t *testing.T) {
	t.Parallel()

	reply := message.TextReply{Content: "a"}
	for want, in := range map[string]message.Message{
		"field ToUserName":   {ToUserName: account},
		"field FromUserName": {FromUserName: follower},
	} {
		_, err := message.Render(reply, in, 1)
		if !errors.Is(err, message.ErrInvalidReply) || !strings.Contains(err.Error(), want) {
			t.Errorf("Render: error %v, want ErrInvalidReply with %q", err, want)
		}
	}
}

func TestRenderLongestText(t *testing.T) {
	t.Parallel()

	content := strings.Repeat("a", message.MaxTextBytes)
	body, err := message.Render(message.TextReply{Content: content}, push("text"), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := textContent(t, body); got != content {
		t.Errorf("content of %d bytes came back with %d", len(content), len(got))
	}
}

// textContent is the Content of a rendered text reply.
func textContent(t testing.TB, body []byte) string {
	t.Helper()
	for _, field := range children(t, body) {
		if field.Name == "Content" {
			return field.Value
		}
	}
	t.Fatalf("no Content in %q", body)

	return ""
}

func TestRenderHostileText(t *testing.T) {
	t.Parallel()

	for _, content := range []string{
		"]]>", "]]]]>>", "a]]>b]]>c", "]]", "]", ">", "]]]>", "]]>]]>",
		"<![CDATA[x]]>", "</Content></xml><xml>", "&amp;&#0;&", "<!DOCTYPE xml>", "<!--", "?>",
		"'\"<>&", "line\nline\ttab", "😀\u200d\u202e", "\ufffd",
	} {
		body, err := message.Render(message.TextReply{Content: content}, push("text"), 1)
		if err != nil {
			t.Errorf("%q: %v", content, err)

			continue
		}
		if got := textContent(t, body); got != content {
			t.Errorf("%q came back as %q", content, got)
		}
	}
}

// FuzzRender: what Render accepts reads back as it was given, by encoding/xml or
// encoding/json and by Parse, in every field that can hold foreign text.
func FuzzRender(f *testing.F) {
	f.Add("你好]]>", "title", "gh_1", int64(1700000000))
	f.Add("<a href='x'>y</a>\n\u2028", "]]", "]]>", int64(-1))
	f.Add("\x00", "\xff", "\r\"", int64(0))
	f.Fuzz(func(t *testing.T, content, id, from string, now int64) {
		replies := map[string]message.Reply{
			"text":  message.TextReply{Content: content},
			"video": message.VideoReply{MediaID: id, Title: content},
			"news":  message.NewsReply{Articles: []message.Article{{Title: content, URL: id}}},
		}
		for name, reply := range replies {
			for _, format := range []message.Format{message.XML, message.JSON} {
				in := message.Message{ToUserName: account, FromUserName: from, MsgType: "event", Format: format}
				body, err := message.Render(reply, in, now)
				if err != nil {
					if !errors.Is(err, message.ErrInvalidReply) {
						t.Errorf("%s: error %v does not wrap ErrInvalidReply", name, err)
					}

					continue
				}
				if got := message.FormatOf(body); got != format {
					t.Errorf("%s: written in %v, want %v", name, got, format)
				}
				checkValues(t, body, format, shown(content), from)
				if _, err := message.Parse(body); err != nil {
					t.Errorf("%s: Parse refuses what Render wrote in %v: %v", name, format, err)
				}
			}
		}
	})
}

// shown is what Render writes of a text that people read.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && !strings.ContainsRune("\t\r\n", r) || r == '\ufffe' || r == '\uffff' {
			return -1
		}

		return r
	}, strings.ToValidUTF8(text, ""))
}

// checkValues fails unless the judge of the format reads all values in a document.
func checkValues(t testing.TB, body []byte, format message.Format, wanted ...string) {
	t.Helper()
	var values []string
	if format == message.JSON {
		var tree any
		if err := json.Unmarshal(body, &tree); err != nil {
			t.Fatalf("%v in %q", err, body)
		}
		collectJSON(tree, &values)
	} else {
		collect(message.Field{Children: children(t, body)}, &values)
	}
	for _, want := range wanted {
		if format == message.XML {
			// XML itself turns CRLF and CR into LF.
			want = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(want)
		}
		// An option without a value is left out.
		if want != "" && !slices.Contains(values, want) {
			t.Errorf("%q is not among %q", want, values)
		}
	}
}

// collectJSON appends all texts within value.
func collectJSON(value any, values *[]string) {
	switch value := value.(type) {
	case string:
		*values = append(*values, value)
	case []any:
		for _, entry := range value {
			collectJSON(entry, values)
		}
	case map[string]any:
		for _, member := range value {
			collectJSON(member, values)
		}
	}
}

// collect appends the values of all leaves under f.
func collect(f message.Field, values *[]string) {
	if len(f.Children) == 0 {
		*values = append(*values, f.Value)
	}
	for _, child := range f.Children {
		collect(child, values)
	}
}
