package callback_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/message"
	"github.com/wxstack/wxstack/wechat/signature"
)

// with changes the query of a request.
func with(r *http.Request, pairs ...string) *http.Request {
	query := r.URL.Query()
	for i := 0; i < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	r.URL.RawQuery = query.Encode()
	return r
}

// ago makes a push whose timestamp is that old.
func ago(t *testing.T, mode account.Encryption, age time.Duration) *http.Request {
	t.Helper()
	return pushAt(t, mode, "/wx", text(1, "你好"), strconv.FormatInt(time.Now().Add(-age).Unix(), 10), "1")
}

// replaceBody gives a request another body, of a length that is not told.
func replaceBody(r *http.Request, body io.Reader) {
	r.Body, r.ContentLength = io.NopCloser(body), -1
}

func TestHostileInput(t *testing.T) {
	t.Parallel()
	const (
		plain      = account.EncryptionPlain
		compatible = account.EncryptionCompatible
		safe       = account.EncryptionSafe
	)
	own := "/wx/" + testAppID
	huge := "<xml>" + strings.Repeat("x", 1<<20) + "</xml>"
	tests := map[string]struct {
		mode    account.Encryption
		request func(t *testing.T) *http.Request
		status  int
		body    string
		outcome string
	}{
		"no signature": {plain, func(*testing.T) *http.Request {
			return httptest.NewRequest(http.MethodPost, own, strings.NewReader(text(1, "x")))
		}, http.StatusForbidden, "", "bad_signature"},
		"wrong signature": {plain, func(t *testing.T) *http.Request {
			return with(push(t, plain, own, text(1, "x")), "signature", strings.Repeat("0", 40))
		}, http.StatusForbidden, "", "bad_signature"},
		"wrong msg_signature": {safe, func(t *testing.T) *http.Request {
			return with(push(t, safe, own, text(1, "x")), "msg_signature", strings.Repeat("0", 40))
		}, http.StatusForbidden, "", "bad_signature"},
		"signature in the place of msg_signature": {safe, func(t *testing.T) *http.Request {
			r := push(t, safe, own, text(1, "x"))
			return with(r, "msg_signature", r.URL.Query().Get("signature"))
		}, http.StatusForbidden, "", "bad_signature"},
		"plaintext in safe mode": {safe, func(t *testing.T) *http.Request {
			return push(t, plain, own, text(1, "x"))
		}, http.StatusForbidden, "", "plaintext"},
		"raw in safe mode": {safe, func(t *testing.T) *http.Request {
			return with(push(t, safe, own, text(1, "x")), "encrypt_type", "raw")
		}, http.StatusForbidden, "", "plaintext"},
		"plaintext in compatible mode is legal": {compatible, func(t *testing.T) *http.Request {
			return push(t, plain, own, text(1, "x"))
		}, http.StatusOK, "test", "replied"},
		"no cipher text": {safe, func(t *testing.T) *http.Request {
			r := push(t, safe, own, text(1, "x"))
			replaceBody(r, strings.NewReader("<xml><ToUserName>gh_1</ToUserName></xml>"))
			return r
		}, http.StatusForbidden, "", "bad_signature"},
		"cipher text of another account's key": {safe, func(t *testing.T) *http.Request {
			r := push(t, safe, own, text(1, "x"))
			query := r.URL.Query()
			const broken = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
			replaceBody(r, strings.NewReader("<xml><Encrypt>"+broken+"</Encrypt></xml>"))
			return with(r, "msg_signature", signature.Sign(testToken, query.Get("timestamp"), query.Get("nonce"), broken))
		}, http.StatusOK, message.Success, "unreadable"},
		"old recording": {plain, func(t *testing.T) *http.Request { return ago(t, plain, 11*time.Minute) },
			http.StatusForbidden, "", "stale"},
		"old recording, encrypted": {safe, func(t *testing.T) *http.Request { return ago(t, safe, 11*time.Minute) },
			http.StatusForbidden, "", "stale"},
		"from the future": {plain, func(t *testing.T) *http.Request { return ago(t, plain, -11*time.Minute) },
			http.StatusForbidden, "", "stale"},
		"a little late": {plain, func(t *testing.T) *http.Request { return ago(t, plain, 9*time.Minute) },
			http.StatusOK, "test", "replied"},
		"timestamp is no number": {plain, func(t *testing.T) *http.Request {
			return pushAt(t, plain, own, text(1, "x"), "yesterday", "1")
		}, http.StatusForbidden, "", "stale"},
		"timestamp at the end of time": {plain, func(t *testing.T) *http.Request {
			return pushAt(t, plain, own, text(1, "x"), "-9223372036854775808", "1")
		}, http.StatusForbidden, "", "stale"},
		"oversized": {plain, func(t *testing.T) *http.Request { return push(t, plain, own, huge) },
			http.StatusRequestEntityTooLarge, "", "too_large"},
		"oversized without signature": {plain, func(*testing.T) *http.Request {
			return httptest.NewRequest(http.MethodPost, own, strings.NewReader(huge))
		}, http.StatusForbidden, "", "bad_signature"},
		"body breaks off": {plain, func(t *testing.T) *http.Request {
			r := push(t, plain, own, "")
			replaceBody(r, io.MultiReader(strings.NewReader("<xml>"), failing{}))
			return r
		}, http.StatusBadRequest, "", "bad_body"},
		"empty": {plain, func(t *testing.T) *http.Request { return push(t, plain, own, "") },
			http.StatusOK, message.Success, "unreadable"},
		"malformed XML": {plain, func(t *testing.T) *http.Request { return push(t, plain, own, "<xml><a></xml>") },
			http.StatusOK, message.Success, "unreadable"},
		"DTD": {plain, func(t *testing.T) *http.Request {
			return push(t, plain, own, `<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><Content>&e;</Content></xml>`)
		}, http.StatusOK, message.Success, "unreadable"},
		"DTD, encrypted": {safe, func(t *testing.T) *http.Request {
			return push(t, safe, own, `<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><Content>&e;</Content></xml>`)
		}, http.StatusOK, message.Success, "unreadable"},
		"wrong method": {plain, func(*testing.T) *http.Request {
			return httptest.NewRequest(http.MethodDelete, own, http.NoBody)
		}, http.StatusMethodNotAllowed, "", "bad_method"},
		"HEAD": {plain, func(*testing.T) *http.Request {
			return httptest.NewRequest(http.MethodHead, own, http.NoBody)
		}, http.StatusMethodNotAllowed, "", "bad_method"},
		"unknown account": {plain, func(t *testing.T) *http.Request { return push(t, plain, "/wx/wx9", text(1, "x")) },
			http.StatusNotFound, "", "unknown_account"},
		"unknown account, GET": {plain, func(*testing.T) *http.Request {
			return httptest.NewRequest(http.MethodGet, "/wx/wx9", http.NoBody)
		}, http.StatusNotFound, "", "unknown_account"},
		"path below": {plain, func(t *testing.T) *http.Request { return push(t, plain, own+"/..", text(1, "x")) },
			http.StatusNotFound, "", "unknown_account"},
		"elsewhere": {plain, func(*testing.T) *http.Request {
			return httptest.NewRequest(http.MethodGet, "/admin", http.NoBody)
		}, http.StatusNotFound, "", "unknown_account"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReplica(t, directory(t, tt.mode), dedupe.NewMemory(), &logic{reply: message.TextReply{Content: "test"}})
			got := serve(r, tt.request(t))
			if strings.Contains(got.body, "[test]") {
				got.body = "test"
			}
			if got.status != tt.status || got.body != tt.body {
				t.Errorf("got %d %q, want %d %q", got.status, got.body, tt.status, tt.body)
			}
			if n := r.count(t, "gateway_callbacks_total", tt.outcome); n != 1 {
				t.Errorf("outcome %s counted %v times", tt.outcome, n)
			}
			want := map[bool]float64{true: 1, false: 0}[tt.outcome == "bad_signature"]
			if n := r.count(t, "gateway_signature_failures_total"); n != want {
				t.Errorf("gateway_signature_failures_total = %v, want %v", n, want)
			}
		})
	}
}

