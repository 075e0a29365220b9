package callback_test

import (
	"flag"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/services/gateway/internal/accounts"
	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/message"
	"github.com/wxstack/wxstack/wechat/signature"
)

// update rewrites the expected part of the scenarios, as in go test ./internal/callback -run Scenarios -update.
var update = flag.Bool("update", false, "rewrite the response part of testdata/scenarios with what plaintext mode answers")

// scenario is a file of testdata/scenarios: a request in clear, what logic replies, and the answer in clear.
// It is run in every mode; the test does the encryption on both sides.
type scenario struct {
	path     string
	head     string // all before the response
	method   string
	target   string
	query    url.Values
	body     string
	reply    message.Reply
	response string
}

const responseMark = "-- response --\n"

func readScenario(t *testing.T, path string) scenario {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, response, ok := strings.Cut(string(data), responseMark)
	if !ok {
		t.Fatalf("%s: no line %q", path, responseMark)
	}
	_, rest, _ := strings.Cut(head, "-- request --\n")
	request, reply, _ := strings.Cut(rest, "-- logic --\n")
	line, body, _ := strings.Cut(request, "\n")
	words := strings.Fields(line)
	s := scenario{
		path: path, head: head, method: words[0], target: words[1], query: url.Values{},
		body: strings.TrimSpace(body), response: response,
	}
	for _, word := range words[2:] {
		name, value, _ := strings.Cut(word, "=")
		s.query.Set(name, value)
	}
	switch kind, value, _ := strings.Cut(strings.TrimSpace(reply), " "); kind {
	case "text":
		s.reply = message.TextReply{Content: value}
	case "image":
		s.reply = message.ImageReply{MediaID: value}
	case "", "nothing":
	default:
		t.Fatalf("%s: logic cannot %q", path, kind)
	}
	return s
}

// request signs and, where the mode asks for it, encrypts.
func (s scenario) request(t *testing.T, mode account.Encryption) *http.Request {
	t.Helper()
	timestamp, nonce := s.query.Get("timestamp"), s.query.Get("nonce")
	if s.method == http.MethodPost {
		return pushAt(t, mode, s.target, s.body, timestamp, nonce)
	}
	query := url.Values{}
	maps.Copy(query, s.query)
	switch query.Get("signature") {
	case "good":
		query.Set("signature", signature.Sign(testToken, timestamp, nonce))
	case "bad":
		query.Set("signature", signature.Sign("anotherToken", timestamp, nonce))
	}
	target := s.target
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	return httptest.NewRequest(s.method, target, http.NoBody)
}

// run plays the scenario at its own time and returns the answer in clear.
func (s scenario) run(t *testing.T, d *accounts.Directory, mode account.Encryption) (response string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if timestamp, err := strconv.ParseInt(s.query.Get("timestamp"), 10, 64); err == nil {
			time.Sleep(time.Until(time.Unix(timestamp, 0)))
		}
		got := serve(newReplica(t, d, dedupe.NewMemory(), &logic{reply: s.reply}), s.request(t, mode))
		if mode != account.EncryptionPlain && (strings.HasPrefix(got.body, "<xml>") || strings.HasPrefix(got.body, "{")) {
			got.body = unseal(t, got.body)
		}
		response = strconv.Itoa(got.status) + " " + got.header.Get("Content-Type") + "\n"
		if got.body != "" {
			response += strings.TrimSuffix(got.body, "\n") + "\n"
		}
	})
	return response
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/scenarios/*.scenario")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, mode := range []account.Encryption{account.EncryptionPlain, account.EncryptionCompatible, account.EncryptionSafe} {
		d := directory(t, mode)
		for _, path := range files {
			t.Run(filepath.Base(path)+"/"+string(mode), func(t *testing.T) {
				s := readScenario(t, path)
				got := s.run(t, d, mode)
				if *update && mode == account.EncryptionPlain {
					if err := os.WriteFile(path, []byte(s.head+responseMark+got), 0o600); err != nil {
						t.Fatal(err)
					}
					return
				}
				if diff := cmp.Diff(s.response, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}
