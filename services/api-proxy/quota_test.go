package apiproxy_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	apiproxy "github.com/wxstack/wxstack/services/api-proxy"
)

const quotaCallers = `callers:
  - name: crm
    key_file: DIR/crm
    accounts: [wx0000000000000001]
    apis: [/cgi-bin/openapi/quota/get, /cgi-bin/message/custom/send]
  - name: batch
    key_file: DIR/batch
    accounts: [wx0000000000000001]
    apis: [/cgi-bin/message/custom/send]
`

// quotaDesk is a WeChat that answers questions about quotas, and an api-proxy with two callers.
type quotaDesk struct {
	*proxy

	mu     sync.Mutex
	answer string
	asked  string
}

func startQuotaDesk(t *testing.T) *quotaDesk {
	t.Helper()
	d := &quotaDesk{answer: `{"errcode":0,"errmsg":"ok","quota":{"daily_limit":500000,"used":7,"remain":499993}}`}
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/cgi-bin/openapi/quota/get" {
			sayOK(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.asked = string(body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, d.answer)
	})
	d.proxy = startProxyWith(t, apiproxy.Config{
		TokenCenterAddr: startCenter(t, appID).addr, BaseURLs: []string{wechat.URL}, CallersFile: callersFile(t, quotaCallers),
	})
	return d
}

func (d *quotaDesk) say(answer string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = answer
}

func (d *quotaDesk) wasAsked() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

func (d *quotaDesk) client(key string) apiproxyv1.ApiProxyServiceClient {
	d.t.Helper()
	conn, err := rpc.Dial(d.GRPCAddr(), telemetry.Discard(), rpc.TLS{}, rpc.Never, rpc.WithKey(config.NewSecret(key)))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = conn.Close() })
	return apiproxyv1.NewApiProxyServiceClient(conn)
}

func TestAQuotaIsWhatWeCountedAndWhatWeChatSays(t *testing.T) {
	t.Parallel()
	d := startQuotaDesk(t)
	const path = "/cgi-bin/message/custom/send"
	for _, key := range []string{crmKey, batchKey, crmKey} {
		wantOK(t, d.do(http.MethodPost, path, strings.NewReader("{}"), bearer(key)))
	}
	ours := map[string]int64{"crm": 2, "batch": 1}
	crm := d.client(crmKey)
	for _, tt := range []struct {
		path, answer, asked string
		want                *apiproxyv1.GetQuotaResponse
	}{
		{path, d.answer, path, &apiproxyv1.GetQuotaResponse{Used: 3, UsedByCaller: ours, DailyLimit: 500000, UsedAtWechat: 7, Errmsg: "ok"}},
		// Noting what WeChat counted must not make our own count another one.
		{"/CGI-BIN/message/custom/send/", d.answer, path, &apiproxyv1.GetQuotaResponse{Used: 3, UsedByCaller: ours, DailyLimit: 500000, UsedAtWechat: 7, Errmsg: "ok"}},
		{path, `{"errcode":76003,"errmsg":"invalid cgi_path"}`, path, &apiproxyv1.GetQuotaResponse{Used: 3, UsedByCaller: ours, Errcode: 76003, Errmsg: "invalid cgi_path"}},
		{"/datacube/getusersummary", d.answer, "/datacube/getusersummary", &apiproxyv1.GetQuotaResponse{DailyLimit: 500000, UsedAtWechat: 7, Errmsg: "ok"}},
	} {
		d.say(tt.answer)
		got, err := crm.GetQuota(t.Context(), &apiproxyv1.GetQuotaRequest{Path: tt.path})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.path, diff)
		}
		if want := `{"cgi_path":"` + tt.asked + `"}`; d.wasAsked() != want {
			t.Errorf("WeChat was asked %s, want %s", d.wasAsked(), want)
		}
	}
}

func TestQuotasThatNobodyGets(t *testing.T) {
	t.Parallel()
	d := startQuotaDesk(t)
	ask := func(key, app, path string) error {
		_, err := d.client(key).GetQuota(t.Context(), &apiproxyv1.GetQuotaRequest{AppId: app, Path: path})
		return err
	}
	wantKind(t, ask(crmKey, "", "/cgi-bin/new"), fault.Invalid, "/cgi-bin/new")
	wantKind(t, ask(crmKey, "", "cgi-bin/menu/get"), fault.Invalid, "field path")
	wantKind(t, ask(crmKey, otherApp, "/cgi-bin/menu/get"), fault.Forbidden, otherApp)
	wantKind(t, ask(batchKey, "", "/cgi-bin/message/custom/send"), fault.Forbidden, "/cgi-bin/openapi/quota/get")
	if d.wasAsked() != "" {
		t.Errorf("WeChat was asked %s", d.wasAsked())
	}
	for _, answer := range []string{`{"errcode":0,"errmsg":"ok"}`, `<html>`, ``} {
		d.say(answer)
		wantKind(t, ask(crmKey, "", "/cgi-bin/menu/get"), fault.Unavailable, "without a quota")
	}
}
