package forward_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wxstack/wxstack/chassis/config"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/bulkhead"
	"github.com/wxstack/wxstack/services/logic/internal/forward"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func request() *logicv1.ReplyRequest {
	return &logicv1.ReplyRequest{
		Message: &messagev1.Message{
			AppId: "wx1", FromUserName: "oFOLLOWER", MsgId: 6272960105994287618, MsgType: "text", Raw: []byte("<xml>"),
			Content: &messagev1.Message_Text{Text: &messagev1.Text{Content: "秘密 <&>"}},
		},
		MessageKey: "6272960105994287618", DeliveryTimeLeft: durationpb.New(850 * time.Millisecond), BudgetTimeLeft: durationpb.New(14 * time.Second),
	}
}

// serve starts a backend and returns a handler that asks it.
func serve(t *testing.T, cfg forward.Config, backend http.HandlerFunc) *forward.Handler {
	t.Helper()
	server := httptest.NewServer(backend)
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	cfg.Rule, cfg.URL = "shop", server.URL+"/wechat?key=hidden"
	handler, err := forward.New(cfg, transport)
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// TestRequest: what a backend gets, and that any library for Standard Webhooks accepts its signature.
func TestRequest(t *testing.T) {
	t.Parallel()
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	var ids []string
	handler := serve(t, forward.Config{Secret: config.NewSecret(secret), Headers: map[string]string{"X-Team": "shop"}}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := verifier.Verify(body, r.Header); err != nil {
			t.Errorf("the signature: %v", err)
		}
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Team") != "shop" {
			t.Errorf("%s with %v", r.Method, r.Header)
		}
		if strings.Contains(string(body), `\u003c`) {
			t.Errorf("escaped for HTML: %s", body)
		}
		ids = append(ids, r.Header.Get("Webhook-Id"))
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		if _, err := handler.Answer(t.Context(), request()); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]any{
		"rule": "shop", "message_key": "6272960105994287618", "delivery_time_left": "0.850s", "budget_time_left": "14s",
		"message": map[string]any{
			"app_id": "wx1", "from_user_name": "oFOLLOWER", "msg_id": "6272960105994287618", "msg_type": "text",
			"text": map[string]any{"content": "秘密 <&>"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	want["answers"] = map[string]any{"phone": "1"}
	if _, err := handler.AnswerWith(t.Context(), request(), map[string]string{"phone": "1"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("at the end of a dialogue:\n%s", diff)
	}
	if ids[0] != ids[1] || len(ids[0]) != len("msg_")+32 {
		t.Errorf("a message keeps its id: %v", ids)
	}
	other := request()
	other.Message.AppId = "wx2"
	if _, err := handler.Answer(t.Context(), other); err != nil || ids[3] == ids[0] {
		t.Errorf("another account's message has another id: %v, %v", ids, err)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	event := request()
	event.Message.Content = &messagev1.Message_Event{Event: &messagev1.Event{Name: "CLICK"}}
	articles := `{"reply": {"news": {"articles": [{"title": "a"}, {"title": "b"}]}}}`
	tests := map[string]struct {
		req    *logicv1.ReplyRequest
		answer string
		want   string // the reply and what is sent, as JSON
		err    string
	}{
		"text":           {request(), `{"reply": {"text": {"content": "你好"}}}`, `{"text":{"content":"你好"}}`, ""},
		"camel case":     {request(), `{"reply": {"image": {"mediaId": "P"}}}`, `{"image":{"media_id":"P"}}`, ""},
		"and send":       {request(), `{"reply": {"text": {"content": "a"}}, "send": [{"image": {"media_id": "P"}, "kf_account": "k@x"}]}`, `{"text":{"content":"a"}} {"image":{"media_id":"P"}} by k@x`, ""},
		"only send":      {request(), `{"send": [{"text": {"content": "b"}}]}`, `{"text":{"content":"b"}} by `, ""},
		"silence":        {request(), `{}`, "", ""},
		"null":           {request(), `{"reply": null}`, "", ""},
		"nothing":        {request(), ``, "", ""},
		"transfer":       {request(), `{"reply": {"transfer_customer_service": {}}}`, `{"transfer_customer_service":{}}`, ""},
		"articles":       {event, articles, `{"news":{"articles":[{"title":"a"},{"title":"b"}]}}`, ""},
		"pass":           {request(), `{"pass": true}`, "", route.ErrPass.Error()},
		"pass and more":  {request(), `{"pass": true, "reply": {"text": {"content": "秘密"}}}`, "", "nothing can go with it"},
		"too many":       {request(), articles, "", "reply: news has 2 articles; it needs one at least, and WeChat shows 1 here"},
		"transfer event": {event, `{"reply": {"transfer_customer_service": {}}}`, "", "messages can be handed over, not events"},
		"send transfer":  {request(), `{"send": [{"transfer_customer_service": {}}]}`, "", "send[0]: a transfer is a reply, it cannot be sent"},
		"no content":     {request(), `{"reply": {}}`, "", "reply: has no content"},
		"empty text":     {request(), `{"reply": {"text": {"content": ""}}}`, "", "reply: text.content is empty"},
		"bare text":      {request(), `{"reply": "秘密"}`, "", `reply: must be an object such as {"text": {"content": "…"}}`},
		"unknown kind":   {request(), `{"reply": {"txt": "秘密"}}`, "", "reply: must be an object"},
		"unknown key":    {request(), `{"replay": {}}`, "", `unknown field "replay"`},
		"a list":         {request(), `["秘密"]`, "", "must be a JSON object with the keys reply, send, pass"},
		"HTML":           {request(), `<html>秘密`, "", "byte 1 is no JSON"},
		"wrong type":     {request(), `{"pass": "秘密"}`, "", "pass is of the wrong type"},
		"more":           {request(), `{} 秘密`, "", "something follows"},
		"six sent":       {request(), `{"send": [{},{},{},{},{},{}]}`, "", "send has 6 messages; WeChat allows 5"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler := serve(t, forward.Config{}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, test.answer) })
			answer, err := handler.Answer(t.Context(), test.req)
			if (err == nil) != (test.err == "") || (err != nil && !strings.Contains(err.Error(), test.err)) {
				t.Fatalf("want error %q, got %v", test.err, err)
			}
			if err != nil {
				if strings.Contains(err.Error(), "秘密") || strings.Contains(err.Error(), "hidden") {
					t.Errorf("the error quotes: %v", err)
				}
				if !errors.Is(err, route.ErrPass) && route.ReasonOf(err) != route.ReasonBackend {
					t.Errorf("reason %s", route.ReasonOf(err))
				}
				return
			}
			var got []string
			if answer.Reply != nil {
				got = append(got, compact(t, answer.Reply))
			}
			for _, message := range answer.Send {
				got = append(got, compact(t, message.Content)+" by "+message.KfAccount)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// compact is a reply as JSON without the spaces that protobuf puts in at random.
func compact(t *testing.T, reply *messagev1.Reply) string {
	t.Helper()
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(reply)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	data, err = json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestFailures: what can pass is tried again, under the same id; what cannot is not.
func TestFailures(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		statuses []int // of the attempts in turn; the last one repeats
		retries  int
		attempts int32
		err      string
	}{
		"comes back":      {[]int{503, 502, 200}, 2, 3, ""},
		"busy, then not":  {[]int{429, 200}, 1, 2, ""},
		"stays away":      {[]int{503}, 1, 2, "HTTP status 503; see whether the backend runs"},
		"no retries":      {[]int{503, 200}, 0, 1, "HTTP status 503"},
		"wrong secret":    {[]int{401}, 2, 1, "HTTP status 401; check that both sides have the same secret"},
		"redirect":        {[]int{302}, 2, 1, "redirects are not followed; write the last address into url"},
		"its own error":   {[]int{500}, 2, 1, "HTTP status 500; see the log of the backend"},
		"its own refusal": {[]int{422}, 2, 1, "HTTP status 422"},
		"taken for later": {[]int{202}, 2, 1, "HTTP status 202; an answer has status 200, silence may have 204"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var attempts atomic.Int32
			ids := make(chan string, 10)
			handler := serve(t, forward.Config{Retries: test.retries}, func(w http.ResponseWriter, r *http.Request) {
				ids <- r.Header.Get("Webhook-Id")
				n := int(attempts.Add(1))
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(test.statuses[min(n, len(test.statuses))-1])
				_, _ = io.WriteString(w, `{"reply": {"text": {"content": "a"}}}`)
			})
			answer, err := handler.Answer(t.Context(), request())
			if attempts.Load() != test.attempts {
				t.Errorf("%d attempts, want %d", attempts.Load(), test.attempts)
			}
			if first := <-ids; attempts.Load() > 1 && first != <-ids {
				t.Error("the second attempt has another id")
			}
			if test.err == "" {
				if err != nil || answer.Reply.GetText().GetContent() != "a" {
					t.Errorf("%v, %v", answer, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "hidden") || route.ReasonOf(err) != route.ReasonBackend {
				t.Errorf("want %q, got %v", test.err, err)
			}
		})
	}
}

// TestRetryAfter: a pause that a backend asks for is kept, unless nobody waits for so long.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	inADay := func(now time.Time) string { return now.Add(24 * time.Hour).UTC().Format(http.TimeFormat) }
	tests := map[string]struct {
		status int
		after  func(now time.Time) string
		took   time.Duration
		err    string
	}{
		"seconds":         {429, func(time.Time) string { return "2" }, 2 * time.Second, ""},
		"date":            {503, func(now time.Time) string { return now.Add(3 * time.Second).UTC().Format(http.TimeFormat) }, 3 * time.Second, ""},
		"too long":        {429, func(time.Time) string { return "60" }, 0, "shop.example.com answers with HTTP status 429; it is busy, or limits us; retry after 1m0s"},
		"too long a date": {503, inADay, 0, "shop.example.com answers with HTTP status 503; see whether the backend runs; retry after 24h0m0s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				handler, err := forward.New(forward.Config{URL: "https://shop.example.com/", Retries: 1}, answers(func(*http.Request) *http.Response {
					if time.Since(start) > 0 {
						return response(http.StatusOK, "")
					}
					busy := response(test.status, "")
					busy.Header.Set("Retry-After", test.after(start))
					return busy
				}))
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				defer cancel()
				_, err = handler.Answer(ctx, request())
				if took := time.Since(start); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				if (err == nil) != (test.err == "") || (err != nil && err.Error() != test.err) {
					t.Errorf("want %q, got %v", test.err, err)
				}
			})
		})
	}
}

// answers is a way to a backend that needs no network.
type answers func(*http.Request) *http.Response

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

func response(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// TestTheTimeoutNamesTheBackend: whoever reads that a rule took too long learns whom it waited for.
func TestTheTimeoutNamesTheBackend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler, err := forward.New(forward.Config{URL: "https://shop.example.com/", Retries: 3}, stuck{})
		if err != nil {
			t.Fatal(err)
		}
		limits := bulkhead.Limits{Concurrency: 1, Timeout: 4 * time.Second}
		subject := bulkhead.New(handler, "shop", limits, bulkhead.NewMetrics(prometheus.NewRegistry()))
		_, err = subject.Answer(t.Context(), request())
		const want = "the rule took longer than its timeout of 4s: shop.example.com has not answered yet: context deadline exceeded"
		if err == nil || err.Error() != want || route.ReasonOf(err) != route.ReasonTimeout {
			t.Errorf("%s: %v", route.ReasonOf(err), err)
		}
	})
}

