package callers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/callers"
	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/rpc"
)

const (
	keyA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	keyB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	keyC = "cccccccccccccccccccccccccccccccc"
)

var place = callers.Place{Service: "the-service", Setting: "CALLERS", Show: "send a key"}

// read reads a callers file whose callers are told apart by a number. In the text DIR stands for the folder of
// the keys a, b, c and short.
func read(t *testing.T, text string) (*callers.Directory[int], error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a": keyA + "\n", "b": keyB, "c": keyC, "short": "short", "callers.yaml": strings.ReplaceAll(text, "DIR", dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var file struct {
		Callers []struct {
			callers.Proof `yaml:",inline"`

			Number int `yaml:"number"`
		} `yaml:"callers"`
	}
	r, err := callers.Read[int](&config.Files{}, place, filepath.Join(dir, "callers.yaml"), &file)
	if err != nil {
		return nil, err
	}
	for i, entry := range file.Callers {
		r.Take(fmt.Sprintf("callers[%d]", i), entry.Proof, entry.Number)
	}
	return r.Directory()
}

func TestSignaturesAreOfOneCallerAndItsKeys(t *testing.T) {
	t.Parallel()
	before, err := read(t, "callers:\n  - {name: one, key_file: DIR/a, number: 1}\n  - {name: two, key_file: DIR/b, number: 2}\n  - {name: three, certificate: c, number: 3}\n")
	if err != nil {
		t.Fatal(err)
	}
	text := []byte("text")
	signature, ok := before.Sign("one", text)
	if !ok {
		t.Fatal("a caller with a key cannot sign")
	}
	for _, name := range []string{"three", "nobody", ""} {
		if _, ok := before.Sign(name, text); ok {
			t.Errorf("%q signs without a key", name)
		}
	}
	if who, ok := before.Verify("one", text, signature); !ok || who != 1 {
		t.Errorf("signature of %d, %v", who, ok)
	}
	for name, tt := range map[string]struct {
		name      string
		text      string
		signature []byte
	}{
		"another caller": {"two", "text", signature},
		"another text":   {"one", "texts", signature},
		"cut":            {"one", "text", signature[1:]},
		"none":           {"one", "text", nil},
		"nobody":         {"nobody", "text", signature},
		"no key":         {"three", "text", nil},
	} {
		if _, ok := before.Verify(tt.name, []byte(tt.text), tt.signature); ok {
			t.Errorf("%s: the signature is taken for good", name)
		}
	}
	during, err := read(t, "callers: [{name: one, key_file: DIR/c, previous_key_file: DIR/a, number: 1}]")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := during.Verify("one", text, signature); !ok {
		t.Error("a signature with the previous key is refused during the rotation")
	}
	if changed, _ := during.Sign("one", text); string(changed) == string(signature) {
		t.Error("the previous key still signs")
	}
	after, err := read(t, "callers: [{name: one, key_file: DIR/c, number: 1}]")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := after.Verify("one", text, signature); ok {
		t.Error("a signature outlives its key")
	}
}

func TestWhatIsWrongIsNamedWithItsLine(t *testing.T) {
	t.Parallel()
	for want, text := range map[string]string{
		"callers.yaml:1: callers: the list is empty":                              "callers: []",
		"callers.yaml:2: callers[0].name: not set":                                "callers:\n  - {key_file: DIR/a}",
		`:3: callers[1].name: "x" is also that of an earlier caller`:              "callers:\n  - {name: x, key_file: DIR/a}\n  - {name: x, key_file: DIR/b}",
		"callers[0]: neither key_file nor certificate":                            "callers:\n  - name: x",
		"previous_key_file: is set, but key_file is not":                          "callers: [{name: x, certificate: x, previous_key_file: DIR/a}]",
		"callers[1].certificate: ":                                                "callers: [{name: x, certificate: c}, {name: y, certificate: c}]",
		"callers[0].key_file: the key is shorter than 32 characters":              "callers: [{name: x, key_file: DIR/short}]",
		"callers[1].key_file: the key is also that of an earlier caller":          "callers: [{name: x, key_file: DIR/a}, {name: y, key_file: DIR/a}]",
		"callers[1].previous_key_file: the key is also that of an earlier caller": "callers: [{name: x, key_file: DIR/a}, {name: y, key_file: DIR/b, previous_key_file: DIR/a}]",
		"callers[0].key_file: the key: open":                                      "callers: [{name: x, key_file: DIR/missing}]",
		`unknown field "numbr"`:                                                   "callers: [{name: x, key_file: DIR/a, numbr: 1}]",
	} {
		if _, err := read(t, text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "CALLERS: ") {
			t.Errorf("%s\ngave %v, want %q", text, err, want)
		}
	}
}

func TestANameAloneIsAListOfOne(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{`names: a`: "a only", `names: [a, b]`: "a and b", `names: "*"`: "all", `names: [a, "*"]`: "all", `names: []`: "none"} {
		var file struct {
			Names callers.Names `yaml:"names"`
		}
		if err := config.DecodeYAML("names", []byte(text), &file); err != nil {
			t.Fatal(err)
		}
		got := map[[3]bool]string{
			{false, true, false}: "a only", {false, true, true}: "a and b", {true, true, true}: "all", {}: "none",
		}[[3]bool{file.Names.All(), file.Names.Has("a"), file.Names.Has("b")}]
		if got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
	var file struct {
		Names callers.Names `yaml:"names"`
	}
	if err := config.DecodeYAML("names", []byte("names: {a: b}"), &file); err == nil {
		t.Error("a mapping was taken for a list")
	}
}

func TestARefusalNamesTheServiceAndTheRemedy(t *testing.T) {
	t.Parallel()
	d, err := read(t, "callers: [{name: one, key_file: DIR/a, certificate: one.internal, number: 1}]")
	if err != nil {
		t.Fatal(err)
	}
	for want, from := range map[string]rpc.Caller{
		"the-service does not know who calls; send a key":                              {},
		"the caller key is none of those in the callers file of the-service (CALLERS)": {Key: config.NewSecret("guess"), Names: []string{"one.internal"}},
		"none of the certificate's names (two.internal, three) is in the callers file": {Names: []string{"two.internal", "three"}},
	} {
		if _, err := d.Identify(from); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "guess") {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
