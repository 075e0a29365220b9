package simulator

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/token"
)

// oauthQuery are the parameters of an exchange, with changes; an empty change takes a
// parameter away.
func oauthQuery(code string, changes map[string]string) url.Values {
	query := url.Values{
		"appid": {DefaultAppID}, "secret": {DefaultAccount().AppSecret}, "grant_type": {"authorization_code"},
		"code": {code}, "js_code": {code},
	}
	for name, value := range changes {
		query.Set(name, value)
	}

	return query
}

func issueCode(t *testing.T, platform *Platform, scope string) string {
	t.Helper()
	code, err := platform.IssueOAuthCode("", "oUSER00", scope)
	if err != nil {
		t.Fatal(err)
	}

	return code
}

// TestOAuthCode covers api.md section 6: a code is good once and for five minutes.
func TestOAuthCode(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/sns/oauth2/access_token", "/sns/jscode2session"} {
		platform := Start(t)
		exchange := func(name string, query url.Values, want errcode.Code) {
			t.Helper()
			if got := errCode(api(t, platform, http.MethodGet, path, query, "")); got != int(want) {
				t.Errorf("%s, %s: %d, want %d", path, name, got, want)
			}
		}
		code, late := issueCode(t, platform, ""), issueCode(t, platform, "")
		for name, test := range map[string]struct {
			parameter, value string
			want             errcode.Code
		}{
			"no appid":      {"appid", "", errcode.AppIDMissing},
			"no secret":     {"secret", "", errcode.SecretMissing},
			"grant type":    {"grant_type", "client_credential", errcode.GrantType},
			"unknown appid": {"appid", "wx", errcode.AppID},
			"wrong secret":  {"secret", "x", errcode.AppSecret},
		} {
			exchange(name, oauthQuery(code, map[string]string{test.parameter: test.value}), test.want)
		}
		exchange("no code", oauthQuery("", nil), errcode.OAuthCodeMissing)
		exchange("unknown code", oauthQuery("x", nil), errcode.OAuthCode)
		exchange("first use", oauthQuery(code, nil), errcode.OK)
		exchange("second use", oauthQuery(code, nil), errcode.OAuthUsed)
		if err := platform.AdvanceClock(oauthCodeLifetime); err != nil {
			t.Fatal(err)
		}
		exchange("after five minutes", oauthQuery(late, nil), errcode.OAuthExpired)
	}
}

