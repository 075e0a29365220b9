package apiproxy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"

	apiproxy "github.com/wxstack/wxstack/services/api-proxy"
)

const (
	crmKey   = "crm-key-do-not-log-0123456789abcdef"
	crmOld   = "crm-old-key-do-not-log-0123456789abc"
	batchKey = "batch-key-do-not-log-0123456789abcd"
	otherApp = "wx0000000000000002"
	// platformApp is the AppID of a third-party platform (第三方平台).
	platformApp = "wx000000000000000p"
)

// callersFile writes the file and its keys. In the text DIR stands for the folder of the keys.
func callersFile(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"crm": crmKey, "crm_old": crmOld, "batch": batchKey, "callers.yaml": strings.ReplaceAll(text, "DIR", dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "callers.yaml")
}

const twoCallers = `reserve: 50%
anonymous: [/sns/userinfo]
limits:
  - {class: qrcode, rate: 1/h, burst: 4}
callers:
  - name: crm
    key_file: DIR/crm
    previous_key_file: DIR/crm_old
    accounts: [wx0000000000000001]
    apis: [/cgi-bin/menu/*, POST /cgi-bin/message/custom/send, /cgi-bin/ticket/getticket, /card/*, /cgi-bin/qrcode/create, /cgi-bin/user/info]
    except: [GET /cgi-bin/menu/delete]
    limits: [{class: custom_message, rate: 1/h, burst: 2}]
    daily: [{path: /cgi-bin/user/info, calls: 1}]
  - name: batch
    key_file: DIR/batch
    accounts: "*"
    apis: "*"
    priority: batch
`

// guarded is an api-proxy with two callers and two accounts, before a WeChat that notes what reaches it.
type guarded struct {
	*proxy

	center *center
	wechat *platform

	mu   sync.Mutex
	seen []string
}

func startGuarded(t testing.TB) *guarded {
	t.Helper()
	g := &guarded{center: startCenter(t, appID, otherApp)}
	g.wechat = startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.seen = append(g.seen, r.Method+" "+r.URL.Path)
		g.mu.Unlock()
		sayOK(w, r)
	})
	g.proxy = startProxyWith(t, apiproxy.Config{
		TokenCenterAddr: g.center.addr, BaseURLs: []string{g.wechat.URL}, CallersFile: callersFile(t, twoCallers),
	})
	return g
}

func (g *guarded) reached() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seen
}

// token asks for a token as SDKs do.
func (p *proxy) token(app, secret string) (string, answer) {
	p.t.Helper()
	a := p.get("/cgi-bin/token?" + url.Values{"grant_type": {"client_credential"}, "appid": {app}, "secret": {secret}}.Encode())
	return tokenIn(a), a
}

