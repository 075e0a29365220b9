package caller_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/caller"
)

const (
	keyA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	keyB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	keyC = "cccccccccccccccccccccccccccccccc"
)

// write writes files into one folder, in whose paths DIR stands for it, and returns that of callers.yaml.
func write(t *testing.T, yaml string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a": keyA + "\n", "b": keyB, "c": keyC, "short": "short", "callers.yaml": strings.ReplaceAll(yaml, "DIR", dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "callers.yaml")
}

const threeCallers = `callers:
  - name: api-proxy
    key_file: DIR/a
    previous_key_file: DIR/b
    accounts: "*"
    kinds: "*"
  - name: job
    certificate: job.internal
    accounts: [wx1, wx2]
  - name: both
    key_file: DIR/c
    certificate: spiffe://house/both
    accounts: wx1
    kinds: [access_token]
`

func key(value string) rpc.Caller { return rpc.Caller{Key: config.NewSecret(value)} }

func TestIdentify(t *testing.T) {
	t.Parallel()
	directory, err := caller.Load(write(t, threeCallers))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		from rpc.Caller
		want string // a name, or what the refusal says.
	}{
		"key":                       {key(keyA), "api-proxy"},
		"previous key":              {key(keyB), "api-proxy"},
		"certificate":               {rpc.Caller{Names: []string{"other", "job.internal"}}, "job"},
		"key of two proofs":         {key(keyC), "both"},
		"certificate of two proofs": {rpc.Caller{Names: []string{"spiffe://house/both"}}, "both"},
		"wrong key":                 {key(keyA + "x"), "caller key is none of those"},
		"wrong key, right certificate": {
			rpc.Caller{Key: config.NewSecret("guess"), Names: []string{"job.internal"}}, "caller key is none of those",
		},
		"unlisted certificate": {rpc.Caller{Names: []string{"stranger.internal"}}, "stranger.internal"},
		"nothing":              {rpc.Caller{}, "authorization: Bearer KEY"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := directory.Identify(tt.from)
			if err != nil && (fault.KindOf(err) != fault.Unauthenticated || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
			if err == nil && (got.Name != tt.want || !got.Listed) {
				t.Errorf("caller %+v, want %q", got, tt.want)
			}
			if err != nil && tt.from.Key.Reveal() != "" && strings.Contains(err.Error(), tt.from.Key.Reveal()) {
				t.Errorf("the key is in the error: %v", err)
			}
		})
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	directory, err := caller.Load(write(t, threeCallers))
	if err != nil {
		t.Fatal(err)
	}
	const unspecified, access = tokenv1.TokenKind_TOKEN_KIND_UNSPECIFIED, tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN
	const later = tokenv1.TokenKind(99) // a kind that the contract may get one day
	all, err := directory.Identify(key(keyA))
	if err != nil {
		t.Fatal(err)
	}
	some, err := directory.Identify(rpc.Caller{Names: []string{"job.internal"}})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		who   caller.Caller
		appID string
		kind  tokenv1.TokenKind
		want  bool
	}{
		"everything, any account":       {all, "wx9", access, true},
		"everything, any kind":          {all, "wx9", later, true},
		"list, an account in it":        {some, "wx2", access, true},
		"list, no kind means access":    {some, "wx2", unspecified, true},
		"list, another account":         {some, "wx9", access, false},
		"list, a part of an account":    {some, "wx", access, false},
		"list, a kind that came later":  {some, "wx2", later, false},
		"nobody":                        {caller.Caller{}, "wx1", access, false},
		"nobody, when none is named":    {caller.Caller{}, "", access, false},
		"nobody, by the name of a list": {caller.Caller{Name: "job", Listed: true}, "wx1", access, false},
	}
	for name, tt := range tests {
		if got := tt.who.MayHave(tt.appID, tt.kind); got != tt.want {
			t.Errorf("%s: may have = %v", name, got)
		}
	}
}

func TestWithoutAFileEverybodyMayAsk(t *testing.T) {
	t.Parallel()
	directory, err := caller.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for want, from := range map[string]rpc.Caller{"anybody": key("whatever"), "cert": {Names: []string{"cert"}}} {
		got, err := directory.Identify(from)
		if err != nil || got.Name != want || got.Listed || !got.MayHave("wx1", tokenv1.TokenKind(99)) {
			t.Errorf("caller %+v, error %v, want %q with every right", got, err, want)
		}
	}
}

func TestEveryFaultOfTheFileIsTold(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		yaml string
		want []string
	}{
		"empty":       {"callers: []\n", []string{":1: callers: the list is empty"}},
		"unknown key": {"callers:\n  - name: a\n    secret: x\n", []string{"callers.yaml", "[3:5]", `unknown field "secret"`}},
		"bare": {"callers:\n  - name: \"\"\n", []string{
			":2: callers[0].name: not set", ":2: callers[0]: neither key_file nor certificate", ":2: callers[0].accounts: not set",
		}},
		"twice": {threeCallers + "  - name: job\n    certificate: job.internal\n    key_file: DIR/b\n    accounts: wx1\n", []string{
			`:15: callers[3].name: "job" is also`, ":16: callers[3].certificate:", ":17: callers[3].key_file: the key is also",
		}},
		"keys": {"callers:\n  - name: a\n    key_file: DIR/short\n    accounts: wx1\n  - {name: b, key_file: DIR/none, accounts: wx1}\n  - {name: c, certificate: c, previous_key_file: DIR/a, accounts: wx1}\n", []string{
			":3: callers[0].key_file: the key is shorter", "callers[1].key_file: the key: open", "callers[2].previous_key_file: is set, but",
		}},
		"kind":  {"callers:\n  - name: a\n    certificate: a\n    accounts: wx1\n    kinds: [access_token, tickets, Access_Token, unspecified]\n", []string{`:5: callers[0].kinds[1]: "tickets" is none of access_token`, "kinds[2]", "kinds[3]"}},
		"shape": {"callers:\n  - name: a\n    certificate: a\n    accounts: {wx1: true}\n", []string{"list of names"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := caller.Load(write(t, tt.yaml))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(tt.want, "WX_CALLERS_FILE") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing from:\n%v", want, err)
				}
			}
		})
	}
}