// TestUserTokens covers api.md section 6: the user's tokens, which are not the
// account's.
func TestUserTokens(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	get := func(path string, query url.Values) map[string]any {
		return api(t, platform, http.MethodGet, path, query, "")
	}
	user := func(token, openID string) url.Values { return url.Values{"access_token": {token}, "openid": {openID}} }
	base := get("/sns/oauth2/access_token", oauthQuery(issueCode(t, platform, ScopeBase), nil))
	given := get("/sns/oauth2/access_token", oauthQuery(issueCode(t, platform, ScopeUserInfo), nil))
	token, refresh := textOf(given, "access_token"), textOf(given, "refresh_token")
	if given["openid"] != "oUSER00" || given["scope"] != ScopeUserInfo || given["expires_in"] != 7200.0 {
		t.Errorf("grant: %v", given)
	}
	if profile := get("/sns/userinfo", user(token, "oUSER00")); profile["openid"] != "oUSER00" || textOf(profile, "nickname") == "" {
		t.Errorf("profile: %v", profile)
	}
	account := stableToken(t, platform)
	for name, test := range map[string]struct {
		path  string
		query url.Values
		want  errcode.Code
	}{
		"valid":            {"/sns/auth", user(token, "oUSER00"), errcode.OK},
		"other user":       {"/sns/auth", user(token, "oOTHER0"), errcode.OpenID},
		"no user":          {"/sns/auth", user(token, ""), errcode.OpenIDMissing},
		"no token":         {"/sns/auth", user("", "oUSER00"), errcode.TokenMissing},
		"account's token":  {"/sns/userinfo", user(account, "oUSER00"), errcode.InvalidToken},
		"user's elsewhere": {"/cgi-bin/menu/get", user(token, ""), errcode.InvalidToken},
		"scope":            {"/sns/userinfo", user(textOf(base, "access_token"), "oUSER00"), errcode.Unauthorized},
	} {
		if got := errCode(get(test.path, test.query)); got != int(test.want) {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
	prolong := func(name, value string) map[string]any {
		query := url.Values{"appid": {DefaultAppID}, "grant_type": {"refresh_token"}, "refresh_token": {refresh}}
		if name != "" {
			query.Set(name, value)
		}

		return get("/sns/oauth2/refresh_token", query)
	}
	if again := prolong("", ""); again["access_token"] != token || again["refresh_token"] != refresh {
		t.Error("a token that lives is prolonged, not replaced")
	}
	if err := platform.AdvanceClock(userTokenLifetime); err != nil {
		t.Fatal(err)
	}
	if got := errCode(get("/sns/auth", user(token, "oUSER00"))); got != int(errcode.TokenExpired) {
		t.Errorf("ended token: %d", got)
	}
	renewed := textOf(prolong("", ""), "access_token")
	if got := errCode(get("/sns/auth", user(renewed, "oUSER00"))); renewed == token || got != 0 {
		t.Errorf("renewed token: %d", got)
	}
	for name, test := range map[string]struct {
		value string
		want  errcode.Code
	}{
		"appid": {"wx", errcode.AppID}, "grant_type": {"x", errcode.GrantType}, "refresh_token": {"x", errcode.OAuthRefresh},
	} {
		if got := errCode(prolong(name, test.value)); got != int(test.want) {
			t.Errorf("refresh with another %s: %d, want %d", name, got, test.want)
		}
	}
	if got := errCode(prolong("refresh_token", "")); got != int(errcode.OAuthRefreshMissing) {
		t.Errorf("no refresh token: %d", got)
	}
	if err := platform.AdvanceClock(refreshTokenLifetime); err != nil {
		t.Fatal(err)
	}
	if got := errCode(prolong("", "")); got != int(errcode.OAuthRefreshExpired) {
		t.Errorf("after 30 days: %d", got)
	}
}

// TestOAuthRecordHidesSecrets makes sure that the record of calls can be shown.
func TestOAuthRecordHidesSecrets(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	made := steer(t, platform, http.MethodPost, "oauth/code", `{"openid":"oUSER00","scope":"snsapi_base"}`, http.StatusOK)
	given := api(t, platform, http.MethodGet, "/sns/oauth2/access_token", oauthQuery(textOf(made, "code"), nil), "")
	session := api(t, platform, http.MethodGet, "/sns/jscode2session", oauthQuery(issueCode(t, platform, ""), nil), "")
	_, data := request(t, http.MethodGet, platform.URL()+"/sim/v1/calls", "")
	for _, secret := range []string{
		textOf(made, "code"), textOf(given, "access_token"), textOf(given, "refresh_token"), textOf(session, "session_key"),
		DefaultAccount().AppSecret,
	} {
		if secret == "" || strings.Contains(string(data), secret) {
			t.Errorf("the record reveals %q", token.Mask(secret))
		}
	}
	for name, body := range map[string]string{
		"scope": `{"scope":"all"}`, "openid": `{"openid":"?"}`, "account": `{"account":"wx"}`,
	} {
		refused := steer(t, platform, http.MethodPost, "oauth/code", body, http.StatusBadRequest)
		if !strings.Contains(textOf(refused, "error"), name) {
			t.Errorf("%s: %v", name, refused)
		}
	}
}

func TestOAuthBookIsBounded(t *testing.T) {
	t.Parallel()
	book := newOAuthBook()
	first := book.issueCode("oUSER00", ScopeBase, bookStart)
	for range maxGrants {
		book.issueCode("oUSER00", ScopeBase, bookStart)
	}
	if _, code := book.redeem(first, bookStart.Add(time.Second)); code != errcode.OAuthCode || len(book.codes) != maxGrants {
		t.Errorf("the oldest code: %d, %d codes", code, len(book.codes))
	}
}
