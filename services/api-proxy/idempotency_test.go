package apiproxy_test

import (
	"context"
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

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/redisconn"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	apiproxy "github.com/wxstack/wxstack/services/api-proxy"
)

// sharing starts a replica with the Redis of others.
func sharing(t *testing.T, redis *miniredis.Miniredis, c *center, base string) *proxy {
	t.Helper()
	return startProxyWith(t, apiproxy.Config{
		TokenCenterAddr: c.addr, BaseURLs: []string{base}, Redis: redisconn.Config{URL: "redis://" + redis.Addr()},
	})
}

func keyed(key, text string) *apiproxyv1.SendCustomerServiceMessageRequest {
	return &apiproxyv1.SendCustomerServiceMessageRequest{
		AppId: appID, ToUser: "o1", IdempotencyKey: key,
		Message: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: text}}},
	}
}

func wantKind(t *testing.T, err error, kind fault.Kind, word string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || !strings.Contains(err.Error(), word) {
		t.Errorf("error %v, want kind %s with %q", err, kind, word)
	}
}

// The reason for it all: gateways that take over from each other, and replicas of the proxy, send one
// late answer between them.
func TestAFollowerGetsAMessageOnce(t *testing.T) {
	t.Parallel()
	var (
		mu   sync.Mutex
		chat []string
	)
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		chat = append(chat, strings.TrimSpace(string(body)))
		mu.Unlock()
		sayOK(w, r)
	})
	redis, c := miniredis.RunT(t), startCenter(t, appID)
	clients := []apiproxyv1.ApiProxyServiceClient{
		dial(t, sharing(t, redis, c, wechat.URL)), dial(t, sharing(t, redis, c, wechat.URL)),
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var sending sync.WaitGroup
	for i := range 50 {
		sending.Go(func() {
			req := keyed("late-1", "hello")
			if i%4 < 2 {
				req.AppId = "" // the only account there is, and the same message.
			}
			resp, err := clients[i%2].SendCustomerServiceMessage(ctx, req)
			if err != nil || resp.GetErrcode() != 0 || resp.GetErrmsg() != "ok" {
				t.Errorf("answer %v, %v", resp, err)
			}
		})
	}
	sending.Wait()
	if diff := cmp.Diff([]string{`{"touser":"o1","msgtype":"text","text":{"content":"hello"}}`}, chat); diff != "" {
		t.Errorf("the follower's chat (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"wx:{" + appID + "}:once:late-1"}, records(redis)); diff != "" {
		t.Errorf("records in Redis (-want +got):\n%s", diff)
	}
	if _, err := clients[1].SendCustomerServiceMessage(ctx, keyed("late-2", "hello")); err != nil || wechat.served() != 2 {
		t.Errorf("another key: %v, %d requests", err, wechat.served())
	}
}

func TestWhichVerdictsAreFinal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer string
		final  bool
	}{
		{"success", healthyAnswer, true},
		{"window closed", `{"errcode":45015,"errmsg":"response out of time limit"}`, true},
		{"invalid", `{"errcode":40003,"errmsg":"invalid openid"}`, true},
		{"unknown code", `{"errcode":99999,"errmsg":"?"}`, true},
		{"busy", `{"errcode":-1,"errmsg":"system error"}`, false},
		{"too frequent", `{"errcode":45011,"errmsg":"api minute-quota reach limit"}`, false},
		{"daily quota", `{"errcode":45009,"errmsg":"reach max api daily quota limit"}`, false},
		{"reply allowance", `{"errcode":45047,"errmsg":"out of response count limit"}`, false},
		{"unauthorized", `{"errcode":48001,"errmsg":"api unauthorized"}`, false},
		{"address", `{"errcode":40164,"errmsg":"invalid ip"}`, false},
		{"secret", `{"errcode":40125,"errmsg":"invalid appsecret"}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wechat := startPlatform(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, tt.answer) })
			client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))
			first, err := client.SendCustomerServiceMessage(t.Context(), keyed("k", "a"))
			if err != nil {
				t.Fatal(err)
			}
			second, err := client.SendCustomerServiceMessage(t.Context(), keyed("k", "a"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(first, second, protocmp.Transform()); diff != "" {
				t.Errorf("the repeat got another verdict:\n%s", diff)
			}
			if want := map[bool]int{true: 1, false: 2}[tt.final]; wechat.served() != want {
				t.Errorf("%d requests, want %d", wechat.served(), want)
			}
		})
	}
}

func TestAHealedMessageIsSentOnce(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, sayOK)
	wechat.accept(tokenOf(appID, 2))
	client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))
	for range 2 {
		if resp, err := client.SendCustomerServiceMessage(t.Context(), keyed("k", "a")); err != nil || resp.GetErrcode() != 0 {
			t.Errorf("answer %v, %v", resp, err)
		}
	}
	if wechat.served() != 2 {
		t.Errorf("%d requests, want a rejected one and a good one", wechat.served())
	}
}

// records returns the names of what is kept of calls with a key.
func records(redis *miniredis.Miniredis) []string {
	return slices.DeleteFunc(redis.Keys(), func(name string) bool { return !strings.Contains(name, "}:once") })
}

func TestAMessageThatWasNotSentIsSentByTheRepeat(t *testing.T) {
	t.Parallel()
	wechat, c, redis := startPlatform(t, sayOK), startCenter(t, appID), miniredis.RunT(t)
	cutOff := dial(t, sharing(t, redis, c, "http://127.0.0.1:1"))
	_, err := cutOff.SendCustomerServiceMessage(t.Context(), keyed("k", "a"))
	wantKind(t, err, fault.Unavailable, "not sent")
	if keys := records(redis); len(keys) != 0 {
		t.Errorf("Redis keeps %v", keys)
	}
	client := dial(t, sharing(t, redis, c, wechat.URL))
	if _, err := client.SendCustomerServiceMessage(t.Context(), keyed("k", "a")); err != nil || wechat.served() != 1 {
		t.Errorf("error %v, %d requests", err, wechat.served())
	}
	_, err = client.SendCustomerServiceMessage(t.Context(), &apiproxyv1.SendCustomerServiceMessageRequest{
		AppId: "wxother", ToUser: "o1", IdempotencyKey: "k", Message: keyed("", "a").GetMessage(),
	})
	wantKind(t, err, fault.NotFound, "wxother")
}

func TestAMessageOfUnknownFateIsNeverSentAgain(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"connection broken": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"cut answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"errcode":`)
		},
		"HTTP error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wechat, c, redis := startPlatform(t, handler), startCenter(t, appID), miniredis.RunT(t)
			one, two := dial(t, sharing(t, redis, c, wechat.URL)), dial(t, sharing(t, redis, c, wechat.URL))
			for _, client := range []apiproxyv1.ApiProxyServiceClient{one, one, two} {
				_, err := client.SendCustomerServiceMessage(t.Context(), keyed("k", "a"))
				wantKind(t, err, fault.Deadline, "")
				if fault.RetryAfter(err) != 0 {
					t.Errorf("%v asks to come again", err)
				}
			}
			if wechat.served() != 1 {
				t.Errorf("%d requests", wechat.served())
			}
		})
	}
}

