package explain

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vectorD are the secrets of the recorded samples.
var vectorD = Secrets{Token: "myToken123", EncodingAESKey: "k7Qw2ZrT9xLbN4vYh1JcS8mPdE6uGfA3oKiR5tXyW0B", AppID: "wx0123456789abcdef"}

const safeQuery = "http://example.com/wx?signature=a37f700bea82e4e09a6ca5b9db68ffb0da46be28&timestamp=1700000001&nonce=1320562132" +
	"&encrypt_type=aes&msg_signature=a7580f977538ce032fa13e774c5ad169e4fdec7d"

func sample(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}

	return string(data)
}

// value returns the value of the only step of a part with that English beginning.
func value(t *testing.T, list []Step, part Part, title string) string {
	t.Helper()
	found := slices.IndexFunc(list, func(step Step) bool { return step.Part == part && strings.HasPrefix(step.TitleEn, title) })
	if found < 0 {
		t.Fatalf("%s has no step %q: %+v", part, title, list)
	}

	return list[found].Value
}

// failed returns the parts and English titles of the steps that don't fit.
func failed(list []Step) []string {
	var titles []string
	for _, step := range list {
		if !step.OK {
			titles = append(titles, string(step.Part)+": "+step.TitleEn)
		}
	}

	return titles
}

func TestARecordedPushIsExplained(t *testing.T) {
	t.Parallel()
	list := Request(vectorD, safeQuery, sample(t, "envelope.safe.xml"))
	if got := failed(list); got != nil {
		t.Errorf("steps that fail: %q", got)
	}
	for _, want := range []struct {
		part         Part
		title, value string
	}{
		{PartSignature, "SHA-1", "a37f700bea82e4e09a6ca5b9db68ffb0da46be28"},
		{PartMsgSignature, "SHA-1", "a7580f977538ce032fa13e774c5ad169e4fdec7d"},
		{PartSignature, "Sort", "1320562132\n1700000001\n（10*）"},
		{PartDecryption, "Remove", "11 bytes"},
		{PartDecryption, "The first 16", "30313233343536373839616263646566"},
		{PartDecryption, "The next 4", "271 bytes"},
		{PartDecryption, "Last", "wx0123456789abcdef / wx0123456789abcdef"},
	} {
		if got := value(t, list, want.part, want.title); got != want.value {
			t.Errorf("%s, %s: %q, want %q", want.part, want.title, got, want.value)
		}
	}
	if message := value(t, list, PartDecryption, "The message"); !strings.Contains(message, "<Content><![CDATA[你好]]></Content>") {
		t.Errorf("the message is %q", message)
	}
}

func TestARecordedReplyIsExplained(t *testing.T) {
	t.Parallel()
	list := Reply(vectorD, sample(t, "reply.encrypted.xml"))
	if got := failed(list); got != nil {
		t.Errorf("steps that fail: %q", got)
	}
	if got := value(t, list, PartReply, "SHA-1"); got != "97614fa04f5e653dee4cd9636d09fc34f09a1140" {
		t.Errorf("signature %q", got)
	}
	if got := Reply(vectorD, "success"); got != nil {
		t.Errorf("a reply in clear: %+v", got)
	}
}

// The worked example of the official page in the format JSON, in both directions.
func TestTheOfficialExampleInJSONIsExplained(t *testing.T) {
	t.Parallel()
	secrets := Secrets{Token: "AAAAA", EncodingAESKey: strings.Repeat("A", 43), AppID: "wxba5fad812f8e6fb9"}
	list := Reply(secrets, `{"Encrypt":"ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==",`+
		`"MsgSignature":"1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1","TimeStamp":1713424427,"Nonce":"415670741"}`)
	if got := failed(list); got != nil {
		t.Errorf("steps that fail: %q", got)
	}
	if got := value(t, list, PartReply, "The message"); got != `{"demo_resp":"good luck"}` {
		t.Errorf("the message is %q", got)
	}
}

// What goes wrong is said at the step where it does.
func TestTheStepThatFailsIsMarked(t *testing.T) {
	t.Parallel()
	body := sample(t, "envelope.safe.xml")
	with := func(change func(*Secrets)) Secrets {
		changed := vectorD
		change(&changed)

		return changed
	}
	cases := map[string]struct {
		secrets Secrets
		address string
		body    string
		want    []string
	}{
		"another token": {
			with(func(s *Secrets) { s.Token = "other" }), safeQuery, body,
			[]string{"signature: Compare with signature", "msg_signature: Compare with msg_signature"},
		},
		"another AppID": {
			with(func(s *Secrets) { s.AppID = "wx1" }), safeQuery, body,
			[]string{"decryption: Last the AppID, which must be the account's"},
		},
		"another key": {
			with(func(s *Secrets) { s.EncodingAESKey = strings.Repeat("A", 43) }), safeQuery, body,
			[]string{"decryption: Remove the padding of PKCS#7 (blocks of 32 bytes: 1 to 32)"},
		},
		"a truncated key": {
			with(func(s *Secrets) { s.EncodingAESKey = s.EncodingAESKey[:42] }), safeQuery, body,
			[]string{`decryption: AESKey = base64 decoding of EncodingAESKey + "="`},
		},
		"no envelope": {
			vectorD, safeQuery, "<xml></xml>",
			[]string{
				"msg_signature: Compare with msg_signature",
				"decryption: Decode Encrypt from base64; its length must be a multiple of 16",
			},
		},
		"no address": {vectorD, "http://[", body, []string{"signature: The address can't be parsed"}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, failed(Request(test.secrets, test.address, test.body))); diff != "" {
				t.Errorf("steps that fail (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSecretsAreShownOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	body := sample(t, "envelope.safe.xml")
	const key = "93b430d99ad3f712db378bd887525c4bc98f744eae19f037a0a891e6d5f25b40"
	for _, reveal := range []bool{false, true} {
		secrets := vectorD
		secrets.Reveal = reveal
		var shown strings.Builder
		for _, step := range Request(secrets, safeQuery, body) {
			shown.WriteString(step.Value + "\n")
		}
		for _, secret := range []string{vectorD.Token, key} {
			if got := strings.Contains(shown.String(), secret); got != reveal {
				t.Errorf("reveal %v: the steps contain a secret: %v", reveal, got)
			}
		}
	}
}

func FuzzReply(f *testing.F) {
	f.Add("<xml><Encrypt>AAAA</Encrypt></xml>")
	f.Add(`{"Encrypt":"QUFBQUFBQUFBQUFBQUFBQQ==","TimeStamp":"x"}`)
	for _, name := range []string{"envelope.safe.xml", "reply.encrypted.xml"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, step := range append(Reply(vectorD, body), Request(vectorD, safeQuery, body)...) {
			if step.Title == "" || step.TitleEn == "" {
				t.Errorf("a step without its title: %+v", step)
			}
		}
	})
}
