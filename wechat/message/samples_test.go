package message_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/wechat/message"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
)

// update rewrites testdata/golden from what the code does; review the difference.
var update = flag.Bool("update", false, "rewrite the golden files")

// account and follower are the two ends of every sample.
const (
	account  = "gh_0123456789ab"
	follower = "oABCDEFGHIJKLMNOPQRSTUVWXYZ0"
)

// sample returns one document of testdata/samples, one per type of push and reply.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "samples", name+".xml"))
	if err != nil {
		t.Fatal(err)
	}

	return body
}

// sampleNames lists the samples that match one of the patterns.
func sampleNames(t testing.TB, patterns ...string) []string {
	t.Helper()
	var names []string
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join("testdata", "samples", pattern+".xml"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no samples match %q: %v", pattern, err)
		}
		for _, path := range paths {
			names = append(names, strings.TrimSuffix(filepath.Base(path), ".xml"))
		}
	}

	return names
}

// pushNames lists the samples of pushes in clear.
func pushNames(t testing.TB) []string {
	t.Helper()

	return sampleNames(t, "msg.*", "event.*", "info.*")
}

// node is a document as encoding/xml's own generic decoding sees it, a second
// opinion on what Parse keeps.
type node struct {
	XMLName  xml.Name
	Text     string `xml:",chardata"`
	Children []node `xml:",any"`
}

// document decodes a sample by encoding/xml alone.
func document(t testing.TB, name string) node {
	t.Helper()
	var n node
	if err := xml.Unmarshal(sample(t, name), &n); err != nil {
		t.Fatal(err)
	}

	return n
}

// leaves are the values of the elements without children.
func (n node) leaves() []string {
	if len(n.Children) == 0 {
		return []string{strings.TrimSpace(n.Text)}
	}
	var values []string
	for _, child := range n.Children {
		values = append(values, child.leaves()...)
	}

	return values
}

// xml writes the document, with every value as the function has it.
func (n node) xml(value func(string) string) string {
	var inner strings.Builder
	for _, child := range n.Children {
		inner.WriteString(child.xml(value))
	}
	if len(n.Children) == 0 {
		inner.WriteString(value(strings.TrimSpace(n.Text)))
	}

	return "<" + n.XMLName.Local + ">" + inner.String() + "</" + n.XMLName.Local + ">"
}

// json writes the document as WeChat does in that format: repeated elements are an
// array, whole numbers have no quotes unless asked for.
func (n node) json(quoteNumbers bool) string {
	if len(n.Children) == 0 {
		text := strings.TrimSpace(n.Text)
		if number, err := strconv.ParseUint(text, 10, 64); err == nil && strconv.FormatUint(number, 10) == text && !quoteNumbers {
			return text
		}
		quoted, _ := json.Marshal(text) //nolint:errchkjson // a string

		return string(quoted)
	}
	var names []string
	values := map[string][]string{}
	for _, child := range n.Children {
		name := child.XMLName.Local
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		values[name] = append(values[name], child.json(quoteNumbers))
	}
	members := make([]string, 0, len(names))
	for _, name := range names {
		value := values[name][0]
		if len(values[name]) > 1 {
			value = "[" + strings.Join(values[name], ", ") + "]"
		}
		members = append(members, strconv.Quote(name)+": "+value)
	}

	return "{" + strings.Join(members, ",\n") + "}"
}

// golden returns the file that holds what is wanted of a sample, after writing got
// to it if that was asked for.
func golden(t testing.TB, name string, got []byte) string {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".json")
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	return string(want)
}

// dump shows all values of a message that are not empty, secrets included. Format
// and Raw are left out: they belong to the document, not to what it says.
func dump(t testing.TB, m message.Message) []byte {
	t.Helper()
	m.Format, m.Raw = message.XML, nil
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(m); err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(&out)
	decoder.UseNumber()
	var tree map[string]any
	if err := decoder.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	if n := m.Notice; n != nil {
		notice, _ := tree["Notice"].(map[string]any)
		notice["ComponentVerifyTicket"] = n.ComponentVerifyTicket.Reveal()
		notice["AuthorizationCode"] = n.AuthorizationCode.Reveal()
		notice["PreAuthCode"] = n.PreAuthCode.Reveal()
	}
	var shown bytes.Buffer
	encoder = json.NewEncoder(&shown)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(withoutEmpty(tree)); err != nil {
		t.Fatal(err)
	}

	return shown.Bytes()
}