// stableToken asks as SDKs do that know the stable interface.
func (p *proxy) stableToken(app, secret string, force bool) (string, answer) {
	p.t.Helper()
	body := fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q,"force_refresh":%v}`, app, secret, force)
	a := p.do(http.MethodPost, "/cgi-bin/stable_token", strings.NewReader(body), nil)
	return tokenIn(a), a
}

func tokenIn(a answer) string {
	var body struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if json.Unmarshal([]byte(a.Body), &body) != nil || body.ExpiresIn <= 0 || body.ExpiresIn > 3600 {
		return ""
	}
	return body.AccessToken
}

func bearer(key string) http.Header { return http.Header{"Authorization": {"Bearer " + key}} }

func TestSDKsGetATokenThatIsGoodHereOnly(t *testing.T) {
	t.Parallel()
	g := startGuarded(t)
	token, _ := g.token(appID, crmKey)
	again, _ := g.token(appID, crmKey)
	stable, a := g.stableToken(appID, crmKey, false)
	if token == "" || token != again || token != stable {
		t.Errorf("tokens %q, %q, %q (%+v), want the current one each time", token, again, stable, a)
	}
	if old, _ := g.token(appID, crmOld); old != token {
		t.Errorf("with the previous key the token is %q, want the same", old)
	}
	if other, _ := g.token(otherApp, batchKey); other == token || other == "" {
		t.Errorf("the token of another caller and account is %q", other)
	}
	wantOK(t, g.get("/cgi-bin/menu/get?access_token="+token))
	wantOK(t, g.do(http.MethodPost, "/cgi-bin/menu/create?access_token="+token, strings.NewReader("{}"), nil))
	wantOK(t, g.do(http.MethodGet, "/cgi-bin/menu/get?access_token=whatever", nil, bearer(crmKey)))
	wantOK(t, g.do(http.MethodGet, "/cgi-bin/menu/get", nil, bearer(crmKey)))
}

func TestRequestsForATokenFailAsAtWeChat(t *testing.T) {
	t.Parallel()
	g := startGuarded(t)
	get := func(query string) answer { return g.get("/cgi-bin/token?" + query) }
	post := func(body string) answer {
		return g.do(http.MethodPost, "/cgi-bin/stable_token", strings.NewReader(body), nil)
	}
	const key = "&secret=" + crmKey
	for name, tt := range map[string]struct {
		got          answer
		status, code int
		words        string
	}{
		"no appid":        {get("grant_type=client_credential" + key), 200, 41002, "appid"},
		"grant type":      {get("grant_type=refresh&appid=" + appID + key), 200, 40002, "grant_type"},
		"POST":            {g.do(http.MethodPost, "/cgi-bin/token", nil, nil), 200, 43001, "GET"},
		"GET of stable":   {g.get("/cgi-bin/stable_token"), 200, 43002, "POST"},
		"no JSON":         {post("appid=1"), 200, 47001, "JSON"},
		"stable, nothing": {post("{}"), 200, 41002, "appid"},
		"wrong secret":    {get("grant_type=client_credential&appid=" + appID + "&secret=guess"), 401, -401, "WX_CALLERS_FILE"},
		"no secret":       {get("grant_type=client_credential&appid=" + appID), 401, -401, "caller key"},
		"not its account": {get("grant_type=client_credential&appid=" + otherApp + key), 403, -403, "accounts"},
		"no such account": {get("grant_type=client_credential&appid=wx9&secret=" + batchKey), 404, -404, "wx9"},
		"a broken query":  {get("appid=%zz"), 400, -400, "percent-encode"},
	} {
		t.Run(name, func(t *testing.T) { wantRefusal(t, tt.got, tt.status, tt.code, tt.words) })
	}
}

func TestWhoIsNotKnownGetsNowhere(t *testing.T) {
	t.Parallel()
	g := startGuarded(t)
	good, _ := g.token(appID, crmKey)
	head, signature, _ := strings.Cut(strings.TrimPrefix(good, "wxv1."), ".")
	other, _ := g.token(otherApp, batchKey)
	foreignHead, _, _ := strings.Cut(strings.TrimPrefix(other, "wxv1."), ".")
	for name, tt := range map[string]struct {
		token        string
		header       http.Header
		status, code int
	}{
		"nothing":                      {"", nil, 401, -401},
		"a token of WeChat's":          {"76_" + strings.Repeat("x", 130), nil, 200, 40001},
		"a token without signature":    {"wxv1." + head + ".", nil, 200, 40001},
		"another's signature":          {"wxv1." + foreignHead + "." + signature, nil, 200, 40001},
		"a wrong key":                  {"", bearer("guess"), 401, -401},
		"a wrong key and a good token": {good, bearer("guess"), 401, -401},
		"two accounts":                 {good, http.Header{"X-WX-AppID": {otherApp}}, 400, -400},
		"another account":              {"", http.Header{"Authorization": {"Bearer " + crmKey}, "X-Wx-Appid": {otherApp}}, 403, -403},
		"an account that is not there": {"", http.Header{"Authorization": {"Bearer " + crmKey}, "X-Wx-Appid": {"wx9"}}, 403, -403},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, g.do(http.MethodGet, "/cgi-bin/menu/get?access_token="+tt.token, nil, tt.header), tt.status, tt.code, "wxstack api-proxy: ")
		})
	}
	if seen := g.reached(); len(seen) != 0 {
		t.Errorf("WeChat was asked for %v", seen)
	}
}

// The requests of this test are those of somebody who has a token and wants more than it may.
func TestNothingReachesAnEndpointThatTheCallerMayNotUse(t *testing.T) {
	t.Parallel()
	g := startGuarded(t)
	token, _ := g.token(appID, crmKey)
	for _, call := range []string{
		"GET /cgi-bin/menu/delete", "GET /cgi-bin/menu/delete/", "GET /CGI-BIN/MENU/DELETE", "GET /cgi-bin/getcallbackip", "POST /cgi-bin/clear_quota",
		"GET /cgi-bin/menu/../getcallbackip", "GET /cgi-bin/menu/%2e%2e/getcallbackip", "GET /cgi-bin/menu/..%2fgetcallbackip", "GET /cgi-bin/menu/.%2e/getcallbackip",
		"GET //cgi-bin/getcallbackip", "GET /cgi-bin//menu/get", "GET /cgi-bin/menu;x=/../getcallbackip", "GET /cgi-bin/menu\\..\\getcallbackip",
		"GET /cgi-bin/message/custom/send", "POST /cgi-bin/message/custom/typing", "POST /wxa/msg_sec_check", "GET /cgi-bin/menus/get",
		"PUT /cgi-bin/message/custom/send", "GET /cgi-bin/menu", "GET /cgi-bin/menu%00/get", "GET /sns/auth", "GET /sns/oauth2/access_token", "POST /cgi-bin/component/api_query_auth",
	} {
		method, uri, _ := strings.Cut(call, " ")
		for _, query := range []string{"?access_token=" + token, "?ACCESS_TOKEN=" + token, "?a=b&access%5ftoken=" + token, "?access_token=&access_token=" + token} {
			a := g.raw(method, uri+query, nil)
			if a.Status != http.StatusForbidden && a.Status != http.StatusBadRequest {
				t.Errorf("%s%.15s gave %d %s", call, query, a.Status, a.Body)
			}
		}
	}
	for name, header := range map[string]http.Header{
		"another path":    {"X-Original-Url": {"/cgi-bin/getcallbackip"}, "X-Rewrite-Url": {"/cgi-bin/getcallbackip"}},
		"another method":  {"X-Http-Method-Override": {"DELETE"}},
		"another host":    {"X-Forwarded-Host": {"evil.example"}},
		"a hop-by-hop":    {"Connection": {"X-Wx-Appid"}, "X-Wx-Appid": {otherApp}},
		"two of them":     {"Transfer-Encoding": {"chunked"}, "Content-Length": {"3"}},
		"another account": {"X-Wx-Appid": {appID, otherApp}},
	} {
		a := g.raw(http.MethodGet, "/cgi-bin/menu/get?access_token="+token, header)
		if a.Status == http.StatusOK && a.Body != healthyAnswer {
			t.Errorf("%s gave %d %s", name, a.Status, a.Body)
		}
	}
	for _, seen := range g.reached() {
		if seen != "GET /cgi-bin/menu/get" {
			t.Errorf("WeChat was asked for %s", seen)
		}
	}
	wantOK(t, g.get("/card/create?access_token="+token)) // not in the table, but in the permission.
}

func TestEverythingIsWhatTheTableLists(t *testing.T) {
	t.Parallel()
	g := startGuarded(t)
	header := bearer(batchKey)
	header.Set("X-Wx-Appid", appID)
	wantOK(t, g.do(http.MethodGet, "/cgi-bin/menu/get", nil, header))
	for _, path := range []string{"/cgi-bin/unheard/of", "/cgi-bin/clear_quota"} {
		wantRefusal(t, g.do(http.MethodPost, path, nil, header), http.StatusForbidden, -403, `caller "batch" may not call POST `+path)
	}
}

func TestRefreshOnDemandComparesFirst(t *testing.T) {
	t.Parallel()
	g := startGuarded(t)
	first, _ := g.token(appID, crmKey)
	batchFirst, _ := g.token(appID, batchKey)
	forced, _ := g.stableToken(appID, crmKey, true)
	if forced == "" || forced == first || g.center.refreshed() != 1 {
		t.Errorf("token %q after %q, %d refreshes", forced, first, g.center.refreshed())
	}
	// Another caller complains about a token that has been replaced meanwhile.
	batchForced, _ := g.stableToken(appID, batchKey, true)
	if batchForced == "" || batchForced == batchFirst || g.center.refreshed() != 1 {
		t.Errorf("token %q after %q, %d refreshes", batchForced, batchFirst, g.center.refreshed())
	}
	g.wechat.accept(tokenOf(appID, 2))
	for _, token := range []string{first, forced} {
		wantOK(t, g.get("/cgi-bin/menu/get?access_token="+token))
	}
	if g.center.refreshed() != 1 {
		t.Errorf("%d refreshes, want callers' older tokens to be as good", g.center.refreshed())
	}
}

func TestWhoIsTooFastIsToldWhichLimitAndWhen(t *testing.T) {
	t.Parallel()
	g := startGuarded(t)
	send := func() answer {
		return g.do(http.MethodPost, "/cgi-bin/message/custom/send", strings.NewReader("{}"), bearer(crmKey))
	}
	wantOK(t, send())
	wantOK(t, send())
	a := send()
	wantRefusal(t, a, http.StatusTooManyRequests, -429, `caller "crm": limit crm:custom_message (1/h, 2 at once) is reached`)
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	wantOK(t, g.do(http.MethodGet, "/cgi-bin/menu/get", nil, bearer(crmKey)))
	wantOK(t, g.do(http.MethodGet, "/cgi-bin/user/info", nil, bearer(crmKey)))
	wantRefusal(t, g.do(http.MethodGet, "/cgi-bin/user/info", nil, bearer(crmKey)), http.StatusTooManyRequests, -429, "midnight in Beijing")
}

func TestABatchJobLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	g := startGuarded(t)
	batch := bearer(batchKey)
	batch.Set("X-Wx-Appid", appID)
	create := func(header http.Header) answer {
		return g.do(http.MethodPost, "/cgi-bin/qrcode/create", strings.NewReader("{}"), header)
	}
	wantOK(t, create(batch))
	wantOK(t, create(batch))
	wantRefusal(t, create(batch), http.StatusTooManyRequests, -429, `caller "batch": limit all:qrcode`)
	wantOK(t, create(bearer(crmKey)))
	wantOK(t, create(bearer(crmKey)))
	wantRefusal(t, create(bearer(crmKey)), http.StatusTooManyRequests, -429, `caller "crm": limit all:qrcode`)
}

func TestGRPCCallersAreKnownByTheirKey(t *testing.T) {
	t.Parallel()
	g := startGuarded(t)
	client := func(options ...grpc.DialOption) apiproxyv1.ApiProxyServiceClient {
		conn, err := rpc.Dial(g.GRPCAddr(), telemetry.Discard(), rpc.TLS{}, rpc.Never, options...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return apiproxyv1.NewApiProxyServiceClient(conn)
	}
	menu := &apiproxyv1.CallRequest{Path: "/cgi-bin/menu/get"}
	_, err := client().Call(t.Context(), menu)
	wantKind(t, err, fault.Unauthenticated, "API_PROXY_KEY_FILE")
	crm := client(rpc.WithKey(config.NewSecret(crmKey)))
	if resp, err := crm.Call(t.Context(), menu); err != nil || resp.GetErrcode() != 0 {
		t.Errorf("answer %v, %v", resp, err)
	}
	_, err = crm.Call(t.Context(), &apiproxyv1.CallRequest{Path: "/cgi-bin/getcallbackip"})
	wantKind(t, err, fault.Forbidden, `caller "crm" may not call GET /cgi-bin/getcallbackip`)
	_, err = crm.Call(t.Context(), &apiproxyv1.CallRequest{Path: "/cgi-bin/token?grant_type=client_credential"})
	wantKind(t, err, fault.Forbidden, "/cgi-bin/token")
	for range 2 {
		if _, err := crm.Call(t.Context(), &apiproxyv1.CallRequest{Path: "/cgi-bin/message/custom/send", Method: http.MethodPost}); err != nil {
			t.Error(err)
		}
	}
	_, err = crm.Call(t.Context(), &apiproxyv1.CallRequest{Path: "/cgi-bin/message/custom/send", Method: http.MethodPost})
	wantKind(t, err, fault.Throttled, "crm:custom_message")
	if fault.RetryAfter(err) <= 0 {
		t.Error("no retry-after")
	}
}

func TestAnHTTPCallWithAKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok","msgid":200228332}`)
	})
	p := startProxy(t, startCenter(t, appID), wechat.URL)
	send := func(body string) answer {
		return p.do(http.MethodPost, "/cgi-bin/message/template/send", strings.NewReader(body), http.Header{"Idempotency-Key": {"order-7"}})
	}
	for range 3 {
		if a := send("{}"); a.Status != http.StatusOK || !strings.Contains(a.Body, "200228332") || a.Header.Get("Content-Type") != "application/json" {
			t.Errorf("answer %+v", a)
		}
	}
	if wechat.served() != 1 {
		t.Errorf("WeChat was asked %d times", wechat.served())
	}
	wantRefusal(t, send(`{"other":1}`), http.StatusBadRequest, -400, "another request")
}

