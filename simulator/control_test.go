package simulator

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/media"
)

// steer calls the control API.
func steer(t *testing.T, platform *Platform, method, path, body string, want int) map[string]any {
	t.Helper()
	status, data := request(t, method, platform.URL()+"/sim/v1/"+path, body)
	if status != want {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, status, want, data)
	}
	var decoded map[string]any
	if err := json.Unmarshal(data, &decoded); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, data)
	}

	return decoded
}

func TestControlPush(t *testing.T) {
	t.Parallel()
	platform := startAccount(t, ModeCompatible, answerWith(plainReply("好")))
	one := steer(t, platform, http.MethodPost, "push", `{"type":"text","content":"你好"}`, http.StatusOK)
	if one["outcome"] != "shown" {
		t.Errorf("outcome = %v", one["outcome"])
	}
	many := steer(t, platform, http.MethodPost, "push", `{"content":"x","count":5,"concurrency":2}`, http.StatusOK)
	if many["sent"] != 5.0 || many["answered"] != 5.0 {
		t.Errorf("load = %v", many)
	}
	chat := steer(t, platform, http.MethodGet, "followers/"+DefaultFollower+"/chat?at_least=12&wait_ms=1", "", http.StatusOK)
	if lines, ok := chat["chat"].([]any); !ok || len(lines) != 12 {
		t.Errorf("chat = %v", chat)
	}
	list := steer(t, platform, http.MethodGet, "pushes?limit=3", "", http.StatusOK)
	if pushes, ok := list["pushes"].([]any); !ok || len(pushes) != 3 {
		t.Errorf("pushes = %v", list)
	}
}

func TestControlRefusals(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	for name, test := range map[string]struct{ path, body, says string }{
		"misspelt field":   {"push", `{"contents":"x"}`, "contents"},
		"not JSON":         {"push", `x`, "JSON"},
		"two objects":      {"push", `{}{}`, "follows"},
		"empty content":    {"push", `{}`, "content"},
		"unknown account":  {"verify", `{"account":"wx"}`, "wxdev0000000000001"},
		"clock goes back":  {"clock/advance", `{"seconds":-1}`, "reset"},
		"fault, no path":   {"faults", `{"errcode":1}`, "path"},
		"probability":      {"faults", `{"path":"*","probability":2}`, "probability"},
		"token kind":       {"tokens/rotate", `{"kind":"x"}`, "stable or classic"},
		"callback, no URL": {"callback", `{"url":"localhost:1"}`, "http://"},
	} {
		answer := steer(t, platform, http.MethodPost, test.path, test.body, http.StatusBadRequest)
		if text, _ := answer["error"].(string); !strings.Contains(text, test.says) {
			t.Errorf("%s: error %q, must mention %q", name, text, test.says)
		}
	}
	steer(t, platform, http.MethodGet, "nothing", "", http.StatusNotFound)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	const path = "/cgi-bin/stable_token"
	fetch := func() (int, []byte, error) {
		return try(t.Context(), http.MethodPost, platform.URL()+path, stableBody(false))
	}
	steer(t, platform, http.MethodPost, "faults", `{"path":"`+path+`","busy":true,"count":2,"latency_ms":1}`, http.StatusOK)
	for range 2 {
		if _, data, err := fetch(); err != nil || !strings.HasPrefix(string(data), `{"errcode":-1,`) {
			t.Errorf("busy: %s, error %v", data, err)
		}
	}
	if _, data, err := fetch(); err != nil || !strings.Contains(string(data), "access_token") {
		t.Errorf("after the count: %s, error %v", data, err)
	}
	issued := func() int {
		report, err := platform.Tokens("")
		if err != nil {
			t.Fatal(err)
		}

		return report.Fetches.Stable
	}
	before := issued()
	steer(t, platform, http.MethodPost, "faults", `{"path":"*","drop":"before","count":1}`, http.StatusOK)
	if _, _, err := fetch(); err == nil || issued() != before {
		t.Errorf("drop before: error %v, fetches %d, want %d", err, issued(), before)
	}
	steer(t, platform, http.MethodPost, "faults", `{"path":"*","drop":"after","count":1}`, http.StatusOK)
	if _, _, err := fetch(); err == nil || issued() != before+1 {
		t.Errorf("drop after: error %v, fetches %d, want %d", err, issued(), before+1)
	}
	steer(t, platform, http.MethodPost, "faults", `{"path":"*","http_status":502}`, http.StatusOK)
	if status, _, err := fetch(); err != nil || status != http.StatusBadGateway {
		t.Errorf("status %d, error %v", status, err)
	}
	steer(t, platform, http.MethodDelete, "faults", "", http.StatusOK)
	if status, _, err := fetch(); err != nil || status != http.StatusOK {
		t.Errorf("after removal: status %d, error %v", status, err)
	}
}

