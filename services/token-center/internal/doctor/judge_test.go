package doctor

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/store"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/errcode"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

const appID = "wx00000000000000c1"

// answered is an answer of WeChat's with a code.
func answered(code errcode.Code) answer { return answer{code: code, at: noon, date: noon} }

// refused is the error of a request for a token that WeChat refused, as it comes out of the refresher.
func refused(kind fault.Kind, code errcode.Code, message string) error {
	return fmt.Errorf("renew: %w", fault.Wrap(kind, &credential.RefusalError{Code: code, Message: message}, "WeChat refused"))
}

// well are the facts of an account with which all is well.
func well() facts {
	return facts{
		appID: appID, official: true, now: noon,
		token:    credential.Credential{Generation: 7, ObtainedAt: noon.Add(-time.Hour), ExpiresAt: noon.Add(time.Hour)},
		budgets:  []budget{{"fetch", 13, 20_000}, {"forced", 0, 20}},
		quotas:   []quota{{"/cgi-bin/stable_token", answered(0), 500_000, 499_987}, {"/strange", answered(76003), 0, 0}},
		rights:   []right{{"the menu", answered(0)}, {"followers", answered(0)}},
		callback: callback{answer: answered(0), addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}, reached: 1},
		clock:    clock{known: true, ahead: 700 * time.Millisecond},
	}
}

// lines show findings as a person reads them.
func lines(findings []Finding) []string {
	var all []string
	for _, f := range findings {
		line := string(f.Severity) + " " + f.Check + ": " + f.Text
		if f.Remedy != "" {
			line += " -> " + f.Remedy
		}
		all = append(all, line)
	}
	return all
}

