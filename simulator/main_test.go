package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testTimeout is the patience of a simulator in a test: as short as a loaded
// machine allows.
const testTimeout = 150 * time.Millisecond

// startAccount starts a simulator whose default account has that mode and an
// account server that answers with the handler.
func startAccount(t *testing.T, mode Mode, handler http.HandlerFunc) *Platform {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)

	return Start(t, func(options *Options) {
		account := DefaultAccount()
		account.Mode, account.CallbackURL = mode, server.URL+"/wx"
		options.Accounts = []Account{account}
		options.Delivery.Timeout = testTimeout
	})
}

// answerWith makes a handler that answers every push with the body.
func answerWith(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// plainReply is a valid text reply to the default follower.
func plainReply(content string) string {
	return fmt.Sprintf("<xml><ToUserName><![CDATA[%s]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName>"+
		"<CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[%s]]></Content></xml>",
		DefaultFollower, DefaultAccount().OriginalID, content)
}

// api calls the platform's API and returns the decoded answer.
func api(t *testing.T, platform *Platform, method, path string, query url.Values, body string) map[string]any {
	t.Helper()
	status, data := request(t, method, platform.URL()+path+"?"+query.Encode(), body)
	if status != http.StatusOK {
		t.Fatalf("%s %s: status %d, WeChat answers 200 even to errors: %s", method, path, status, data)
	}
	var decoded map[string]any
	if err := json.Unmarshal(data, &decoded); err != nil {
		t.Fatalf("%s %s: answer isn't JSON: %v", method, path, err)
	}

	return decoded
}

func request(t *testing.T, method, target, body string) (int, []byte) {
	t.Helper()
	status, data, err := try(t.Context(), method, target, body)
	if err != nil {
		t.Fatal(err)
	}

	return status, data
}

func try(ctx context.Context, method, target, body string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("build: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("call: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("read: %w", err)
	}

	return response.StatusCode, bytes.TrimSpace(data), nil
}

// errCode is the errcode of an answer; absent means 0.
func errCode(answer map[string]any) int {
	code, _ := answer["errcode"].(float64)

	return int(code)
}

// stableToken fetches a token in normal mode.
func stableToken(t *testing.T, platform *Platform) string {
	t.Helper()
	given := api(t, platform, http.MethodPost, "/cgi-bin/stable_token", nil, stableBody(false))
	value, ok := given["access_token"].(string)
	if !ok {
		t.Fatalf("no token: %v", given)
	}

	return value
}

func stableBody(force bool) string {
	account := DefaultAccount()

	return fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q,"force_refresh":%t}`,
		account.AppID, account.AppSecret, force)
}

func withToken(token string) url.Values { return url.Values{"access_token": {token}} }
