package msgcrypt

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/wechat/signature"
)

// The credentials of the vectors. They are public: the first two stand in the
// platform's own documentation and sample code.
const (
	zeroKey   = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	sampleKey = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	ownKey    = "k7Qw2ZrT9xLbN4vYh1JcS8mPdE6uGfA3oKiR5tXyW0B"

	ownToken = "myToken123"
	ownAppID = "wx0123456789abcdef"
)

// vector is one published or own example, usable in both directions.
type vector struct {
	appID, token, key string
	random            string
	plain             string
	sealed            Envelope
}

// vectors returns examples A to E: Tencent's worked example in both directions,
// its sample code, a third-party platform, multi-byte text with an encrypted
// reply, and padding of a whole block.
func vectors(t testing.TB) map[string]vector {
	t.Helper()

	return map[string]vector{
		"A push": {
			appID: "wxba5fad812f8e6fb9", token: "AAAAA", key: zeroKey, random: "a8eedb185eb2fecf",
			plain: `{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}`,
			sealed: Envelope{
				Encrypt:      "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=",
				MsgSignature: "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
				TimeStamp:    "1714112445", Nonce: "415670741",
			},
		},
		"A reply": {
			appID: "wxba5fad812f8e6fb9", token: "AAAAA", key: zeroKey, random: "707722b803182950",
			plain: `{"demo_resp":"good luck"}`,
			sealed: Envelope{
				Encrypt:      "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==",
				MsgSignature: "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1",
				TimeStamp:    "1713424427", Nonce: "415670741",
			},
		},
		"B": {
			appID: "wx2c2769f8efd9abc2", token: "spamtest", key: sampleKey, random: "78b55f1d91440c6b",
			plain: vectorBPlain,
			sealed: Envelope{
				Encrypt:      "mfBCs65c67CeJw22u4VT2TD73q5H06+ocrAIxswCaeZ/d/Lw0msSZFHY0teqgSYiI1zR2gD2DKrB3TIrmX/liNSDrGqS8jSI/WPeKB5VPr7Ezr7gomZAyGCwJSgT1TRFWPfONGJMxuj2nk4faTuspAuVIFQ6SHwZuJBZC7mcJp7Cgr9cUhATQWDbOPaE7ukZBTV2YqyzH+UI2AK+J1S47cE79k1RX8t0hcTz/O0hlK8DGXKnvYv88qKQcI7z4iaajqHfRVZKBNyOODabs+It+ZfM3dWTeFcPgDbGtIEnpt/EDtuuA/zMvtkaKdHdswPnVZQ+xdwbYr3ldGvfT8HlEYEgkgKaThxTFobVlwzu2ZkXCjicbP3xdr15Iq48ObgzPpqYuZ3IEoyggZDKClquk0u0orMck4GTF/XyE8yGzc4=",
				MsgSignature: "003fee52ecc56afb46c00b5c7721be87860ce785",
				TimeStamp:    "1410349438", Nonce: "298025754",
			},
		},
		"C third-party platform": {
			appID: "wx134c8103faa5a59e", token: "AAAAA", key: zeroKey, random: "1205899eaf019bbd",
			plain: vectorCPlain,
			sealed: Envelope{
				Encrypt:      encrypted(t, "envelope.third_party_message.xml"),
				MsgSignature: "6c12a4205838198b8fa631b3220723bb07f1015c",
				TimeStamp:    "1715943329", Nonce: "1590219412",
			},
		},
		"D push": {
			appID: ownAppID, token: ownToken, key: ownKey, random: "0123456789abcdef",
			plain: `<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oABCDEFGHIJKLMNOPQRSTUVWXYZ0]]></FromUserName><CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好]]></Content><MsgId>24300000000000001</MsgId></xml>`,
			sealed: Envelope{
				Encrypt:      encrypted(t, "envelope.safe.xml"),
				MsgSignature: "a7580f977538ce032fa13e774c5ad169e4fdec7d",
				TimeStamp:    "1700000001", Nonce: "1320562132",
			},
		},
		"D reply": {
			appID: ownAppID, token: ownToken, key: ownKey, random: "fedcba9876543210",
			plain: `<xml><ToUserName><![CDATA[oABCDEFGHIJKLMNOPQRSTUVWXYZ0]]></ToUserName><FromUserName><![CDATA[gh_0123456789ab]]></FromUserName><CreateTime>1700000001</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[test]]></Content></xml>`,
			sealed: Envelope{
				Encrypt:      encrypted(t, "reply.encrypted.xml"),
				MsgSignature: "97614fa04f5e653dee4cd9636d09fc34f09a1140",
				TimeStamp:    "1700000001", Nonce: "1320562132",
			},
		},
		"E padding of a whole block": {
			appID: ownAppID, token: ownToken, key: ownKey, random: "abcdef0123456789",
			plain: strings.Repeat("x", 26),
			sealed: Envelope{
				Encrypt:      "PTWTM5aGxENXmRgKXjEBTp1NTvoX60nsTbTW60q5/ExUFkNKTqSUYZJH8dtKdvdFBUV10KDZO6DBnTzUTeahOJFBYUo7EfKPawtq0ebkr4M5qRsqztPMQH5hlSkQDB27",
				MsgSignature: "59cd537d9b9fea40520a0524f7da01352a03dde6",
				TimeStamp:    "1700000002", Nonce: "99",
			},
		},
	}
}

