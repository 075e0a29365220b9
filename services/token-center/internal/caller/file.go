package caller

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wxstack/wxstack/chassis/callers"
	"github.com/wxstack/wxstack/chassis/config"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
)

// place is what people are told about the callers file.
var place = callers.Place{
	Service: "token-center", Setting: "WX_CALLERS_FILE",
	Show: `send a caller key as metadata "authorization: Bearer KEY" (a key_file of WX_CALLERS_FILE; api-proxy and gateway: TOKEN_CENTER_KEY_FILE), or use mutual TLS`,
}

// file is the callers file.
type file struct {
	Callers []entry `yaml:"callers"`
}

// entry is one caller.
type entry struct {
	callers.Proof `yaml:",inline"`

	// Accounts are AppIDs, or "*".
	Accounts callers.Names `yaml:"accounts"`
	// Kinds are kinds of credentials, or "*"; platform stands for PlatformService, oauth for ExchangeCode. It defaults to access_token: what comes later has to be granted.
	Kinds callers.Names `yaml:"kinds"`
}

// Load reads the callers file and the keys that it names. The error tells everything that is wrong, each
// with its line. An empty path gives the nil Directory, which lets everybody have everything.
func Load(path string) (*Directory, error) { return load(&config.Files{}, path) }

func load(files *config.Files, path string) (*Directory, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // the nil Directory is the open one.
	}
	var f file
	r, err := callers.Read[Caller](files, place, path, &f)
	if err != nil {
		return nil, err
	}
	for i, e := range f.Callers {
		at := fmt.Sprintf("callers[%d]", i)
		if len(e.Accounts) == 0 {
			r.Faultf(at+".accounts", "not set; write a list of AppIDs, or %q for every account", callers.Everything)
		}
		checkKinds(r, at, e.Kinds)
		if len(e.Kinds) == 0 {
			e.Kinds = callers.Names{KindName(tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN)}
		}
		r.Take(at, e.Proof, Caller{Name: e.Name, Listed: true, accounts: e.Accounts, kinds: e.Kinds})
	}
	d, err := r.Directory()
	return (*Directory)(d), err
}

func checkKinds(r *callers.Reader[Caller], at string, kinds callers.Names) {
	for i, kind := range kinds {
		value, known := tokenv1.TokenKind_value[kindPrefix+strings.ToUpper(kind)]
		if kind != callers.Everything && kind != Platform && kind != OAuth && (!known || value == 0 || kind != strings.ToLower(kind)) {
			r.Faultf(fmt.Sprintf("%s.kinds[%d]", at, i), "%q is none of %s, %q", kind, strings.Join(kindNames(), ", "), callers.Everything)
		}
	}
}

func kindNames() []string {
	names := []string{Platform, OAuth}
	for value := range tokenv1.TokenKind_name {
		if value != 0 {
			names = append(names, KindName(tokenv1.TokenKind(value)))
		}
	}
	slices.Sort(names)
	return names
}
