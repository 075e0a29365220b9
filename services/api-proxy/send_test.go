package apiproxy_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/wechat/custommessage"
	"github.com/wxstack/wxstack/wechat/message"
)

type sendRequest = apiproxyv1.SendCustomerServiceMessageRequest

// follower is WeChat with one follower: it plays back answers, success when there are no more, and keeps what
// the follower reads.
type follower struct {
	*platform

	mu      sync.Mutex
	answers []string
	chat    []string
}

func startFollower(t *testing.T, answers ...string) *follower {
	t.Helper()
	f := &follower{answers: answers}
	f.platform = startPlatform(t, f.answer)
	return f
}

func (f *follower) answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := healthyAnswer
	if len(f.answers) > 0 {
		answer, f.answers = f.answers[0], f.answers[1:]
	}
	switch answer {
	case "last": // goes well, and nobody can connect any more.
		answer = healthyAnswer
		w.Header().Set("Connection", "close")
		_ = f.Listener.Close()
		fallthrough
	case healthyAnswer:
		f.chat = append(f.chat, string(body))
	case "broken":
		panic(http.ErrAbortHandler)
	case "502":
		w.WriteHeader(http.StatusBadGateway)
	}
	_, _ = io.WriteString(w, answer)
}

// texts are what the follower read.
func (f *follower) texts() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	texts := make([]string, 0, len(f.chat))
	for _, body := range f.chat {
		_, rest, _ := strings.Cut(body, `"content":"`)
		text, _, _ := strings.Cut(rest, `"`)
		texts = append(texts, text)
	}
	return texts
}

func (f *follower) plan(answers ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers = answers
}

// long is a text of so many parts, and its parts.
func long(parts int) (string, []string) {
	var all []string
	for i := range parts {
		all = append(all, strings.Repeat(string(rune('a'+i)), message.MaxTextBytes))
	}
	return strings.Join(all, "\n"), all
}

func (f *follower) wantTexts(t *testing.T, want ...string) {
	t.Helper()
	got := f.texts()
	short := func(texts []string) []string {
		out := []string{}
		for _, text := range texts {
			out = append(out, fmt.Sprintf("%.1s %d", text, len(text)))
		}
		return out
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the follower read %v, want %v", short(got), short(want))
	}
}

func TestMessagesThatCannotBeReplies(t *testing.T) {
	t.Parallel()
	wechat := startFollower(t)
	client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))
	for _, tt := range []struct {
		req  *sendRequest
		want string
	}{
		{&sendRequest{Other: &apiproxyv1.SendCustomerServiceMessageRequest_Mpnews{Mpnews: &apiproxyv1.MpNews{MediaId: "M"}}}, `"msgtype":"mpnews","mpnews":{"media_id":"M"}}`},
		{&sendRequest{Other: &apiproxyv1.SendCustomerServiceMessageRequest_MpnewsArticle{MpnewsArticle: &apiproxyv1.MpNewsArticle{ArticleId: "A"}}}, `"msgtype":"mpnewsarticle","mpnewsarticle":{"article_id":"A"}}`},
		{&sendRequest{Other: &apiproxyv1.SendCustomerServiceMessageRequest_Msgmenu{Msgmenu: &apiproxyv1.MsgMenu{
			HeadContent: "H", Choices: []*apiproxyv1.MsgMenu_Choice{{Id: "1", Content: "C"}}, TailContent: "T",
		}}}, `"msgtype":"msgmenu","msgmenu":{"head_content":"H","list":[{"id":"1","content":"C"}],"tail_content":"T"}}`},
		{&sendRequest{Other: &apiproxyv1.SendCustomerServiceMessageRequest_Wxcard{Wxcard: &apiproxyv1.WxCard{CardId: "C"}}}, `"msgtype":"wxcard","wxcard":{"card_id":"C"}}`},
		{&sendRequest{Other: &apiproxyv1.SendCustomerServiceMessageRequest_MiniProgramPage{MiniProgramPage: &apiproxyv1.MiniProgramPage{
			Title: "T", AppId: "A", PagePath: "P", ThumbMediaId: "M",
		}}}, `"msgtype":"miniprogrampage","miniprogrampage":{"title":"T","appid":"A","pagepath":"P","thumb_media_id":"M"}}`},
		{&sendRequest{Other: &apiproxyv1.SendCustomerServiceMessageRequest_Link{Link: &apiproxyv1.Link{Title: "T", Description: "D", Url: "U", ThumbUrl: "P"}}}, `"msgtype":"link","link":{"title":"T","description":"D","url":"U","thumb_url":"P"}}`},
		{&sendRequest{KfAccount: "a@b", Other: &apiproxyv1.SendCustomerServiceMessageRequest_Video{Video: &apiproxyv1.Video{
			MediaId: "V", ThumbMediaId: "M", Title: "T", Description: "D",
		}}}, `"msgtype":"video","video":{"media_id":"V","thumb_media_id":"M","title":"T","description":"D"},"customservice":{"kf_account":"a@b"}}`},
	} {
		tt.req.ToUser = "o1"
		resp, err := client.SendCustomerServiceMessage(t.Context(), tt.req)
		if err != nil || resp.GetErrcode() != 0 || resp.GetPartsSent() != 1 {
			t.Errorf("answer %v, %v", resp, err)
		}
		wechat.mu.Lock()
		if diff := cmp.Diff(`{"touser":"o1",`+tt.want, wechat.chat[len(wechat.chat)-1]); diff != "" {
			t.Errorf("WeChat saw (-want +got):\n%s", diff)
		}
		wechat.mu.Unlock()
	}
	card := &apiproxyv1.SendCustomerServiceMessageRequest_Wxcard{Wxcard: &apiproxyv1.WxCard{CardId: "C"}}
	for name, req := range map[string]*sendRequest{
		"touser":               {Other: card},
		"wxcard.card_id":       {ToUser: "o1", Other: &apiproxyv1.SendCustomerServiceMessageRequest_Wxcard{}},
		"alternatives":         {ToUser: "o1", Other: card, Message: keyed("", "a").GetMessage()},
		"msgmenu.list":         {ToUser: "o1", Other: &apiproxyv1.SendCustomerServiceMessageRequest_Msgmenu{Msgmenu: &apiproxyv1.MsgMenu{}}},
		"at most 1":            {ToUser: "o1", Message: &messagev1.Reply{Content: &messagev1.Reply_News{News: &messagev1.NewsReply{Articles: make([]*messagev1.Article, 2)}}}},
		"nothing to see":       {ToUser: "o1", Message: keyed("", strings.Repeat(" ", 5000)).GetMessage()},
		"allows 5 at the most": {ToUser: "o1", Message: keyed("", strings.Repeat("a", 5*message.MaxTextBytes+1)).GetMessage()},
	} {
		_, err := client.SendCustomerServiceMessage(t.Context(), req)
		wantKind(t, err, fault.Invalid, name)
	}
	if wechat.served() != 7 {
		t.Errorf("%d requests, want 7", wechat.served())
	}
}

