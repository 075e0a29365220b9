package simulator

import (
	"net/http"
	"net/url"
	"testing"
	"time"
)

var bookStart = time.Date(2026, 1, 5, 12, 0, 0, 0, chinaTime)

// TestClassicToken covers token.md section 1, left column (O): a new token every
// time, the previous one valid for five minutes more.
func TestClassicToken(t *testing.T) {
	t.Parallel()
	book := newTokenBook("wx", newCallBook())
	first, _ := book.classic(bookStart)
	second, code := book.classic(bookStart.Add(time.Minute))
	if code != codeOK || first.value == second.value {
		t.Fatalf("second call: code %d, same token %t", code, first.value == second.value)
	}
	for after, want := range map[time.Duration]errcode{
		time.Minute: codeOK, 6*time.Minute - time.Second: codeOK, 6 * time.Minute: codeInvalidToken,
	} {
		if got := first.verdict(bookStart.Add(after)); got != want {
			t.Errorf("first token after %s: %d, want %d", after, got, want)
		}
	}
	if _, code := book.classic(bookStart.Add(2 * time.Minute)); code != codeOK {
		t.Fatal(code)
	}
	if got := first.verdict(bookStart.Add(2 * time.Minute)); got != codeInvalidToken {
		t.Errorf("the last but one token: %d, only the previous one survives", got)
	}
	if got := second.verdict(bookStart.Add(2 * time.Hour)); got != codeInvalidToken {
		t.Errorf("replaced token: %d", got)
	}
}

// TestClassicQuota covers token.md section 1 (O): 2,000 a day, then 45009.
func TestClassicQuota(t *testing.T) {
	t.Parallel()
	book := newTokenBook("wx", newCallBook())
	for range classicPerDay {
		if _, code := book.classic(bookStart); code != codeOK {
			t.Fatalf("within the quota: %d", code)
		}
	}
	if _, code := book.classic(bookStart); code != codeDailyQuota {
		t.Errorf("over the quota: %d", code)
	}
	if _, code := book.stable(bookStart); code != codeOK {
		t.Errorf("the stable endpoint has its own quota: %d", code)
	}
	if _, code := book.classic(bookStart.Add(12 * time.Hour)); code != codeOK {
		t.Errorf("after midnight in China: %d", code)
	}
}

// TestStableToken covers token.md section 1, right column (O): the same token while
// valid, a new one in the last five minutes, the old one to its end (M).
func TestStableToken(t *testing.T) {
	t.Parallel()
	book := newTokenBook("wx", newCallBook())
	first, _ := book.stable(bookStart)
	same, _ := book.stable(bookStart.Add(time.Hour))
	if same != first {
		t.Error("normal mode issued a new token within the validity")
	}
	if got := newTokenBody(same, bookStart.Add(time.Hour)).ExpiresIn; got != 3600 {
		t.Errorf("expires_in after an hour = %d, must shrink to 3600", got)
	}
	renewal := bookStart.Add(tokenLifetime - stableRenewBefore)
	second, _ := book.stable(renewal)
	if second == first {
		t.Error("no renewal five minutes before expiry")
	}
	if got := first.verdict(renewal.Add(time.Minute)); got != codeOK {
		t.Errorf("old token within its own time: %d", got)
	}
	if got := first.verdict(bookStart.Add(tokenLifetime)); got != codeTokenExpired {
		t.Errorf("old token at its end: %d", got)
	}
}

// TestForceRefresh covers token.md section 1 (O): the former token dies at once, 20
// a day; nothing happens within 30 s (M); 45009 over the budget (C).
func TestForceRefresh(t *testing.T) {
	t.Parallel()
	book := newTokenBook("wx", newCallBook())
	now := bookStart
	first, _ := book.stable(now)
	classic, _ := book.classic(now)
	second, _ := book.force(now)
	if first.verdict(now) != codeInvalidToken || second == first {
		t.Error("the former token survived force_refresh")
	}
	if classic.verdict(now) != codeOK {
		t.Error("force_refresh killed a token of the other kind")
	}
	if again, code := book.force(now.Add(29 * time.Second)); again != second || code != codeOK {
		t.Errorf("within 30 s: code %d, refreshed %t", code, again != second)
	}
	for range forcePerDay - 1 {
		now = now.Add(forceInterval)
		if _, code := book.force(now); code != codeOK {
			t.Fatalf("within the budget: %d", code)
		}
	}
	if _, code := book.force(now.Add(forceInterval)); code != codeDailyQuota {
		t.Errorf("the 21st: %d", code)
	}
	if current, code := book.stable(now.Add(forceInterval)); code != codeOK || current.verdict(now) != codeOK {
		t.Errorf("normal mode after that: %d", code)
	}
}