const vectorBPlain = `<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName>
<FromUserName><![CDATA[oyORnuP8q7ou2gfYjqLzSIWZf0rs]]></FromUserName>
<CreateTime>1410349438</CreateTime>
<MsgType><![CDATA[text]]></MsgType>
<Content><![CDATA[abcdteT]]></Content>
<MsgId>6057404712141979648</MsgId>
</xml>`

const vectorCPlain = `<xml><ToUserName><![CDATA[gh_97417a04a28d]]></ToUserName>
<FromUserName><![CDATA[o9AgO5Kd5ggOC-bXrbNODIiE3bGY]]></FromUserName>
<CreateTime>1715943329</CreateTime>
<MsgType><![CDATA[event]]></MsgType>
<Event><![CDATA[debug_demo]]></Event>
<debug_str><![CDATA[hello world]]></debug_str>
</xml>`

// encrypted returns the Encrypt element of a sample document.
func encrypted(t testing.TB, file string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Children []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(body, &document); err != nil {
		t.Fatal(err)
	}
	for _, child := range document.Children {
		if child.XMLName.Local == "Encrypt" {
			return child.Text
		}
	}
	t.Fatalf("%s has no Encrypt", file)

	return ""
}

// newCipher returns a Cipher or ends the test.
func newCipher(t testing.TB, appID, token, key string) *Cipher {
	t.Helper()
	c, err := New(appID, token, key)
	if err != nil {
		t.Fatal(err)
	}

	return c
}