func TestAnAccountWithWhichAllIsWell(t *testing.T) {
	t.Parallel()
	want := []string{
		"ok app_id: has the form of an AppID",
		"ok app_secret: WeChat accepted it at 2026-11-25T11:00:00Z",
		"ok ip_allow_list: the address that the token was obtained from is on it",
		"ok token: generation 7 lives for another 1h0m0s",
		"ok token_budget: requests for tokens today: fetch 13 of 20000, forced 0 of 20",
		"ok quota: /cgi-bin/stable_token: 499987 of 500000 calls are left today",
		"ok permissions: WeChat answers calls about the menu, followers",
		"ok callback: WeChat resolves it to 192.0.2.10",
		"ok clock: agrees with WeChat's",
	}
	got := judge(well())
	if diff := cmp.Diff(want, lines(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if HasFault(got) || got[0].AppID != appID {
		t.Errorf("findings %+v", got)
	}
}

// Each case changes one fact of a healthy account, and names the finding that must come of it.
func TestWhatIsWrongIsToldWithItsRemedy(t *testing.T) {
	t.Parallel()
	noToken := func(err error) func(*facts) {
		return func(f *facts) { *f = facts{appID: appID, now: noon, tokenErr: err} }
	}
	tests := map[string]struct {
		change func(*facts)
		want   string // begins the line of a finding.
		remedy string // is part of its remedy.
	}{
		"AppID":               {func(f *facts) { f.appID = "wx12" }, "warning app_id: does not look like", "开发者ID"},
		"development account": {func(f *facts) { f.appID = account.DevelopmentAppID }, "ok app_id: this is the development account", ""},
		"secret":              {noToken(refused(fault.Precondition, 40125, "invalid appsecret")), "fault app_secret: WeChat refuses AppID and AppSecret (errcode 40125)", "设置与开发 → 基本配置"},
		"secret, as 40001":    {noToken(refused(fault.Precondition, 40001, "invalid credential")), "fault app_secret: WeChat refuses AppID and AppSecret (errcode 40001)", "AppSecret"},
		"frozen secret":       {noToken(refused(fault.Precondition, 40243, "")), "fault app_secret:", "解冻"},
		"address": {
			noToken(refused(fault.Precondition, 40164, "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 1-2-3")),
			"fault ip_allow_list: WeChat does not accept calls from 203.0.113.9 (errcode 40164)", "IP白名单",
		},
		"IPv6 address":              {noToken(refused(fault.Precondition, 40164, "invalid ip 2001:db8::1, not in whitelist")), "fault ip_allow_list: WeChat does not accept calls from 2001:db8::1 (", "IP白名单"},
		"address that is not named": {noToken(refused(fault.Precondition, 40164, "invalid ip ...., sorry")), "fault ip_allow_list: WeChat does not accept calls from this server's public address", "IP白名单"},
		"address to be confirmed":   {noToken(refused(fault.Precondition, 89503, "")), "fault ip_allow_list:", "管理员"},
		"quota of tokens":           {noToken(refused(fault.QuotaSpent, 45009, "")), "fault quota: WeChat gives no more tokens today", "接口调用次数清零"},
		"busy":                      {noToken(refused(fault.Unavailable, -1, "")), "warning token: there is none, and WeChat is busy", "wait"},
		"forbidden account":         {noToken(refused(fault.Precondition, 50007, "")), "fault token: WeChat refuses this account a token (errcode 50007)", "通知中心"},
		"our own limit": {
			noToken(fault.New(fault.Throttled, "the allowance is used up").WithRetryAfter(30 * time.Second)),
			"fault token: there is none: the allowance is used up", "after 30s",
		},
		"an error with a secret cause": {
			noToken(fault.Wrap(fault.Unavailable, errors.New("dial secret"), "WeChat cannot be reached; check DNS")),
			"fault token: there is none: WeChat cannot be reached; check DNS", "",
		},
		"foreign refresh":             {func(f *facts) { f.problem = "another system fetches tokens" }, "warning token: lives for another 1h0m0s, but: another system", ""},
		"storage key":                 {func(f *facts) { *f = facts{appID: appID, stored: fmt.Errorf("load: %w", store.ErrUnreadable)} }, "fault storage_key: the token in Redis cannot be read", "TOKEN_CENTER_STORAGE_KEY_FILE"},
		"budget nearly spent":         {func(f *facts) { f.budgets[1].spent = 16 }, "warning token_budget:", "audit=true"},
		"budget spent":                {func(f *facts) { f.budgets[1].spent = 20 }, "fault token_budget:", "audit=true"},
		"quota nearly spent":          {func(f *facts) { f.quotas[0].remain = 99_999 }, "warning quota: /cgi-bin/stable_token: 99999 of 500000", "接口权限"},
		"quota spent":                 {func(f *facts) { f.quotas[0].remain = 0 }, "fault quota: /cgi-bin/stable_token: none of 500000", "接口调用次数清零"},
		"examined too often":          {func(f *facts) { f.unasked = fault.New(fault.Throttled, "wait 20s") }, "warning wechat: nothing more was asked: wait 20s", ""},
		"no right":                    {func(f *facts) { f.rights[1].answer = answered(48001) }, "warning permissions: followers: WeChat refuses (errcode 48001)", "微信认证"},
		"none of them is a right too": {func(f *facts) { f.rights = []right{{"the menu", answered(46003)}} }, "ok permissions: WeChat answers calls about the menu", ""},
		"right unknown":               {func(f *facts) { f.rights[1].answer = answered(-1) }, "warning permissions: followers: could not be found out", "repeat"},
		"token dead":                  {func(f *facts) { f.rights[0].answer = answered(40001) }, "warning token: WeChat rejects the token in use", "api-proxy"},
		"not reachable":               {func(f *facts) { f.rights[0].answer = answer{err: errors.New("no route")} }, "warning wechat: did not answer: no route", "firewall"},
		"no callback":                 {func(f *facts) { f.callback = callback{answer: answered(40201)} }, "warning callback: no callback URL is set", "服务器配置"},
		"callback without address":    {func(f *facts) { f.callback.addresses = nil }, "fault callback: WeChat finds no address", "DNS"},
		"callback lost":               {func(f *facts) { f.callback.reached, f.callback.lost = 0, 1 }, "warning callback: WeChat resolves it to 192.0.2.10, which does not", "80 and 443"},
		"callback not checked":        {func(f *facts) { f.callback = callback{answer: answered(-1)} }, "warning callback: WeChat did not check it: errcode -1", "repeat"},
		"clock a little behind":       {func(f *facts) { f.clock.ahead = -20 * time.Second }, "warning clock: is 20s behind WeChat's", "NTP"},
		"clock far ahead":             {func(f *facts) { f.clock.ahead = time.Hour }, "fault clock: is 1h0m0s ahead of WeChat's", "NTP"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := well()
			tt.change(&f)
			got := judge(f)
			for _, line := range lines(got) {
				if before, remedy, _ := strings.Cut(line, " -> "); strings.HasPrefix(before, tt.want) && strings.Contains(remedy, tt.remedy) {
					return
				}
			}
			t.Errorf("%q with remedy %q is not among:\n%s", tt.want, tt.remedy, strings.Join(lines(got), "\n"))
		})
	}
}

func TestTheHouse(t *testing.T) {
	t.Parallel()
	want := []string{"ok redis: answers", "ok storage_key: tokens are encrypted in Redis"}
	if diff := cmp.Diff(want, lines(judgeHouse(house{sealed: true}))); diff != "" {
		t.Error(diff)
	}
	got := judgeHouse(house{redis: errors.New("connection refused")})
	if got[0].Severity != Fault || !strings.Contains(got[0].Remedy, "REDIS_URL") || got[1].Severity != Warning || !strings.Contains(got[1].Remedy, "openssl") {
		t.Errorf("findings %+v", got)
	}
}
