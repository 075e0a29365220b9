package interop

import (
	"errors"
	"strings"
	"testing"

	silenceper "github.com/silenceper/wechat/v2/util"

	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
	"github.com/wxstack/wxstack/wechat/signature"
)

// texts are what is encrypted: every length of padding, and the characters that followers write.
func texts() map[string]string {
	all := map[string]string{
		"a message":        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Content><![CDATA[你好]]></Content></xml>",
		"Chinese":          strings.Repeat("欢迎开启公众号开发者模式", 20),
		"emoji":            "👨‍👩‍👧‍👦🇨🇳 e\u0301 \u200b",
		"one byte":         "x",
		"the longest text": strings.Repeat("字", 2048/3),
		"very long":        strings.Repeat("0123456789abcdef", 1<<16),
		"bytes":            "\x00\xff\xfe",
	}
	for length := range 33 {
		all["padding after "+strings.Repeat("x", length)] = strings.Repeat("p", 40+length)
	}
	return all
}

// keys are EncodingAESKeys. Their 43 characters hold two bits more than a key has; the last four are the
// same key with each value of these bits.
func keys() []string {
	stem := account.DevelopmentEncodingAESKey[:42]
	return []string{strings.Repeat("A", 43), strings.Repeat("+/", 21) + "8", stem + "E", stem + "F", stem + "G", stem + "H"}
}

const (
	appID = account.DevelopmentAppID
	token = account.DevelopmentCallbackToken
)

func newCipher(t *testing.T, key string) *msgcrypt.Cipher {
	t.Helper()
	cipher, err := msgcrypt.New(appID, token, key)
	if err != nil {
		t.Fatal(err)
	}
	return cipher
}

func TestTheyOpenWhatWeSeal(t *testing.T) {
	t.Parallel()
	for _, key := range keys() {
		cipher := newCipher(t, key)
		for name, text := range texts() {
			sealed, err := cipher.Seal([]byte(text), "1700000000", "42")
			if err != nil {
				t.Fatal(err)
			}
			_, opened, err := silenceper.DecryptMsg(appID, sealed.Encrypt, key)
			if err != nil || string(opened) != text {
				t.Errorf("key %s, %s: opened to %.80q, %v", key, name, opened, err)
			}
			if want := silenceper.Signature(token, "1700000000", "42", sealed.Encrypt); sealed.MsgSignature != want {
				t.Errorf("key %s, %s: msg_signature %s, theirs is %s", key, name, sealed.MsgSignature, want)
			}
		}
	}
}

func TestWeOpenWhatTheySeal(t *testing.T) {
	t.Parallel()
	for _, key := range keys() {
		cipher := newCipher(t, key)
		for name, text := range texts() {
			encrypted, err := silenceper.EncryptMsg([]byte("0123456789abcdef"), []byte(text), appID, key)
			if err != nil {
				t.Fatal(err)
			}
			sign := silenceper.Signature(token, "1700000000", "42", string(encrypted))
			opened, err := cipher.Open(sign, "1700000000", "42", string(encrypted))
			if err != nil || string(opened) != text {
				t.Errorf("key %s, %s: opened to %.80q, %v", key, name, opened, err)
			}
		}
	}
}

// The two surplus bits of a key say nothing: what one key sealed its look-alikes open.
func TestSurplusBitsOfAKeyAreIgnoredByBoth(t *testing.T) {
	t.Parallel()
	alike := keys()[2:]
	for i, key := range alike {
		other := alike[(i+1)%len(alike)]
		sealed, err := newCipher(t, key).Seal([]byte("你好"), "1", "2")
		if err != nil {
			t.Fatal(err)
		}
		if _, opened, err := silenceper.DecryptMsg(appID, sealed.Encrypt, other); err != nil || string(opened) != "你好" {
			t.Errorf("sealed with %s, opened by them with %s: %q, %v", key, other, opened, err)
		}
		if opened, err := newCipher(t, other).Open(sealed.MsgSignature, "1", "2", sealed.Encrypt); err != nil || string(opened) != "你好" {
			t.Errorf("sealed with %s, opened by us with %s: %q, %v", key, other, opened, err)
		}
	}
}

func TestBothRefuseAnotherAccount(t *testing.T) {
	t.Parallel()
	key := account.DevelopmentEncodingAESKey
	foreign, err := silenceper.EncryptMsg([]byte("0123456789abcdef"), []byte("x"), "wx0000000000000000", key)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := silenceper.DecryptMsg(appID, string(foreign), key); err == nil {
		t.Error("they opened it")
	}
	sign := silenceper.Signature(token, "1", "2", string(foreign))
	if _, err := newCipher(t, key).Open(sign, "1", "2", string(foreign)); !errors.Is(err, msgcrypt.ErrAppIDMismatch) {
		t.Errorf("error %v, want %v", err, msgcrypt.ErrAppIDMismatch)
	}
}

func TestSignaturesAreEqual(t *testing.T) {
	t.Parallel()
	for _, parts := range [][]string{
		{token, "1700000000", "42"}, {token, "", ""}, {"b", "B", "a", "A"}, {"10", "9", "1"}, {"令牌", "1", "é"}, {token, "1", "2", strings.Repeat("Zz+/=", 5000)},
	} {
		ours := signature.Sign(parts...)
		if theirs := silenceper.Signature(parts...); ours != theirs {
			t.Errorf("signature of %.80q: %s, theirs is %s", parts, ours, theirs)
		}
	}
}
