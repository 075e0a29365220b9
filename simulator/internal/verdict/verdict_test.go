package verdict

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/wechat/msgcrypt"
)

// The identities of the recorded samples, and the key of vector D.
const (
	sampleOpenID     = "oABCDEFGHIJKLMNOPQRSTUVWXYZ0"
	sampleOriginalID = "gh_0123456789ab"
	sampleAppID      = "wx0123456789abcdef"
	sampleToken      = "myToken123"
	sampleKey        = "k7Qw2ZrT9xLbN4vYh1JcS8mPdE6uGfA3oKiR5tXyW0B"
)

func sample(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "samples", name+".xml"))
	if err != nil {
		t.Fatal(err)
	}

	return string(data)
}

func newCipher(t testing.TB, appID string) *msgcrypt.Cipher {
	t.Helper()
	cipher, err := msgcrypt.New(appID, sampleToken, sampleKey)
	if err != nil {
		t.Fatal(err)
	}

	return cipher
}

// either expects what an account in compatible mode (兼容模式) may answer to a message of the samples' follower.
func either(t testing.TB) Expectation {
	t.Helper()

	return Expectation{
		TakesClear: true, Cipher: newCipher(t, sampleAppID), Follower: sampleOpenID, OriginalID: sampleOriginalID, Answerable: true,
		HasMaterial: func(string, string) bool { return true },
	}
}

// changed is what an account of another kind, or in another mode, may answer.
func changed(t testing.TB, change func(*Expectation)) Expectation {
	t.Helper()
	expected := either(t)
	change(&expected)

	return expected
}