func TestTicketsComeFromTokenCenter(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, sayOK)
	p := startProxy(t, startCenter(t, appID), wechat.URL)
	for _, kind := range []string{"jsapi", "wx_card"} {
		if a := p.get("/cgi-bin/ticket/getticket?type=" + kind); a.Body != `{"errcode":0,"errmsg":"ok","ticket":"ticket of `+kind+`","expires_in":1800}`+"\n" {
			t.Errorf("answer %s", a.Body)
		}
	}
	wantRefusal(t, p.get("/cgi-bin/ticket/getticket?type=other"), http.StatusBadRequest, -400, "type")
	if wechat.served() != 0 {
		t.Error("WeChat was asked for a ticket")
	}
}

func TestUsersCodesAreGivenByTokenCenter(t *testing.T) {
	t.Parallel()
	g := startGuarded(t)
	batch := "&secret=" + batchKey
	for uri, want := range map[string]string{
		"/sns/oauth2/access_token?appid=" + appID + batch + "&code=c&grant_type=authorization_code": `{"access_token":"user-c","openid":"CODE_KIND_WEB of ` + appID + `"}`,
		"/sns/jscode2session?js_code=j&appid=" + otherApp + batch:                                   `{"access_token":"user-j","openid":"CODE_KIND_MINI_PROGRAM of ` + otherApp + `"}`,
	} {
		if a := g.get(uri); a.Status != http.StatusOK || a.Body != want {
			t.Errorf("%s gave %d %s, want %s", uri, a.Status, a.Body, want)
		}
	}
	header := bearer(batchKey)
	header.Set("X-Wx-Appid", appID)
	for name, tt := range map[string]struct {
		got          answer
		status, code int
		words        string
	}{
		"a wrong secret":    {g.get("/sns/oauth2/access_token?appid=" + appID + "&secret=guess&code=c"), 401, -401, "caller key"},
		"no secret":         {g.get("/sns/oauth2/access_token?appid=" + appID + "&code=c"), 401, -401, "caller key"},
		"another's account": {g.get("/sns/oauth2/access_token?appid=" + otherApp + "&code=c&secret=" + crmKey), 403, -403, "may not call"},
		"two accounts":      {g.do(http.MethodGet, "/sns/oauth2/access_token?code=c&appid="+otherApp, nil, header), 400, -400, "appid"},
	} {
		t.Run(name, func(t *testing.T) { wantRefusal(t, tt.got, tt.status, tt.code, tt.words) })
	}
	if seen := g.reached(); len(seen) != 0 {
		t.Errorf("WeChat was asked for %v", seen)
	}
}

