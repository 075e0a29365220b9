package tokencenter_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	tokencenter "github.com/wxstack/wxstack/services/token-center"
	"github.com/wxstack/wxstack/services/token-center/internal/redistest"
)

// clinic is a platform that answers what a diagnosis asks: the account has no right to customer service.
func clinic(t *testing.T) *platform {
	t.Helper()
	p := &platform{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cgi-bin/stable_token", p.stableToken)
	for path, body := range map[string]string{
		"GET /cgi-bin/get_current_selfmenu_info": `{"is_menu_open":1}`,
		"GET /cgi-bin/user/get":                  `{"total":0,"count":0}`,
		"GET /cgi-bin/customservice/getkflist":   `{"errcode":48001,"errmsg":"api unauthorized rid: 1-2-3"}`,
		"POST /cgi-bin/openapi/quota/get":        `{"errcode":0,"quota":{"daily_limit":1000,"used":1000,"remain":0}}`,
		"POST /cgi-bin/callback/check":           `{"dns":[{"ip":"192.0.2.10"}],"ping":[{"ip":"192.0.2.10","package_loss":"0%"}]}`,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Query().Get("access_token"), "live-token-") {
				body = `{"errcode":40001}`
			}
			_, _ = io.WriteString(w, body)
		})
	}
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// diagnose runs the command doctor.
func diagnose(t *testing.T, cfg tokencenter.Config) (out string, err error) {
	t.Helper()
	var text bytes.Buffer
	err = tokencenter.DoctorCommand(&cfg).Run(testContext(t), &text)
	return text.String(), err
}

func wantLines(t *testing.T, out string, want ...string) {
	t.Helper()
	for _, line := range want {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), line) {
			t.Errorf("%q is not in:\n%s", line, out)
		}
	}
}

func TestTheDoctorExaminesWithoutARunningService(t *testing.T) {
	t.Parallel()
	_, server := redistest.Mini(t)
	p := clinic(t)
	cfg := testConfig(t, p, "redis://"+server.Addr(), "stable")
	out, err := diagnose(t, cfg)
	if err == nil {
		t.Error("a quota that is spent is no fault")
	}
	wantLines(t, out,
		"ok token-center redis answers",
		"warning token-center storage_key tokens lie in Redis in plain text; set TOKEN_CENTER_STORAGE_KEY_FILE",
		"ok "+testAppID+" app_secret WeChat accepted it",
		"fault "+testAppID+" quota /cgi-bin/stable_token: none of 1000 calls is left today",
		"warning "+testAppID+" permissions customer service (客服消息): WeChat refuses (errcode 48001); the account has no right",
		"ok "+testAppID+" callback WeChat resolves it to 192.0.2.10",
		"ok "+testAppID+" clock agrees",
	)
	for range 5 {
		out, _ = diagnose(t, cfg)
	}
	wantLines(t, out, "warning "+testAppID+" wechat nothing more was asked")
	if fetches, forced := p.counts(); fetches != 1 || forced != 0 {
		t.Errorf("six examinations fetched %d tokens, %d by force; want one", fetches, forced)
	}
	if strings.Contains(out, "live-token") || strings.Contains(out, testSecret) {
		t.Errorf("a secret is in the findings:\n%s", out)
	}
}

// The host has no address, so whoever reached WeChat did so through the proxy: requests for tokens, and the
// questions of the doctor.
func TestEveryRequestLeavesByTheProxy(t *testing.T) {
	t.Parallel()
	_, server := redistest.Mini(t)
	p := clinic(t)
	cfg := testConfig(t, p, "redis://"+server.Addr(), "stable")
	cfg.APIBaseURL, cfg.Egress.ProxyURL = []string{"http://wechat.invalid"}, p.URL
	out, _ := diagnose(t, cfg)
	wantLines(t, out, "ok "+testAppID+" app_secret WeChat accepted it", "ok "+testAppID+" callback WeChat resolves it to 192.0.2.10")
}

func TestTheDoctorNamesTheAddressToAllow(t *testing.T) {
	t.Parallel()
	_, server := redistest.Mini(t)
	p := clinic(t)
	p.refuseWith(40164)
	out, err := diagnose(t, testConfig(t, p, "redis://"+server.Addr(), "stable"))
	if err == nil {
		t.Error("an address that is not allowed is no fault")
	}
	wantLines(t, out, "fault "+testAppID+" ip_allow_list WeChat does not accept calls from", "IP白名单")
}

func TestTheDoctorWithoutRedisFetchesNothing(t *testing.T) {
	t.Parallel()
	_, server := redistest.Mini(t)
	p := clinic(t)
	cfg := testConfig(t, p, "redis://"+server.Addr(), "stable")
	server.Close()
	out, err := diagnose(t, cfg)
	if err == nil {
		t.Error("Redis down is no fault")
	}
	wantLines(t, out, "fault token-center redis does not answer", "REDIS_URL", "fault "+testAppID+" token there is none: the token store (Redis)")
	if fetches, _ := p.counts(); fetches != 0 {
		t.Errorf("%d fetches because the cache failed", fetches)
	}
}

