package simulator

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/simulator/internal/catalog"
)

// The identities of the recorded samples.
const (
	sampleOpenID     = "oABCDEFGHIJKLMNOPQRSTUVWXYZ0"
	sampleOriginalID = "gh_0123456789ab"
	sampleTime       = 1700000000
	sampleMsgID      = 24300000000000001
)

func sample(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "samples", name+".xml"))
	if err != nil {
		t.Fatal(err)
	}

	return string(data)
}

// compact removes the indentation that the samples have for readers.
func compact(text string) string {
	return regexp.MustCompile(`>\s+<`).ReplaceAllString(strings.TrimSpace(text), "><")
}

// sampleText is the document that is inside of the recorded envelopes.
func sampleText(t *testing.T) catalog.Element {
	t.Helper()
	known, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	entry, _ := known.Find("text")

	return entry.Build(catalog.Header{To: sampleOriginalID, From: sampleOpenID, CreateTime: sampleTime, MsgID: sampleMsgID}, map[string]string{"Content": "你好"})
}

// encryptedIn returns what an envelope encloses.
func encryptedIn(t *testing.T, body []byte) string {
	t.Helper()
	var envelope struct {
		Encrypt string `xml:"Encrypt"`
	}
	if err := xml.Unmarshal(body, &envelope); err != nil {
		t.Error(err)
	}

	return envelope.Encrypt
}

// TestSealedMatchesSamples pins the envelopes of both encrypting modes, and that of a notice.
func TestSealedMatchesSamples(t *testing.T) {
	t.Parallel()
	own := receiver{envelope: "ToUserName", address: sampleOriginalID}
	for name, test := range map[string]struct {
		mode   Mode
		target receiver
	}{
		"envelope.safe": {ModeSafe, own}, "envelope.compatible": {ModeCompatible, own},
		"envelope.third_party_self": {ModeSafe, receiver{envelope: "AppId", address: "wxcomponent0000001"}},
	} {
		want := compact(sample(t, name))
		got := envelopeOf(test.mode, sampleText(t), test.target, encryptedIn(t, []byte(want)))
		if diff := cmp.Diff(want, got.XML()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
