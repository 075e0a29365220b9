package accounts_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/services/gateway/internal/accounts"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
	"github.com/wxstack/wxstack/wechat/signature"
)

const (
	oldKey = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	newKey = "k7Qw2ZrT9xLbN4vYh1JcS8mPdE6uGfA3oKiR5tXyW0B"
)

// load writes the files, in whose contents $DIR stands for their folder, and loads accounts.yaml.
func load(t *testing.T, production bool, files map[string]string) (*accounts.Directory, error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "etc")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		content = strings.ReplaceAll(content, "$DIR", dir)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return accounts.Load(filepath.Join(dir, "accounts.yaml"), production)
}

const rotating = `
accounts:
  - app_id: wx1
    original_id: gh_1
    encryption: safe
    callback_token_file: "$DIR/token"
    previous_callback_token_file: "$DIR/token.old"
    encoding_aes_key_file: "$DIR/key"
    previous_encoding_aes_key_file: "$DIR/key.old"
`

func TestARotationAcceptsOldAndNew(t *testing.T) {
	t.Parallel()
	d, err := load(t, true, map[string]string{
		"accounts.yaml": rotating, "token": "new\n", "token.old": "old", "key": newKey + "\n", "key.old": oldKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	a, ok := d.Only()
	if found, alike := d.Find("wx1"); !ok || !alike || found != a {
		t.Fatal("the only account is not found")
	}
	for token, want := range map[string]bool{"new": true, "old": true, "other": false} {
		if got := a.Verify(signature.Sign(token, "1", "2"), "1", "2"); got != want {
			t.Errorf("Verify under Token %s = %v", token, got)
		}
		for _, key := range []string{oldKey, newKey} {
			sender, err := msgcrypt.New("wx1", token, key)
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := sender.Seal([]byte("hello"), "1", "2")
			if err != nil {
				t.Fatal(err)
			}
			plaintext, cipher, err := a.Open(sealed.MsgSignature, "1", "2", sealed.Encrypt)
			if !want {
				if !errors.Is(err, msgcrypt.ErrSignature) {
					t.Errorf("Open under Token %s: %v", token, err)
				}
				continue
			}
			if err != nil || string(plaintext) != "hello" {
				t.Fatalf("Open under Token %s, key %.3s…: %q, %v", token, key, plaintext, err)
			}
			reply, err := cipher.Seal([]byte("reply"), "3", "4")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sender.Open(reply.MsgSignature, "3", "4", reply.Encrypt); err != nil {
				t.Errorf("the sender can't open the reply: %v", err)
			}
		}
	}
}

func TestAnotherKeyIsNotASignatureFailure(t *testing.T) {
	t.Parallel()
	d, err := load(t, true, map[string]string{
		"accounts.yaml": rotating, "token": "new", "token.old": "old", "key": newKey, "key.old": newKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := d.Only()
	for _, token := range []string{"new", "old"} {
		sender, err := msgcrypt.New("wx1", token, oldKey)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := sender.Seal([]byte("hello"), "1", "2")
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = a.Open(sealed.MsgSignature, "1", "2", sealed.Encrypt)
		if err == nil || errors.Is(err, msgcrypt.ErrSignature) {
			t.Errorf("Token %s: error %v", token, err)
		}
	}
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	const plain = "accounts: [{app_id: wx1, original_id: gh_1, encryption: plain, callback_token_file: \"$DIR/token\"}]"
	tests := map[string]struct {
		files      map[string]string
		production bool
		want       string
	}{
		"good":        {map[string]string{"accounts.yaml": plain, "token": "x"}, true, ""},
		"no file":     {nil, false, "no such file"},
		"unknown key": {map[string]string{"accounts.yaml": "acounts: []"}, false, "unknown field"},
		"no account":  {map[string]string{"accounts.yaml": "accounts: []"}, false, "at least one account"},
		"no token":    {map[string]string{"accounts.yaml": plain}, false, "account wx1: callback_token_file"},
		"token not set": {map[string]string{
			"accounts.yaml": "accounts: [{app_id: wx1, original_id: gh_1, encryption: plain}]",
		}, false, "callback_token_file: not set"},
		"no key": {map[string]string{
			"accounts.yaml": strings.Replace(plain, "plain", "safe", 1), "token": "x",
		}, false, "encoding_aes_key_file: not set"},
		"short key": {map[string]string{
			"accounts.yaml": rotating, "token": "x", "token.old": "y", "key": "short", "key.old": oldKey,
		}, false, "copy the 43"},
		"development token in production": {map[string]string{
			"accounts.yaml": plain, "token": account.DevelopmentCallbackToken,
		}, true, "development Token"},
		"development account in production": {map[string]string{
			"accounts.yaml": strings.Replace(plain, "wx1", account.DevelopmentAppID, 1), "token": "x",
		}, true, "development account"},
		"development account elsewhere": {map[string]string{
			"accounts.yaml": strings.Replace(plain, "wx1", account.DevelopmentAppID, 1), "token": "x",
		}, false, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, tt.production, tt.files)
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), "WX_ACCOUNTS_FILE") {
				t.Errorf("error %q does not name the setting", err)
			}
		})
	}
}