func TestAUsersTokenIsProofEnoughWhereTheFileSaysSo(t *testing.T) {
	t.Parallel()
	g := startGuarded(t)
	wantOK(t, g.get("/sns/userinfo?access_token=users&openid=o1"))
	wantRefusal(t, g.get("/sns/auth?access_token=users&openid=o1"), http.StatusUnauthorized, -401, "does not know who calls")
	wantRefusal(t, g.do(http.MethodGet, "/sns/userinfo?access_token=users", nil, bearer("guess")), http.StatusUnauthorized, -401, "none of those")
	if seen := g.reached(); len(seen) != 1 {
		t.Errorf("WeChat was asked for %v", seen)
	}
}

func TestAPlatformsCallsGetItsToken(t *testing.T) {
	t.Parallel()
	var uris []string
	wechat := startPlatform(t, nil)
	wechat.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		uris = append(uris, r.RequestURI)
		if strings.Contains(r.RequestURI, tokenOf(platformApp, 1)) {
			_, _ = io.WriteString(w, `{"errcode":40001,"errmsg":"invalid credential"}`)
			return
		}
		sayOK(w, r)
	})
	c := startCenter(t, appID, platformApp)
	p := startProxyWith(t, apiproxy.Config{TokenCenterAddr: c.addr, BaseURLs: []string{wechat.URL}, CallersFile: callersFile(t, twoCallers)})
	ask := func(appID, key string) answer {
		body := fmt.Sprintf(`{"component_appid":%q,"component_appsecret":%q,"component_verify_ticket":"t"}`, appID, key)
		return p.do(http.MethodPost, "/cgi-bin/component/api_component_token", strings.NewReader(body), nil)
	}
	var given struct {
		Token string `json:"component_access_token"`
		Life  int    `json:"expires_in"`
	}
	if a := ask(platformApp, batchKey); json.Unmarshal([]byte(a.Body), &given) != nil || !strings.HasPrefix(given.Token, "wxv1.") || given.Life <= 0 {
		t.Fatalf("answer %+v", a)
	}
	wantRefusal(t, ask("", batchKey), http.StatusOK, 41002, "appid")
	wantRefusal(t, ask(platformApp, crmKey), http.StatusForbidden, -403, "accounts")
	wantRefusal(t, ask("wx9", batchKey), http.StatusNotFound, -404, "wx9")

	call := func(query string, header http.Header) answer {
		return p.do(http.MethodPost, "/cgi-bin/component/api_create_preauthcode"+query, strings.NewReader("{}"), header)
	}
	header := bearer(batchKey)
	wantRefusal(t, call("", header), http.StatusBadRequest, -400, "has to name it")
	header.Set("X-Wx-Appid", platformApp)
	wantOK(t, call("?component_access_token="+given.Token, nil)) // healed on the way.
	wantOK(t, call("?access_token="+given.Token, nil))
	wantOK(t, call("?a=b&component_access_token=whatever", header))
	newer := "/cgi-bin/component/api_create_preauthcode?component_access_token=" + tokenOf(platformApp, 2)
	want := []string{strings.Replace(newer, "-2", "-1", 1), newer, newer, newer + "&a=b"}
	if diff := cmp.Diff(want, uris); diff != "" || c.refreshed() != 1 {
		t.Errorf("%d refreshes, WeChat saw (-want +got):\n%s", c.refreshed(), diff)
	}
	for _, path := range []string{"api_query_auth", "api_authorizer_token", "api_get_authorizer_list"} {
		a := p.do(http.MethodPost, "/cgi-bin/component/"+path, strings.NewReader("{}"), header)
		wantRefusal(t, a, http.StatusForbidden, -403, "token-center owns the tokens")
	}
	// An account's token is none of the platform's.
	wantRefusal(t, p.do(http.MethodGet, "/cgi-bin/menu/get", nil, header), http.StatusNotFound, -404, platformApp)
}