func TestALongTextIsSentInParts(t *testing.T) {
	t.Parallel()
	wechat := startFollower(t)
	client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))
	whole, parts := long(5)
	for _, key := range []string{"", strings.Repeat("k", 256), strings.Repeat("k", 255), "late", "late"} {
		resp, err := client.SendCustomerServiceMessage(t.Context(), keyed(key, whole))
		if err != nil || resp.GetErrcode() != 0 || resp.GetPartsSent() != 5 {
			t.Errorf("answer %v, %v; want 5 parts", resp, err)
		}
	}
	wechat.wantTexts(t, slices.Repeat(parts, 4)...)
}

func TestARepeatGoesOnAfterThePartsThatWereSent(t *testing.T) {
	t.Parallel()
	const spent = `{"errcode":45047,"errmsg":"out of response count limit"}`
	wechat := startFollower(t, healthyAnswer, spent)
	client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))
	whole, parts := long(3)
	resp, err := client.SendCustomerServiceMessage(t.Context(), keyed("k", whole))
	if err != nil || resp.GetErrcode() != 45047 || resp.GetErrmsg() == "" || resp.GetPartsSent() != 1 {
		t.Errorf("answer %v, %v; want the verdict on the second part", resp, err)
	}
	for range 2 {
		resp, err = client.SendCustomerServiceMessage(t.Context(), keyed("k", whole))
		if err != nil || resp.GetErrcode() != 0 || resp.GetPartsSent() != 3 {
			t.Errorf("answer %v, %v; want all parts sent", resp, err)
		}
	}
	wechat.wantTexts(t, parts...)
	if wechat.served() != 4 {
		t.Errorf("%d requests, want 4", wechat.served())
	}
}

// Nobody can tell what became of the second part; of the first one can.
func TestAnErrorSaysHowManyPartsWereSent(t *testing.T) {
	t.Parallel()
	for _, doubt := range []string{"broken", "502"} {
		for _, key := range []string{"", "k"} {
			t.Run(doubt+key, func(t *testing.T) {
				t.Parallel()
				wechat := startFollower(t, healthyAnswer, doubt)
				client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))
				whole, parts := long(3)
				_, err := client.SendCustomerServiceMessage(t.Context(), keyed(key, whole))
				wantKind(t, err, fault.Deadline, "1 of 3 parts were sent")
				if key != "" {
					_, err := client.SendCustomerServiceMessage(t.Context(), keyed(key, whole))
					wantKind(t, err, fault.Deadline, "1 of 3 parts were sent")
				}
				if fault.RetryAfter(err) != 0 {
					t.Errorf("%v asks to come again", err)
				}
				wechat.wantTexts(t, parts[0])
			})
		}
	}
}

