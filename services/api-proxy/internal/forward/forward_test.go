package forward_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/wechat/errcode"

	"github.com/wxstack/wxstack/services/api-proxy/internal/caller"
	"github.com/wxstack/wxstack/services/api-proxy/internal/credential"
	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/forward"
	"github.com/wxstack/wxstack/services/api-proxy/internal/limit"
	"github.com/wxstack/wxstack/services/api-proxy/internal/spool"
	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
	"github.com/wxstack/wxstack/services/api-proxy/internal/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ok       = `{"errcode":0,"errmsg":"ok"}`
	busy     = `{"errcode":-1,"errmsg":"system error"}`
	rejected = `{"errcode":40001,"errmsg":"invalid credential rid: 61725984-6126f6f9-040f19c4"}`
)

// keeper is a token source whose token is worth its generation.
type keeper struct {
	generation uint64
	tokenErr   error
	renewErr   error
	reported   []uint64
}

func (k *keeper) token() credential.Token {
	return credential.Token{AppID: "wx1", Generation: k.generation, Value: config.NewSecret(fmt.Sprintf("SECRET-%d", k.generation))}
}

func (k *keeper) Account(_ context.Context, asked string) (string, error) { return asked, k.tokenErr }

func (k *keeper) Token(context.Context, string) (credential.Token, error) {
	return k.token(), k.tokenErr
}

func (k *keeper) Renew(_ context.Context, rejected credential.Token) (credential.Token, error) {
	k.reported = append(k.reported, rejected.Generation)
	k.generation++
	return k.token(), k.renewErr
}

// wechat plays back answers and notes what it was sent; the last answer stays.
type wechat struct {
	answers []any // string: JSON; error; *http.Response
	sent    []string
	bodies  []string
}

func (w *wechat) Send(_ context.Context, r upstream.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body.Reader())
	if err != nil {
		return nil, err
	}
	w.sent = append(w.sent, r.Method+" "+r.RequestURI)
	w.bodies = append(w.bodies, string(body))
	answer := w.answers[min(len(w.sent), len(w.answers))-1]
	switch answer := answer.(type) {
	case error:
		return nil, answer
	case *http.Response:
		return answer, nil
	}
	return response(http.StatusOK, "text/plain", fmt.Sprint(answer)), nil
}

func response(status int, contentType, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(body))}
}

// builtIn reads the table once: the fuzz target makes thousands of benches.
var builtIn = sync.OnceValues(endpoint.Default)

type bench struct {
	*forward.Forwarder

	keeper *keeper
	wechat *wechat
	limits *limit.Limiter
	sent   *sent
	tel    *telemetry.Telemetry
	log    *bytes.Buffer
}

// sent notes the verdicts on customer-service messages.
type sent struct{ verdicts []string }

func (s *sent) Sent(_ context.Context, appID, openID string, verdict errcode.Code) {
	s.verdicts = append(s.verdicts, fmt.Sprintf("%s %s %d", appID, openID, verdict))
}

func newBench(t *testing.T, answers ...any) *bench {
	t.Helper()
	table, err := builtIn()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{keeper: &keeper{generation: 1}, wechat: &wechat{answers: answers}, sent: &sent{}, log: &bytes.Buffer{}}
	b.tel = telemetry.ForTest(b.log)
	memory := redisconn.NewShared(time.Second, nil, func(error) {})
	b.limits = limit.New(limit.NewMemory(), memory, b.tel)
	b.Forwarder = forward.New(forward.Parts{
		Table: table, Tokens: b.keeper, Upstream: b.wechat, Limiter: b.limits, Allowances: b.sent,
	}, forward.NewMetrics(b.tel.Metrics), b.tel.Log)
	t.Cleanup(func() {
		for _, hidden := range []string{"SECRET", "the body", "invalid credential"} {
			if strings.Contains(b.log.String(), hidden) {
				t.Errorf("the log shows %q:\n%s", hidden, b.log)
			}
		}
	})
	return b
}

func (b *bench) call(ctx context.Context, t *testing.T, line string) (*forward.Answer, string, error) {
	t.Helper()
	return b.callWith(ctx, t, line, "the body")
}

