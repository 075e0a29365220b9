package simulator

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/simulator/internal/quota"
)

// TestDiagnosis covers token.md section 6 and the reads of api.md section 5 that
// a diagnosis makes.
func TestDiagnosis(t *testing.T) {
	t.Parallel()
	platform := Start(t, func(options *Options) {
		account := DefaultAccount()
		account.CallbackURL = ""
		options.Accounts = []Account{account}
	})
	token := stableToken(t, platform)
	tests := map[string]struct {
		method, path, body, want string
	}{
		"quota":        {http.MethodPost, "/cgi-bin/openapi/quota/get", `{"cgi_path":"/cgi-bin/stable_token"}`, `"quota":{"daily_limit":500000,"remain":499999,"used":1}`},
		"other quota":  {http.MethodPost, "/cgi-bin/openapi/quota/get", `{"cgi_path":"/cgi-bin/user/get"}`, `"remain":500`},
		"no such path": {http.MethodPost, "/cgi-bin/openapi/quota/get", `{"cgi_path":"cgi-bin/user/get"}`, `"errcode":76003`},
		"no callback":  {http.MethodPost, "/cgi-bin/callback/check", `{"action":"all","check_operator":"DEFAULT"}`, `"errcode":40201`},
		"bad action":   {http.MethodPost, "/cgi-bin/callback/check", `{"action":"look","check_operator":"DEFAULT"}`, `"errcode":40202`},
		"bad operator": {http.MethodPost, "/cgi-bin/callback/check", `{"action":"dns","check_operator":"ME"}`, `"errcode":40203`},
		"menu":         {http.MethodGet, "/cgi-bin/get_current_selfmenu_info", "", `"is_menu_open":1`},
		"agents":       {http.MethodGet, "/cgi-bin/customservice/getkflist", "", `"kf_list":[]`},
	}
	for name, tt := range tests {
		got, err := json.Marshal(api(t, platform, tt.method, tt.path, url.Values{"access_token": {token}}, tt.body))
		if err != nil || !strings.Contains(string(got), tt.want) {
			t.Errorf("%s: %s, %v; want %s", name, got, err, tt.want)
		}
	}
	if err := platform.SetCallback(DefaultAccount().AppID, "http://localhost:8080/wx", ""); err != nil {
		t.Fatal(err)
	}
	checked := api(t, platform, http.MethodPost, "/cgi-bin/callback/check", url.Values{"access_token": {token}}, `{"action":"all","check_operator":"DEFAULT"}`)
	if dns, ping := checked["dns"], checked["ping"]; dns == nil || ping == nil {
		t.Errorf("the check of a callback URL gave %v", checked)
	}
}

// No record shows a secret, whatever became of the call that carried it.
func TestRecordsHideSecrets(t *testing.T) {
	t.Parallel()
	const secret = "pass/word+1="
	calls := map[string]struct{ path, query, body, fault string }{
		"query":           {path: quota.PathClassic, query: url.Values{"grant_type": {grantClient}, "appid": {DefaultAppID}, "secret": {secret}}.Encode()},
		"body":            {path: quota.PathStable, body: `{"grant_type":"client_credential","appid":"` + DefaultAppID + `","secret":"` + secret + `"}`},
		"wrong AppID":     {path: quota.PathStable, body: `{"grant_type":"client_credential","appid":"wx1","secret":"` + secret + `"}`},
		"refused":         {path: quota.PathStable, body: `{"appid":"` + DefaultAppID + `","secret":"` + secret + `"}`, fault: `{"errcode":45009,"count":1}`},
		"not received":    {path: quota.PathStable, body: `{"secret":"` + secret + `"}`, fault: `{"drop":"before","count":1}`},
		"malformed":       {path: quota.PathStable, body: `{"secret":"` + secret + `",}`},
		"cut off":         {path: quota.PathStable, body: `{"secret": "` + secret},
		"component":       {path: "/cgi-bin/component/api_component_token", body: `{"component_appsecret":"` + secret + `","component_verify_ticket":7}`},
		"unknown to all":  {path: "/cgi-bin/nothing", body: `{"refresh_token":"` + secret + `"}`},
		"OAuth2, refused": {path: "/sns/oauth2/access_token", query: url.Values{"code": {secret}}.Encode(), fault: `{"errcode":-1,"count":1}`},
	}
	for name, sent := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := Start(t)
			account := DefaultAccount()
			account.AppSecret = secret
			if err := platform.SetAccount(account); err != nil {
				t.Fatal(err)
			}
			if sent.fault != "" {
				steer(t, platform, http.MethodPost, "faults", strings.Replace(sent.fault, "{", `{"path":"`+sent.path+`",`, 1), http.StatusOK)
			}
			method := http.MethodPost
			if sent.body == "" {
				method = http.MethodGet
			}
			asked, err := http.NewRequestWithContext(t.Context(), method, platform.URL()+sent.path+"?"+sent.query, strings.NewReader(sent.body))
			if err != nil {
				t.Fatal(err)
			}
			if response, err := http.DefaultClient.Do(asked); err == nil {
				_ = response.Body.Close()
			}
			recorded := platform.Calls()
			if len(recorded) == 0 {
				t.Fatal("nothing was recorded")
			}
			for _, call := range recorded {
				text := call.Query + call.RequestBody + call.ResponseBody
				if strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) {
					t.Errorf("%s?%s %s %s", call.Path, call.Query, call.RequestBody, call.ResponseBody)
				}
			}
		})
	}
}

// An account is told what it asked also when a fault refused it.
func TestRIDOfAFault(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	token := url.Values{"access_token": {stableToken(t, platform)}}
	steer(t, platform, http.MethodPost, "faults", `{"path":"/cgi-bin/user/get","errcode":-1,"count":1}`, http.StatusOK)
	refused := api(t, platform, http.MethodGet, "/cgi-bin/user/get", token, "")
	_, rid, _ := strings.Cut(textOf(refused, "errmsg"), "rid: ")
	got := api(t, platform, http.MethodPost, "/cgi-bin/openapi/rid/get", token, `{"rid":"`+rid+`"}`)
	if asked, _ := got["request"].(map[string]any); !strings.Contains(textOf(asked, "request_url"), "/cgi-bin/user/get") {
		t.Errorf("%v after %v", got, refused)
	}
}

// A lever that would do nothing is refused rather than believed.
func TestAPlatformHasNoCondition(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.SetCondition(componentID, Condition{ErrCode: 48001}); !errors.Is(err, ErrInvalid) {
		t.Errorf("condition: %v", err)
	}
}
