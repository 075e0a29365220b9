package caller

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wxstack/wxstack/chassis/config"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
)

const setting = "WX_CALLERS_FILE"

// file is the callers file.
type file struct {
	Callers []entry `yaml:"callers"`
}

// entry is one caller. A key or a certificate proves who it is; with both, either does.
type entry struct {
	// Name is what logs and metrics call it.
	Name string `yaml:"name"`
	// KeyFile holds the key that it sends.
	KeyFile string `yaml:"key_file"`
	// PreviousKeyFile holds a key that is accepted as well, during a rotation.
	PreviousKeyFile string `yaml:"previous_key_file"`
	// Certificate is a DNS name or URI that its certificate is issued for, or its common name.
	Certificate string `yaml:"certificate"`
	// Accounts are AppIDs, or "*".
	Accounts list `yaml:"accounts"`
	// Kinds are kinds of credentials, or "*"; platform stands for PlatformService. It defaults to access_token: what comes later has to be granted.
	Kinds list `yaml:"kinds"`
}

// everything is the word for all there are, where a list could stand.
const everything = "*"

// list is a list of names in YAML, or one name alone.
type list []string

// UnmarshalYAML implements the decoder's interface.
func (l *list) UnmarshalYAML(decode func(any) error) error {
	var one string
	if err := decode(&one); err == nil {
		*l = list{one}
		return nil
	}
	var many []string
	if err := decode(&many); err != nil {
		return fmt.Errorf("neither a list of names nor %q", everything)
	}
	*l = many
	return nil
}

func (l list) selection() selection {
	return selection{all: slices.Contains(l, everything), names: slices.Compact(slices.Sorted(slices.Values(l)))}
}

// minKey is what a key that nobody can guess has at least; openssl rand -hex 32 has twice as much.
const minKey = 32

// Load reads the callers file and the keys that it names. The error tells everything that is wrong, each
// with its line. An empty path gives the nil Directory, which lets everybody have everything.
func Load(path string) (*Directory, error) { return load(&config.Files{}, path) }

func load(files *config.Files, path string) (*Directory, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // the nil Directory is the open one.
	}
	data, err := files.Read(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	var f file
	if err := config.DecodeYAML(path, data, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	r := reader{files: files, path: path, data: data}
	if len(f.Callers) == 0 {
		r.faultf("callers", "the list is empty, so nobody could ask; add a caller, or leave %s empty to let everybody ask", setting)
	}
	d := &Directory{}
	for i, e := range f.Callers {
		d.callers = append(d.callers, r.caller(fmt.Sprintf("callers[%d]", i), e, d.callers))
	}
	if err := errors.Join(r.faults...); err != nil {
		return nil, err
	}
	return d, nil
}

// reader reads the entries of a file and collects what is wrong with them.
type reader struct {
	files  *config.Files
	path   string
	data   []byte
	faults []error
}

func (r *reader) faultf(place, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s: %s:%d: %s: %s", setting, r.path, config.Line(r.data, place), place, fmt.Sprintf(format, args...)))
}

func (r *reader) caller(place string, e entry, earlier []proven) proven {
	c := proven{
		Caller:      Caller{Name: e.Name, Listed: true, accounts: e.Accounts.selection(), kinds: e.Kinds.selection()},
		certificate: e.Certificate,
	}
	if len(e.Kinds) == 0 {
		c.kinds = selection{names: []string{KindName(tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN)}}
	}
	switch {
	case strings.TrimSpace(e.Name) == "":
		r.faultf(place+".name", "not set; it is what logs and metrics call the caller")
	case slices.ContainsFunc(earlier, func(other proven) bool { return other.Name == e.Name }):
		r.faultf(place+".name", "%q is also that of an earlier caller", e.Name)
	}
	if e.KeyFile == "" && e.Certificate == "" {
		r.faultf(place, "neither key_file nor certificate is set; one has to prove who calls (a key: openssl rand -hex 32)")
	}
	if e.KeyFile == "" && e.PreviousKeyFile != "" {
		r.faultf(place+".previous_key_file", "is set, but key_file is not")
	}
	if e.Certificate != "" && slices.ContainsFunc(earlier, func(other proven) bool { return other.certificate == e.Certificate }) {
		r.faultf(place+".certificate", "%q is also that of an earlier caller", e.Certificate)
	}
	if len(e.Accounts) == 0 {
		r.faultf(place+".accounts", "not set; write a list of AppIDs, or %q for every account", everything)
	}
	r.kinds(place, e.Kinds)
	c.keys = r.keys(place, e, earlier)
	return c
}

func (r *reader) kinds(place string, kinds list) {
	for i, kind := range kinds {
		value, known := tokenv1.TokenKind_value[kindPrefix+strings.ToUpper(kind)]
		if kind != everything && kind != Platform && (!known || value == 0 || kind != strings.ToLower(kind)) {
			r.faultf(fmt.Sprintf("%s.kinds[%d]", place, i), "%q is none of %s, %q", kind, strings.Join(kindNames(), ", "), everything)
		}
	}
}

func kindNames() []string {
	names := []string{Platform}
	for value := range tokenv1.TokenKind_name {
		if value != 0 {
			names = append(names, KindName(tokenv1.TokenKind(value)))
		}
	}
	slices.Sort(names)
	return names
}

func (r *reader) keys(place string, e entry, earlier []proven) [][sha256.Size]byte {
	var keys [][sha256.Size]byte
	for _, source := range []struct{ name, path string }{{"key_file", e.KeyFile}, {"previous_key_file", e.PreviousKeyFile}} {
		if source.path == "" {
			continue
		}
		at := place + "." + source.name
		key, err := r.files.ReadSecret("the key", source.path)
		if err != nil {
			r.faultf(at, "%v", err)
			continue
		}
		if len(key.Reveal()) < minKey {
			r.faultf(at, "the key is shorter than %d characters; make one with: openssl rand -hex 32", minKey)
		}
		sum := hash(key)
		if slices.ContainsFunc(earlier, func(other proven) bool { return slices.Contains(other.keys, sum) }) {
			r.faultf(at, "the key is also that of an earlier caller, so nobody could tell the two apart")
		}
		keys = append(keys, sum)
	}
	return keys
}