// withoutEmpty removes what is empty or zero, except for objects: that one is there
// says of which type a push is.
func withoutEmpty(value any) any {
	object, ok := value.(map[string]any)
	if !ok {
		if list, ok := value.([]any); ok {
			for i := range list {
				list[i] = withoutEmpty(list[i])
			}
		}

		return value
	}
	for name, member := range object {
		switch member {
		case nil, "", json.Number("0"):
			delete(object, name)
		default:
			object[name] = withoutEmpty(member)
		}
	}

	return object
}

// forms are the ways in which WeChat, of one version or another, may write what a
// sample says.
func forms(t testing.TB, name string) map[string][]byte {
	t.Helper()
	doc := document(t, name)
	cdata := func(v string) string { return "<![CDATA[" + v + "]]>" }
	escape := func(v string) string {
		var out bytes.Buffer
		if err := xml.EscapeText(&out, []byte(v)); err != nil {
			t.Fatal(err)
		}

		return out.String()
	}

	return map[string][]byte{
		"as documented":           sample(t, name),
		"all CDATA":               []byte(doc.xml(cdata)),
		"no CDATA":                []byte(doc.xml(escape)),
		"white space":             []byte("\n" + doc.xml(func(v string) string { return "\n\t " + escape(v) + " \r\n" })),
		"white space about CDATA": []byte(doc.xml(func(v string) string { return " \n" + cdata(v) + "\n" })),
		"JSON":                    []byte(doc.json(false)),
		"JSON, numbers in quotes": []byte(" \n" + doc.json(true) + "\n"),
	}
}

// TestParseSamples reads every documented push, in every form, in clear and sealed.
func TestParseSamples(t *testing.T) {
	t.Parallel()

	for _, name := range pushNames(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := message.Parse(sample(t, name))
			if err != nil {
				t.Fatal(err)
			}
			want := golden(t, name, dump(t, m))
			for form, body := range forms(t, name) {
				for _, body := range [][]byte{body, sealAndOpen(t, body)} {
					got, err := message.Parse(body)
					if err != nil {
						t.Fatalf("%s: %v", form, err)
					}
					if diff := cmp.Diff(want, string(dump(t, got))); diff != "" {
						t.Errorf("%s (-want +got):\n%s", form, diff)
					}
					if got.Format != message.FormatOf(body) {
						t.Errorf("%s: format %v", form, got.Format)
					}
					wantRaw := ""
					if len(got.Fields) > 0 && got.Notice == nil {
						wantRaw = string(body)
					}
					if string(got.Raw) != wantRaw {
						t.Errorf("%s: Raw %q, want %q", form, got.Raw, wantRaw)
					}
					if key := got.Key(); key != m.Key() {
						t.Errorf("%s: key %q, want %q", form, key, m.Key())
					}
				}
			}
		})
	}
}

// sealAndOpen sends a document through an encrypted exchange in safe mode.
func sealAndOpen(t testing.TB, body []byte) []byte {
	t.Helper()
	sealed, err := sampleCipher(t).Seal(body, "1700000001", "42")
	if err != nil {
		t.Fatal(err)
	}
	format := message.FormatOf(body)
	envelope, err := message.ParseEnvelope(message.RenderEnvelope(sealed, format))
	if err != nil {
		t.Fatal(err)
	}
	if envelope.Format != format {
		t.Errorf("envelope in %v, want %v", envelope.Format, format)
	}
	plain, err := sampleCipher(t).Open(sealed.MsgSignature, sealed.TimeStamp, sealed.Nonce, envelope.Encrypt)
	if err != nil {
		t.Fatal(err)
	}

	return plain
}

