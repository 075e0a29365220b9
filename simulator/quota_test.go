package simulator

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/quota"
)

func quotaOf(t *testing.T, platform *Platform, token, path string) (limit, used, remain float64) {
	t.Helper()
	given := api(t, platform, http.MethodPost, "/cgi-bin/openapi/quota/get", withToken(token), `{"cgi_path":"`+path+`"}`)
	quota, ok := given["quota"].(map[string]any)
	if !ok {
		t.Fatalf("no quota of %s: %v", path, given)
	}
	limit, _ = quota["daily_limit"].(float64)
	used, _ = quota["used"].(float64)
	remain, _ = quota["remain"].(float64)

	return limit, used, remain
}

// TestQuotas covers api.md section 3 and token.md section 6: calls are counted by
// path and day, refused over the limit, and forgotten when the quota is cleared.
func TestQuotas(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	token := stableToken(t, platform)
	const path = "/cgi-bin/user/get"
	call := func(want errcode.Code) {
		t.Helper()
		if got := errCode(api(t, platform, http.MethodGet, path, withToken(token), "")); got != int(want) {
			t.Errorf("call: %d, want %d", got, want)
		}
	}
	call(errcode.OK)
	if limit, used, remain := quotaOf(t, platform, token, path); limit != 500 || used != 1 || remain != 499 {
		t.Errorf("after a call: %v %v %v", limit, used, remain)
	}
	steer(t, platform, http.MethodPost, "quotas", `{"path":"`+path+`","daily_limit":2}`, http.StatusOK)
	call(errcode.OK)
	call(errcode.DailyQuota)
	if got := errCode(api(t, platform, http.MethodGet, "/cgi-bin/menu/get", withToken(token), "")); got != 0 {
		t.Errorf("another path: %d", got)
	}
	if limit, used, remain := quotaOf(t, platform, token, path); limit != 2 || used != 2 || remain != 0 {
		t.Errorf("used up: %v %v %v", limit, used, remain)
	}
	cleared := api(t, platform, http.MethodPost, "/cgi-bin/clear_quota", withToken(token), `{"appid":"`+DefaultAppID+`"}`)
	if errCode(cleared) != 0 {
		t.Errorf("clear: %v", cleared)
	}
	call(errcode.OK)
	call(errcode.OK)
	call(errcode.DailyQuota)
	if err := platform.AdvanceClock(24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	token = stableToken(t, platform)
	call(errcode.OK)
	if err := platform.SetQuota("", path, 0); err != nil {
		t.Fatal(err)
	}
	call(errcode.DailyQuota)
	platform.Reset()
	token = stableToken(t, platform)
	call(errcode.OK)
}

// TestQuotaOfTokens makes sure that the quota of the token endpoint can be lowered and
// that the way out needs no token.
func TestQuotaOfTokens(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	if err := platform.SetQuota("", quota.PathStable, 1); err != nil {
		t.Fatal(err)
	}
	token := stableToken(t, platform)
	if got := errCode(api(t, platform, http.MethodPost, quota.PathStable, nil, stableBody(false))); got != int(errcode.DailyQuota) {
		t.Errorf("second token: %d", got)
	}
	if limit, used, _ := quotaOf(t, platform, token, quota.PathStable); limit != 1 || used != 1 {
		t.Errorf("quota: %v %v", limit, used)
	}
	reset := func(secret string) int {
		return errCode(api(t, platform, http.MethodPost, "/cgi-bin/clear_quota/v2", nil, fmt.Sprintf(`{"appid":%q,"appsecret":%q}`, DefaultAppID, secret)))
	}
	if got := reset("x"); got != int(errcode.AppSecret) {
		t.Errorf("wrong secret: %d", got)
	}
	if got := reset(DefaultAccount().AppSecret); got != 0 {
		t.Errorf("clear: %d", got)
	}
	stableToken(t, platform)
	for range 10 - 1 {
		if got := reset(DefaultAccount().AppSecret); got != 0 {
			t.Errorf("clear: %d", got)
		}
	}
	if got := errCode(api(t, platform, http.MethodPost, "/cgi-bin/clear_quota", withToken(token), `{"appid":"`+DefaultAppID+`"}`)); got != int(errcode.QuotaClears) {
		t.Errorf("both ways share ten a month: %d", got)
	}
}

func TestQuotaRefusals(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	for says, body := range map[string]string{
		"path":        `{"path":"cgi-bin/user/get","daily_limit":1}`,
		"counted":     `{"path":"/cgi-bin/showqrcode","daily_limit":1}`,
		"missing":     `{"path":"/cgi-bin/user/get"}`,
		"negative":    `{"path":"/cgi-bin/user/get","daily_limit":-1}`,
		`account "x"`: `{"account":"x","path":"/cgi-bin/user/get","daily_limit":1}`,
	} {
		if text := textOf(steer(t, platform, http.MethodPost, "quotas", body, http.StatusBadRequest), "error"); !strings.Contains(text, says) {
			t.Errorf("%s: %q", says, text)
		}
	}
}

// TestLimitsAreOfEndpoints keeps a misspelt path out of the limits.
func TestLimitsAreOfEndpoints(t *testing.T) {
	t.Parallel()
	table := endpoints()
	for path := range quota.NewCalls(true).Paths() {
		if _, known := table[path]; !known {
			t.Errorf("%s has a limit and isn't an endpoint", path)
		}
	}
}
