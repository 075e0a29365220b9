package simulator

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/wechat/msgcrypt"
)

// The identities of the recorded samples.
const (
	sampleOpenID     = "oABCDEFGHIJKLMNOPQRSTUVWXYZ0"
	sampleOriginalID = "gh_0123456789ab"
	sampleTime       = 1700000000
	sampleMsgID      = 24300000000000001
)

func sample(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "samples", name+".xml"))
	if err != nil {
		t.Fatal(err)
	}

	return string(data)
}

// compact removes the indentation that the samples have for readers.
func compact(text string) string {
	return regexp.MustCompile(`>\s+<`).ReplaceAllString(strings.TrimSpace(text), "><")
}

// TestRenderMatchesSamples pins the pushed documents to the recorded ones.
func TestRenderMatchesSamples(t *testing.T) {
	t.Parallel()
	event := func(name, key, ticket string) Push {
		return Push{Type: TypeEvent, Event: name, EventKey: key, Ticket: ticket}
	}
	for name, push := range map[string]Push{
		"msg.text":                {Type: TypeText, Content: "你好，公众号"},
		"msg.text.msgmenu":        {Type: TypeText, Content: "满意", MenuEntryID: "101", msgID: sampleMsgID + 1},
		"msg.image":               {Type: TypeImage, picURL: "http://mmbiz.qpic.cn/mmbiz_jpg/EXAMPLE/0", mediaID: "MEDIA_ID_0001"},
		"event.subscribe":         event(EventSubscribe, "", ""),
		"event.subscribe.qrscene": event(EventSubscribe, "qrscene_123123", "TICKET_0001"),
		"event.unsubscribe":       event(EventUnsubscribe, "", ""),
		"event.SCAN":              event(EventScan, "123123", "TICKET_0001"),
		"event.CLICK":             event(EventClick, "MENU_KEY_1", ""),
		"event.VIEW":              event(EventView, "https://example.com/page", ""),
		"event.LOCATION":          {Type: TypeEvent, Event: EventLocation, Latitude: 23.137466, Longitude: 113.352425, Precision: 119.385040},
	} {
		push.From, push.createTime, push.msgID, push.menuID = sampleOpenID, sampleTime, max(push.msgID, sampleMsgID), defaultMenuID
		if diff := cmp.Diff(compact(sample(t, name)), renderPush(push, sampleOriginalID).document()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestSealedMatchesSamples pins the envelopes of both encrypting modes.
func TestSealedMatchesSamples(t *testing.T) {
	t.Parallel()
	push := Push{Type: TypeText, Content: "你好", From: sampleOpenID, createTime: sampleTime, msgID: sampleMsgID}
	for mode, name := range map[Mode]string{ModeSafe: "envelope.safe", ModeCompatible: "envelope.compatible"} {
		want := compact(sample(t, name))
		parsed, err := parseReply([]byte(want))
		if err != nil {
			t.Fatal(err)
		}
		got := renderSealed(mode, renderPush(push, sampleOriginalID), sampleOriginalID, parsed.Encrypt)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestCDATAEndIsSplit(t *testing.T) {
	t.Parallel()
	push := Push{Type: TypeText, Content: "a]]>b\x00<c>", From: sampleOpenID}
	parsed, err := parseReply([]byte(renderPush(push, sampleOriginalID).document()))
	if err != nil {
		t.Fatal(err)
	}
	if parsed.Content == nil || *parsed.Content != "a]]>b<c>" {
		t.Errorf("content = %v", parsed.Content)
	}
}

// sampleExpectation accepts the recorded replies, with the key of vector D.
func sampleExpectation(t *testing.T, mode Mode) expectation {
	t.Helper()
	cipher, err := msgcrypt.New("wx0123456789abcdef", "myToken123", "k7Qw2ZrT9xLbN4vYh1JcS8mPdE6uGfA3oKiR5tXyW0B")
	if err != nil {
		t.Fatal(err)
	}

	return expectation{
		mode: mode, cipher: cipher, follower: sampleOpenID, originalID: sampleOriginalID, answerable: true,
		hasMedia: func(string, string) bool { return true },
	}
}

// TestJudgeSamples covers reply.md sections 3 and 5 with the recorded replies.
func TestJudgeSamples(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Verdict{
		"reply.text": VerdictShown, "reply.image": VerdictShown, "reply.voice": VerdictShown, "reply.video": VerdictShown,
		"reply.music": VerdictShown, "reply.news": VerdictShown, "reply.encrypted": VerdictShown,
		"reply.transfer_biz_ai_ivr": VerdictSilent, "reply.transfer_customer_service": VerdictSilent,
		"reply.transfer_customer_service.kf_account": VerdictSilent,
	} {
		judged := judge([]byte(sample(t, name)), sampleExpectation(t, ModeCompatible))
		if judged.verdict != want {
			t.Errorf("%s: %s (%s), want %s", name, judged.verdict, judged.reason, want)
		}
	}
}

// TestJudgeRefuses covers reply.md sections 1, 2 and 6.
func TestJudgeRefuses(t *testing.T) {
	t.Parallel()
	text := sample(t, "reply.text")
	swap := func(old, with string) string { return strings.Replace(text, old, with, 1) }
	cases := map[string]struct {
		mode   Mode
		body   string
		reason string
	}{
		"not swapped":        {ModePlain, swap(sampleOpenID, sampleOriginalID), "ToUserName"},
		"wrong sender":       {ModePlain, swap(sampleOriginalID, "gh_other"), "FromUserName"},
		"time isn't integer": {ModePlain, swap("1700000000", "now"), "CreateTime"},
		"type is cased":      {ModePlain, swap("CDATA[text]", "CDATA[Text]"), "case-sensitive"},
		"element is cased":   {ModePlain, strings.ReplaceAll(text, "Content>", "content>"), "Content"},
		"byte order mark":    {ModePlain, "\xEF\xBB\xBF" + text, "byte order mark"},
		"trailing output":    {ModePlain, text + "debug", "follows"},
		"not well-formed":    {ModePlain, text[:40], "reply document"},
		"html page":          {ModePlain, "<html><body>500</body></html>", "reply document"},
		"too long":           {ModePlain, swap("第一行", strings.Repeat("长", 700)), "at most 2048"},
		"success, newline":   {ModePlain, "success\n", "neither"},
		"clear in safe mode": {ModeSafe, text, "must be sealed"},
		"sealed in plain":    {ModePlain, sample(t, "reply.encrypted"), "plain mode"},
		"wrong signature":    {ModeSafe, strings.Replace(sample(t, "reply.encrypted"), "97614fa", "00000fa", 1), "signature"},
	}
	for name, test := range cases {
		judged := judge([]byte(test.body), sampleExpectation(t, test.mode))
		if judged.verdict != VerdictInvalid || !strings.Contains(judged.reason, test.reason) {
			t.Errorf("%s: %s (%s), want invalid because of %q", name, judged.verdict, judged.reason, test.reason)
		}
	}
	unknown := sampleExpectation(t, ModePlain)
	unknown.hasMedia = func(string, string) bool { return false }
	if judged := judge([]byte(sample(t, "reply.image")), unknown); judged.verdict != VerdictInvalid {
		t.Errorf("unknown media: %s", judged.verdict)
	}
}

func FuzzJudge(f *testing.F) {
	for _, name := range []string{"reply.text", "reply.news", "reply.encrypted"} {
		data, err := os.ReadFile(filepath.Join("testdata", "samples", name+".xml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("success"))
	f.Fuzz(func(t *testing.T, body []byte) {
		judged := judge(body, sampleExpectation(t, ModeCompatible))
		if (judged.verdict == VerdictShown) != (judged.line != nil) || judged.reason == "" {
			t.Errorf("verdict %s with line %v and reason %q", judged.verdict, judged.line, judged.reason)
		}
	})
}
