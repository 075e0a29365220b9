package message_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/wechat/message"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
)

// The credentials under which the encrypted samples were made.
const (
	sampleToken  = "myToken123"
	sampleAESKey = "k7Qw2ZrT9xLbN4vYh1JcS8mPdE6uGfA3oKiR5tXyW0B"
	sampleAppID  = "wx0123456789abcdef"
)

func sampleCipher(t testing.TB) *msgcrypt.Cipher {
	t.Helper()
	c, err := msgcrypt.New(sampleAppID, sampleToken, sampleAESKey)
	if err != nil {
		t.Fatal(err)
	}

	return c
}

// TestEncryptedPush opens both forms in which one push arrives, up to the typed
// message.
func TestEncryptedPush(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"envelope.safe", "envelope.compatible"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			envelope, err := message.ParseEnvelope(sample(t, name))
			if err != nil {
				t.Fatal(err)
			}
			if envelope.ToUserName != account || envelope.AppID != "" {
				t.Errorf("envelope is for %q, %q", envelope.ToUserName, envelope.AppID)
			}
			plain, err := sampleCipher(t).Open("a7580f977538ce032fa13e774c5ad169e4fdec7d",
				"1700000001", "1320562132", envelope.Encrypt)
			if err != nil {
				t.Fatal(err)
			}
			got, err := message.Parse(plain)
			if err != nil {
				t.Fatal(err)
			}
			want := message.Message{
				ToUserName: account, FromUserName: follower, CreateTime: 1700000000,
				MsgType: "text", MsgID: 24300000000000001, Text: &message.Text{Content: "你好"},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEncryptedReply makes the encrypted reply of the samples backwards: what is
// inside must be what Render writes, and the outside what RenderEnvelope writes.
func TestEncryptedReply(t *testing.T) {
	t.Parallel()

	envelope, err := message.ParseEnvelope(sample(t, "reply.encrypted"))
	if err != nil {
		t.Fatal(err)
	}
	sealed := msgcrypt.Envelope{
		Encrypt:      envelope.Encrypt,
		MsgSignature: "97614fa04f5e653dee4cd9636d09fc34f09a1140",
		TimeStamp:    "1700000001",
		Nonce:        "1320562132",
	}
	plain, err := sampleCipher(t).Open(sealed.MsgSignature, sealed.TimeStamp, sealed.Nonce, sealed.Encrypt)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := message.Render(message.TextReply{Content: "test"}, push("text"), 1700000001)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(plain), string(rendered)); diff != "" {
		t.Errorf("Render (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(compact(sample(t, "reply.encrypted")), string(message.RenderEnvelope(sealed, envelope.Format))); diff != "" {
		t.Errorf("RenderEnvelope (-want +got):\n%s", diff)
	}
}

// TestRenderEnvelopeKeepsMarkupOut: TimeStamp and Nonce may stem from a query.
func TestRenderEnvelopeKeepsMarkupOut(t *testing.T) {
	t.Parallel()

	body := message.RenderEnvelope(msgcrypt.Envelope{
		Encrypt: "AAAA", MsgSignature: "s", TimeStamp: "1</TimeStamp><Encrypt>x", Nonce: "]]></Nonce><Encrypt>y",
	}, message.XML)
	got := children(t, body)
	want := []message.Field{
		{Name: "Encrypt", Value: "AAAA"},
		{Name: "MsgSignature", Value: "s"},
		{Name: "TimeStamp", Value: "1</TimeStamp><Encrypt>x"},
		{Name: "Nonce", Value: "]]></Nonce><Encrypt>y"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("envelope (-want +got):\n%s", diff)
	}
}

// TestRenderEnvelopeInJSON: a TimeStamp is a number if it reads the same as one.
func TestRenderEnvelopeInJSON(t *testing.T) {
	t.Parallel()

	for timestamp, want := range map[string]string{
		"1700000001": `1700000001`, "0": `0`, "": `""`, "007": `"007"`, "-1": `"-1"`, "1e3": `"1e3"`, "1,\"Nonce\":2": `"1,\"Nonce\":2"`,
		"99999999999999999999": `"99999999999999999999"`,
	} {
		got := string(message.RenderEnvelope(msgcrypt.Envelope{Encrypt: "A+/=", MsgSignature: "s", TimeStamp: timestamp, Nonce: "<n>"}, message.JSON))
		if want := `{"Encrypt":"A+/=","MsgSignature":"s","TimeStamp":` + want + `,"Nonce":"<n>"}`; got != want {
			t.Errorf("RenderEnvelope = %s, want %s", got, want)
		}
	}
}

func TestParseEnvelope(t *testing.T) {
	t.Parallel()

	got, err := message.ParseEnvelope([]byte("<xml><AppId> wx1 </AppId><Encrypt>\n <![CDATA[ AAAA\n]]></Encrypt></xml>"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(message.Envelope{AppID: "wx1", Encrypt: "AAAA"}, got); diff != "" {
		t.Errorf("ParseEnvelope (-want +got):\n%s", diff)
	}
	got, err = message.ParseEnvelope([]byte(` {"Encrypt":"AAAA","ToUserName":"gh_1"}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(message.Envelope{Format: message.JSON, ToUserName: "gh_1", Encrypt: "AAAA"}, got); diff != "" {
		t.Errorf("ParseEnvelope (-want +got):\n%s", diff)
	}
}

func TestParseEnvelopeRefuses(t *testing.T) {
	t.Parallel()

	tests := map[string]struct{ body, want string }{
		"clear push":    {"<xml>" + head + "<MsgType>text</MsgType></xml>", "Encrypt"},
		"empty Encrypt": {"<xml><Encrypt> </Encrypt></xml>", "Encrypt"},
		"nested":        {"<xml><Encrypt><a>AAAA</a></Encrypt></xml>", "Encrypt"},
		"DTD":           {"<!DOCTYPE xml><xml><Encrypt>AAAA</Encrypt></xml>", "document type"},
		"cut":           {"<xml><Encrypt>AAAA", "not well-formed"},
		"nothing":       {"", "empty document"},
		"clear JSON":    {`{"ToUserName":"gh_1"}`, "Encrypt"},
		"an object":     {`{"Encrypt":{"a":1}}`, "Encrypt"},
		"cut JSON":      {`{"Encrypt":"AAAA"`, "not well-formed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := message.ParseEnvelope([]byte(test.body))
			if !errors.Is(err, message.ErrMalformed) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("ParseEnvelope: error %v, want ErrMalformed with %q", err, test.want)
			}
			if e, ok := errors.AsType[*msgcrypt.Error](err); !ok || e.Code != msgcrypt.CodeParseXML {
				t.Errorf("ParseEnvelope: error %v has not the official code", err)
			}
		})
	}
}

// FuzzParseEnvelope: no input may panic, and what is accepted has cipher text to
// open without white space around it.
func FuzzParseEnvelope(f *testing.F) {
	for _, name := range append(sampleNames(f, "envelope.*"), "reply.encrypted", "msg.text") {
		f.Add(sample(f, name))
		f.Add([]byte(document(f, name).json(false)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		envelope, err := message.ParseEnvelope(body)
		if err != nil {
			if !errors.Is(err, message.ErrMalformed) {
				t.Errorf("error %v does not wrap ErrMalformed", err)
			}

			return
		}
		if envelope.Encrypt == "" || strings.TrimSpace(envelope.Encrypt) != envelope.Encrypt {
			t.Errorf("accepted Encrypt %q", envelope.Encrypt)
		}
	})
}
