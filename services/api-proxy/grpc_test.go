package apiproxy_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	apiproxy "github.com/wxstack/wxstack/services/api-proxy"
)

func dial(t testing.TB, p *proxy) apiproxyv1.ApiProxyServiceClient {
	t.Helper()
	conn, err := rpc.Dial(p.GRPCAddr(), telemetry.Discard(), rpc.TLS{}, rpc.Never)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return apiproxyv1.NewApiProxyServiceClient(conn)
}

func TestCall(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain")
		switch r.URL.Path {
		case "/cgi-bin/menu/create":
			_, _ = io.WriteString(w, `{"errcode":40016,"errmsg":"invalid button size, got `+r.Method+" "+string(body)+`"}`)
		case "/cgi-bin/user/get":
			_, _ = io.WriteString(w, `{"total":`+r.URL.Query().Get("total")+`,"pad":"`+strings.Repeat("x", len(r.URL.Query().Get("long"))*5<<20)+`"}`)
		}
	})
	wechat.accept(tokenOf(appID, 2)) // healed on the way.
	client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))

	got, err := client.Call(t.Context(), &apiproxyv1.CallRequest{Path: "/cgi-bin/menu/create", Body: []byte(`你`)})
	if err != nil {
		t.Fatal(err)
	}
	want := &apiproxyv1.CallResponse{
		HttpStatus: http.StatusOK, ContentType: "text/plain",
		Body:    []byte(`{"errcode":40016,"errmsg":"invalid button size, got POST 你"}`),
		Errcode: 40016, Errmsg: "invalid button size, got POST 你",
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("Call (-want +got):\n%s", diff)
	}
	got, err = client.Call(t.Context(), &apiproxyv1.CallRequest{AppId: appID, Path: "/cgi-bin/user/get?total=2"})
	if err != nil || string(got.GetBody()) != `{"total":2,"pad":""}` || got.GetErrcode() != 0 {
		t.Errorf("Call = %v, %v", got, err)
	}

	for name, tt := range map[string]struct {
		req  *apiproxyv1.CallRequest
		kind fault.Kind
		word string
	}{
		"path":     {&apiproxyv1.CallRequest{Path: "http://evil.example/"}, fault.Invalid, "field path"},
		"method":   {&apiproxyv1.CallRequest{Path: "/a", Method: "PUT"}, fault.Invalid, "field method"},
		"upload":   {&apiproxyv1.CallRequest{Path: "/cgi-bin/media/upload", Method: "POST"}, fault.Invalid, "use Upload"},
		"token":    {&apiproxyv1.CallRequest{Path: "/cgi-bin/token"}, fault.Precondition, "token-center"},
		"account":  {&apiproxyv1.CallRequest{Path: "/a", AppId: "wxother"}, fault.NotFound, "wxother"},
		"too long": {&apiproxyv1.CallRequest{Path: "/cgi-bin/user/get?long=1&total=1"}, fault.Invalid, "HTTP pass-through"},
	} {
		_, err := client.Call(t.Context(), tt.req)
		if err == nil || fault.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.word) {
			t.Errorf("%s: error %v, want kind %s with %q", name, err, tt.kind, tt.word)
		}
	}
}

