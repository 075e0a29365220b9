package callback_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/gateway/internal/accounts"
	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
	"github.com/wxstack/wxstack/services/gateway/internal/late"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/message"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
	"github.com/wxstack/wxstack/wechat/signature"
)

// console is an account as it is configured at WeChat.
type console struct {
	appID, originalID string
	mode              account.Encryption
	token, key        string
}

// The accounts of these tests share nothing; the third one is not in the accounts file.
func consoles(mode account.Encryption) (one, two, unknown console) {
	one = console{testAppID, testOriginalID, mode, testToken, testAESKey}
	two = console{"wx2", "gh_2", mode, "otherToken", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"}
	unknown = console{"wx3", "gh_3", mode, "thirdToken", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"}
	return one, two, unknown
}

// signed returns the query parameters of every request.
func (c console) signed(now time.Time) url.Values {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	return url.Values{"timestamp": {timestamp}, "nonce": {"7"}, "signature": {signature.Sign(c.token, timestamp, "7")}}
}

// deliver makes the request by which WeChat delivers a push. In safe mode the envelope bears address.
func (c console) deliver(tb testing.TB, path, address, plaintext string) *http.Request {
	tb.Helper()
	query, body := c.signed(time.Now()), plaintext
	if c.mode != account.EncryptionPlain {
		cipher, err := msgcrypt.New(c.appID, c.token, c.key)
		if err != nil {
			tb.Fatal(err)
		}
		sealed, err := cipher.Seal([]byte(plaintext), query.Get("timestamp"), "7")
		if err != nil {
			tb.Fatal(err)
		}
		query.Set("encrypt_type", "aes")
		query.Set("msg_signature", sealed.MsgSignature)
		encrypt := "<Encrypt>" + sealed.Encrypt + "</Encrypt></xml>"
		body = strings.TrimSuffix(plaintext, "</xml>") + encrypt
		if c.mode == account.EncryptionSafe {
			body = "<xml>" + address + encrypt
		}
	}
	return httptest.NewRequest(http.MethodPost, path+"?"+query.Encode(), strings.NewReader(body))
}

// push delivers a text to the account.
func (c console) push(tb testing.TB, path string, id int) *http.Request {
	tb.Helper()
	return c.deliver(tb, path, "<ToUserName>"+c.originalID+"</ToUserName>", textTo(c.originalID, id))
}

// verification makes the request of the console.
func (c console) verification(path string) *http.Request {
	query := c.signed(time.Now())
	query.Set("echostr", "echo")
	return httptest.NewRequest(http.MethodGet, path+"?"+query.Encode(), http.NoBody)
}

func textTo(originalID string, id int) string {
	return strings.Replace(text(id, "x"), testOriginalID, originalID, 1)
}

// accountsFile is an accounts file that a test changes.
type accountsFile struct {
	tb  testing.TB
	dir string
}

func newAccountsFile(tb testing.TB, all ...console) accountsFile {
	tb.Helper()
	f := accountsFile{tb, tb.TempDir()}
	f.write(all...)
	return f
}

func (f accountsFile) path() string { return filepath.Join(f.dir, "accounts.yaml") }

// write replaces the file, and writes the secrets of its accounts.
func (f accountsFile) write(all ...console) {
	f.tb.Helper()
	var file strings.Builder
	file.WriteString("accounts:\n")
	for _, c := range all {
		fmt.Fprintf(&file, "  - {app_id: %s, original_id: %s, encryption: %s, callback_token_file: %q, encoding_aes_key_file: %q}\n",
			c.appID, c.originalID, c.mode, f.secret(c.appID+".token", c.token), f.secret(c.appID+".key", c.key))
	}
	f.secret("accounts.yaml", file.String())
}

// secret replaces a file as a whole and returns its path.
func (f accountsFile) secret(name, content string) string {
	f.tb.Helper()
	path := filepath.Join(f.dir, name)
	if err := errors.Join(os.WriteFile(path+".new", []byte(content), 0o600), os.Rename(path+".new", path)); err != nil {
		f.tb.Fatal(err)
	}
	return path
}

func (f accountsFile) load() *accounts.Directory {
	f.tb.Helper()
	d, err := accounts.Load(f.path(), true)
	if err != nil {
		f.tb.Fatal(err)
	}
	return d
}

func TestRouting(t *testing.T) {
	t.Parallel()
	const (
		plain      = account.EncryptionPlain
		compatible = account.EncryptionCompatible
		safe       = account.EncryptionSafe
	)
	type request = func(t *testing.T, one, two, unknown console) *http.Request
	type modes = []account.Encryption
	every := modes{plain, compatible, safe}
	tests := map[string]struct {
		modes   modes
		request request
		status  int
		body    string // "reply" for one to the follower
		outcome string
		appID   string
	}{
		"first account": {every, func(t *testing.T, one, _, _ console) *http.Request {
			return one.push(t, "/wx", 1)
		}, http.StatusOK, "reply", "replied", testAppID},
		"second account": {every, func(t *testing.T, _, two, _ console) *http.Request {
			return two.push(t, "/wx", 1)
		}, http.StatusOK, "reply", "replied", "wx2"},
		"second account by its own URL": {every, func(t *testing.T, _, two, _ console) *http.Request {
			return two.push(t, "/wx/wx2", 1)
		}, http.StatusOK, "reply", "replied", "wx2"},
		"another account's URL": {every, func(t *testing.T, _, two, _ console) *http.Request {
			return two.push(t, "/wx/"+testAppID, 1)
		}, http.StatusForbidden, "", "bad_signature", testAppID},
		"another account's secrets": {every, func(t *testing.T, one, two, _ console) *http.Request {
			return one.deliver(t, "/wx", "<ToUserName>"+two.originalID+"</ToUserName>", textTo(two.originalID, 1))
		}, http.StatusForbidden, "", "bad_signature", "wx2"},
		"unknown account": {every, func(t *testing.T, _, _, unknown console) *http.Request {
			return unknown.push(t, "/wx", 1)
		}, http.StatusForbidden, "", "unknown_account", ""},
		"unknown account with known secrets": {every, func(t *testing.T, one, _, unknown console) *http.Request {
			return one.deliver(t, "/wx", "<ToUserName>"+unknown.originalID+"</ToUserName>", textTo(unknown.originalID, 1))
		}, http.StatusForbidden, "", "unknown_account", ""},
		"unknown account by its own URL": {every, func(t *testing.T, _, _, unknown console) *http.Request {
			return unknown.push(t, "/wx/wx3", 1)
		}, http.StatusNotFound, "", "unknown_account", ""},
		"own URL, but addressed to another account": {every, func(t *testing.T, one, two, _ console) *http.Request {
			return one.deliver(t, "/wx/"+testAppID, "<ToUserName>"+two.originalID+"</ToUserName>", textTo(two.originalID, 1))
		}, http.StatusOK, message.Success, "misaddressed", testAppID},
		"recording": {every, func(t *testing.T, one, _, _ console) *http.Request {
			return with(one.push(t, "/wx", 1), "timestamp", "1700000000")
		}, http.StatusForbidden, "", "stale", ""},
		"too large": {every, func(t *testing.T, one, _, _ console) *http.Request {
			return one.deliver(t, "/wx", strings.Repeat("x", 1<<20+1), strings.Repeat("x", 1<<20+1))
		}, http.StatusRequestEntityTooLarge, "", "too_large", ""},
		"nonsense, not signed": {every, func(*testing.T, console, console, console) *http.Request {
			now := strconv.FormatInt(time.Now().Unix(), 10)
			return httptest.NewRequest(http.MethodPost, "/wx?timestamp="+now+"&signature=0", strings.NewReader("nonsense"))
		}, http.StatusForbidden, "", "bad_signature", ""},
		"verification of the first account": {every, func(_ *testing.T, one, _, _ console) *http.Request {
			return one.verification("/wx")
		}, http.StatusOK, "echo", "verified", testAppID},
		"verification of the second account": {every, func(_ *testing.T, _, two, _ console) *http.Request {
			return two.verification("/wx")
		}, http.StatusOK, "echo", "verified", "wx2"},
		"verification of an unknown account": {every, func(_ *testing.T, _, _, unknown console) *http.Request {
			return unknown.verification("/wx")
		}, http.StatusForbidden, "", "bad_signature", ""},
		"verification of another account by its URL": {every, func(_ *testing.T, _, two, _ console) *http.Request {
			return two.verification("/wx/" + testAppID)
		}, http.StatusForbidden, "", "bad_signature", testAppID},
		"push of a third-party platform to itself": {modes{safe}, func(t *testing.T, _, two, _ console) *http.Request {
			return two.deliver(t, "/wx", "<AppId>wx2</AppId>", textTo(two.originalID, 1))
		}, http.StatusOK, "reply", "replied", "wx2"},
		"signed, but nonsense": {modes{plain}, func(t *testing.T, _, two, _ console) *http.Request {
			return two.deliver(t, "/wx", "", "nonsense")
		}, http.StatusOK, message.Success, "unreadable", "wx2"},
		"sealed nonsense": {modes{safe}, func(t *testing.T, _, two, _ console) *http.Request {
			return two.deliver(t, "/wx", "<ToUserName>gh_2</ToUserName>", "nonsense")
		}, http.StatusOK, message.Success, "unreadable", "wx2"},
		"clear text in safe mode": {modes{safe}, func(t *testing.T, _, two, _ console) *http.Request {
			two.mode = plain
			return two.push(t, "/wx", 1)
		}, http.StatusForbidden, "", "plaintext", "wx2"},
		"compatible mode in the console before it is here": {modes{plain}, func(t *testing.T, _, two, _ console) *http.Request {
			two.mode = compatible
			return two.push(t, "/wx", 1)
		}, http.StatusOK, "reply", "replied", "wx2"},
		"an envelope that names one account around a push to another": {modes{safe}, func(t *testing.T, one, two, _ console) *http.Request {
			return one.deliver(t, "/wx", "<ToUserName>"+one.originalID+"</ToUserName>", textTo(two.originalID, 1))
		}, http.StatusOK, message.Success, "misaddressed", testAppID},
	}
	for name, tt := range tests {
		for _, mode := range tt.modes {
			t.Run(name+"/"+string(mode), func(t *testing.T) {
				t.Parallel()
				one, two, unknown := consoles(mode)
				r := newReplica(t, newAccountsFile(t, one, two).load(), dedupe.NewMemory(), &logic{reply: message.TextReply{Content: "reply"}})
				got := serve(r, tt.request(t, one, two, unknown))
				if strings.HasPrefix(got.body, "<xml>") {
					got.body = "reply"
				}
				if got.status != tt.status || got.body != tt.body {
					t.Errorf("got %d %q, want %d %q", got.status, got.body, tt.status, tt.body)
				}
				if n := r.count(t, "gateway_callbacks_total", tt.outcome, tt.appID); n != 1 {
					t.Errorf("outcome %s of account %q counted %v times; log:\n%s", tt.outcome, tt.appID, n, r.log.String())
				}
			})
		}
	}
}

// TestARefusalDoesNotTellWhichAccountsExist compares what a stranger sees.
func TestARefusalDoesNotTellWhichAccountsExist(t *testing.T) {
	t.Parallel()
	for _, mode := range []account.Encryption{account.EncryptionPlain, account.EncryptionCompatible, account.EncryptionSafe} {
		one, two, unknown := consoles(mode)
		r := newReplica(t, newAccountsFile(t, one, two).load(), dedupe.NewMemory(), &logic{})
		known := unknown
		known.appID, known.originalID = two.appID, two.originalID
		a, b := serve(r, known.push(t, "/wx", 1)), serve(r, unknown.push(t, "/wx", 1))
		if a.status != b.status || a.body != b.body || fmt.Sprint(a.header) != fmt.Sprint(b.header) {
			t.Errorf("%s: for a known account %+v, for an unknown one %+v", mode, a, b)
		}
	}
}

func TestAMisaddressedPushIsToldOnceAMinute(t *testing.T) {
	t.Parallel()
	one, two, _ := consoles(account.EncryptionPlain)
	r := newReplica(t, newAccountsFile(t, one, two).load(), dedupe.NewMemory(), &logic{})
	serve(r, with(one.push(t, "/wx", 1), "signature", "0")) // warned about apart.
	for id := range 50 {
		serve(r, one.deliver(t, "/wx/"+testAppID, "", textTo("gh_2", id+1)))
	}
	if n := strings.Count(r.log.String(), `"level":"WARN","msg":"push for another account`); n != 1 {
		t.Errorf("%d warnings for 50 pushes, want 1:\n%s", n, r.log.String())
	}
}

var errForeign = errors.New("198.51.100.9 is not an address that WeChat calls from")

func TestForeignCallersAreRefusedBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	one, two, _ := consoles(account.EncryptionPlain)
	d := newAccountsFile(t, one, two).load()
	var foreign error
	callers := func(*http.Request) error { return foreign }
	r := newReplicaOf(t, house{
		accounts: func() *accounts.Directory { return d }, callers: callers,
		store: dedupe.NewMemory(), late: late.NewMemory(), replier: &logic{reply: message.TextReply{Content: "reply"}}, proxy: &proxy{},
	})
	requests := func() []*http.Request {
		return []*http.Request{
			one.push(t, "/wx", 1), one.push(t, "/wx/"+testAppID, 2), two.verification("/wx"),
			httptest.NewRequest(http.MethodGet, "/wx", http.NoBody),
		}
	}
	for _, request := range requests() {
		if got := serve(r, request); got.status != http.StatusOK {
			t.Errorf("WeChat's own %s %s got %d", request.Method, request.URL.Path, got.status)
		}
	}
	foreign = errForeign
	elsewhere := httptest.NewRequest(http.MethodDelete, "/admin", http.NoBody)
	for _, request := range append(requests(), elsewhere) {
		if got := serve(r, request); got.status != http.StatusForbidden || got.body != "" {
			t.Errorf("%s %s got %d %q", request.Method, request.URL.Path, got.status, got.body)
		}
	}
	if n := r.count(t, "gateway_callbacks_total", "foreign_address"); n != 5 {
		t.Errorf("foreign_address counted %v times, want 5", n)
	}
	if !strings.Contains(r.log.String(), errForeign.Error()) {
		t.Errorf("the reason is not told: %s", r.log.String())
	}
}

// TestReloadUnderLoad changes accounts while requests for them and for others are in flight.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	const requests, rewrites = 1000, 50
	one, two, _ := consoles(account.EncryptionSafe)
	f := newAccountsFile(t, one, two)
	tel := telemetry.Discard()
	live, err := accounts.Open(f.path(), true, tel)
	if err != nil {
		t.Fatal(err)
	}
	r := newReplicaOf(t, house{
		accounts: live.Current,
		store:    dedupe.NewMemory(), late: late.NewMemory(), replier: &logic{reply: message.TextReply{Content: "reply"}}, proxy: &proxy{},
	})
	var work sync.WaitGroup
	const workers = 4
	for worker := range workers {
		work.Go(func() {
			for i := range requests / workers {
				path := []string{"/wx", "/wx/" + testAppID}[i%2]
				if got := serve(r, one.push(t, path, worker*requests+i+1)); got.status != http.StatusOK || !strings.HasPrefix(got.body, "<xml>") {
					t.Errorf("request %d of worker %d got %d %q", i, worker, got.status, got.body)
				}
			}
		})
	}
	for i := range rewrites {
		two.token = "token" + strconv.Itoa(i)
		switch i % 3 {
		case 0:
			f.write(one, two)
		case 1:
			f.write(one)
		case 2:
			f.secret("accounts.yaml", "accounts: [{app_id: ")
		}
		live.Look()
	}
	work.Wait()
	f.write(one, two)
	live.Look()
	if got := serve(r, two.push(t, "/wx", 1)); got.status != http.StatusOK {
		t.Errorf("after all, the second account gets %d", got.status)
	}
}

