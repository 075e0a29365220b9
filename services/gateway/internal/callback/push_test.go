package callback

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/services/gateway/internal/accounts"
)

// FuzzCredentials throws queries at the door of accounts whose Tokens the sender doesn't know. None may get in,
// whatever is sent beside it, and what is refused has to say so to a human and to a counter.
func FuzzCredentials(f *testing.F) {
	now := time.Unix(1700000001, 0)
	for _, query := range []string{
		"signature=0&timestamp=1700000001&nonce=1",
		"signature=0&msg_signature=0&timestamp=1700000001&nonce=1&encrypt_type=aes",
		"encrypt_type=raw&timestamp=-9223372036854775808",
		"timestamp=9223372036854775807&signature=%00&nonce=%ff",
		"timestamp=1700000001&timestamp=1&signature=&signature=da39a3ee5e6b4b0d3255bfef95601890afd80709",
		"%zz=;&&=",
	} {
		f.Add(query, []byte("<xml><ToUserName>gh_1</ToUserName><Encrypt>AAAA</Encrypt></xml>"))
	}
	f.Add("timestamp=1700000001", []byte("<xml><ToUserName>gh_2</ToUserName><FromUserName>o</FromUserName><MsgType>text</MsgType></xml>"))
	d := threeModes(f)
	f.Fuzz(func(t *testing.T, rawQuery string, body []byte) {
		c := credentialsOf(rawQuery)
		var refused *refusal
		addressee, err := c.addressee(d, body)
		if err != nil && (!errors.As(err, &refused) || refused.status != http.StatusForbidden) {
			t.Errorf("addressee: %v", err)
		}
		if (addressee == nil) != (err != nil) {
			t.Errorf("account %v with error %v", addressee, err)
		}
		for _, appID := range d.AppIDs() {
			a, _ := d.Find(appID)
			err := c.admit(a, now, time.Minute)
			if err == nil && !c.sealed(a) {
				t.Errorf("%s admits %q, which nobody signed", appID, rawQuery)
			}
			if err == nil {
				if timestamp, err := strconv.ParseInt(c.timestamp, 10, 64); err != nil || timestamp < now.Unix()-60 || timestamp > now.Unix()+60 {
					t.Errorf("%s admits the time %q", appID, c.timestamp)
				}
				if _, _, err = c.open(a, body); err == nil {
					t.Errorf("%s opens %q, which nobody sealed", appID, body)
				}
			}
			if err != nil && (!errors.As(err, &refused) || refused.status != http.StatusForbidden || refused.reason == "") {
				t.Errorf("%s: %v is no refusal", appID, err)
			}
		}
	})
}

// threeModes are accounts in each mode, wx1 to wx3, gh_1 to gh_3.
func threeModes(tb testing.TB) *accounts.Directory {
	tb.Helper()
	dir := tb.TempDir()
	var file strings.Builder
	file.WriteString("accounts:\n")
	for i, mode := range []string{"plain", "compatible", "safe"} {
		n := strconv.Itoa(i + 1)
		file.WriteString("  - {app_id: wx" + n + ", original_id: gh_" + n + ", encryption: " + mode +
			", callback_token_file: " + filepath.Join(dir, "token") + ", encoding_aes_key_file: " + filepath.Join(dir, "key") + "}\n")
	}
	for name, content := range map[string]string{
		"token": "nobodyKnows", "key": "k7Qw2ZrT9xLbN4vYh1JcS8mPdE6uGfA3oKiR5tXyW0B", "accounts.yaml": file.String(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	d, err := accounts.Load(filepath.Join(dir, "accounts.yaml"), true)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}