func TestAReplicaThatDiedLeavesItsMessageUnknown(t *testing.T) {
	t.Parallel()
	answering := make(chan struct{})
	release := make(chan struct{})
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		close(answering)
		<-release
		sayOK(w, r)
	})
	c, redis := startCenter(t, appID), miniredis.RunT(t)
	dying, client := dial(t, sharing(t, redis, c, wechat.URL)), dial(t, sharing(t, redis, c, wechat.URL))
	sent := make(chan error, 1)
	go func() {
		_, err := dying.SendCustomerServiceMessage(t.Context(), keyed("k", "a"))
		sent <- err
	}()
	<-answering
	impatient, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := client.SendCustomerServiceMessage(impatient, keyed("k", "a"))
	wantKind(t, err, fault.Deadline, "")
	redis.FastForward(11 * time.Second) // the lease is not renewed, as far as the other one can see.
	_, err = client.SendCustomerServiceMessage(t.Context(), keyed("k", "a"))
	wantKind(t, err, fault.Deadline, "unknown")
	close(release)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	// It was not dead after all.
	if resp, err := client.SendCustomerServiceMessage(t.Context(), keyed("k", "a")); err != nil || resp.GetErrmsg() != "ok" || wechat.served() != 1 {
		t.Errorf("answer %v, %v after %d requests", resp, err, wechat.served())
	}
}

// The gateway that sends a late answer dies while WeChat is working on it.
func TestACallerThatLeavesGetsItsMessageSentAllTheSame(t *testing.T) {
	t.Parallel()
	answering := make(chan struct{})
	release := make(chan struct{})
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		close(answering)
		<-release
		sayOK(w, r)
	})
	client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := client.SendCustomerServiceMessage(ctx, keyed("k", "a"))
		gone <- err
	}()
	<-answering
	leave()
	wantKind(t, <-gone, fault.Deadline, "")
	close(release)
	resp, err := client.SendCustomerServiceMessage(t.Context(), keyed("k", "a"))
	if err != nil || resp.GetErrmsg() != "ok" || wechat.served() != 1 {
		t.Errorf("answer %v, %v after %d requests", resp, err, wechat.served())
	}
}

