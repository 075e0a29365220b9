package simulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/verdict"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
)

const (
	componentID     = "wx00000000000000d0"
	componentSecret = "component-secret"
)

// startComponent starts a simulator with a third-party platform beside the default
// account.
func startComponent(t *testing.T, callback string) *Platform {
	t.Helper()

	return Start(t, func(options *Options) {
		platform := DefaultAccount()
		platform.Kind, platform.AppID, platform.OriginalID = KindPlatform, componentID, ""
		platform.AppSecret, platform.Mode, platform.CallbackURL = componentSecret, ModeSafe, callback
		options.Accounts = []Account{DefaultAccount(), platform}
	})
}

// ask calls a component interface.
func ask(t *testing.T, platform *Platform, name, token string, body map[string]string) map[string]any {
	t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	query := url.Values{}
	if token != "" {
		query.Set("component_access_token", token)
	}

	return api(t, platform, http.MethodPost, "/cgi-bin/component/"+name, query, string(encoded))
}

func field(t *testing.T, answer map[string]any, name string) string {
	t.Helper()
	value, ok := answer[name].(string)
	if !ok {
		t.Fatalf("no %s: %v", name, answer)
	}

	return value
}

func componentToken(t *testing.T, platform *Platform) string {
	t.Helper()
	ticket, err := platform.IssueVerifyTicket(componentID)
	if err != nil {
		t.Fatal(err)
	}

	return field(t, ask(t, platform, "api_component_token", "", map[string]string{
		"component_appid": componentID, "component_appsecret": componentSecret, "component_verify_ticket": ticket,
	}), "component_access_token")
}

// TestComponentToken covers token.md section 3: ticket, then component_access_token.
func TestComponentToken(t *testing.T) {
	t.Parallel()
	platform := startComponent(t, "")
	ticket, err := platform.IssueVerifyTicket(componentID)
	if err != nil {
		t.Fatal(err)
	}
	good := func() map[string]string {
		return map[string]string{
			"component_appid": componentID, "component_appsecret": componentSecret, "component_verify_ticket": ticket,
		}
	}
	check := func(name, key, value string, want errcode.Code) {
		t.Helper()
		body := good()
		body[key] = value
		if got := errCode(ask(t, platform, "api_component_token", "", body)); got != int(want) {
			t.Errorf("%s: errcode %d, want %d", name, got, want)
		}
	}
	check("good", "component_verify_ticket", ticket, errcode.OK)
	check("another secret", "component_appsecret", "x", errcode.AppSecret)
	check("an account's AppID", "component_appid", DefaultAppID, errcode.AppID)
	check("no ticket", "component_verify_ticket", "", errcode.TicketInvalid)
	if got := errCode(api(t, platform, http.MethodPost, "/cgi-bin/stable_token", nil, fmt.Sprintf(
		`{"grant_type":"client_credential","appid":%q,"secret":%q}`, componentID, componentSecret))); got != int(errcode.ComponentOnly) {
		t.Errorf("stable_token for a platform: errcode %d", got)
	}
	if err := platform.AdvanceClock(verifyTicketLifetime); err != nil {
		t.Fatal(err)
	}
	check("after 12 hours", "component_verify_ticket", ticket, errcode.TicketExpired)
	if _, err := platform.IssueVerifyTicket(DefaultAppID); err == nil {
		t.Error("a ticket for an account that is no platform")
	}
}

