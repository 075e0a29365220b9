package upstream_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/chassis/egress"
	"github.com/wxstack/wxstack/chassis/telemetry"

	"github.com/wxstack/wxstack/services/api-proxy/internal/spool"
	"github.com/wxstack/wxstack/services/api-proxy/internal/upstream"
)

const secret = "SECRET-TOKEN"

func newClient(t *testing.T, answer time.Duration, bases ...string) *upstream.Client {
	t.Helper()
	c, err := upstream.New(upstream.Settings{Bases: bases, AnswerTimeout: answer, ConnectTimeout: time.Minute}, telemetry.Discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// deadHost is an address that nobody listens on.
func deadHost(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	lis, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	return "http://" + lis.Addr().String()
}

func request(method, uri, body string) upstream.Request {
	return upstream.Request{Method: method, RequestURI: uri, Header: http.Header{}, Body: spool.Bytes([]byte(body))}
}

func send(t *testing.T, c *upstream.Client, r upstream.Request) string {
	t.Helper()
	resp, err := c.Send(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestSendSendsWhatItWasGiven(t *testing.T) {
	t.Parallel()
	type seen struct{ Method, URI, Body, Length, Chunked, Agent, Key string }
	got := make(chan seen, 1)
	base := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- seen{
			r.Method, r.RequestURI, string(body), r.Header.Get("Content-Length"), strings.Join(r.TransferEncoding, ","),
			r.Header.Get("User-Agent"), r.Header.Get("Idempotency-Key"),
		}
	})
	c := newClient(t, time.Minute, base)
	for _, tt := range []struct {
		method, body string
		want         seen
	}{
		{"GET", "", seen{Method: "GET", URI: "/a/b?x=%2F&y"}},
		{"POST", "", seen{Method: "POST", URI: "/a/b?x=%2F&y", Length: "0"}},
		{"POST", "{}", seen{Method: "POST", URI: "/a/b?x=%2F&y", Body: "{}", Length: "2"}},
		{"GET", "{}", seen{Method: "GET", URI: "/a/b?x=%2F&y", Body: "{}", Length: "2"}},
		{"DELETE", "", seen{Method: "DELETE", URI: "/a/b?x=%2F&y"}},
	} {
		for _, repeat := range []bool{false, true} {
			r := request(tt.method, "/a/b?x=%2F&y", tt.body)
			r.Repeat, r.Header = repeat, http.Header{"User-Agent": nil, "Idempotency-Key": {"k"}}
			send(t, c, r)
			if diff := cmp.Diff(tt.want, <-got); diff != "" {
				t.Errorf("%s %q repeat=%v (-want +got):\n%s", tt.method, tt.body, repeat, diff)
			}
		}
	}
}

func TestADeadHostIsPassedOverAndThenAskedLast(t *testing.T) {
	t.Parallel()
	dead := deadHost(t)
	live := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "live") })
	c := newClient(t, time.Minute, dead, live)
	for range 3 {
		if got := send(t, c, request("POST", "/a", "{}")); got != "live" {
			t.Errorf("answer %q", got)
		}
	}
}

func TestNoHostCanBeReached(t *testing.T) {
	t.Parallel()
	c := newClient(t, time.Minute, deadHost(t), deadHost(t))
	_, err := c.Send(t.Context(), request("GET", "/a?access_token="+secret, ""))
	if !errors.Is(err, upstream.ErrUnreachable) || strings.Contains(err.Error(), secret) {
		t.Errorf("error = %v, want ErrUnreachable without the query", err)
	}
}

