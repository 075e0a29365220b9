package simulator

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/simulator/internal/catalog"
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

// sampleText is the document that is inside of the recorded envelopes.
func sampleText(t *testing.T) catalog.Element {
	t.Helper()
	known, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	entry, _ := known.Find("text")

	return entry.Build(catalog.Header{To: sampleOriginalID, From: sampleOpenID, CreateTime: sampleTime, MsgID: sampleMsgID}, map[string]string{"Content": "你好"})
}

// TestSealedMatchesSamples pins the envelopes of both encrypting modes, and that of a notice.
func TestSealedMatchesSamples(t *testing.T) {
	t.Parallel()
	own := receiver{envelope: "ToUserName", address: sampleOriginalID}
	for name, test := range map[string]struct {
		mode   Mode
		target receiver
	}{
		"envelope.safe": {ModeSafe, own}, "envelope.compatible": {ModeCompatible, own},
		"envelope.third_party_self": {ModeSafe, receiver{envelope: "AppId", address: "wxcomponent0000001"}},
	} {
		want := compact(sample(t, name))
		parsed, err := parseReply([]byte(want))
		if err != nil {
			t.Fatal(err)
		}
		got := envelopeOf(test.mode, sampleText(t), test.target, parsed.Encrypt)
		if diff := cmp.Diff(want, got.XML()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
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