type failing struct{}

var errBroken = errors.New("connection reset")

func (failing) Read([]byte) (int, error) { return 0, errBroken }

func TestCompatibleModeBelievesTheCipherTextOnly(t *testing.T) {
	t.Parallel()
	r := newReplica(t, directory(t, account.EncryptionCompatible), dedupe.NewMemory(), &logic{reply: message.TextReply{Content: "test"}})
	got := serve(r, push(t, account.EncryptionCompatible, "/wx", text(1, "x")))
	opened := unseal(t, got.body)
	if !strings.Contains(opened, "<ToUserName><![CDATA[oABCDEFGHIJKLMNOPQRSTUVWXYZ0]]>") || strings.Contains(opened, "forged") {
		t.Errorf("the reply goes to the forged sender: %s", opened)
	}
}

func TestRefusedRequestsDontFloodTheLog(t *testing.T) {
	t.Parallel()
	r := newReplica(t, directory(t, account.EncryptionPlain), dedupe.NewMemory(), &logic{})
	for range 100 {
		serve(r, with(push(t, account.EncryptionPlain, "/wx", text(1, "x")), "signature", "0"))
	}
	if n := strings.Count(r.log.String(), `"level":"WARN"`); n != 1 {
		t.Errorf("%d warnings for 100 refused requests, want 1", n)
	}
	if n := r.count(t, "gateway_signature_failures_total"); n != 100 {
		t.Errorf("gateway_signature_failures_total = %v, want 100", n)
	}
}

