package message

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Every push that WeChat documents is of the form that the fast way reads.
func TestTheFastScanReadsEverySample(t *testing.T) {
	t.Parallel()
	for _, file := range samples(t) {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		fast, ok := fastScan(body)
		slow, err := scanXML(body)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			t.Errorf("%s: left to encoding/xml", file)
			continue
		}
		if diff := cmp.Diff(slow, fast, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: encoding/xml and the fast scan differ:\n%s", file, diff)
		}
	}
}

// What the fast way does not know it must leave alone, never read in its own way.
func TestTheFastScanLeavesTheRestToEncodingXML(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"attribute":                `<xml><a b="c">d</a></xml>`,
		"entity":                   `<xml><a>x &amp; y</a></xml>`,
		"comment":                  `<xml><!-- x --><a>b</a></xml>`,
		"instruction":              `<?xml version="1.0"?><xml><a>b</a></xml>`,
		"declaration":              `<!DOCTYPE xml><xml><a>b</a></xml>`,
		"name space":               `<xml><x:a>b</x:a></xml>`,
		"two CDATA sections":       `<xml><a><![CDATA[b]]><![CDATA[c]]></a></xml>`,
		"text before CDATA":        `<xml><a>b<![CDATA[c]]></a></xml>`,
		"text beside an element":   `<xml>b<a>c</a></xml>`,
		"self-closing":             `<xml><a/></xml>`,
		"space in a tag":           `<xml><a >b</a ></xml>`,
		"carriage return":          "<xml><a>b\r\nc</a></xml>",
		"control character":        "<xml><a>b\x01</a></xml>",
		"broken UTF-8":             "<xml><a>b\xff</a></xml>",
		"forbidden character":      "<xml><a>b\uFFFF</a></xml>",
		"byte order mark":          "\uFEFF<xml><a>b</a></xml>",
		"end of CDATA in text":     `<xml><a>b]]>c</a></xml>`,
		"wrong end":                `<xml><a>b</c></xml>`,
		"no end":                   `<xml><a>b</a>`,
		"another root":             `<html></html>`,
		"two roots":                `<xml></xml><xml></xml>`,
		"empty":                    ``,
		"a number begins a name":   `<xml><1a>b</1a></xml>`,
		"an open CDATA section":    `<xml><a><![CDATA[b</a></xml>`,
		"a name of another tongue": `<xml><名>b</名></xml>`,
	} {
		if fields, ok := fastScan([]byte(body)); ok {
			t.Errorf("%s: read as %+v", name, fields)
		}
	}
}

// FuzzFastScan holds the fast way against encoding/xml: whatever it reads, it reads the same.
func FuzzFastScan(f *testing.F) {
	for _, file := range samples(f) {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte("<xml>\n<a> b </a><c><![CDATA[ d ]]> </c><e><f>g</f></e></xml> "))
	f.Fuzz(func(t *testing.T, body []byte) {
		fast, ok := fastScan(body)
		if !ok {
			return
		}
		slow, err := scanXML(body)
		if err != nil {
			t.Fatalf("encoding/xml refuses what the fast scan read as %+v: %v", fast, err)
		}
		if diff := cmp.Diff(slow, fast, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	body, err := os.ReadFile("testdata/samples/msg.text.xml")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("fast", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Parse(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json", func(b *testing.B) {
		body := []byte(`{"ToUserName":"gh_0123456789ab","FromUserName":"oABCDEFGHIJKLMNOPQRSTUVWXYZ0","CreateTime":1700000000,` +
			`"MsgType":"text","Content":"你好，公众号","MsgId":24300000000000001}`)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Parse(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-xml", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			elements, err := scanXML(body)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := fromElements(elements); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// samples returns the files of all pushes in clear.
func samples(tb testing.TB) []string {
	tb.Helper()
	var files []string
	for _, pattern := range []string{"msg.*.xml", "event.*.xml", "info.*.xml"} {
		found, err := filepath.Glob(filepath.Join("testdata", "samples", pattern))
		if err != nil {
			tb.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 80 {
		tb.Fatalf("only %d samples found", len(files))
	}
	return files
}
