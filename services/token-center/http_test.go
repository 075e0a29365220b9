package tokencenter_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	tokencenter "github.com/wxstack/wxstack/services/token-center"
	"github.com/wxstack/wxstack/services/token-center/internal/redistest"
)

// post calls a method over HTTP, as curl would.
func post(t *testing.T, r *replica, method, key, body string) (status int, answer map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.httpAddr+"/wxstack.token.v1.TokenService/"+method, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := r.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s answered HTTP %d %q: %v", method, resp.StatusCode, text, err)
	}
	return resp.StatusCode, answer
}

func withHTTP(t *testing.T, p *platform) tokencenter.Config {
	t.Helper()
	_, server := redistest.Mini(t)
	cfg := testConfig(t, p, "redis://"+server.Addr(), "stable")
	cfg.HTTPListenAddr, cfg.CallersFile = "127.0.0.1:0", callersFile(t)
	return cfg
}

func TestTheSameServiceOverHTTP(t *testing.T) {
	t.Parallel()
	r := startReplica(t, withHTTP(t, newPlatform(t)))
	tests := map[string]struct {
		method, key, body string
		status            int
		want              string // is part of the answer, as JSON.
	}{
		"a token":         {"GetToken", testCallerKey, `{}`, http.StatusOK, `"value":"live-token-1"`},
		"by account":      {"GetToken", testCallerKey, `{"app_id":"` + testAppID + `"}`, http.StatusOK, `"kind":"TOKEN_KIND_ACCESS_TOKEN"`},
		"camel case":      {"GetToken", testCallerKey, `{"appId":"` + testAppID + `"}`, http.StatusOK, `"appId":"` + testAppID},
		"the list":        {"ListAccounts", testCallerKey, `{}`, http.StatusOK, `"tokenApi":"stable"`},
		"a refusal":       {"RefreshToken", testCallerKey, `{}`, http.StatusBadRequest, `rejected_generation or rejected_value`},
		"unknown account": {"GetToken", testCallerKey, `{"app_id":"wxother"}`, http.StatusNotFound, `"code":"not_found"`},
		"no key":          {"GetToken", "", `{}`, http.StatusUnauthorized, `authorization: Bearer KEY`},
		"wrong key":       {"GetToken", "guess", `{}`, http.StatusUnauthorized, `"code":"unauthenticated"`},
		"not its account": {"GetToken", otherCallerKey, `{"app_id":"` + testAppID + `"}`, http.StatusForbidden, `"code":"permission_denied"`},
		"a typo":          {"GetToken", testCallerKey, `{"appid":"wx1"}`, http.StatusBadRequest, `unknown field \"appid\"`},
		"not JSON":        {"GetToken", testCallerKey, `{`, http.StatusBadRequest, `"code":"invalid_argument"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			status, answer := post(t, r, tt.method, tt.key, tt.body)
			text, err := json.Marshal(answer)
			if err != nil || status != tt.status || !strings.Contains(string(text), tt.want) {
				t.Errorf("HTTP %d %s, %v; want %d with %s", status, text, err, tt.status, tt.want)
			}
		})
	}
	metrics, err := r.tel.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range metrics {
		if family.GetName() == "grpc_server_handled_total" {
			return
		}
	}
	t.Error("calls over HTTP are not counted")
}

func TestAnOrderlyStopSendsWatchersOverHTTPAway(t *testing.T) {
	t.Parallel()
	r := startReplica(t, withHTTP(t, newPlatform(t)))
	// A stream of the Connect protocol has each message behind a flag and its length.
	const request = "\x00\x00\x00\x00\x02{}"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.httpAddr+"/wxstack.token.v1.TokenService/WatchToken", strings.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/connect+json")
	req.Header.Set("Authorization", "Bearer "+testCallerKey)
	resp, err := r.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	const head = 5
	begin := make([]byte, head)
	if _, err := io.ReadFull(resp.Body, begin); err != nil {
		t.Fatalf("the first token: %v", err)
	}
	r.stop()
	rest, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(rest), "live-token-1") || !strings.Contains(string(rest), `"code":"unavailable"`) {
		t.Errorf("the stream ended with %q, %v", rest, err)
	}
}