func TestWithoutAFileTheSettingIsNamed(t *testing.T) {
	t.Parallel()
	if _, err := accounts.Load("", false); err == nil || !strings.Contains(err.Error(), "WX_ACCOUNTS_FILE") {
		t.Errorf("error = %v", err)
	}
}

// TestOtherKindsOfAccounts: a platform (第三方平台) has no original id, and WeChat Work's callbacks are another protocol.
func TestOtherKindsOfAccounts(t *testing.T) {
	t.Parallel()
	d, err := load(t, true, map[string]string{
		"accounts.yaml": `
accounts:
  - {app_id: ww1, kind: work}
  - {app_id: wxp, kind: platform, callback_token_file: "$DIR/token", encoding_aes_key_file: "$DIR/key"}
`, "token": "t", "key": newKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	platform, ok := d.Only()
	if !ok || platform.AppID != "wxp" {
		t.Fatalf("serves %v", d.AppIDs())
	}
	if a, ok := d.FindByAddress("wxp"); !ok || a != platform {
		t.Error("the platform is not found by its AppID")
	}
	if _, ok := d.FindByAddress(""); ok {
		t.Error("a push without an address finds an account")
	}
}

func TestWhoMaySendCustomerServiceMessages(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]bool{
		"kind: service":      true,
		"kind: subscription": false,
		"kind: subscription, late_answer: {policy: customer_service}": true,
		"kind: mini_program": false,
	} {
		d, err := load(t, true, map[string]string{
			"accounts.yaml": "accounts: [{app_id: wx1, original_id: gh_1, encryption: plain, " + kind + `, callback_token_file: "$DIR/token"}]`, "token": "t",
		})
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		a, ok := d.Only()
		if !ok || a.SendsCustomerService() != want {
			t.Errorf("%s: %v, want %v", kind, !want, want)
		}
	}
}

// TestAnAuthorizersPushesAreSealedForItsPlatform: the AppID at the end of the plaintext is the platform's, also
// in messages to an authorizer (第三方平台, 消息加解密说明).
func TestAnAuthorizersPushesAreSealedForItsPlatform(t *testing.T) {
	t.Parallel()
	d, err := load(t, true, map[string]string{
		"accounts.yaml": `
accounts:
  - {app_id: wxp, kind: platform, callback_token_file: "$DIR/token", encoding_aes_key_file: "$DIR/key"}
  - {app_id: wxa, original_id: gh_a, platform: wxp, callback_token_file: "$DIR/token", encoding_aes_key_file: "$DIR/key"}
`, "token": "t", "key": newKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	authorizer, ok := d.Find("wxa")
	if !ok {
		t.Fatal("the authorizer is not served")
	}
	for appID, want := range map[string]bool{"wxp": true, "wxa": false} {
		cipher, err := msgcrypt.New(appID, "t", newKey)
		if err != nil {
			t.Fatal(err)
		}
		envelope, err := cipher.Seal([]byte("x"), "1", "2")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := authorizer.Open(envelope.MsgSignature, "1", "2", envelope.Encrypt); (err == nil) != want {
			t.Errorf("sealed for %s: %v", appID, err)
		}
	}
}