func (b *bench) callWith(ctx context.Context, t *testing.T, line, sent string) (*forward.Answer, string, error) {
	t.Helper()
	method, raw, _ := strings.Cut(line, " ")
	parsed, err := target.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	anybody, err := (*caller.Directory)(nil).Identify(rpc.Caller{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.Admit(ctx, forward.Call{Caller: anybody, AppID: "wx1", Method: method, Target: parsed, Body: spool.Bytes([]byte(sent))})
	if err != nil {
		return nil, "", err
	}
	answer, err := b.Do(ctx, c)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body), nil
}

func TestHealing(t *testing.T) {
	t.Parallel()
	first, second := "POST /cgi-bin/menu/create?access_token=SECRET-1", "POST /cgi-bin/menu/create?access_token=SECRET-2"
	for _, tt := range []struct {
		name     string
		answers  []any
		renewErr error
		code     int
		sent     []string
		reported []uint64
	}{
		{"well", []any{ok}, nil, 0, []string{first}, nil},
		{"healed", []any{rejected, ok}, nil, 0, []string{first, second}, []uint64{1}},
		{"40014", []any{`{"errcode":40014}`, ok}, nil, 0, []string{first, second}, []uint64{1}},
		{"42001", []any{`{"errcode":42001}`, ok}, nil, 0, []string{first, second}, []uint64{1}},
		{"rejected again: WeChat's verdict", []any{rejected, rejected, ok}, nil, 40001, []string{first, second}, []uint64{1}},
		{"not renewed: WeChat's verdict", []any{rejected, ok}, fault.New(fault.Unavailable, "away"), 40001, []string{first}, []uint64{1}},
		{"no refresh cures 40013", []any{`{"errcode":40013}`, ok}, nil, 40013, []string{first}, nil},
		{"no refresh cures 48001", []any{`{"errcode":48001}`, ok}, nil, 48001, []string{first}, nil},
		{"broken on the way", []any{rejected, upstream.ErrBroken, ok}, nil, -99, []string{first, second}, []uint64{1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tt.answers...)
			b.keeper.renewErr = tt.renewErr
			code := -99
			if answer, _, err := b.call(t.Context(), t, "POST /cgi-bin/menu/create?access_token=mine"); err == nil {
				code = int(answer.Code)
			}
			if code != tt.code {
				t.Errorf("errcode %d, want %d", code, tt.code)
			}
			if diff := cmp.Diff(tt.sent, b.wechat.sent); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.reported, b.keeper.reported); diff != "" {
				t.Errorf("reported (-want +got):\n%s", diff)
			}
			for _, body := range b.wechat.bodies {
				if body != "the body" {
					t.Errorf("sent body %q", body)
				}
			}
		})
	}
}

func TestTheRejectedAnswerReachesTheCallerWhole(t *testing.T) {
	t.Parallel()
	b := newBench(t, rejected)
	answer, body, err := b.call(t.Context(), t, "GET /cgi-bin/menu/get")
	if err != nil || body != rejected || answer.Message == "" {
		t.Errorf("got %q, %v; want WeChat's own words", body, err)
	}
}