func TestVectors(t *testing.T) {
	t.Parallel()

	for name, v := range vectors(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCipher(t, v.appID, v.token, v.key)

			plain, err := c.Open(v.sealed.MsgSignature, v.sealed.TimeStamp, v.sealed.Nonce, v.sealed.Encrypt)
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			if diff := cmp.Diff(v.plain, string(plain)); diff != "" {
				t.Errorf("Open (-want +got):\n%s", diff)
			}

			sealed, err := c.seal([randomLength]byte([]byte(v.random)), []byte(v.plain), v.sealed.TimeStamp, v.sealed.Nonce)
			if err != nil {
				t.Fatalf("seal: %v", err)
			}
			if diff := cmp.Diff(v.sealed, sealed); diff != "" {
				t.Errorf("seal (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOpenComponentTicket opens the push of a third-party platform to itself,
// for which only the sealed direction is published.
func TestOpenComponentTicket(t *testing.T) {
	t.Parallel()

	c := newCipher(t, "wxcomponent0000001", ownToken, ownKey)
	plain, err := c.Open("9b50c80cbaedc728fe796a8fbd4288b444b52ac8", "1413192605", "1597212914",
		encrypted(t, "envelope.third_party_self.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(plain) != 222 || !strings.Contains(string(plain), "component_verify_ticket") {
		t.Errorf("opened %d bytes, want the component_verify_ticket document of 222", len(plain))
	}
}

// TestSealOpens seals every length around two padding blocks, so that every pad
// from 1 to 32 occurs.
func TestSealOpens(t *testing.T) {
	t.Parallel()

	c := newCipher(t, ownAppID, ownToken, ownKey)
	for length := range 2*paddingBlock + 1 {
		plain := strings.Repeat("y", length)
		sealed, err := c.Seal([]byte(plain), "1700000000", "42")
		if err != nil {
			t.Fatal(err)
		}
		if raw, _ := base64.StdEncoding.DecodeString(sealed.Encrypt); len(raw)%paddingBlock != 0 {
			t.Errorf("length %d: cipher text of %d bytes is not padded to %d", length, len(raw), paddingBlock)
		}
		got, err := c.Open(sealed.MsgSignature, sealed.TimeStamp, sealed.Nonce, sealed.Encrypt)
		if err != nil || string(got) != plain {
			t.Errorf("length %d: Open = %q, %v", length, got, err)
		}
	}
}

func TestSealUsesFreshRandom(t *testing.T) {
	t.Parallel()

	c := newCipher(t, ownAppID, ownToken, ownKey)
	first, errFirst := c.Seal([]byte("same"), "1", "2")
	second, errSecond := c.Seal([]byte("same"), "1", "2")
	if err := errors.Join(errFirst, errSecond); err != nil {
		t.Fatal(err)
	}
	if first.Encrypt == second.Encrypt {
		t.Error("two seals of one message are equal: the random prefix is not random")
	}
}

func TestNewRefusesKeys(t *testing.T) {
	t.Parallel()

	tests := map[string]string{
		"empty":             "",
		"one too short":     ownKey[1:],
		"with padding":      ownKey + "=",
		"trailing newline":  ownKey + "\n",
		"foreign character": ownKey[:42] + "*",
		"line break inside": ownKey[:41] + "\nA",
		"url alphabet":      "_" + ownKey[1:],
	}
	for name, key := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(ownAppID, ownToken, key)
			if !errors.Is(err, ErrKey) {
				t.Fatalf("New with key %q: error %v, want ErrKey", key, err)
			}
			wantCode(t, err, CodeIllegalAESKey)
			if key != "" && strings.Contains(err.Error(), key) {
				t.Errorf("the error reveals the key: %v", err)
			}
		})
	}
}

// wantCode fails unless the error has a code of the official library and its text
// has both number and name.
func wantCode(t *testing.T, err error, want Code) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != want {
		t.Fatalf("error %v, want code %d", err, want)
	}
	if !strings.HasSuffix(err.Error(), fmt.Sprintf("(official code %d %v)", int(want), want)) {
		t.Errorf("error %v does not say its code", err)
	}
}

// TestCodes holds the names of the official library.
func TestCodes(t *testing.T) {
	t.Parallel()

	names := []string{
		"ValidateSignature_Error", "ParseXml_Error", "ComputeSignature_Error", "IllegalAesKey", "ValidateAppid_Error",
		"EncryptAES_Error", "DecryptAES_Error", "IllegalBuffer", "EncodeBase64_Error", "DecodeBase64_Error", "GenReturnXml_Error",
	}
	for i, want := range names {
		if got := Code(-40001 - i).String(); got != want {
			t.Errorf("%d is %q, want %q", -40001-i, got, want)
		}
	}
	if got := Code(0).String() + Code(-40012).String(); got != "" {
		t.Errorf("codes that the library does not have are called %q", got)
	}
}

// encrypt encrypts blocks without framing or padding, to forge what only a
// holder of the key could send.
func encrypt(t testing.TB, c *Cipher, blocks []byte) string {
	t.Helper()
	if len(blocks)%aes.BlockSize != 0 {
		t.Fatalf("%d bytes are not whole blocks", len(blocks))
	}
	out := make([]byte, len(blocks))
	cipher.NewCBCEncrypter(c.block, c.iv).CryptBlocks(out, blocks)

	return base64.StdEncoding.EncodeToString(out)
}

// frame builds plain text with any announced length and any tail.
func frame(announced uint32, message, tail string) []byte {
	plain := binary.BigEndian.AppendUint32([]byte("0123456789abcdef"), announced)

	return append(append(plain, message...), tail...)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()

	c := newCipher(t, ownAppID, ownToken, ownKey)
	block := func(last ...byte) []byte {
		return append(make([]byte, paddingBlock-len(last)), last...)
	}
	tests := map[string]struct {
		encrypted string
		want      error
		code      Code
	}{
		"empty":                   {"", ErrMalformed, CodeDecryptAES},
		"not base64":              {"!!!!", ErrMalformed, CodeDecodeBase64},
		"base64 with line breaks": {"AAAAAAAAAAAAAAAA\nAAAAAA==", ErrMalformed, CodeDecodeBase64},
		"half a block":            {base64.StdEncoding.EncodeToString(make([]byte, 24)), ErrMalformed, CodeDecryptAES},
		"pad of zero":             {encrypt(t, c, block(0)), ErrMalformed, CodeIllegalBuffer},
		"pad over a block":        {encrypt(t, c, block(33)), ErrMalformed, CodeIllegalBuffer},
		"pad longer than text":    {encrypt(t, c, block(32)[16:]), ErrMalformed, CodeIllegalBuffer},
		"uneven pad":              {encrypt(t, c, block(1, 3)), ErrMalformed, CodeIllegalBuffer},
		"only padding":            {encrypt(t, c, pad(nil)), ErrMalformed, CodeIllegalBuffer},
		"shorter than header":     {encrypt(t, c, pad(make([]byte, headerLength-1))), ErrMalformed, CodeIllegalBuffer},
		"length past the end":     {encrypt(t, c, pad(frame(27, "short", ownAppID))), ErrMalformed, CodeIllegalBuffer},
		"greatest length":         {encrypt(t, c, pad(frame(1<<32-1, "short", ownAppID))), ErrMalformed, CodeIllegalBuffer},
		"length eats the tail":    {encrypt(t, c, pad(frame(6, "short", ownAppID))), ErrAppIDMismatch, CodeValidateAppID},
		"other tail":              {encrypt(t, c, pad(frame(5, "short", "wxother"))), ErrAppIDMismatch, CodeValidateAppID},
		"no tail":                 {encrypt(t, c, pad(frame(5, "short", ""))), ErrAppIDMismatch, CodeValidateAppID},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signed := signature.Sign(ownToken, "1", "2", test.encrypted)
			plain, err := c.Open(signed, "1", "2", test.encrypted)
			if !errors.Is(err, test.want) || plain != nil {
				t.Errorf("Open = %q, %v, want error %v", plain, err, test.want)
			}
			wantCode(t, err, test.code)
		})
	}
}