// TestAuthorization covers token.md section 3 from the pre_auth_code to the
// withdrawal: single-use codes, rotating refresh tokens, and an authorizer's token
// that works where an access_token does.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	platform := startComponent(t, "")
	token := componentToken(t, platform)
	self := map[string]string{"component_appid": componentID}
	preAuth := field(t, ask(t, platform, "api_create_preauthcode", token, self), "pre_auth_code")
	code, err := platform.Authorize(componentID, preAuth, DefaultAppID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := platform.Authorize(componentID, preAuth, DefaultAppID); err == nil {
		t.Error("a pre_auth_code worked twice")
	}
	exchange := map[string]string{"component_appid": componentID, "authorization_code": code}
	info, _ := ask(t, platform, "api_query_auth", token, exchange)["authorization_info"].(map[string]any)
	if field(t, info, "authorizer_appid") != DefaultAppID {
		t.Errorf("info = %v", info)
	}
	if got := errCode(ask(t, platform, "api_query_auth", token, exchange)); got != int(errcode.AuthCode) {
		t.Errorf("the code again: errcode %d", got)
	}
	refresh := func(value string) map[string]any {
		return ask(t, platform, "api_authorizer_token", token, map[string]string{
			"component_appid": componentID, "authorizer_appid": DefaultAppID, "authorizer_refresh_token": value,
		})
	}
	works := func(name, token string, want errcode.Code) {
		t.Helper()
		if got := errCode(api(t, platform, http.MethodGet, "/cgi-bin/getcallbackip", withToken(token), "")); got != int(want) {
			t.Errorf("%s: errcode %d, want %d", name, got, want)
		}
	}
	first := field(t, info, "authorizer_refresh_token")
	works("authorizer's token", field(t, info, "authorizer_access_token"), errcode.OK)
	works("component's token", token, errcode.InvalidToken)
	renewed := refresh(first)
	works("renewed token", field(t, renewed, "authorizer_access_token"), errcode.OK)
	if got := errCode(refresh(first)); got != int(errcode.RefreshToken) {
		t.Errorf("a refresh token that was replaced: errcode %d", got)
	}
	list := func(offset string) string {
		status, body := request(t, http.MethodPost, platform.URL()+"/cgi-bin/component/api_get_authorizer_list?component_access_token="+token,
			`{"component_appid":"`+componentID+`","offset":`+offset+`,"count":500}`)
		if status != http.StatusOK {
			t.Errorf("list: status %d", status)
		}

		return string(body)
	}
	if got := list("0"); !strings.Contains(got, `"total_count":1`) || !strings.Contains(got, field(t, renewed, "authorizer_refresh_token")) {
		t.Errorf("list without the newest refresh token: %d bytes", len(got))
	}
	if got := list("1"); !strings.HasSuffix(got, `"list":[]}`) {
		t.Errorf("beyond the end: %d bytes", len(got))
	}
	if err := platform.Unauthorize(componentID, DefaultAppID); err != nil {
		t.Fatal(err)
	}
	works("after the withdrawal", field(t, renewed, "authorizer_access_token"), errcode.InvalidToken)
	if got := errCode(refresh(field(t, renewed, "authorizer_refresh_token"))); got != int(errcode.NotAuthorized) {
		t.Errorf("after the withdrawal: errcode %d", got)
	}
	for name, test := range map[string]struct {
		token string
		body  map[string]string
		want  errcode.Code
	}{
		"no token":           {"", self, errcode.TokenMissing},
		"an account's token": {stableToken(t, platform), self, errcode.InvalidToken},
		"another platform":   {token, map[string]string{"component_appid": "wx9"}, errcode.Component},
	} {
		if got := errCode(ask(t, platform, "api_create_preauthcode", test.token, test.body)); got != int(test.want) {
			t.Errorf("%s: errcode %d, want %d", name, got, test.want)
		}
	}
	calls, err := json.Marshal(platform.Calls())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{token, first, code, preAuth, componentSecret} {
		if strings.Contains(string(calls), secret) {
			t.Errorf("the record shows a secret of %d characters", len(secret))
		}
	}
}

// TestNotices covers inbound.md section 7.4: notices are sealed, without ToUserName.
func TestNotices(t *testing.T) {
	t.Parallel()
	opened := make(chan string, 1)
	cipher, err := msgcrypt.New(componentID, DefaultAccount().CallbackToken, DefaultAccount().EncodingAESKey)
	if err != nil {
		t.Fatal(err)
	}
	reply := verdict.SuccessBody
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, sealed, _ := strings.Cut(string(body), "<Encrypt><![CDATA[")
		sealed, _, _ = strings.Cut(sealed, "]]>")
		query := r.URL.Query()
		text, err := cipher.Open(query.Get("msg_signature"), query.Get("timestamp"), query.Get("nonce"), sealed)
		if err != nil {
			t.Error(err)
		}
		opened <- string(text)
		_, _ = io.WriteString(w, reply)
	}))
	t.Cleanup(server.Close)
	platform := startComponent(t, server.URL)
	if status, body := request(t, http.MethodPost, platform.URL()+"/sim/v1/component/ticket", `{"platform":"`+componentID+`","push":true}`); status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	if got := <-opened; !strings.Contains(got, "<InfoType><![CDATA[component_verify_ticket]]>") || !strings.Contains(got, "ticket@@@") || strings.Contains(got, "ToUserName") {
		t.Errorf("notice %s", got)
	}
	if err := platform.PushUnauthorized(t.Context(), componentID, DefaultAppID); err != nil {
		t.Error(err)
	}
	if got := <-opened; !strings.Contains(got, "unauthorized") || !strings.Contains(got, DefaultAppID) {
		t.Errorf("notice %s", got)
	}
	reply = "no"
	if err := platform.PushAuthorized(t.Context(), componentID, DefaultAppID, "code"); err == nil || !strings.Contains(err.Error(), verdict.SuccessBody) {
		t.Errorf("a wrong answer: %v", err)
	}
	<-opened
}
