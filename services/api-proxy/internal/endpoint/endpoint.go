// Package endpoint is what the proxy knows of WeChat's API paths, as data: which take the account's
// token, which are safe to repeat, what their bodies are. The data is table.yaml.
package endpoint

import (
	_ "embed" // the table.
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/wxstack/wxstack/chassis/config"

	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
)

//go:embed table.yaml
var tableYAML []byte

// TokenUse says which token a path takes.
type TokenUse string

// The uses of a token.
const (
	// Account paths take the account's access token; the proxy puts it in.
	Account TokenUse = "account"
	// Component paths take the token of a third-party platform (第三方平台).
	Component TokenUse = "component"
	// None paths take another token or none, such as a follower's OAuth token; they pass untouched.
	None TokenUse = "none"
	// Virtual paths are those where SDKs fetch an access token; the proxy answers them itself, with one that
	// is good here only. A real fetch would void the token that everybody uses.
	Virtual TokenUse = "virtual"
	// VirtualComponent paths are the same for the token of a third-party platform.
	VirtualComponent TokenUse = "virtual_component"
	// Ticket paths give a ticket, which token-center has already; fetching another wastes a small quota.
	Ticket TokenUse = "ticket"
	// Secret paths take the AppSecret, which token-center has: it makes the call.
	Secret TokenUse = "secret"
	// Refused paths obtain or spend what token-center alone may.
	Refused TokenUse = "refused"
)

// Parameter is the name of such a token in a query and in WeChat's answers.
func (u TokenUse) Parameter() string {
	if u == Component || u == VirtualComponent {
		return target.ComponentToken
	}
	return target.AccountToken
}

// BodyKind says what a path reads.
type BodyKind string

// The kinds of body.
const (
	// JSON is the body of most POST calls; it also stands for no body.
	JSON BodyKind = "json"
	// Multipart is an upload as multipart/form-data.
	Multipart BodyKind = "multipart"
	// Binary is an upload of bare bytes.
	Binary BodyKind = "binary"
)

// Other is the label, and the class, of every path that the table does not list, so that callers cannot
// invent labels.
const Other = "other"

// Endpoint is one path, or all below one when the path ends in /*.
type Endpoint struct {
	Path string `yaml:"path"`
	// Methods are those that WeChat documents. Others are forwarded too, and WeChat answers 43001 or 43002.
	Methods []string `yaml:"methods"`
	// Token is Account when absent.
	Token TokenUse `yaml:"token"`
	// Repeat says that a call may be sent twice without anybody noticing, so that it is repeated when
	// WeChat is busy or did not answer.
	Repeat bool `yaml:"repeat"`
	// Body is JSON when absent.
	Body BodyKind `yaml:"body"`
	// Daily is how often a newly registered account may call it a day; 0 when that is not known. Source:
	// 接口调用频次限制说明. WeChat raises it for accounts with many followers.
	Daily int `yaml:"daily"`
	// Guarded says that a permission for everything does not cover it.
	Guarded bool `yaml:"guarded"`
	// Class is the group that limits are about.
	Class string `yaml:"-"`
}

// Listed reports whether the table has the path.
func (e Endpoint) Listed() bool { return e.Path != Other }

// Table finds endpoints. It does not change after New.
type Table struct {
	exact  map[string]Endpoint
	prefix []Endpoint // longest first
}

// Default returns the table that is built in.
func Default() (*Table, error) {
	var file struct {
		Classes []struct {
			Class     string     `yaml:"class"`
			Endpoints []Endpoint `yaml:"endpoints"`
		} `yaml:"classes"`
	}
	if err := config.DecodeYAML("table.yaml", tableYAML, &file); err != nil {
		return nil, fmt.Errorf("built-in endpoint table: %w", err)
	}
	var all []Endpoint
	for _, group := range file.Classes {
		for _, e := range group.Endpoints {
			e.Class = group.Class
			all = append(all, e)
		}
	}
	return New(all)
}

// New makes a table and returns an error that names the entry that is wrong.
func New(endpoints []Endpoint) (*Table, error) {
	t := &Table{exact: make(map[string]Endpoint, len(endpoints))}
	for _, e := range endpoints {
		e = withDefaults(e)
		if err := e.check(); err != nil {
			return nil, err
		}
		key := fold(e.Path)
		if _, ok := t.exact[key]; ok {
			return nil, fmt.Errorf("endpoint %s is listed twice", e.Path)
		}
		t.exact[key] = e
		if strings.HasSuffix(e.Path, "/*") {
			t.prefix = append(t.prefix, e)
		}
	}
	slices.SortFunc(t.prefix, func(a, b Endpoint) int { return len(b.Path) - len(a.Path) })
	return t, nil
}

// Find returns what is known of a call to a canonical path. A path that is not listed gets the careful
// defaults: the account's token, never repeated. A listed path called with another method than the
// documented ones is never repeated either. Case and a final slash make no difference, so that no
// spelling of a refused path slips through.
func (t *Table) Find(method, path string) Endpoint {
	e := t.lookUp(fold(path))
	e.Repeat = e.Repeat && slices.Contains(e.Methods, method)
	return e
}

func (t *Table) lookUp(key string) Endpoint {
	if e, ok := t.exact[key]; ok {
		return e
	}
	for _, e := range t.prefix {
		if strings.HasPrefix(key, fold(strings.TrimSuffix(e.Path, "*"))+"/") {
			return e
		}
	}
	return Endpoint{Path: Other, Class: Other, Token: Account, Body: JSON}
}

// Classes returns the names of all classes, sorted.
func (t *Table) Classes() []string {
	classes := make([]string, 0, 1+len(t.exact))
	classes = append(classes, Other)
	for _, e := range t.exact {
		classes = append(classes, e.Class)
	}
	slices.Sort(classes)
	return slices.Compact(classes)
}

// Entry returns the entry that the table lists under a path, such as /datacube/*.
func (t *Table) Entry(path string) (Endpoint, bool) {
	e, ok := t.exact[fold(path)]
	return e, ok
}

func fold(path string) string { return strings.ToLower(strings.TrimSuffix(path, "/")) }

func withDefaults(e Endpoint) Endpoint {
	if e.Token == "" {
		e.Token = Account
	}
	if e.Body == "" {
		e.Body = JSON
	}
	return e
}

func (e Endpoint) check() error {
	switch {
	case !strings.HasPrefix(e.Path, "/"):
		return fmt.Errorf("endpoint %q: path must begin with /", e.Path)
	case strings.Contains(strings.TrimSuffix(e.Path, "/*"), "*"):
		return fmt.Errorf("endpoint %s: * may stand only at the end, after a slash", e.Path)
	case len(e.Methods) == 0:
		return fmt.Errorf("endpoint %s: methods is empty; write [GET], [POST] or both", e.Path)
	case !slices.Contains([]TokenUse{Account, Component, None, Virtual, VirtualComponent, Ticket, Secret, Refused}, e.Token):
		return fmt.Errorf("endpoint %s: token %q is none of account, component, none, virtual, virtual_component, ticket, secret, refused", e.Path, e.Token)
	case !slices.Contains([]BodyKind{JSON, Multipart, Binary}, e.Body):
		return fmt.Errorf("endpoint %s: body %q is none of json, multipart, binary", e.Path, e.Body)
	}
	for _, m := range e.Methods {
		if m != http.MethodGet && m != http.MethodPost {
			return fmt.Errorf("endpoint %s: method %q is neither GET nor POST", e.Path, m)
		}
	}
	return nil
}