func TestRepeating(t *testing.T) {
	t.Parallel()
	safe, unsafe, unlisted := "GET /cgi-bin/user/info", "POST /cgi-bin/message/custom/send", "GET /cgi-bin/unheard/of"
	unavailable := func() any { return response(http.StatusBadGateway, "text/html", "<html>") }
	for _, tt := range []struct {
		name    string
		call    string
		answers []any
		sent    int
		kind    fault.Kind
	}{
		{"safe and busy", safe, []any{busy, busy, ok}, 3, ""},
		{"safe and busy for long", safe, []any{busy}, 3, ""},
		{"safe and silent", safe, []any{upstream.ErrNoAnswer, ok}, 2, ""},
		{"safe and broken for long", safe, []any{upstream.ErrBroken}, 3, fault.Deadline},
		{"safe and 502", safe, []any{unavailable(), ok}, 2, ""},
		{"safe and unreachable", safe, []any{upstream.ErrUnreachable, ok}, 1, fault.Unavailable},
		{"safe and final", safe, []any{`{"errcode":40003}`, ok}, 1, ""},
		{"unsafe and busy", unsafe, []any{busy, ok}, 1, ""},
		{"unsafe and silent", unsafe, []any{upstream.ErrNoAnswer, ok}, 1, fault.Deadline},
		{"unsafe and broken", unsafe, []any{upstream.ErrBroken, ok}, 1, fault.Deadline},
		{"unsafe and 502", unsafe, []any{unavailable(), ok}, 1, ""},
		{"unlisted and busy", unlisted, []any{busy, ok}, 1, ""},
		{"unlisted and silent", unlisted, []any{upstream.ErrNoAnswer, ok}, 1, fault.Deadline},
		{"sns and busy", "GET /sns/userinfo", []any{busy, ok}, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, tt.answers...)
				_, _, err := b.call(t.Context(), t, tt.call)
				switch {
				case tt.kind == "" && err != nil:
					t.Errorf("error %v", err)
				case tt.kind != "" && (err == nil || fault.KindOf(err) != tt.kind):
					t.Errorf("error %v, want kind %s", err, tt.kind)
				}
				if len(b.wechat.sent) != tt.sent {
					t.Errorf("sent %d times, want %d", len(b.wechat.sent), tt.sent)
				}
			})
		})
	}
}

func TestNoRepeatOutlivesTheCallersTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, busy)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if answer, _, err := b.call(ctx, t, "GET /cgi-bin/user/info"); err != nil || answer.Code != -1 {
			t.Errorf("got %+v, %v; want WeChat's -1 in time", answer, err)
		}
		if ctx.Err() != nil || len(b.wechat.sent) != 1 {
			t.Errorf("sent %d times, context %v", len(b.wechat.sent), ctx.Err())
		}
	})
}

func TestOtherTokensPassUntouchedAndAreNotHealed(t *testing.T) {
	t.Parallel()
	b := newBench(t, rejected)
	b.keeper.tokenErr = errors.New("nobody may ask")
	_, body, err := b.call(t.Context(), t, "GET /sns/userinfo?access_token=user&openid=o1&lang=zh_CN")
	if err != nil || body != rejected {
		t.Errorf("got %q, %v", body, err)
	}
	if diff := cmp.Diff([]string{"GET /sns/userinfo?access_token=user&openid=o1&lang=zh_CN"}, b.wechat.sent); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if len(b.keeper.reported) != 0 {
		t.Error("a follower's token was reported as the account's")
	}
}

func TestRefusedPathsAreNotSent(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"GET /cgi-bin/token?secret=x", "POST /cgi-bin/stable_token", "POST /cgi-bin/clear_quota/v2", "POST /cgi-bin/component/api_component_token"} {
		b := newBench(t, ok)
		_, _, err := b.call(t.Context(), t, call)
		if err == nil || fault.KindOf(err) != fault.Precondition || !strings.Contains(err.Error(), "token-center owns the tokens") {
			t.Errorf("%s: error %v", call, err)
		}
		if len(b.wechat.sent) != 0 {
			t.Errorf("%s was sent", call)
		}
	}
}

// Only what can be JSON is looked into: an upload of pixels may begin with a brace.
func TestDownloadsAreNotLookedInto(t *testing.T) {
	t.Parallel()
	disposition := response(http.StatusOK, "text/plain", rejected)
	disposition.Header.Set("Content-Disposition", `attachment; filename="a.txt"`)
	packed := response(http.StatusOK, "application/json", rejected)
	packed.Header.Set("Content-Encoding", "gzip")
	for name, resp := range map[string]*http.Response{
		"picture":    response(http.StatusOK, "image/jpeg", rejected),
		"sound":      response(http.StatusOK, "audio/amr", rejected),
		"bytes":      response(http.StatusOK, "application/octet-stream", rejected),
		"attachment": disposition,
		"compressed": packed,
	} {
		b := newBench(t, resp)
		answer, body, err := b.call(t.Context(), t, "GET /cgi-bin/media/get?media_id=1")
		if err != nil || answer.Code != 0 || body != rejected || len(b.keeper.reported) != 0 {
			t.Errorf("%s: code %d, body %q, %v", name, answer.Code, body, err)
		}
	}
}