func TestSendCustomerServiceMessage(t *testing.T) {
	t.Parallel()
	var body string
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		body = r.Method + " " + r.URL.Path + " " + strings.TrimSpace(string(text))
		_, _ = io.WriteString(w, `{"errcode":45015,"errmsg":"response out of time limit"}`)
	})
	client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))
	media := func(id string) *messagev1.Reply {
		return &messagev1.Reply{Content: &messagev1.Reply_Image{Image: &messagev1.ImageReply{MediaId: id}}}
	}
	text := &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: `<a href="x">你</a>`}}}
	const path = "POST /cgi-bin/message/custom/send "
	for _, tt := range []struct {
		message *messagev1.Reply
		want    string
	}{
		{text, `{"touser":"o1","msgtype":"text","text":{"content":"<a href=\"x\">你</a>"}}`},
		{media("M"), `{"touser":"o1","msgtype":"image","image":{"media_id":"M"}}`},
		{&messagev1.Reply{Content: &messagev1.Reply_Voice{Voice: &messagev1.VoiceReply{MediaId: "V"}}}, `{"touser":"o1","msgtype":"voice","voice":{"media_id":"V"}}`},
		{&messagev1.Reply{Content: &messagev1.Reply_Video{Video: &messagev1.VideoReply{MediaId: "V", Title: "T", Description: "D"}}},
			`{"touser":"o1","msgtype":"video","video":{"media_id":"V","title":"T","description":"D"}}`},
		{&messagev1.Reply{Content: &messagev1.Reply_Music{Music: &messagev1.MusicReply{Title: "T", MusicUrl: "U", HqMusicUrl: "H", ThumbMediaId: "M"}}},
			`{"touser":"o1","msgtype":"music","music":{"title":"T","musicurl":"U","hqmusicurl":"H","thumb_media_id":"M"}}`},
		{&messagev1.Reply{Content: &messagev1.Reply_News{News: &messagev1.NewsReply{Articles: []*messagev1.Article{{Title: "T", Description: "D", PicUrl: "P", Url: "U"}}}}},
			`{"touser":"o1","msgtype":"news","news":{"articles":[{"title":"T","description":"D","url":"U","picurl":"P"}]}}`},
	} {
		resp, err := client.SendCustomerServiceMessage(t.Context(), &apiproxyv1.SendCustomerServiceMessageRequest{AppId: appID, ToUser: "o1", Message: tt.message})
		if err != nil || resp.GetErrcode() != 45015 || resp.GetErrmsg() == "" {
			t.Errorf("answer %v, %v; want WeChat's verdict", resp, err)
		}
		if diff := cmp.Diff(path+tt.want, body); diff != "" {
			t.Errorf("WeChat saw (-want +got):\n%s", diff)
		}
	}
	for name, req := range map[string]*apiproxyv1.SendCustomerServiceMessageRequest{
		"touser":                    {Message: text},
		"no content":                {ToUser: "o1"},
		"media":                     {ToUser: "o1", Message: media("")},
		"transfer_customer_service": {ToUser: "o1", Message: &messagev1.Reply{Content: &messagev1.Reply_TransferCustomerService{}}},
		"transfer_biz_ai_ivr":       {ToUser: "o1", Message: &messagev1.Reply{Content: &messagev1.Reply_TransferBizAiIvr{}}},
	} {
		if _, err := client.SendCustomerServiceMessage(t.Context(), req); err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(strings.ToLower(err.Error()), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A front end that fails may have passed the message on: no client may take that for leave to repeat.
func TestAMessageWithoutVerdictIsNotOfferedForRepetition(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))
	_, err := client.SendCustomerServiceMessage(t.Context(), &apiproxyv1.SendCustomerServiceMessageRequest{
		ToUser: "o1", Message: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: "a"}}},
	})
	if err == nil || fault.KindOf(err) != fault.Deadline || wechat.served() != 1 {
		t.Errorf("error %v after %d requests, want kind %s after one", err, wechat.served(), fault.Deadline)
	}
}

func TestTokenCenterIsShownTheCallerKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("test-caller-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := startCenter(t, "wx1")
	startProxyWith(t, apiproxy.Config{TokenCenterAddr: c.addr, TokenCenterKeyFile: path, BaseURLs: []string{"http://127.0.0.1:1"}})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.key != "test-caller-key" {
		t.Errorf("token-center was shown the key %q", c.key)
	}
}

// Whoever calls learns from either face what to mend, and at which address, without the log of token-center.
func TestWhyThereIsNoTokenIsTold(t *testing.T) {
	t.Parallel()
	c := startCenter(t, appID)
	const reason = "WeChat refused the request for the access_token: errcode 40164 (ip_not_allowed), sent from 203.0.113.9; add it to the IP白名单"
	c.frozen = map[string]error{"wxfrozen": fault.New(fault.Precondition, reason)}
	p := startProxy(t, c, startPlatform(t, sayOK).URL)
	got := p.do(http.MethodGet, "/cgi-bin/menu/get", nil, http.Header{"X-Wx-Appid": {"wxfrozen"}})
	if got.Status != http.StatusServiceUnavailable || !strings.Contains(got.Body, reason) {
		t.Errorf("HTTP: %d %s", got.Status, got.Body)
	}
	_, err := dial(t, p).Call(t.Context(), &apiproxyv1.CallRequest{AppId: "wxfrozen", Path: "/cgi-bin/menu/get"})
	if err == nil || fault.KindOf(err) != fault.Precondition || !strings.Contains(err.Error(), reason) {
		t.Errorf("gRPC: %v", err)
	}
}