func TestBadKeysAreNamed(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, sayOK)
	client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))
	if _, err := client.SendCustomerServiceMessage(t.Context(), keyed(strings.Repeat("k", 256), "a")); err != nil {
		t.Errorf("the longest key: %v", err)
	}
	if _, err := client.SendCustomerServiceMessage(t.Context(), keyed("k", "a")); err != nil {
		t.Fatal(err)
	}
	for name, send := range map[string]func() error{
		"another text": func() error {
			_, err := client.SendCustomerServiceMessage(t.Context(), keyed("k", "b"))
			return err
		},
		"another follower": func() error {
			req := keyed("k", "a")
			req.ToUser = "o2"
			_, err := client.SendCustomerServiceMessage(t.Context(), req)
			return err
		},
		"another path": func() error {
			_, err := client.Call(t.Context(), &apiproxyv1.CallRequest{
				Path: "/cgi-bin/message/custom/typing", IdempotencyKey: "k", Body: []byte(`{"touser":"o1","msgtype":"text","text":{"content":"a"}}`),
			})
			return err
		},
		"too long": func() error {
			_, err := client.SendCustomerServiceMessage(t.Context(), keyed(strings.Repeat("k", 257), "a"))
			return err
		},
		"space": func() error {
			_, err := client.SendCustomerServiceMessage(t.Context(), keyed("a b", "a"))
			return err
		},
		"not ASCII": func() error {
			_, err := client.SendCustomerServiceMessage(t.Context(), keyed("你", "a"))
			return err
		},
		"no account": func() error {
			_, err := client.Call(t.Context(), &apiproxyv1.CallRequest{Path: "/sns/userinfo?openid=o", IdempotencyKey: "x"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { wantKind(t, send(), fault.Invalid, "field idempotency_key") })
	}
	if wechat.served() != 2 {
		t.Errorf("%d requests, want 2", wechat.served())
	}
}

// Call keeps what a typed client needs of any answer, and says what it did not keep.
func TestCallsWithAKey(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"errcode":0,"errmsg":"ok","msgid":%s,"pad":"%s"}`, r.URL.Query().Get("n"),
			strings.Repeat("x", len(r.URL.Query().Get("kib"))<<10))
	})
	redis, c := miniredis.RunT(t), startCenter(t, appID)
	client := dial(t, sharing(t, redis, c, wechat.URL))
	call := func(path, key string) (*apiproxyv1.CallResponse, error) {
		return client.Call(t.Context(), &apiproxyv1.CallRequest{Path: path, IdempotencyKey: key, Body: []byte("{}")})
	}
	const template = "/cgi-bin/message/template/send"

	first, err := call(template+"?n=1", "short")
	if err != nil {
		t.Fatal(err)
	}
	second, err := call(template+"?access_token=mine&n=1", "short") // the token is no part of the request.
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second, protocmp.Transform()); diff != "" || first.GetBodyOmitted() || len(first.GetBody()) == 0 {
		t.Errorf("first %v, repeat differs by\n%s", first, diff)
	}

	long := template + "?n=2&kib=" + strings.Repeat("k", 65)
	first, err = call(long, "long")
	if err != nil || len(first.GetBody()) < 65<<10 || first.GetBodyOmitted() {
		t.Errorf("%d bytes, omitted %v, %v", len(first.GetBody()), first.GetBodyOmitted(), err)
	}
	want := &apiproxyv1.CallResponse{HttpStatus: http.StatusOK, ContentType: "application/json", Errmsg: "ok", BodyOmitted: true}
	got, err := call(long, "long")
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" || err != nil {
		t.Errorf("repeat: %v\n%s", err, diff)
	}

	tooLong := template + "?n=3&kib=" + strings.Repeat("k", 4100)
	_, err = call(tooLong, "longest")
	wantKind(t, err, fault.Invalid, "HTTP pass-through")
	got, err = call(tooLong, "longest")
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" || err != nil {
		t.Errorf("repeat: %v\n%s", err, diff)
	}
	if wechat.served() != 3 {
		t.Errorf("%d requests, want 3", wechat.served())
	}

	redis.FlushAll()
	for range 2 {
		if _, err := call("/cgi-bin/user/info/batchget?n=4", "read"); err != nil {
			t.Error(err)
		}
	}
	if wechat.served() != 5 || len(records(redis)) != 0 {
		t.Errorf("%d requests and records %v, want reads to be made each time and kept nowhere", wechat.served(), records(redis))
	}
}

func TestWithoutRedisMessagesAreSentOnceAReplica(t *testing.T) {
	t.Parallel()
	wechat, redis := startPlatform(t, sayOK), miniredis.RunT(t)
	p := sharing(t, redis, startCenter(t, appID), wechat.URL)
	client := dial(t, p)
	send := func(key string) {
		t.Helper()
		if resp, err := client.SendCustomerServiceMessage(t.Context(), keyed(key, "a")); err != nil || resp.GetErrmsg() != "ok" {
			t.Errorf("answer %v, %v", resp, err)
		}
	}
	send("before")
	redis.Close()
	send("before")
	send("after")
	send("after")
	if wechat.served() != 2 {
		t.Errorf("%d requests, want 2", wechat.served())
	}
	if report, ready := p.tel.Health.Report(); !ready || report.Components["redis"] == "up" {
		t.Errorf("health %v, ready %v; want ready with redis down", report, ready)
	}
}
