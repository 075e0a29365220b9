package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/config"
)

func TestParseReadsFlagsOverEnvironmentOverDefaults(t *testing.T) {
	t.Setenv("TEST_ADDR", ":1")
	t.Setenv("TEST_LEVEL", "warn")
	var got struct {
		Addr  string     `name:"addr" env:"TEST_ADDR" default:":0"`
		Level slog.Level `name:"level" env:"TEST_LEVEL" default:"info"`
		Other string     `name:"other" env:"TEST_OTHER" default:"x"`
	}
	if _, err := config.Parse("test", "A test.", []string{"--addr", ":2"}, &got); err != nil {
		t.Fatal(err)
	}
	if got.Addr != ":2" || got.Level != slog.LevelWarn || got.Other != "x" {
		t.Errorf("parsed %+v", got)
	}
}

func TestParseRefusesUnknownFlagsWithASuggestion(t *testing.T) {
	t.Parallel()
	var target struct {
		ListenAddr string `name:"listen-addr" default:":0"`
	}
	_, err := config.Parse("test", "A test.", []string{"--listen-adr", ":2"}, &target)
	if err == nil || !strings.Contains(err.Error(), "--listen-addr") || !strings.Contains(err.Error(), "--help") {
		t.Errorf("error = %v, want one that suggests --listen-addr and --help", err)
	}
}

// checkFlags are those of a command that has a text of its own in --help.
type checkFlags struct {
	File string `arg:"" help:"The file."`
	Text string `name:"text" help:"What a follower writes."`
}

func (checkFlags) Help() string { return "For example: test rules check rules.yaml" }

func nested(flags *checkFlags) []config.Command {
	return []config.Command{
		{Name: "rules", Help: "Things to do with rules."},
		{Name: "rules check", Help: "Check a file.", Flags: flags},
		{Name: "rules list", Help: "List them."},
	}
}

func TestParseKnowsNestedCommandsAndTheirArguments(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args string
		want string
		err  string
	}{
		"with arguments": {"rules check a.yaml --text=x", "rules check", ""},
		"without":        {"rules list", "rules list", ""},
		"half of it":     {"rules", "", `expected one of "check", "list" (test --help lists the settings)`},
		"misspelt":       {"rules chek", "", `did you mean "check"?`},
		"not at the top": {"check", "", "unexpected argument check"},
		"no argument":    {"rules check", "", `expected "<file>" (test --help`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var flags checkFlags
			got, err := config.Parse("test", "A test.", strings.Fields(tt.args), new(struct{}), nested(&flags)...)
			if got != tt.want || (err == nil) != (tt.err == "") || (err != nil && !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("command %q, error %v; want %q, %q", got, err, tt.want, tt.err)
			}
			if tt.want == "rules check" && (flags.File != "a.yaml" || flags.Text != "x") {
				t.Errorf("flags %+v", flags)
			}
		})
	}
}

func TestHelpTeachesNestedCommands(t *testing.T) {
	t.Parallel()
	for args, want := range map[string][]string{
		"--help":             {"rules check    Check a file.", "rules list"},
		"rules --help":       {"Things to do with rules.", "rules check    Check a file."},
		"rules check --help": {"Usage: test rules check <file>", "Check a file.", "For example: test rules check rules.yaml", "--text"},
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			_, _ = config.ParseTo(&out, strings.Fields(args), new(struct{}), nested(new(checkFlags))...) // after the help kong goes on and fails.
			for _, part := range want {
				if !strings.Contains(out.String(), part) {
					t.Errorf("lacks %q:\n%s", part, out.String())
				}
			}
		})
	}
}

func TestParseRefusesACommandBelowNothing(t *testing.T) {
	t.Parallel()
	_, err := config.Parse("test", "A test.", nil, new(struct{}), config.Command{Name: "menu diff"})
	if err == nil || !strings.Contains(err.Error(), `there is no command "menu"`) {
		t.Errorf("error = %v", err)
	}
}

type sample struct {
	Name  string `yaml:"name"`
	Items []struct {
		ID int `yaml:"id"`
	} `yaml:"items"`
}

func TestDecodeYAMLNamesFileLineAndKey(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		yaml string
		want []string
	}{
		"unknown key":     {"name: a\nitems:\n  - id: 1\n    idd: 2\n", []string{"f.yaml", "[4:5]", "idd"}},
		"duplicate key":   {"name: a\nname: b\n", []string{"f.yaml", "[2:1]", "name"}},
		"wrong type":      {"items:\n  - id: one\n", []string{"f.yaml", "[2:9]"}},
		"not YAML at all": {"name: [a\n", []string{"f.yaml", "[1:7]"}},
		"tagged nothing":  {"items: !x ", []string{"f.yaml: the document cannot be read", "tags (!)"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got sample
			err := config.DecodeYAML("f.yaml", []byte(tt.yaml), &got)
			if err == nil {
				t.Fatalf("decoded %+v, want an error", got)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error does not name %q:\n%v", part, err)
				}
			}
		})
	}
}

func TestDecodeYAMLAcceptsAnEmptyDocument(t *testing.T) {
	t.Parallel()
	var got sample
	if err := config.DecodeYAML("f.yaml", []byte("# nothing yet\n"), &got); err != nil || got.Name != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestReadFileRefusesWhatHasNoEnd(t *testing.T) {
	t.Parallel()
	if _, err := config.ReadFile("/dev/zero"); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("error = %v", err)
	}
}

func TestReadSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret, err := config.ReadSecret("app_secret_file", write("good", "s3cret\n"))
	if err != nil || secret.Reveal() != "s3cret" {
		t.Errorf("secret %q, error %v; want the line end cut", secret.Reveal(), err)
	}
	for name, path := range map[string]string{"empty": write("empty", "\n"), "missing": filepath.Join(dir, "none"), "unset": ""} {
		if _, err := config.ReadSecret("app_secret_file", path); err == nil || !strings.Contains(err.Error(), "app_secret_file") {
			t.Errorf("%s: error = %v, want one that names the setting", name, err)
		}
	}
}

func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	s := struct{ S config.Secret }{config.NewSecret("s3cret")}
	encoded, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "secret", s.S, "struct", s)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "secret", s.S, "struct", s)
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %s %q", s, s, s.S, s.S), string(encoded), logged.String()} {
		if strings.Contains(shown, "s3cret") {
			t.Errorf("shown: %s", shown)
		}
	}
}

func TestLineFindsTheValueOrWhatIsAboveIt(t *testing.T) {
	t.Parallel()
	const document = "# first\naccounts:\n  - app_id: wx1\n    kind: service\n  - {app_id: wx2}\n"
	for place, want := range map[string]int{
		"accounts[0].kind": 4, "accounts[0].app_id": 3, "accounts[1].app_id": 5, "accounts[1].kind": 5,
		"accounts[2].kind": 3, "none": 0, "": 0, "[[": 0,
	} {
		if got := config.Line([]byte(document), place); got != want {
			t.Errorf("Line(%q) = %d, want %d", place, got, want)
		}
	}
	if got := config.Line([]byte("\t: ["), "accounts"); got != 0 {
		t.Errorf("in what is no YAML: %d", got)
	}
}

func FuzzDecodeYAML(f *testing.F) {
	f.Add([]byte("name: a\nitems:\n  - id: 1\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got sample
		if err := config.DecodeYAML("f.yaml", data, &got); err != nil && !strings.HasPrefix(err.Error(), "f.yaml: ") {
			t.Errorf("error does not name the file: %v", err)
		}
	})
}