// stuck is a backend that never answers.
type stuck struct{}

func (stuck) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

func TestTheWayFails(t *testing.T) {
	t.Parallel()
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		handler, err := forward.New(forward.Config{URL: "http://127.0.0.1:1/wechat?key=hidden"}, &http.Transport{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = handler.Answer(t.Context(), request())
		if err == nil || !strings.Contains(err.Error(), "ask 127.0.0.1:1: ") || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%v", err)
		}
	})
	t.Run("endless answer", func(t *testing.T) {
		t.Parallel()
		handler := serve(t, forward.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat(" ", 65<<10))
		})
		if _, err := handler.Answer(t.Context(), request()); err == nil || !strings.Contains(err.Error(), "longer than 64 KiB") {
			t.Errorf("%v", err)
		}
	})
	t.Run("out of time", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		handler := serve(t, forward.Config{Retries: 9}, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice that the client leaves.
			cancel()
			<-r.Context().Done()
		})
		if _, err := handler.Answer(ctx, request()); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

func TestTheSecretMustBeBase64(t *testing.T) {
	t.Parallel()
	_, err := forward.New(forward.Config{Secret: config.NewSecret("not base64!")}, nil)
	if err == nil || !strings.Contains(err.Error(), "openssl rand -base64 32") || strings.Contains(err.Error(), "not base64!") {
		t.Errorf("%v", err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"reply": {"text": {"content": "a"}}, "send": [{"image": {"media_id": "P"}, "kf_account": "k@x"}]}`), false)
	f.Add([]byte(`{"pass": true}`), true)
	f.Add([]byte(`{"reply": {"news": {"articles": [{}]}}}`), true)
	f.Fuzz(func(t *testing.T, body []byte, toEvent bool) {
		answer, err := forward.Decode(body, toEvent)
		if err != nil && (answer.Reply != nil || len(answer.Send) > 0) {
			t.Errorf("answer %v with error %v", answer, err)
		}
		for _, message := range answer.Send {
			if message.Content.GetContent() == nil {
				t.Error("an empty message is sent")
			}
		}
	})
}