func TestTheDoctorLeavesAloneWhatItCannotRead(t *testing.T) {
	t.Parallel()
	client, server := redistest.Mini(t)
	p := clinic(t)
	cfg := testConfig(t, p, "redis://"+server.Addr(), "stable")
	cfg.StorageKeyFile = file(t, "key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	_, _ = diagnose(t, cfg)
	stored := client.HGetAll(t.Context(), "wx:{"+testAppID+"}:token:access_token").Val()
	cfg.StorageKeyFile = file(t, "other", "MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	out, err := diagnose(t, cfg)
	if err == nil {
		t.Error("another storage key is no fault")
	}
	wantLines(t, out, "fault "+testAppID+" storage_key the token in Redis cannot be read")
	if after := client.HGetAll(t.Context(), "wx:{"+testAppID+"}:token:access_token").Val(); len(stored) == 0 || after["value"] != stored["value"] {
		t.Error("the doctor replaced a token that it could not read")
	}
}

func TestDiagnosisOverTheWire(t *testing.T) {
	t.Parallel()
	_, server := redistest.Mini(t)
	cfg := testConfig(t, clinic(t), "redis://"+server.Addr(), "stable")
	cfg.CallersFile = callersFile(t)
	r := startReplica(t, cfg, withKey(testCallerKey))
	resp, err := r.Diagnose(testContext(t), &tokenv1.DiagnoseRequest{AppIds: []string{testAppID, "wxother"}})
	if err != nil {
		t.Fatal(err)
	}
	var unknown, spent bool
	for _, f := range resp.GetFindings() {
		fault := f.GetSeverity() == tokenv1.Finding_SEVERITY_FAULT
		unknown = unknown || fault && f.GetAppId() == "wxother" && f.GetCheck() == "app_id"
		spent = spent || fault && f.GetAppId() == testAppID && f.GetCheck() == "quota" && strings.Contains(f.GetRemedy(), "接口调用次数清零")
	}
	if !unknown || !spent {
		t.Errorf("findings: %v", resp.GetFindings())
	}
	stranger := startReplica(t, cfg, withKey(otherCallerKey))
	if _, err := stranger.Diagnose(testContext(t), &tokenv1.DiagnoseRequest{AppIds: []string{testAppID}}); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a stranger got %v", err)
	}
}

func TestTheDoctorsJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	findings := struct {
		Findings []struct{ Check, Severity, Text string }
	}{}
	_, server := redistest.Mini(t)
	cfg := testConfig(t, clinic(t), "redis://"+server.Addr(), "stable")
	command := tokencenter.DoctorCommand(&cfg)
	if err := json.Unmarshal([]byte(`{"JSON":true,"Account":"wxother"}`), command.Flags); err != nil {
		t.Fatal(err)
	}
	if err := command.Run(testContext(t), &out); err == nil {
		t.Error("an unknown account is no fault")
	}
	if err := json.Unmarshal(out.Bytes(), &findings); err != nil || len(findings.Findings) != 3 || findings.Findings[2].Severity != "fault" {
		t.Errorf("%v in %s", err, out.String())
	}
}

func TestTheDoctorTellsOfOtherAccountsWhetherTheyGetTheirToken(t *testing.T) {
	t.Parallel()
	_, server := redistest.Mini(t)
	p := newThirdParty(t)
	p.ticket = "live-ticket-1"
	cfg := thirdPartyConfig(t, p, "redis://"+server.Addr())
	out, err := diagnose(t, cfg)
	if err == nil {
		t.Error("a platform without a ticket is no fault")
	}
	wantLines(t, out, "fault "+testPlatform+" token there is none", "fault "+testAuthorizer+" token there is none")

	r := startThirdParty(t, cfg)
	if _, err := r.StoreVerifyTicket(testContext(t), &tokenv1.StoreVerifyTicketRequest{VerifyTicket: "live-ticket-1"}); err != nil {
		t.Fatal(err)
	}
	r.stop()
	// The account has authorised the platform, and its token can be got with that of the platform, which no
	// service keeps now.
	p.set(func(p *thirdParty) { p.refresh = "live-refresh" })
	if out, err = diagnose(t, cfg); err != nil {
		t.Error(err)
	}
	wantLines(t, out, "ok "+testPlatform+" token generation", "ok "+testAuthorizer+" token generation")
	for line := range strings.SplitSeq(out, "\n") {
		for _, check := range []string{"app_id", "permissions", "callback", "quota"} {
			if strings.Contains(line, " "+check+" ") {
				t.Errorf("asked about an account that is no Official Account: %s", line)
			}
		}
	}
	if strings.Contains(out, "live-") || strings.Contains(out, testSecret) {
		t.Errorf("a secret is in the findings:\n%s", out)
	}
}