// TestJudgeSamples covers reply.md sections 3 and 5 with the recorded replies.
func TestJudgeSamples(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Judgement{
		"reply.text":                      {Verdict: Shown, Reason: Because(Replied, "text")},
		"reply.image":                     {Verdict: Shown, Reason: Because(Replied, "image")},
		"reply.voice":                     {Verdict: Shown, Reason: Because(Replied, "voice")},
		"reply.video":                     {Verdict: Shown, Reason: Because(Replied, "video")},
		"reply.music":                     {Verdict: Shown, Reason: Because(Replied, "music")},
		"reply.news":                      {Verdict: Shown, Reason: Because(Replied, "news")},
		"reply.encrypted":                 {Verdict: Shown, Reason: Because(Replied, "text")},
		"reply.transfer_biz_ai_ivr":       {Verdict: Silent, Reason: Because(HandedOver, "transfer_biz_ai_ivr")},
		"reply.transfer_customer_service": {Verdict: Silent, Reason: Because(HandedOver, "transfer_customer_service")},
		"reply.transfer_customer_service.kf_account": {Verdict: Silent, Reason: Because(HandedOver, "transfer_customer_service")},
	} {
		got := Judge([]byte(sample(t, name)), either(t))
		if diff := cmp.Diff([]any{want.Verdict, want.Reason}, []any{got.Verdict, got.Reason}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestReasons covers reply.md sections 1, 2 and 6: every code has an answer that it is given for, unless there was none.
func TestReasons(t *testing.T) {
	t.Parallel()
	text := sample(t, "reply.text")
	swap := func(old, with string) string { return strings.Replace(text, old, with, 1) }
	seal := func(appID, clearText string) string {
		sealed, err := newCipher(t, appID).Seal([]byte(clearText), "1700000000", "nonce")
		if err != nil {
			t.Fatal(err)
		}

		return fmt.Sprintf("<xml><Encrypt>%s</Encrypt><MsgSignature>%s</MsgSignature><TimeStamp>1700000000</TimeStamp><Nonce>nonce</Nonce></xml>", sealed.Encrypt, sealed.MsgSignature)
	}
	of := func(msgType string) string {
		return fmt.Sprintf("<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>1</CreateTime>%s</xml>", sampleOpenID, sampleOriginalID, msgType)
	}
	ours := either(t)
	plain := changed(t, func(e *Expectation) { e.Cipher = nil })
	safe := changed(t, func(e *Expectation) { e.TakesClear = false })
	asJSON := changed(t, func(e *Expectation) { e.JSON = true })
	otherKey, err := msgcrypt.New(sampleAppID, sampleToken, strings.Repeat("a", len(sampleKey)))
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[Code]bool)
	for name, test := range map[string]struct {
		code     Code
		expected Expectation
		body     string
		says     string
	}{
		"text":                {Replied, ours, text, "valid text"},
		"text in JSON":        {Replied, asJSON, `{"ToUserName":"` + sampleOpenID + `","FromUserName":"` + sampleOriginalID + `","CreateTime":"1","MsgType":"text","Content":"好"}`, "valid text"},
		"sealed":              {Replied, safe, sample(t, "reply.encrypted"), "valid text"},
		"success":             {Success, safe, "success", "nothing is shown"},
		"empty":               {Empty, plain, "", "nothing is shown"},
		"handed over":         {HandedOver, plain, of("<MsgType>transfer_customer_service</MsgType>"), "transfer_customer_service"},
		"not to be answered":  {NotAnswered, changed(t, func(e *Expectation) { e.Answerable = false }), text, "this kind of event"},
		"notice":              {NoticeRefused, changed(t, func(e *Expectation) { e.IsNotice = true }), text, "must be success"},
		"JSON":                {JSONForXML, plain, `{"MsgType":"text"}`, "XML"},
		"success, newline":    {NoDocument, plain, "success\n", "neither"},
		"byte order mark":     {ByteOrderMark, plain, "\xEF\xBB\xBF" + text, "byte order mark"},
		"GBK":                 {NotUTF8, plain, swap("第一行", "\xB5\xDA"), "UTF-8"},
		"trailing output":     {Trailing, plain, text + "debug", "follows"},
		"not well-formed":     {Malformed, plain, text[:40], "reply document"},
		"html page":           {Malformed, plain, "<html><body>500</body></html>", "reply document"},
		"not JSON":            {Malformed, asJSON, `{"MsgType":`, "reply document"},
		"clear in safe mode":  {ClearInSafe, safe, text, "must be sealed"},
		"sealed in plain":     {SealedInPlain, plain, sample(t, "reply.encrypted"), "plain mode"},
		"envelope":            {EnvelopeParts, safe, strings.Replace(sample(t, "reply.encrypted"), "Nonce", "nonce", 2), "must have"},
		"wrong signature":     {BadSignature, safe, strings.Replace(sample(t, "reply.encrypted"), "97614fa", "00000fa", 1), "MsgSignature"},
		"for another account": {OtherAppID, safe, seal("wx9999999999999999", text), "another AppID"},
		"another key":         {Unopenable, changed(t, func(e *Expectation) { e.Cipher = otherKey }), sample(t, "reply.encrypted"), "can't be opened"},
		"not swapped":         {WrongTo, plain, swap(sampleOpenID, sampleOriginalID), "must be the follower's OpenID"},
		"wrong sender":        {WrongFrom, plain, swap(sampleOriginalID, "gh_other"), "must be the account's original id"},
		"wrong sender sealed": {WrongFrom, safe, seal(sampleAppID, swap(sampleOriginalID, "gh_other")), "must be the account's original id"},
		"time isn't integer":  {WrongTime, plain, swap("1700000000", "now"), "CreateTime"},
		"no type":             {NoType, plain, of(""), "MsgType is missing"},
		"type is cased":       {UnknownType, plain, swap("CDATA[text]", "CDATA[Text]"), "case-sensitive"},
		"element is cased":    {NoContent, plain, strings.ReplaceAll(text, "Content>", "content>"), "Content"},
		"too long":            {LongContent, plain, swap("第一行", strings.Repeat("长", 700)), "at most 2048"},
		"no file":             {NoMedia, plain, of("<MsgType>image</MsgType>"), "Image/MediaId"},
		"no picture of music": {NoMedia, plain, of("<MsgType>music</MsgType>"), "Music"},
		"unknown file":        {UnknownMedia, changed(t, func(e *Expectation) { e.HasMaterial = func(string, string) bool { return false } }), sample(t, "reply.image"), "isn't a image"},
		"article count":       {WrongArticles, plain, of("<MsgType>news</MsgType><ArticleCount>2</ArticleCount>"), "there are 0 articles"},
		"garbage sealed":      {Trailing, safe, seal(sampleAppID, text+"debug"), "inside the envelope: "},
	} {
		got := Judge([]byte(test.body), test.expected)
		if got.Reason.Code != test.code || !strings.Contains(got.Reason.En, test.says) {
			t.Errorf("%s: %s because of %q (%s), want %q with %q", name, got.Verdict, got.Reason.Code, got.Reason.En, test.code, test.says)
		}
		if valid := slices.Contains([]Code{Replied, Success, Empty, HandedOver, NotAnswered}, test.code); got.Verdict.Valid() != valid {
			t.Errorf("%s: %s, valid: %t", name, got.Verdict, valid)
		}
		checkWords(t, got.Reason)
		known[test.code] = true
	}
	cause := errors.New("cause")
	for code, values := range map[Code][]any{
		TimedOut: {"5s"}, WrongStatus: {500}, Unreachable: {cause}, AnswerLost: {cause}, Disconnected: nil, PushWasStopped: nil,
	} {
		got := Without(Because(code, values...))
		if got.Verdict != NoAnswer {
			t.Errorf("%s: %s", code, got.Verdict)
		}
		checkWords(t, got.Reason)
		known[code] = true
	}
	if all := slices.Sorted(maps.Keys(words)); !slices.Equal(all, slices.Sorted(maps.Keys(known))) {
		t.Errorf("there are words for %v, and cases for %v", all, slices.Sorted(maps.Keys(known)))
	}
}

// checkWords checks that a reason is said in both languages, with all of its values.
func checkWords(t *testing.T, reason Reason) {
	t.Helper()
	chinese := regexp.MustCompile(`\p{Han}`)
	if reason.En == "" || !chinese.MatchString(reason.Zh) || strings.Contains(reason.En+reason.Zh, "%!") {
		t.Errorf("%s says %q and %q", reason.Code, reason.Zh, reason.En)
	}
}

func TestArticlesBeyondTheLimitAreDropped(t *testing.T) {
	t.Parallel()
	const each = "<item><Title>一</Title><Description>二</Description><PicUrl>https://example.com/p</PicUrl><Url>https://example.com/u</Url></item>"
	news := func(count int) []byte {
		return fmt.Appendf(nil, "<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>1</CreateTime><MsgType>news</MsgType><ArticleCount>%d</ArticleCount><Articles>%s</Articles></xml>",
			sampleOpenID, sampleOriginalID, count, strings.Repeat(each, count))
	}
	for _, test := range []struct {
		isEvent     bool
		sent, shown int
	}{{false, 1, 1}, {false, 3, 1}, {true, 3, 3}, {true, 9, 8}} {
		got := Judge(news(test.sent), changed(t, func(e *Expectation) { e.IsEvent = test.isEvent }))
		if got.Content == nil || len(got.Content.Articles) != test.shown {
			t.Errorf("%+v: %+v", test, got)
		} else if want := (Article{Title: "一", Description: "二", PicURL: "https://example.com/p", URL: "https://example.com/u"}); got.Content.Articles[0] != want {
			t.Errorf("%+v: %+v", test, got.Content.Articles[0])
		}
	}
}

func FuzzJudge(f *testing.F) {
	for _, name := range []string{"reply.text", "reply.news", "reply.encrypted"} {
		f.Add([]byte(sample(f, name)))
	}
	f.Add([]byte("success"))
	expected := changed(f, func(e *Expectation) { e.JSON = true })
	f.Fuzz(func(t *testing.T, body []byte) {
		judged := Judge(body, expected)
		if (judged.Verdict == Shown) != (judged.Content != nil) || judged.Reason.En == "" || judged.Reason.Zh == "" {
			t.Errorf("verdict %s with %v and reason %+v", judged.Verdict, judged.Content, judged.Reason)
		}
	})
}