// TestTokenEndpointErrors covers token.md section 1, error codes.
func TestTokenEndpointErrors(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	good := func() url.Values {
		return url.Values{"grant_type": {"client_credential"}, "appid": {DefaultAppID}, "secret": {DefaultAccount().AppSecret}}
	}
	for name, test := range map[string]struct {
		change func(url.Values)
		want   errcode
	}{
		"good":           {func(url.Values) {}, codeOK},
		"no appid":       {func(q url.Values) { q.Del("appid") }, codeAppIDMissing},
		"no secret":      {func(q url.Values) { q.Del("secret") }, codeSecretMissing},
		"grant type":     {func(q url.Values) { q.Set("grant_type", "client") }, codeGrantType},
		"unknown appid":  {func(q url.Values) { q.Set("appid", "wx") }, codeAppID},
		"another secret": {func(q url.Values) { q.Set("secret", "x") }, codeAppSecret},
	} {
		query := good()
		test.change(query)
		if got := errCode(api(t, platform, http.MethodGet, "/cgi-bin/token", query, "")); got != int(test.want) {
			t.Errorf("%s: errcode %d, want %d", name, got, test.want)
		}
	}
	for name, test := range map[string]struct {
		method, body string
		want         errcode
	}{
		"GET":        {http.MethodGet, "", codeNeedPOST},
		"empty body": {http.MethodPost, "", codeEmptyBody},
		"not JSON":   {http.MethodPost, "appid=1", codeJSON},
	} {
		if got := errCode(api(t, platform, test.method, "/cgi-bin/stable_token", nil, test.body)); got != int(test.want) {
			t.Errorf("stable, %s: errcode %d, want %d", name, got, test.want)
		}
	}
}

// TestTokenLevers covers the verdicts on tokens: token.md, "codes seen when using a
// token".
func TestTokenLevers(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	check := func(name, token string, want errcode) {
		t.Helper()
		given := api(t, platform, http.MethodGet, "/cgi-bin/getcallbackip", withToken(token), "")
		if got := errCode(given); got != int(want) {
			t.Errorf("%s: errcode %d, want %d", name, got, want)
		}
	}
	first := stableToken(t, platform)
	check("fresh", first, codeOK)
	check("missing", "", codeTokenMissing)
	check("malformed", "nonsense", codeMalformedToken)
	check("never issued", newTokenValue(1), codeInvalidToken)
	if err := platform.RotateToken("", TokenStable); err != nil {
		t.Fatal(err)
	}
	check("after a foreign refresh", first, codeInvalidToken)
	second := stableToken(t, platform)
	check("the foreign one", second, codeOK)
	if err := platform.ExpireToken("", TokenStable); err != nil {
		t.Fatal(err)
	}
	check("expired", second, codeTokenExpired)
	third := stableToken(t, platform)
	if err := platform.AdvanceClock(tokenLifetime); err != nil {
		t.Fatal(err)
	}
	check("aged", third, codeTokenExpired)
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
	check("after reset", third, codeInvalidToken)
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
		if _, code, _ := ticket(token, kind); code != int(codeArguments) {
			t.Errorf("type %q: errcode %d", kind, code)
		}
	}
	if err := platform.RotateToken("", TokenStable); err != nil {
		t.Fatal(err)
	}
	if _, code, _ := ticket(token, "jsapi"); code != int(codeInvalidToken) {
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
		want         errcode
	}{
		"no corpid":       {"", secret, codeAppIDMissing},
		"no secret":       {corpID, "", codeSecretMissing},
		"unknown company": {"ww9", secret, codeAppID},
		"account's AppID": {DefaultAppID, DefaultAccount().AppSecret, codeAppID},
		"another secret":  {corpID, "x", codeInvalidToken},
	} {
		if _, code := get(test.corp, test.secret); code != int(test.want) {
			t.Errorf("%s: errcode %d, want %d", name, code, test.want)
		}
	}
	query := url.Values{"grant_type": {"client_credential"}, "appid": {corpID}, "secret": {secret}}
	if code := errCode(api(t, platform, http.MethodGet, "/cgi-bin/token", query, "")); code != int(codeAppID) {
		t.Errorf("/cgi-bin/token for a company: errcode %d", code)
	}
	ticket := func(token string) map[string]any {
		return api(t, platform, http.MethodGet, "/cgi-bin/get_jsapi_ticket", withToken(token), "")
	}
	if given := ticket(first); errCode(given) != 0 || given["ticket"] == "" {
		t.Errorf("ticket: %d", errCode(given))
	}
	if code := errCode(ticket(stableToken(t, platform))); code != int(codeInvalidToken) {
		t.Errorf("ticket with an account's token: errcode %d", code)
	}
	if err := platform.AdvanceClock(tokenLifetime); err != nil {
		t.Fatal(err)
	}
	if next, _ := get(corpID, secret); next == first {
		t.Error("no new token after the first one's end")
	}
}

func TestTokensMayLiveShorterAndAreRenewedAndOverlapAccordingly(t *testing.T) {
	t.Parallel()
	book := newTokenBook("wx", newCallBook())
	book.life = 12 * time.Second
	first, _ := book.stable(bookStart)
	if again, _ := book.stable(bookStart.Add(3 * time.Second)); again != first {
		t.Error("a stable token with three quarters of its life left was replaced")
	}
	if renewed, _ := book.stable(bookStart.Add(5 * time.Second)); renewed == first {
		t.Error("a stable token past a third of its life was not replaced")
	}
	old, _ := book.classic(bookStart)
	_, _ = book.classic(bookStart.Add(time.Second))
	if old.verdict(bookStart.Add(8*time.Second)) != codeOK || old.verdict(bookStart.Add(9*time.Second)) == codeOK {
		t.Error("the overlap of classic tokens is not two thirds of their life")
	}
	if first.verdict(bookStart.Add(12*time.Second)) != codeTokenExpired {
		t.Error("a token outlived its life")
	}
}
