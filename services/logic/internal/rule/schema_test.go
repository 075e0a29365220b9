package rule_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/wxstack/wxstack/services/logic/internal/rule"
)

const schemaFile = "../../rules/schema.json"

// schema is a part of the JSON Schema that editors get.
type schema struct {
	Ref        string             `json:"$ref"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	AnyOf      []*schema          `json:"anyOf"`
	Defs       map[string]*schema `json:"$defs"`
}

func readSchema(t *testing.T) *schema {
	t.Helper()
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	root := &schema{}
	if err := json.Unmarshal(data, root); err != nil {
		t.Fatal(err)
	}

	return root
}

// place is where in a rule file a part of the schema applies: the keys that lead there, "-" for an entry of a list.
type place []string

// file is a rule file that has a text where the place wants a mapping.
func (p place) file() string {
	var text strings.Builder
	indent := ""
	for i, key := range p {
		if key == "-" {
			text.WriteString(indent + "-")
		} else {
			text.WriteString(indent + key + ":")
		}
		if i < len(p)-1 {
			text.WriteString("\n")
		}
		indent += "  "
	}

	return text.String() + " wrong\n"
}

// TestTheSchemaHasTheReadersKeys asks the reader, for every mapping of the schema, which keys it knows there.
func TestTheSchemaHasTheReadersKeys(t *testing.T) {
	t.Parallel()
	root := readSchema(t)
	mappings := 0
	var walk func(at place, s *schema)
	walk = func(at place, s *schema) {
		if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
			s = root.Defs[name]
		}
		for _, one := range s.AnyOf {
			walk(at, one)
		}
		if s.Items != nil {
			walk(append(slices.Clone(at), "-"), s.Items)
		}
		if s.Properties == nil {
			return
		}
		if keys, ok := readersKeys(t, at); ok {
			mappings++
			want := make([]string, 0, len(s.Properties))
			for key := range s.Properties {
				want = append(want, key)
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, keys); diff != "" {
				t.Errorf("%s (-schema +reader):\n%s", strings.Join(at, "."), diff)
			}
		}
		for key, property := range s.Properties {
			walk(append(slices.Clone(at), key), property)
		}
	}
	walk(nil, root)
	const least = 12
	if mappings < least {
		t.Errorf("only %d mappings were compared", mappings)
	}
}

var knownKeys = regexp.MustCompile(`must be a mapping with the keys ([a-z_, ]+), not "wrong"`)

// readersKeys returns the keys that the reader knows at a place. It is not ok where the reader takes a text as well.
func readersKeys(t *testing.T, at place) (keys []string, ok bool) {
	t.Helper()
	if len(at) == 0 {
		_, err := rule.Load("f", []byte("wrong\n"), nil)
		return knownIn(err)
	}
	_, err := rule.Load("f", []byte(at.file()), nil)
	if err == nil {
		t.Errorf("%s: a text is accepted:\n%s", at, at.file())
		return nil, false
	}
	return knownIn(err)
}

func knownIn(err error) (keys []string, ok bool) {
	found := knownKeys.FindStringSubmatch(err.Error())
	if found == nil {
		return nil, false
	}

	return strings.Split(found[1], ", "), true
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}

	return s
}

// TestTheSchemaAcceptsWhatTheReaderDoes checks every rule file of the project.
func TestTheSchemaAcceptsWhatTheReaderDoes(t *testing.T) {
	t.Parallel()
	subject := compiled(t)
	files := map[string]string{}
	builtIn, err := os.ReadFile("../../rules/default.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files["default.yaml"] = string(builtIn)
	scenarios, err := filepath.Glob("../decide/testdata/scenarios/*.txt")
	if err != nil || len(scenarios) == 0 {
		t.Fatal(err)
	}
	for _, path := range scenarios {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, rest, has := strings.Cut(string(data), "-- rules --\n"); has {
			files[path], _, _ = strings.Cut(rest, "\n-- ")
		}
	}
	for name, text := range files {
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		if err := subject.Validate(plainJSON(t, value)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheSchemaRefuses what an editor should underline.
func TestTheSchemaRefuses(t *testing.T) {
	t.Parallel()
	subject := compiled(t)
	for name, text := range map[string]string{
		"unknown top key":  "rulez: []",
		"no rules":         "rules: []",
		"unknown rule key": "rules: [{name: a, mach: {type: text}, reply: {text: b}}]",
		"no answer":        "rules: [{name: a}]",
		"two answers":      "rules: [{name: a, echo: true, reply: {text: b}}]",
		"two replies":      "rules: [{name: a, reply: {text: b, image: c}}]",
		"silence false":    "rules: [{name: a, reply: {silence: false}}]",
		"send alone":       "rules: [{name: a, echo: true, send: [{text: b}]}]",
		"image key":        "rules: [{name: a, reply: {image: {mediaid: b}}}]",
		"empty list":       "rules: [{name: a, match: {text: []}, reply: {text: b}}]",
		"rollout":          "rules: [{name: a, rollout: {percent: 101}, reply: {text: b}}]",
		"no steps":         "rules: [{name: a, dialogue: {steps: [], reply: {text: b}}}]",
		"nameless answer":  "rules: [{name: a, dialogue: {steps: [{ask: b}], reply: {text: b}}}]",
		"two expectations": "rules: [{name: a, dialogue: {steps: [{ask: b, save: c, pattern: d, choices: e}], reply: {text: b}}}]",
		"no moderators":    "rules: [{name: a, teach: {limit: 3}}]",
		"unknown teaching": "rules: [{name: a, teach: {moderation: false, teacher: o1}}]",
		"endless dialogue": "rules: [{name: a, dialogue: {steps: [{ask: b, save: c}]}}]",
	} {
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		if err := subject.Validate(plainJSON(t, value)); err == nil {
			t.Errorf("%s is accepted", name)
		}
		if _, err := rule.Load("f", []byte(text), nil); err == nil {
			t.Errorf("%s is accepted by the reader, so the schema must not refuse it", name)
		}
	}
}

// plainJSON is what an editor hands to a validator: YAML as JSON.
func plainJSON(t *testing.T, value any) any {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}

	return plain
}