// What was surely not sent may be sent again, but without a key not the whole of it.
func TestAPartThatWasNotSent(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]fault.Kind{"": fault.Deadline, "k": fault.Unavailable} {
		t.Run("key "+key, func(t *testing.T) {
			t.Parallel()
			wechat := startFollower(t, "last")
			client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))
			whole, parts := long(2)
			_, err := client.SendCustomerServiceMessage(t.Context(), keyed(key, whole))
			wantKind(t, err, want, "1 of 2 parts were sent")
			if warned := strings.Contains(err.Error(), "don't send the whole again"); warned != (key == "") {
				t.Errorf("error %v", err)
			}
			wechat.wantTexts(t, parts[0])
		})
	}
}

// allow does what gateway does when a follower writes.
func allow(t *testing.T, redis *miniredis.Miniredis, openID string, now time.Time) custommessage.Record {
	t.Helper()
	record := custommessage.Record{}.Grant(now, custommessage.Wrote)
	key := custommessage.KeysOf(appID, openID).Message
	if err := redis.Set(key, record.Message.Text()); err != nil {
		t.Fatal(err)
	}
	redis.SetTTL(key, custommessage.MessageWindow)
	return record
}

func wantAllowance(t *testing.T, got *apiproxyv1.Allowance, left int32, end time.Time) {
	t.Helper()
	want := &apiproxyv1.Allowance{Known: true, Left: left}
	if left > 0 {
		want.EndTime = timestamppb.New(end)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("allowance (-want +got):\n%s", diff)
	}
}

func TestMessagesSpendTheFollowersAllowance(t *testing.T) {
	t.Parallel()
	wechat, redis := startFollower(t), miniredis.RunT(t)
	p := sharing(t, redis, startCenter(t, appID), wechat.URL)
	client := dial(t, p)
	end := allow(t, redis, "o1", time.Now().Truncate(time.Millisecond)).Message.End
	send := func(key, text string) *apiproxyv1.Allowance {
		t.Helper()
		resp, err := client.SendCustomerServiceMessage(t.Context(), keyed(key, text))
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetAllowance()
	}
	wantAllowance(t, send("k", "a"), 4, end)
	wantAllowance(t, send("k", "a"), 4, end) // the repeat sends nothing.
	whole, _ := long(2)
	wantAllowance(t, send("", whole), 2, end)
	wantOK(t, p.do(http.MethodPost, "/cgi-bin/message/custom/send", strings.NewReader(`{"touser":"o1","msgtype":"text","text":{"content":"by HTTP"}}`), nil))
	if _, err := client.Call(t.Context(), &apiproxyv1.CallRequest{Path: "/cgi-bin/message/custom/typing", Body: []byte(`{"touser":"o1"}`)}); err != nil {
		t.Error(err)
	}
	wantAllowance(t, send("", "a"), 0, end)
	wantAllowance(t, send("", "more than we know of"), 0, end)

	allow(t, redis, "o1", time.Now())
	wechat.plan(`{"errcode":45047,"errmsg":"out of response count limit"}`)
	wantAllowance(t, send("", "a"), 0, end)

	allow(t, redis, "o1", time.Now())
	wechat.plan(`{"errcode":45015,"errmsg":"response out of time limit or subscription is canceled"}`)
	if got := send("", "a"); got.GetKnown() || got.GetLeft() != 0 || got.GetEndTime() != nil {
		t.Errorf("allowance %v after 45015, want nothing known", got)
	}
	wechat.plan("502")
	end = allow(t, redis, "o1", time.Now().Truncate(time.Millisecond)).Message.End
	_, err := client.SendCustomerServiceMessage(t.Context(), keyed("", "without a verdict"))
	wantKind(t, err, fault.Deadline, "may have been sent")
	wantAllowance(t, send("", "a"), 4, end)
}

func TestWithoutRedisMessagesAreSentAndNothingIsKnownOfTheAllowance(t *testing.T) {
	t.Parallel()
	wechat, redis := startFollower(t), miniredis.RunT(t)
	client := dial(t, sharing(t, redis, startCenter(t, appID), wechat.URL))
	allow(t, redis, "o1", time.Now())
	redis.Close()
	resp, err := client.SendCustomerServiceMessage(t.Context(), keyed("", "a"))
	if err != nil || resp.GetPartsSent() != 1 || resp.GetAllowance().GetKnown() {
		t.Errorf("answer %v, %v", resp, err)
	}
}
