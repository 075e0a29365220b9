package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

// callerKey is what the SDKs have for an AppSecret.
const callerKey = "sdk-caller-key-0123456789abcdef0123456789"

// house is the whole stack with the simulator as WeChat, and a callers file.
type house struct {
	*harness.Standalone

	t testing.TB
}

func startHouse(t *testing.T) *house {
	t.Helper()
	dir := t.TempDir()
	key, own, callers := filepath.Join(dir, "key"), filepath.Join(dir, "own"), filepath.Join(dir, "callers.yaml")
	for path, text := range map[string]string{
		key: callerKey,
		callers: fmt.Sprintf("anonymous: [/sns/userinfo, /sns/auth]\ncallers:\n  - {name: sdk, key_file: %s, accounts: %s, apis: [\"*\", /cgi-bin/clear_quota]}\n"+
			"  - {name: house, key_file: %s, accounts: \"*\", apis: \"*\"}\n", key, appID, own),
		own: strings.Repeat("house", 8),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &house{harness.StartStandalone(t, "--callers", callers, "--api-proxy-key-file", own), t}
}

// lever pulls one of the simulator's.
func (h *house) lever(path, body string) string {
	h.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, h.SimulatorURL+"/sim/v1/"+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		h.t.Fatalf("%s: %d %s, %v", path, resp.StatusCode, answer, err)
	}
	return string(answer)
}

// world is where the steps of an SDK are taken: the whole stack, or the simulator alone.
type world interface {
	greet(openID string)
	code(openID string) (string, error)
}

// virtual checks that an SDK was given one of api-proxy's own tokens.
func virtual(token string, err error) error {
	if err == nil && !strings.HasPrefix(token, "wxv1.") {
		err = fmt.Errorf("token %.8s", token)
	}
	return err
}

// greet makes a follower write, so that the account may write to it.
func (h *house) greet(openID string) {
	h.t.Helper()
	h.lever("push", fmt.Sprintf(`{"account":%q,"type":"text","from":%q,"content":"你好"}`, appID, openID))
}

// disturbances are levers of the simulator: what happens to the account's tokens at WeChat while an SDK works with
// its own.
func disturbances() map[string]string {
	return map[string]string{"quiet": "", "somebody else refreshes the token": "tokens/rotate", "the token expires": "tokens/expire"}
}

// code makes a follower agree to a web page's wish (网页授权), and returns the code of the redirect.
func (h *house) code(openID string) (string, error) {
	var answer struct {
		Code string `json:"code"`
	}
	err := json.Unmarshal([]byte(h.lever("oauth/code", fmt.Sprintf(`{"account":%q,"openid":%q,"scope":"snsapi_userinfo"}`, appID, openID))), &answer)
	return answer.Code, err
}

// secrets are what must never leave the house: the AppSecret and every token of WeChat's so far.
func (h *house) secrets() []string {
	h.t.Helper()
	secrets := []string{account.DevelopmentAppSecret}
	for _, token := range h.Platform.Tokens(appID).Tokens {
		secrets = append(secrets, token.Value)
	}
	return secrets
}

// ear is a transport that keeps what callers are answered, as far as it is short.
type ear struct {
	next  http.RoundTripper
	heard bytes.Buffer
}

func (e *ear) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := e.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	fmt.Fprintln(&e.heard, resp.Header)
	e.heard.Write(body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// check looks for what an SDK must never have been told.
func (e *ear) check(t *testing.T, secrets []string) {
	t.Helper()
	heard := e.heard.String()
	if len(secrets) < 2 || !strings.Contains(heard, "wxv1.") {
		t.Errorf("%d secrets are known, and no virtual token was heard: this test tests nothing", len(secrets))
	}
	for _, secret := range secrets {
		if strings.Contains(heard, secret) {
			t.Errorf("a caller was told %.12s…", secret)
		}
	}
	for _, code := range []string{"40001", "40014", "42001"} {
		if strings.Contains(heard, `"errcode":`+code) {
			t.Errorf("a caller was told %s", code)
		}
	}
}

// picture is a PNG.
func picture(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// step is one thing that an SDK does through the proxy.
type step struct {
	name string
	do   func() error
	// disturbed says that something happens to the token right before. token-center renews at most four times in
	// half a minute because of rejections, so that is how many there are.
	disturbed bool
}

// walk takes the steps that connect gives for an SDK, each time in a house of its own.
func walk(t *testing.T, connect func(t *testing.T, h *house, listening *ear) []step) {
	t.Helper()
	for name, lever := range disturbances() {
		t.Run(name, func(t *testing.T) {
			h, listening := startHouse(t), &ear{next: http.DefaultTransport}
			for _, s := range connect(t, h, listening) {
				if s.disturbed && lever != "" {
					h.lever(lever, fmt.Sprintf(`{"account":%q}`, appID))
				}
				if err := s.do(); err != nil {
					t.Errorf("%s: %v", s.name, err)
				}
			}
			listening.check(t, h.secrets())
		})
	}
}
