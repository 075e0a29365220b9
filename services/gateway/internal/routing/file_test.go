package routing

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const whole = `routes:
  - name: staging
    accounts: [wx0000000000000001]
    followers: [oTESTUSER]
    percent: 5
    logic_addr: dns:///logic-staging:50051
shadows:
  - name: next
    percent: 0.5
    logic_addr: localhost:50051
record:
  file: /var/lib/wxstack/messages.jsonl
  accounts: [wx0000000000000001]
`

func TestLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := &Table{
		Routes: []Target{{
			Name: "staging", Accounts: []string{"wx0000000000000001"}, Followers: []string{"oTESTUSER"}, Percent: new(5.0),
			LogicAddr: "dns:///logic-staging:50051",
		}},
		Shadows: []Target{{Name: "next", Percent: new(0.5), LogicAddr: "localhost:50051"}},
		Record: &Record{
			File: "/var/lib/wxstack/messages.jsonl", Accounts: []string{"wx0000000000000001"}, MaxBytes: 100 << 20, Texts: TextsRedacted,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := Load(path + ".absent"); err == nil || !strings.Contains(err.Error(), "WX_ROUTES_FILE: open ") {
		t.Errorf("an absent file: %v", err)
	}
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	const target = "name: a, logic_addr: 'dns:///a:1'"
	tests := map[string]struct{ file, want string }{
		"unknown key":        {"route: []\n", "f.yaml: [1:1] unknown field"},
		"no list":            {"routes: 1\n", "f.yaml: [1:"},
		"no name":            {"routes:\n  - logic_addr: 'dns:///a:1'\n", "f.yaml:2: routes[0].name: \"\" is no name"},
		"a name with spaces": {"routes:\n  - name: a b\n    logic_addr: 'dns:///a:1'\n", "f.yaml:2: routes[0].name: \"a b\" is no name"},
		"the main one":       {"shadows:\n  - {name: main, logic_addr: 'dns:///a:1'}\n", "f.yaml:2: shadows[0].name: \"main\" means the logic service of LOGIC_ADDR"},
		"a name twice":       {"routes:\n  - {" + target + "}\n  - {" + target + "}\n", "f.yaml:3: routes[1].name: \"a\" is there twice"},
		"in both lists":      {"routes: [{" + target + "}]\nshadows: [{" + target + "}]\n", "f.yaml:2: shadows[0].name: \"a\" is there twice"},
		"empty account":      {"routes:\n  - {" + target + ", accounts: ['']}\n", "f.yaml:2: routes[0].accounts[0]: the entry is empty"},
		"follower in spaces": {"routes:\n  - {" + target + ", followers: [o1, ' o2']}\n", "f.yaml:2: routes[0].followers[1]: the entry is empty or has spaces"},
		"over 100 %":         {"routes:\n  - {" + target + ", percent: 101}\n", "f.yaml:2: routes[0].percent: 101 is no percentage"},
		"below 0 %":          {"routes:\n  - {" + target + ", percent: -1}\n", "routes[0].percent: -1 is no percentage"},
		"not a number":       {"routes:\n  - {" + target + ", percent: .nan}\n", "routes[0].percent: NaN is no percentage"},
		"no address":         {"routes:\n  - {name: a}\n", "f.yaml:2: routes[0].logic_addr: the address is missing; take a gRPC target such as dns:///logic:50051"},
		"no port":            {"routes:\n  - {name: a, logic_addr: 'dns:///a'}\n", "routes[0].logic_addr: \"dns:///a\" is no host and port"},
		"wrong port":         {"routes:\n  - {name: a, logic_addr: 'a:0'}\n", "routes[0].logic_addr: \"a:0\" has no port"},
		"no file":            {"record: {}\n", "f.yaml:1: record.file: \"\" is no path of a file"},
		"a folder":           {"record: {file: x/}\n", "record.file: \"x/\" is no path of a file"},
		"too short":          {"record: {file: x, max_bytes: 100}\n", "record.max_bytes: 100 is too short"},
		"unknown texts":      {"record: {file: x, texts: all}\n", "record.texts: \"all\" is unknown, take redacted, full or none"},
		"two at once":        {"routes:\n  - {name: a}\nrecord: {texts: all}\n", "\nf.yaml:3: record.texts"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse("f.yaml", []byte(tt.file)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	for _, file := range []string{"", whole, "routes: [{name: a, logic_addr: 'unix:/run/logic.sock'}]", "routes: [{name: a, logic_addr: 'passthrough:///x'}]"} {
		if _, err := parse("f.yaml", []byte(file)); err != nil {
			t.Errorf("%q: %v", file, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("routes: [{name: &a x, percent: 1e400, logic_addr: *a}]"))
	f.Add([]byte("record: {file: x, max_bytes: -9223372036854775808}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := parse("f.yaml", data)
		if err != nil {
			if !strings.Contains(err.Error(), "f.yaml") {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		table.Route("wxA", "oA")
		for range table.ShadowsOf("wxA", "oA") {
			continue
		}
	})
}