func TestNoLineAtInfoPerMessage(t *testing.T) {
	t.Parallel()
	r := newReplica(t, directory(t, account.EncryptionSafe), dedupe.NewMemory(), &logic{reply: message.TextReply{Content: "test"}})
	for id := range 10 {
		serve(r, push(t, account.EncryptionSafe, "/wx", text(id+1, "x")))
	}
	if log := r.log.String(); log != "" {
		t.Errorf("logged:\n%s", log)
	}
}

// FuzzHandler throws requests at the handler: signed by us, so that they get past the door, and not.
func FuzzHandler(f *testing.F) {
	f.Add(http.MethodGet, "/wx", "signature=1&timestamp=2&nonce=3&echostr=4", "", false)
	f.Add(http.MethodPost, "/wx/"+testAppID, "encrypt_type=aes&msg_signature=0", "<xml><Encrypt>AA==</Encrypt></xml>", true)
	f.Add(http.MethodPost, "/wx", "", text(1, "你好"), true)
	f.Add(http.MethodPost, "/wx", "%zz=;&&=", `<?xml version="1.0"?><xml><MsgType>event</MsgType><Event/></xml>`, true)
	modes := []account.Encryption{account.EncryptionPlain, account.EncryptionCompatible, account.EncryptionSafe}
	replicas := make([]*replica, 0, len(modes))
	for _, mode := range modes {
		replicas = append(replicas, newReplica(f, directory(f, mode, "wx2"), dedupe.NewMemory(), &logic{reply: message.TextReply{Content: "test"}}))
	}
	f.Fuzz(func(t *testing.T, method, path, query, body string, sign bool) {
		for _, r := range replicas {
			got := serve(r, fuzzed(method, path, query, body, sign))
			if got.closed || got.status >= http.StatusInternalServerError {
				t.Errorf("got %+v", got)
			}
			if log := r.log.take(); strings.Contains(log, `"panic"`) {
				t.Error(log)
			}
		}
	})
}

// fuzzed makes a request, past the client's own checks.
func fuzzed(method, path, query, body string, sign bool) *http.Request {
	values, _ := url.ParseQuery(query) // what could be parsed is used.
	if sign {
		timestamp := strconv.FormatInt(time.Now().Unix(), 10)
		values.Set("timestamp", timestamp)
		values.Set("signature", signature.Sign(testToken, timestamp, values.Get("nonce")))
		if envelope, err := message.ParseEnvelope([]byte(body)); err == nil {
			values.Set("msg_signature", signature.Sign(testToken, timestamp, values.Get("nonce"), envelope.Encrypt))
		}
		query = values.Encode()
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Method, r.URL.Path, r.URL.RawQuery = method, path, query
	return r
}

func BenchmarkHandler(b *testing.B) {
	for _, mode := range []account.Encryption{account.EncryptionPlain, account.EncryptionSafe} {
		b.Run(string(mode), func(b *testing.B) {
			r := newReplica(b, directory(b, mode), dedupe.NewMemory(), &logic{reply: message.TextReply{Content: "test"}})
			requests := make([]*http.Request, b.N)
			for i := range requests {
				requests[i] = push(b, mode, "/wx", text(i+1, "欢迎开启公众号开发者模式"))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for _, request := range requests {
				if got := serve(r, request); got.status != http.StatusOK {
					b.Fatalf("got %+v", got)
				}
			}
		})
	}
}
