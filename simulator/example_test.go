package simulator_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator"
)

// bot is the account's server of the examples: it answers a text with itself and a picture with the same picture.
func bot(w http.ResponseWriter, r *http.Request) {
	var in struct{ ToUserName, FromUserName, MsgType, Content, MediaId string } //nolint:revive // WeChat's names.
	if err := xml.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)

		return
	}
	answer := "<Content>你说：" + in.Content + "</Content>"
	if in.MsgType == "image" {
		answer = "<Image><MediaId>" + in.MediaId + "</MediaId></Image>"
	}
	_, _ = fmt.Fprintf(w, "<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>%d</CreateTime><MsgType>%s</MsgType>%s</xml>",
		in.FromUserName, in.ToUserName, time.Now().Unix(), in.MsgType, answer)
}

// start runs a platform whose account has that server. A test calls simulator.Start instead.
func start(handler http.HandlerFunc) (platform *simulator.Platform, stop func()) {
	server := httptest.NewServer(handler)
	account := simulator.DefaultAccount()
	account.CallbackURL, account.Mode = server.URL, simulator.ModePlain
	platform, err := simulator.New(simulator.Options{
		Accounts: []simulator.Account{account}, Delivery: simulator.Delivery{Timeout: 100 * time.Millisecond},
	})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- platform.Run(ctx) }()

	return platform, func() { cancel(); <-done; server.Close() }
}

// 你问我答: a text in, a text out.
func ExamplePlatform_Push() {
	platform, stop := start(bot)
	defer stop()

	result, err := platform.Push(context.Background(), simulator.Push{Content: "你好"})
	fmt.Println(result.Outcome, result.Shown[0].Text, err)
	// Output: shown 你说：你好 <nil>
}

// 图尚往来: a picture in, the same picture out.
func ExamplePlatform_Push_picture() {
	platform, stop := start(bot)
	defer stop()

	result, err := platform.Push(context.Background(), simulator.Push{Type: simulator.TypeImage})
	sent := platform.Chat(simulator.DefaultFollower)[0]
	fmt.Println(result.Outcome, result.Shown[0].MediaID == sent.MediaID, err)
	// Output: shown true <nil>
}

// Every event of the documents can be pushed, with any of its fields.
func ExamplePlatform_Push_event() {
	platform, stop := start(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, scanned, _ := strings.Cut(string(body), "<ScanResult><![CDATA[")
		fmt.Println("scanned:", strings.Split(scanned, "]]>")[0])
		_, _ = io.WriteString(w, "success")
	})
	defer stop()

	result, err := platform.Push(context.Background(), simulator.Push{
		Type: simulator.TypeEvent, Event: "scancode_push", Fields: map[string]string{"ScanCodeInfo/ScanResult": "6901234567892"},
	})
	fmt.Println(result.Outcome, err)
	// Output:
	// scanned: 6901234567892
	// silent <nil>
}

// A server that doesn't answer in time is asked three times, then the follower reads WeChat's notice.
func ExamplePlatform_Push_noAnswer() {
	platform, stop := start(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	defer stop()

	result, err := platform.Push(context.Background(), simulator.Push{Content: "有人吗"})
	fmt.Println(result.Outcome, len(result.Deliveries), result.Shown[0].Text, err)
	// Output: failed 3 该公众号暂时无法提供服务，请稍后再试 <nil>
}

// What takes longer comes afterwards, by a customer-service message (客服消息).
func ExamplePlatform_WaitChat() {
	var platform *simulator.Platform
	platform, stop := start(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "success") // At once; the answer follows.
		token := callAPI(platform, "/cgi-bin/stable_token", map[string]any{
			"grant_type": "client_credential", "appid": simulator.DefaultAppID, "secret": simulator.DefaultAccount().AppSecret,
		})["access_token"]
		callAPI(platform, fmt.Sprint("/cgi-bin/message/custom/send?access_token=", token), map[string]any{
			"touser": simulator.DefaultFollower, "msgtype": "text", "text": map[string]string{"content": "想好了"},
		})
	})
	defer stop()

	if _, err := platform.Push(context.Background(), simulator.Push{Content: "想一想"}); err != nil {
		fmt.Println(err)
	}
	chat, err := platform.WaitChat(context.Background(), simulator.DefaultFollower, 2)
	fmt.Println(chat[1].Channel, chat[1].Text, err)
	// Output: custom 想好了 <nil>
}

// Tokens age by the platform's own clock.
func ExamplePlatform_AdvanceClock() {
	platform, stop := start(bot)
	defer stop()
	fetch := func() any {
		return callAPI(platform, "/cgi-bin/stable_token", map[string]any{
			"grant_type": "client_credential", "appid": simulator.DefaultAppID, "secret": simulator.DefaultAccount().AppSecret,
		})["access_token"]
	}

	first := fetch()
	fmt.Println("the same at once:", fetch() == first)
	if err := platform.AdvanceClock(2 * time.Hour); err != nil {
		fmt.Println(err)
	}
	fmt.Println("the same after two hours:", fetch() == first)
	// Output:
	// the same at once: true
	// the same after two hours: false
}

// WeChat is busy, once.
func ExamplePlatform_SetFault() {
	platform, stop := start(bot)
	defer stop()
	if err := platform.SetFault(simulator.Fault{Path: "/cgi-bin/stable_token", Busy: true, Count: 1}); err != nil {
		fmt.Println(err)
	}

	for range 2 {
		answer := callAPI(platform, "/cgi-bin/stable_token", map[string]any{
			"grant_type": "client_credential", "appid": simulator.DefaultAppID, "secret": simulator.DefaultAccount().AppSecret,
		})
		fmt.Println("errcode:", answer["errcode"])
	}
	// Output:
	// errcode: -1
	// errcode: <nil>
}

// A load finds what goes wrong once in a while.
func ExamplePlatform_PushMany() {
	platform, stop := start(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "#7]]>") { // One message is taken and forgotten.
			_, _ = io.WriteString(w, "success")

			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		bot(w, r)
	})
	defer stop()

	summary, err := platform.PushMany(context.Background(), simulator.Load{
		Push: simulator.Push{Content: "你好"}, Count: 20, Expect: simulator.ExpectEcho, Settle: time.Millisecond,
	})
	fmt.Println(summary.Sent, summary.Lost, summary.Findings[0].Content, summary.OK(), err)
	// Output: 20 1 你好 #7 false <nil>
}

// callAPI calls the platform's API as an account's server does.
func callAPI(platform *simulator.Platform, path string, body any) map[string]any {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Post(platform.URL()+path, "application/json", strings.NewReader(string(encoded)))
	if err != nil {
		panic(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		panic(err)
	}

	return answer
}

// How the tests of a bot look: the simulator lives as long as the test.
func TestABotOfYourOwn(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(bot))
	t.Cleanup(server.Close)
	platform := simulator.Start(t)
	if err := platform.SetCallback(simulator.DefaultAppID, server.URL, simulator.ModePlain); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"你好", "<b>&amp;</b>", "👨‍👩‍👧‍👦"} {
		result, err := platform.Push(t.Context(), simulator.Push{Content: text})
		if err != nil || result.Outcome != simulator.OutcomeShown {
			t.Errorf("%q: outcome %s (%s), error %v", text, result.Outcome, result.Deliveries[0].Reason, err)
		}
	}
}