// TestParseLosesNothing compares every sample with a generic decoding of it: each
// value stands in a typed field or in Fields.
func TestParseLosesNothing(t *testing.T) {
	t.Parallel()

	for _, name := range pushNames(t) {
		m, err := message.Parse(sample(t, name))
		if err != nil {
			t.Fatal(err)
		}
		got := string(dump(t, m))
		for _, value := range document(t, name).leaves() {
			// Numbers lose their trailing zeros; nothing else may change.
			if !strings.Contains(got, value) && !strings.Contains(got, strings.TrimRight(value, "0")) {
				t.Errorf("%s: %q is in no field", name, value)
			}
		}
	}
}

// TestParseKeepsTheUnknown puts an unknown element first into every element of
// every sample, and the elements of the root into another order.
func TestParseKeepsTheUnknown(t *testing.T) {
	t.Parallel()

	for _, name := range pushNames(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := document(t, name)
			added := 0
			add(&doc, &added)
			slices.Reverse(doc.Children)
			for format, body := range map[string]string{
				"XML":  doc.xml(func(v string) string { return "<![CDATA[" + v + "]]>" }),
				"JSON": doc.json(false),
			} {
				got, err := message.Parse([]byte(body))
				if err != nil {
					t.Fatalf("%s: %v", format, err)
				}
				want, err := message.Parse(sample(t, name))
				if err != nil {
					t.Fatal(err)
				}
				if kept := strings.Count(string(dump(t, message.Message{Fields: got.Fields})), "unknown-value"); kept != added {
					t.Errorf("%s: %d unknown elements kept of %d in %+v", format, kept, added, got.Fields)
				}
				got.Fields, want.Fields = nil, nil
				if diff := cmp.Diff(string(dump(t, want)), string(dump(t, got))); diff != "" {
					t.Errorf("%s: typed fields (-want +got):\n%s", format, diff)
				}
			}
		})
	}
}

// add puts an unknown element into n and every element within that has children.
func add(n *node, added *int) {
	for i := range n.Children {
		if len(n.Children[i].Children) > 0 {
			add(&n.Children[i], added)
		}
	}
	*added++
	unknown := node{XMLName: xml.Name{Local: "Unknown"}, Text: "unknown-value-" + strconv.Itoa(*added)}
	n.Children = append([]node{unknown}, n.Children...)
}

// TestParseOfficialJSON is Tencent's own example of the format (vector A of
// package msgcrypt), both ways.
func TestParseOfficialJSON(t *testing.T) {
	t.Parallel()

	c, err := msgcrypt.New("wxba5fad812f8e6fb9", "AAAAA", strings.Repeat("A", 43))
	if err != nil {
		t.Fatal(err)
	}
	body := `{"ToUserName":"gh_97417a04a28d","Encrypt":"+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="}`
	envelope, err := message.ParseEnvelope([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := c.Open("046e02f8204d34f8ba5fa3b1db94908f3df2e9b3", "1714112445", "415670741", envelope.Encrypt)
	if err != nil {
		t.Fatal(err)
	}
	got, err := message.Parse(plain)
	if err != nil {
		t.Fatal(err)
	}
	want := message.Message{
		Format: message.JSON, ToUserName: "gh_97417a04a28d", FromUserName: "o9AgO5Kd5ggOC-bXrbNODIiE3bGY",
		CreateTime: 1714112445, MsgType: "event", Event: &message.Event{Name: "debug_demo"},
		Fields: []message.Field{{Name: "debug_str", Value: "hello world"}}, Raw: plain,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}

	sealed := msgcrypt.Envelope{
		Encrypt:      "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==",
		MsgSignature: "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1", TimeStamp: "1713424427", Nonce: "415670741",
	}
	wantReply := `{"Encrypt":"` + sealed.Encrypt + `","MsgSignature":"` + sealed.MsgSignature + `","TimeStamp":1713424427,"Nonce":"415670741"}`
	if diff := cmp.Diff(wantReply, string(message.RenderEnvelope(sealed, envelope.Format))); diff != "" {
		t.Errorf("RenderEnvelope (-want +got):\n%s", diff)
	}
}
