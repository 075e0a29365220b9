package simulator

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
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