func TestOpenRefusesForgery(t *testing.T) {
	t.Parallel()

	v := vectors(t)["D push"]
	c := newCipher(t, v.appID, v.token, v.key)
	tests := map[string]func(*Envelope){
		"no signature":      func(e *Envelope) { e.MsgSignature = "" },
		"request signature": func(e *Envelope) { e.MsgSignature = "a37f700bea82e4e09a6ca5b9db68ffb0da46be28" },
		"other time":        func(e *Envelope) { e.TimeStamp = "1700000002" },
		"other nonce":       func(e *Envelope) { e.Nonce = "1" },
		"altered text":      func(e *Envelope) { e.Encrypt = "A" + e.Encrypt[1:] },
	}
	for name, alter := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := v.sealed
			alter(&e)
			_, err := c.Open(e.MsgSignature, e.TimeStamp, e.Nonce, e.Encrypt)
			if !errors.Is(err, ErrSignature) {
				t.Errorf("Open: error %v, want ErrSignature", err)
			}
			wantCode(t, err, CodeValidateSignature)
		})
	}
}

// TestOpenWithFormerKey shows what a caller sees during a key rotation: the
// signature is right, because it does not depend on the key, yet the text makes
// no sense.
func TestOpenWithFormerKey(t *testing.T) {
	t.Parallel()

	v := vectors(t)["D push"]
	c := newCipher(t, v.appID, v.token, sampleKey)
	_, err := c.Open(v.sealed.MsgSignature, v.sealed.TimeStamp, v.sealed.Nonce, v.sealed.Encrypt)
	if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrAppIDMismatch) {
		t.Errorf("Open under another key: error %v, want ErrMalformed or ErrAppIDMismatch", err)
	}
}

// TestOpenAcceptsSmallBlocks pads to 16 bytes, as a sender with an ordinary
// PKCS#7 does.
func TestOpenAcceptsSmallBlocks(t *testing.T) {
	t.Parallel()

	c := newCipher(t, ownAppID, ownToken, ownKey)
	plain := frame(5, "hello", ownAppID) // 43 bytes: 5 to 48, which 32 does not divide
	for range 5 {
		plain = append(plain, 5)
	}
	encrypted := encrypt(t, c, plain)
	got, err := c.Open(signature.Sign(ownToken, "1", "2", encrypted), "1", "2", encrypted)
	if err != nil || string(got) != "hello" {
		t.Errorf("Open = %q, %v, want hello", got, err)
	}
}

// FuzzOpen opens hostile cipher text under a valid signature, the strongest
// position an attacker without the key can have; what opens must seal again.
func FuzzOpen(f *testing.F) {
	for _, v := range vectors(f) {
		raw, err := base64.StdEncoding.DecodeString(v.sealed.Encrypt)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, true)
		f.Add([]byte(v.plain), false)
	}
	f.Add(pad(frame(1<<32-1, "short", ownAppID)), false)
	c := newCipher(f, ownAppID, ownToken, ownKey)
	f.Fuzz(func(t *testing.T, data []byte, isCipherText bool) {
		encrypted := base64.StdEncoding.EncodeToString(data)
		if !isCipherText {
			encrypted = encrypt(t, c, data[:len(data)/aes.BlockSize*aes.BlockSize])
		}
		message, err := c.Open(signature.Sign(ownToken, "1", "2", encrypted), "1", "2", encrypted)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrAppIDMismatch) {
				t.Errorf("Open: error %v wraps no sentinel", err)
			}

			return
		}
		sealed, err := c.Seal(message, "1", "2")
		if err != nil {
			t.Fatal(err)
		}
		again, err := c.Open(sealed.MsgSignature, "1", "2", sealed.Encrypt)
		if err != nil || string(again) != string(message) {
			t.Errorf("sealed again: Open = %q, %v, want %q", again, err, message)
		}
	})
}