// Answers of another type, and ones that break off: the call took effect all the same.
func TestFaultsOfTheAnswer(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	picture, err := platform.AddSyntheticMedia("", media.Image, 1000)
	if err != nil {
		t.Fatal(err)
	}
	token := stableToken(t, platform)
	for name, test := range map[string]struct {
		fault, path string
		contentType string
		length      int
		whole       bool
	}{
		"another type":   {`{"path":"*","content_type":"text/html","count":1}`, "/cgi-bin/menu/get?", "text/html", 0, true},
		"half of JSON":   {`{"path":"*","partial":true,"count":1}`, "/cgi-bin/menu/get?", "application/json; encoding=utf-8", 0, false},
		"half of a file": {`{"path":"*","partial":true,"count":1}`, "/cgi-bin/media/get?media_id=" + picture.MediaID + "&", "image/png", 1000, false},
	} {
		steer(t, platform, http.MethodPost, "faults", test.fault, http.StatusOK)
		response, err := http.Get(platform.URL() + test.path + "access_token=" + token)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if got := response.Header.Get("Content-Type"); got != test.contentType {
			t.Errorf("%s: Content-Type %q", name, got)
		}
		if (err == nil) != test.whole || len(body) == 0 {
			t.Errorf("%s: %d bytes, error %v", name, len(body), err)
		}
		if test.length > 0 && (int(response.ContentLength) != test.length || len(body) != test.length/2) {
			t.Errorf("%s: %d of %d bytes", name, len(body), response.ContentLength)
		}
	}
	if calls := platform.Calls(); len(calls) != 4 || !calls[3].Fault {
		t.Errorf("calls = %+v", calls)
	}
}

func TestFaultProbability(t *testing.T) {
	t.Parallel()
	table := faultTable{faults: []Fault{{Path: "*", Probability: 0.5}}}
	if _, hit := table.take("/x", 0.49); !hit {
		t.Error("below the probability must hit")
	}
	if _, hit := table.take("/x", 0.5); hit {
		t.Error("at the probability must miss")
	}
}

// TestCallsHideSecrets makes sure that the record can be shown to anybody.
func TestCallsHideSecrets(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	token := stableToken(t, platform)
	api(t, platform, http.MethodGet, "/cgi-bin/menu/get", withToken(token), "")
	_, data := request(t, http.MethodGet, platform.URL()+"/sim/v1/calls", "")
	_, tokens := request(t, http.MethodGet, platform.URL()+"/sim/v1/tokens", "")
	for _, secret := range []string{token, DefaultAccount().AppSecret} {
		if strings.Contains(string(data), secret) || strings.Contains(string(tokens), secret) {
			t.Errorf("a record reveals %.6s…", secret)
		}
	}
	if calls := platform.Calls(); len(calls) != 2 || calls[1].Generation != 1 || calls[1].Account != DefaultAppID {
		t.Errorf("calls = %+v", calls)
	}
	_, revealed := request(t, http.MethodGet, platform.URL()+"/sim/v1/tokens?reveal=true", "")
	if !strings.Contains(string(revealed), token) {
		t.Error("reveal=true doesn't reveal")
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	platform := startAccount(t, ModePlain, answerWith("success"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, platform.URL()+"/sim/v1/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	next := func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return data
			}
		}

		return ""
	}
	if first := next(); !strings.Contains(first, "chat") || !strings.Contains(first, "calls") || !strings.Contains(first, `"started":`) {
		t.Errorf("first event = %q, must name everything", first)
	}
	if _, err := platform.Push(t.Context(), Push{Content: "x"}); err != nil {
		t.Fatal(err)
	}
	if second := next(); !strings.Contains(second, "chat") || strings.Contains(second, "calls") {
		t.Errorf("event after a push = %q", second)
	}
}

// TestPage makes sure that the page is served, loads nothing from elsewhere, and
// keeps the ids that browser tests rely on.
// TestStreamsEndWithThePlatform makes sure that an open page can't delay the end.
func TestStreamsEndWithThePlatform(t *testing.T) {
	t.Parallel()
	platform, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- platform.Run(ctx) }()
	streamed := make(chan error, 1)
	go func() {
		_, _, err := try(context.WithoutCancel(ctx), http.MethodGet, platform.URL()+"/sim/v1/events", "")
		streamed <- err
	}()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	if err := <-streamed; err != nil {
		t.Logf("the platform was gone before the stream began: %v", err)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	kept := newRing[int](3)
	for number := range 10 {
		kept.add(number)
	}
	if all := kept.all(); len(all) != 3 || all[0] != 7 || all[2] != 9 {
		t.Errorf("all = %v", all)
	}
	if newest := kept.newest(2); len(newest) != 2 || newest[0] != 9 || newest[1] != 8 {
		t.Errorf("newest = %v", newest)
	}
}