// TestAccountsComeChangeAndGo goes through the life of an account, one change of the files after the other.
func TestAccountsComeChangeAndGo(t *testing.T) {
	t.Parallel()
	one, two, _ := consoles(account.EncryptionSafe)
	f := newAccountsFile(t, one)
	live, err := accounts.Open(f.path(), true, telemetry.Discard())
	if err != nil {
		t.Fatal(err)
	}
	r := newReplicaOf(t, house{
		accounts: live.Current,
		store:    dedupe.NewMemory(), late: late.NewMemory(), replier: &logic{reply: message.TextReply{Content: "reply"}}, proxy: &proxy{},
	})
	rotated := two
	rotated.token, rotated.key = "newToken", "0123456789ABCDEFGabcdefghijklmnopqrstuvwxyz"
	id := 0
	status := func(c console, path string) int {
		id++
		return serve(r, c.push(t, path, id)).status
	}
	const ok, forbidden, gone = http.StatusOK, http.StatusForbidden, http.StatusNotFound
	steps := []struct {
		name        string
		change      func()
		own, shared int // the second account by its own URL and by the shared one
		rotated     int // with the new secrets
	}{
		{"before it is there", func() {}, gone, forbidden, gone},
		{"added", func() { f.write(one, two) }, ok, ok, forbidden},
		{"the secret files alone are rotated, the old ones are kept", func() {
			f.write(one, rotated)
			f.secret("accounts.yaml", strings.Replace(mustRead(t, f.path()), "app_id: wx2,", fmt.Sprintf(
				"app_id: wx2, previous_callback_token_file: %q, previous_encoding_aes_key_file: %q,",
				f.secret("old.token", two.token), f.secret("old.key", two.key)), 1))
		}, ok, ok, ok},
		{"the old ones go", func() { f.write(one, rotated) }, forbidden, forbidden, ok},
		{"a wrong file changes nothing", func() { f.secret("accounts.yaml", "accounts: []") }, forbidden, forbidden, ok},
		{"removed", func() { f.write(one) }, gone, forbidden, gone},
	}
	for _, step := range steps {
		step.change()
		live.Look()
		if one := status(one, "/wx"); one != ok {
			t.Errorf("%s: the other account gets %d", step.name, one)
		}
		own, shared, rotated := status(two, "/wx/wx2"), status(two, "/wx"), status(rotated, "/wx/wx2")
		if own != step.own || shared != step.shared || rotated != step.rotated {
			t.Errorf("%s: own URL %d, want %d; shared URL %d, want %d; new secrets %d, want %d",
				step.name, own, step.own, shared, step.shared, rotated, step.rotated)
		}
	}
}

func mustRead(tb testing.TB, path string) string {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}