func TestJSONIsFoundUnderEveryLabel(t *testing.T) {
	t.Parallel()
	for _, label := range []string{"", "text/plain", "text/html; charset=utf-8", "application/json; encoding=utf-8", "application/json", "text/javascript"} {
		b := newBench(t, response(http.StatusOK, label, "\n "+rejected), ok)
		if answer, _, err := b.call(t.Context(), t, "POST /cgi-bin/menu/create"); err != nil || answer.Code != 0 || len(b.wechat.sent) != 2 {
			t.Errorf("%q: not healed (%v)", label, err)
		}
	}
}

func TestALongAnswerStaysWhole(t *testing.T) {
	t.Parallel()
	long := `{"total":1,"data":"` + strings.Repeat("汉", 100_000) + `"}`
	b := newBench(t, long)
	answer, body, err := b.call(t.Context(), t, "GET /cgi-bin/user/get")
	if err != nil || body != long || answer.Code != 0 {
		t.Errorf("got %d bytes, code %d, %v; want %d bytes", len(body), answer.Code, err, len(long))
	}
}

func TestOurOwnFailuresNameTheRemedyAndNoSecret(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		kind fault.Kind
		word string
	}{
		{fmt.Errorf("a: %w", upstream.ErrUnreachable), fault.Unavailable, "WX_API_BASE_URL"},
		{fmt.Errorf("a: %w", upstream.ErrNoAnswer), fault.Deadline, "look before sending it again"},
		{fmt.Errorf("a: %w", upstream.ErrBroken), fault.Deadline, "look before sending it again"},
		{context.DeadlineExceeded, fault.Deadline, "time ended"},
		{context.Canceled, fault.Deadline, "left"},
		{errors.New("odd"), fault.Internal, "call failed"},
	} {
		b := newBench(t, tt.err)
		_, _, err := b.call(t.Context(), t, "POST /cgi-bin/menu/create")
		var known *fault.Error
		if !errors.As(err, &known) || known.Kind() != tt.kind || !strings.Contains(known.Message(), tt.word) {
			t.Errorf("%v became %v, want kind %s with %q", tt.err, err, tt.kind, tt.word)
		}
		if err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("error %v shows the token", err)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	b := newBench(t, rejected, ok, `{"errcode":45009}`, response(http.StatusBadGateway, "text/html", ""), upstream.ErrBroken)
	for _, call := range []string{
		"POST /cgi-bin/menu/create", "POST /cgi-bin/menu/create", "GET /cgi-bin/made/up/1", "GET /cgi-bin/made/up/2", "GET /cgi-bin/token",
	} {
		_, _, _ = b.call(t.Context(), t, call)
	}
	const want = `
# HELP apiproxy_calls_total Calls by caller, account, endpoint and class: WeChat's verdict, refused, or failed_ and the kind of our own failure, such as failed_throttled.
# TYPE apiproxy_calls_total counter
apiproxy_calls_total{app_id="none",caller="unlisted",class="refused",endpoint="/cgi-bin/token"} 1
apiproxy_calls_total{app_id="wx1",caller="unlisted",class="failed_deadline",endpoint="other"} 1
apiproxy_calls_total{app_id="wx1",caller="unlisted",class="http_error",endpoint="other"} 1
apiproxy_calls_total{app_id="wx1",caller="unlisted",class="ok",endpoint="/cgi-bin/menu/create"} 1
apiproxy_calls_total{app_id="wx1",caller="unlisted",class="quota_exhausted",endpoint="/cgi-bin/menu/create"} 1
# HELP apiproxy_token_rejections_total Answers in which WeChat rejected the account's access token.
# TYPE apiproxy_token_rejections_total counter
apiproxy_token_rejections_total{app_id="wx1"} 1
`
	if err := testutil.GatherAndCompare(b.tel.Metrics, strings.NewReader(want), "apiproxy_calls_total", "apiproxy_token_rejections_total"); err != nil {
		t.Error(err)
	}
	if !strings.Contains(b.log.String(), "45009") {
		t.Error("the spent quota is not in the log")
	}
}

