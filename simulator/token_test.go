package simulator

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/quota"
	"github.com/wxstack/wxstack/simulator/internal/token"
)

// tokenLifetime is token.Lifetime where a variable has the package's name.
const tokenLifetime = token.Lifetime

var bookStart = time.Date(2026, 1, 5, 12, 0, 0, 0, quota.China)

// TestTokenLevers covers the verdicts on tokens: token.md, "codes seen when using a
// token".
func TestTokenLevers(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	check := func(name, token string, want errcode.Code) {
		t.Helper()
		given := api(t, platform, http.MethodGet, "/cgi-bin/getcallbackip", withToken(token), "")
		if got := errCode(given); got != int(want) {
			t.Errorf("%s: errcode %d, want %d", name, got, want)
		}
	}
	first := stableToken(t, platform)
	check("fresh", first, errcode.OK)
	check("missing", "", errcode.TokenMissing)
	check("malformed", "nonsense", errcode.MalformedToken)
	check("never issued", token.NewValue(1), errcode.InvalidToken)
	if err := platform.RotateToken("", TokenStable); err != nil {
		t.Fatal(err)
	}
	check("after a foreign refresh", first, errcode.InvalidToken)
	second := stableToken(t, platform)
	check("the foreign one", second, errcode.OK)
	if err := platform.ExpireToken("", TokenStable); err != nil {
		t.Fatal(err)
	}
	check("expired", second, errcode.TokenExpired)
	third := stableToken(t, platform)
	if err := platform.AdvanceClock(tokenLifetime); err != nil {
		t.Fatal(err)
	}
	check("aged", third, errcode.TokenExpired)
	report, err := platform.Tokens("")
	if err != nil {
		t.Fatal(err)
	}
	want := TokenFetches{Stable: 3, Issued: 3, Rotated: 1, Rejected: 3}
	if report.Fetches != want {
		t.Errorf("fetches = %+v, want %+v", report.Fetches, want)
	}
	for _, info := range report.Tokens {
		if info.Value != "" || len(info.Masked) > 12 {
			t.Errorf("token is revealed: %+v", info)
		}
	}
	platform.Reset()
	check("after reset", third, errcode.InvalidToken)
}

// TestTickets covers token.md section 2: one ticket of each type, the same while it
// lives, whatever becomes of the token that it was got with (M).
func TestTickets(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	ticket := func(token, kind string) (value string, code, life int) {
		t.Helper()
		query := withToken(token)
		query.Set("type", kind)
		given := api(t, platform, http.MethodGet, "/cgi-bin/ticket/getticket", query, "")
		value, _ = given["ticket"].(string)
		seconds, _ := given["expires_in"].(float64)

		return value, errCode(given), int(seconds)
	}
	token := stableToken(t, platform)
	jsapi, code, life := ticket(token, "jsapi")
	if jsapi == "" || code != 0 || life != 7200 {
		t.Fatalf("jsapi: errcode %d, %d s", code, life)
	}
	card, code, _ := ticket(token, "wx_card")
	if card == "" || code != 0 || card == jsapi {
		t.Errorf("wx_card: errcode %d, same as jsapi %t", code, card == jsapi)
	}
	for _, kind := range []string{"", "card"} {
		if _, code, _ := ticket(token, kind); code != int(errcode.Arguments) {
			t.Errorf("type %q: errcode %d", kind, code)
		}
	}
	if err := platform.RotateToken("", TokenStable); err != nil {
		t.Fatal(err)
	}
	if _, code, _ := ticket(token, "jsapi"); code != int(errcode.InvalidToken) {
		t.Errorf("with a dead token: errcode %d", code)
	}
	if err := platform.AdvanceClock(tokenLifetime / 2); err != nil {
		t.Fatal(err)
	}
	if again, _, life := ticket(stableToken(t, platform), "jsapi"); again != jsapi || life > 3600 {
		t.Errorf("after an hour: the same %t, %d s left", again == jsapi, life)
	}
	if err := platform.AdvanceClock(tokenLifetime / 2); err != nil {
		t.Fatal(err)
	}
	if again, _, life := ticket(stableToken(t, platform), "jsapi"); again == jsapi || life != 7200 {
		t.Errorf("after its end: the same %t, %d s left", again == jsapi, life)
	}
}

// TestWorkToken covers token.md section 5: the same token while it is valid (M), one
// for each application, and tokens of WeChat Work and of accounts are not mixed up.
func TestWorkToken(t *testing.T) {
	t.Parallel()
	const corpID, secret = "ww0000000000000001", "work-secret"
	platform := Start(t, func(options *Options) {
		options.Accounts = []Account{DefaultAccount(), {Kind: KindWork, AppID: corpID, AppSecret: secret}}
	})
	get := func(corp, secret string) (string, int) {
		t.Helper()
		query := url.Values{"corpid": {corp}, "corpsecret": {secret}}
		given := api(t, platform, http.MethodGet, "/cgi-bin/gettoken", query, "")
		value, _ := given["access_token"].(string)

		return value, errCode(given)
	}
	first, code := get(corpID, secret)
	if again, _ := get(corpID, secret); code != 0 || first == "" || again != first {
		t.Errorf("errcode %d, the same token again %t", code, again == first)
	}
	for name, test := range map[string]struct {
		corp, secret string
		want         errcode.Code
	}{
		"no corpid":       {"", secret, errcode.AppIDMissing},
		"no secret":       {corpID, "", errcode.SecretMissing},
		"unknown company": {"ww9", secret, errcode.AppID},
		"account's AppID": {DefaultAppID, DefaultAccount().AppSecret, errcode.AppID},
		"another secret":  {corpID, "x", errcode.InvalidToken},
	} {
		if _, code := get(test.corp, test.secret); code != int(test.want) {
			t.Errorf("%s: errcode %d, want %d", name, code, test.want)
		}
	}
	query := url.Values{"grant_type": {"client_credential"}, "appid": {corpID}, "secret": {secret}}
	if code := errCode(api(t, platform, http.MethodGet, "/cgi-bin/token", query, "")); code != int(errcode.AppID) {
		t.Errorf("/cgi-bin/token for a company: errcode %d", code)
	}
	ticket := func(token string) map[string]any {
		return api(t, platform, http.MethodGet, "/cgi-bin/get_jsapi_ticket", withToken(token), "")
	}
	if given := ticket(first); errCode(given) != 0 || given["ticket"] == "" {
		t.Errorf("ticket: %d", errCode(given))
	}
	if code := errCode(ticket(stableToken(t, platform))); code != int(errcode.InvalidToken) {
		t.Errorf("ticket with an account's token: errcode %d", code)
	}
	if err := platform.AdvanceClock(tokenLifetime); err != nil {
		t.Fatal(err)
	}
	if next, _ := get(corpID, secret); next == first {
		t.Error("no new token after the first one's end")
	}
}