// What a forward proxy refuses was not sent, and the error names the setting to look at.
func TestAForwardProxyThatRefuses(t *testing.T) {
	t.Parallel()
	proxy := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) })
	way, err := egress.Config{ProxyURL: proxy}.Way()
	if err != nil {
		t.Fatal(err)
	}
	c, err := upstream.New(upstream.Settings{Bases: []string{"https://wechat.invalid"}, AnswerTimeout: time.Minute, Way: way}, telemetry.Discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	_, err = c.Send(t.Context(), request("POST", "/a?access_token="+secret, "{}"))
	if !errors.Is(err, upstream.ErrUnreachable) || !strings.Contains(err.Error(), "WX_EGRESS_PROXY_CREDENTIALS_FILE") || strings.Contains(err.Error(), secret) {
		t.Errorf("error = %v, want ErrUnreachable that names the setting", err)
	}
}

// A request that was sent goes nowhere else, and the transport does not send it again by itself.
func TestABrokenConnectionIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "POST"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			var first, second atomic.Int32
			flaky := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if first.Add(1) > 1 { // the first call warms the connection up, so that the second reuses it.
					panic(http.ErrAbortHandler)
				}
				_, _ = io.WriteString(w, "warm")
			})
			other := serve(t, func(http.ResponseWriter, *http.Request) { second.Add(1) })
			c := newClient(t, time.Minute, flaky, other)
			send(t, c, request(method, "/a", ""))
			_, err := c.Send(t.Context(), request(method, "/a?access_token="+secret, ""))
			if !errors.Is(err, upstream.ErrBroken) || strings.Contains(err.Error(), secret) {
				t.Errorf("error = %v, want ErrBroken without the query", err)
			}
			if first.Load() != 2 || second.Load() != 0 {
				t.Errorf("hosts got %d and %d requests, want 2 and 0", first.Load(), second.Load())
			}
		})
	}
}

func TestASilentHostIsGivenUp(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	release := make(chan struct{})
	base := serve(t, func(_ http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		<-release
	})
	t.Cleanup(func() { close(release) })
	other := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(100) })
	c := newClient(t, 50*time.Millisecond, base, other)
	_, err := c.Send(t.Context(), request("POST", "/a?access_token="+secret, ""))
	if !errors.Is(err, upstream.ErrNoAnswer) || strings.Contains(err.Error(), secret) {
		t.Errorf("error = %v, want ErrNoAnswer without the query", err)
	}
	if hits.Load() != 1 {
		t.Errorf("%d requests, want 1", hits.Load())
	}
}

func TestTheCallersDeadline(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{})
	base := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(reached)
		<-r.Context().Done()
	})
	c := newClient(t, time.Minute, base)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
	}()
	if _, err := c.Send(ctx, request("POST", "/a", "")); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want context.Canceled", err)
	}
}

func TestAnAnswerThatIsNotHTTPIsNotQuoted(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	lis, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	go func() {
		conn, err := lis.Accept()
		if err != nil {
			return
		}
		buffer := make([]byte, 1024)
		n, _ := conn.Read(buffer)
		_, _ = conn.Write(buffer[:n]) // an echo: the token comes back as "status line".
		_ = conn.Close()
	}()
	c := newClient(t, time.Minute, "http://"+lis.Addr().String())
	_, err = c.Send(t.Context(), request("POST", "/a?access_token="+secret, ""))
	if !errors.Is(err, upstream.ErrBroken) || strings.Contains(err.Error(), secret) {
		t.Errorf("error = %v, want ErrBroken without what the host said", err)
	}
}

func TestParseBase(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://api.weixin.qq.com", "http://localhost:8090", "http://127.0.0.1:1/"} {
		if u, err := upstream.ParseBase(good); err != nil || u.Path != "" {
			t.Errorf("ParseBase(%q) = %v, %v", good, u, err)
		}
	}
	for _, bad := range []string{
		"", "api.weixin.qq.com", "ftp://a", "https://", "https://a/cgi-bin", "https://a?x=1", "https://u:hunter2@a", "https://a#f", "https://u:hunter2@a:x",
	} {
		if _, err := upstream.ParseBase(bad); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("ParseBase(%q): error = %v, want one without the password", bad, err)
		}
	}
	if _, err := upstream.New(upstream.Settings{}, telemetry.Discard()); err == nil {
		t.Error("New without bases: no error")
	}
}