// Whatever WeChat answers, the caller gets the same bytes, and nothing panics.
func FuzzAnswer(f *testing.F) {
	f.Add("text/plain", rejected)
	f.Add("application/json", `{"a":[{"errcode":40001}],"errcode":"40001"`)
	f.Add("image/png", "{\x00")
	f.Add("", "{")
	f.Fuzz(func(t *testing.T, label, body string) {
		b := newBench(t, response(http.StatusOK, label, body), response(http.StatusOK, label, body))
		answer, got, err := b.call(t.Context(), t, "POST /cgi-bin/unheard/of")
		if err != nil {
			t.Fatal(err)
		}
		if got != body {
			t.Errorf("answer changed: %q became %q", body, got)
		}
		if strings.HasPrefix(label, "image/") && answer.Code != 0 {
			t.Errorf("a picture was looked into: %d", answer.Code)
		}
	})
}

// What was surely not sent may be sent by whoever repeats it; everything else may not.
func TestNotSent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		tokenErr, sendErr error
		want              bool
	}{
		"no token":          {tokenErr: fault.New(fault.Unavailable, "no token"), want: true},
		"no account":        {tokenErr: fault.New(fault.NotFound, "no account"), want: true},
		"no time to send":   {tokenErr: context.DeadlineExceeded, want: true},
		"no host":           {sendErr: upstream.ErrUnreachable, want: true},
		"no answer":         {sendErr: upstream.ErrNoAnswer},
		"no answer in time": {sendErr: fmt.Errorf("%w: %w", upstream.ErrNoAnswer, context.DeadlineExceeded)},
		"broken":            {sendErr: upstream.ErrBroken},
		"caller left":       {sendErr: context.Canceled},
		"anything else":     {sendErr: errors.New("surprise")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tt.sendErr)
			b.keeper.tokenErr = tt.tokenErr
			_, _, err := b.call(t.Context(), t, "POST /cgi-bin/message/custom/send")
			if err == nil || forward.NotSent(err) != tt.want {
				t.Errorf("error %v, want not sent %v", err, tt.want)
			}
		})
	}
}

// Whatever somebody asks WeChat about its limits, all callers profit from.
func TestWhatWeChatSaysOfItsLimitsIsNoted(t *testing.T) {
	t.Parallel()
	const send = "/cgi-bin/message/custom/send"
	const quota = `{"errcode":0,"errmsg":"ok","quota":{"daily_limit":1000,"used":700,"remain":300}}`
	ask := func(b *bench, path string) {
		t.Helper()
		if _, body, err := b.callWith(t.Context(), t, "POST /cgi-bin/openapi/quota/get", fmt.Sprintf(`{"cgi_path":%q}`, path)); err != nil || body != quota {
			t.Errorf("the caller got %s, %v", body, err)
		}
	}
	want := func(b *bench, path string, told, used int64) {
		t.Helper()
		if e := b.limits.Read(t.Context(), "wx1", path); e.Told != told || e.Used != used {
			t.Errorf("%s: %+v, want limit %d and %d calls", path, e, told, used)
		}
	}
	b := newBench(t, quota)
	ask(b, send)
	want(b, send, 1000, 700)
	ask(b, "/cgi-bin/unheard/of") // callers invent no endpoints.
	want(b, "/cgi-bin/unheard/of", 0, 0)

	b.wechat.answers = []any{`{"errcode":48006,"errmsg":"forbid to clear quota"}`}
	if _, _, err := b.call(t.Context(), t, "POST /cgi-bin/clear_quota"); err != nil {
		t.Fatal(err)
	}
	want(b, send, 1000, 700)
	b.wechat.answers = []any{ok}
	if _, _, err := b.call(t.Context(), t, "POST /cgi-bin/clear_quota"); err != nil {
		t.Fatal(err)
	}
	want(b, send, 1000, 0)

	for _, strange := range []string{ok, `{"quota":[]}`, `{"quota":{"daily_limit":-1}}`, "", "{"} {
		b.wechat.answers = []any{strange}
		if _, body, err := b.callWith(t.Context(), t, "POST /cgi-bin/openapi/quota/get", "no JSON"); err != nil || body != strange {
			t.Errorf("%s became %s, %v", strange, body, err)
		}
	}
}

