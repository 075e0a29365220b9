package e2e

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

// doctor runs the command of the real binary and returns what it prints and its exit code.
func doctor(t *testing.T, redisURL string, p *simulator.Platform, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), harness.Build(t, "./services/token-center/cmd/token-center"), append([]string{"doctor"}, args...)...)
	cmd.Env = append(os.Environ(), "WX_ACCOUNTS_FILE="+harness.WriteAccounts(t), "WX_API_BASE_URL="+p.URL(), "REDIS_URL="+redisURL)
	text, err := cmd.CombinedOutput()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	if err := harness.CheckLog(string(text), secrets(t, p)...); err != nil {
		t.Error(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func TestTheDoctorTellsAHealthyAccountFromARefusedAddress(t *testing.T) {
	t.Parallel()
	redisURL, _ := harness.Redis(t)
	p := simulator.Start(t)
	if err := p.SetFault(simulator.Fault{
		Path: "/cgi-bin/stable_token", ErrCode: 40164, ErrMsg: "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist", Count: 1,
	}); err != nil {
		t.Fatal(err)
	}
	out, code := doctor(t, redisURL, p)
	if code != 1 || !strings.Contains(out, "203.0.113.9") || !strings.Contains(out, "IP白名单") {
		t.Errorf("exit code %d with a refused address:\n%s", code, out)
	}
	out, code = doctor(t, redisURL, p, "--account", account.DevelopmentAppID)
	if code != 0 || strings.Contains(out, "fault ") || !strings.Contains(out, "WeChat accepted it") {
		t.Errorf("exit code %d of a healthy account:\n%s", code, out)
	}
}

func TestATokenAndADiagnosisWithoutGRPC(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	for method, want := range map[string]string{"GetToken": `"appId":"` + account.DevelopmentAppID + `"`, "Diagnose": `"severity":"SEVERITY_OK"`} {
		resp, err := http.Post(s.TokenCenterURL+"/wxstack.token.v1.TokenService/"+method, "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s answered HTTP %d %s, %v; want %s", method, resp.StatusCode, body, err, want)
		}
		if method == "Diagnose" && strings.Contains(string(body), "SEVERITY_FAULT") {
			t.Errorf("a standalone is diagnosed with a fault: %s", body)
		}
	}
}