// The allowance of a follower is followed by what WeChat said, whoever sent the message and how.
func TestVerdictsOnCustomerServiceMessagesAreNoted(t *testing.T) {
	t.Parallel()
	const send, body = "POST /cgi-bin/message/custom/send", `{"touser":"o1","msgtype":"text","text":{"content":"the body"}}`
	for name, tt := range map[string]struct {
		line, body string
		answer     any
		want       []string
	}{
		"sent":          {send, body, ok, []string{"wx1 o1 0"}},
		"with a query":  {send + "?a=b", body, ok, []string{"wx1 o1 0"}},
		"refused":       {send, body, `{"errcode":45047,"errmsg":"out of response count limit"}`, []string{"wx1 o1 45047"}},
		"no verdict":    {send, body, response(http.StatusBadGateway, "text/html", "bad gateway"), nil},
		"nobody":        {send, `{"touser":""}`, `{"errcode":40003,"errmsg":"invalid openid"}`, nil},
		"many":          {send, `{"touser":["o1"]}`, `{"errcode":47001,"errmsg":"data format error"}`, nil},
		"no JSON":       {send, "the body", `{"errcode":47001,"errmsg":"data format error"}`, nil},
		"far too long":  {send, `{"touser":"o1","pad":"` + strings.Repeat("x", 64<<10) + `"}`, ok, nil},
		"not a message": {"POST /cgi-bin/message/custom/typing", body, ok, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tt.answer)
			if _, _, err := b.callWith(t.Context(), t, tt.line, tt.body); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, b.sent.verdicts); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
		})
	}
	healed := newBench(t, rejected, ok)
	if _, _, err := healed.callWith(t.Context(), t, send, body); err != nil || len(healed.sent.verdicts) != 1 {
		t.Errorf("a healed message was noted as %v, %v", healed.sent.verdicts, err)
	}
}

// Who did what is written down for every call that changes something, and for whatever was denied.
func TestCallsThatActAreAuditRecords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		call, answer string
		want         []string // in the one record; none: there is no record
	}{
		{"POST /cgi-bin/message/custom/send", ok, []string{`"msg":"call"`, `"audit":true`, `"caller":"anybody"`, `"app_id":"wx1"`, `"endpoint":"/cgi-bin/message/custom/send"`, `"status":200`}},
		{"POST /cgi-bin/message/custom/send", `{"errcode":45015,"errmsg":"invalid credential rid: 61725984-6126f6f9-040f19c4"}`, []string{`"audit":true`, `"errcode":45015`, `"rid":"61725984-6126f6f9-040f19c4"`}},
		{"POST /cgi-bin/unheard/of?secret=SECRET", ok, []string{`"audit":true`, `"endpoint":"other"`, `"path":"/cgi-bin/unheard/of"`}},
		{"GET /cgi-bin/menu/get", ok, nil},
	} {
		b := newBench(t, tt.answer)
		if _, _, err := b.call(t.Context(), t, tt.call); err != nil {
			t.Fatal(err)
		}
		for _, words := range tt.want {
			if strings.Count(b.log.String(), words) != 1 {
				t.Errorf("%s: the log has no %s:\n%s", tt.call, words, b.log)
			}
		}
		if tt.want == nil && strings.Contains(b.log.String(), `"audit":true`) {
			t.Errorf("%s is an audit record:\n%s", tt.call, b.log)
		}
	}
	b := newBench(t, ok)
	parsed, err := target.Parse("/cgi-bin/menu/create")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Admit(t.Context(), forward.Call{Method: http.MethodPost, Target: parsed}); err == nil || fault.KindOf(err) != fault.Forbidden {
		t.Errorf("nobody may do everything: %v", err)
	}
	if log := b.log.String(); !strings.Contains(log, "call denied") || !strings.Contains(log, `"path":"/cgi-bin/menu/create"`) {
		t.Errorf("the log has no denial:\n%s", log)
	}
}
