// Package config turns flags, environment and files into validated values.
//
// A program's settings are one struct with kong tags: every flag has an environment variable and a
// default, unknown flags are refused with a suggestion. Files are YAML, decoded strictly: an unknown
// key is an error with line, column and an excerpt. Secrets are always files, held in a type that
// prints as [redacted]. This is the only package that reads the environment.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// Command is a subcommand that a program adds to those in its struct.
type Command struct {
	// Name is what is typed. One of several words, such as "rules check", stands below the command of the
	// words before the last, which is in the list too.
	Name string
	Help string
	// Flags is a pointer to a struct with kong tags: the settings and arguments (tag arg) of this command
	// alone. A method Help() string of it is the text that --help shows at length. Nil: none, as befits a
	// command that has others below it.
	Flags any
}

// Parse fills target, a pointer to a struct with kong tags, from args and the environment.
// It handles --help itself and then ends the process, as kong does. The returned command is the
// name of the chosen subcommand, empty when there are none.
func Parse(name, description string, args []string, target any, commands ...Command) (string, error) {
	return parse(name, description, args, target, commands)
}

func parse(name, description string, args []string, target any, commands []Command, more ...kong.Option) (string, error) {
	options := append([]kong.Option{
		kong.Name(name),
		kong.Description(description),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.PostBuild(nest),
	}, more...)
	for _, c := range commands {
		if c.Flags == nil {
			c.Flags = new(struct{})
		}
		options = append(options, kong.DynamicCommand(c.Name, c.Help, "", c.Flags))
	}
	parser, err := kong.New(target, options...)
	if err != nil {
		return "", fmt.Errorf("command line of %s: %w", name, err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return "", fmt.Errorf("%w (%s --help lists the settings)", err, name)
	}
	if parsed.Selected() == nil {
		return "", nil
	}
	return parsed.Selected().Path(), nil
}

// nest moves each command whose name has several words below the one that it names: kong adds commands at
// the top only.
func nest(parser *kong.Kong) error {
	root := parser.Model.Node
	all := root.Children
	byName := make(map[string]*kong.Node, len(all))
	for _, node := range all {
		byName[node.Name] = node
	}
	root.Children = nil
	for _, node := range all {
		parent := root
		if i := strings.LastIndexByte(node.Name, ' '); i >= 0 {
			if parent = byName[node.Name[:i]]; parent == nil {
				return fmt.Errorf("command %q: there is no command %q", node.Name, node.Name[:i])
			}
			node.Name = node.Name[i+1:]
		}
		node.Parent = parent
		parent.Children = append(parent.Children, node)
	}
	return nil
}

// maxFileBytes bounds every file that is read, so that a wrong path such as /dev/zero is an error.
const maxFileBytes = 16 << 20

// ReadFile reads a whole file of at most 16 MiB.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written.
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("read %s: larger than %d MiB", path, maxFileBytes>>20)
	}
	return data, nil
}

// ReadYAML decodes the file at path into target, a pointer, as DecodeYAML does.
func ReadYAML(path string, target any) error {
	data, err := ReadFile(path)
	if err != nil {
		return err
	}
	return DecodeYAML(path, data, target)
}

// DecodeYAML decodes one YAML document strictly: keys that target does not know and keys that occur
// twice are errors. Errors begin with name and the line, and show an excerpt. An empty document
// gives the zero value.
func DecodeYAML(name string, data []byte, target any) (err error) {
	defer func() {
		// The library panics on some documents, such as "list: !tag" with nothing behind the tag.
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: the document cannot be read (%v); look for tags (!), anchors (&) and keys without a value", name, p)
		}
	}()
	err = yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(target)
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("%s: %s", name, strings.TrimSpace(yaml.FormatError(err, false, true)))
}

// Line returns the line, from 1, of the value that place names in a YAML document, such as accounts[1].kind,
// or of the nearest thing above it that is there. It is 0 if there is none.
func Line(data []byte, place string) int {
	for place != "" {
		if path, err := yaml.PathString("$." + place); err == nil {
			if node, err := path.ReadNode(bytes.NewReader(data)); err == nil {
				return node.GetToken().Position.Line
			}
		}
		place = place[:max(0, strings.LastIndexAny(place, ".["))]
	}
	return 0
}

const redacted = "[redacted]"

// Secret is a value that no print, log or encoder shows. Only Reveal gives it away.
type Secret struct{ value string }

// NewSecret wraps a value that did not come from a file, such as a development default.
func NewSecret(value string) Secret { return Secret{value: value} }

// ReadSecret reads a secret from its file. The line end that editors add is cut; an empty file is an
// error. what names the setting in errors.
func ReadSecret(what, path string) (Secret, error) { return readSecret(what, path, ReadFile) }

func readSecret(what, path string, read func(string) ([]byte, error)) (Secret, error) {
	if path == "" {
		return Secret{}, fmt.Errorf("%s: not set; it names the file that holds the secret", what)
	}
	data, err := read(path)
	if err != nil {
		return Secret{}, fmt.Errorf("%s: %w", what, err)
	}
	value := strings.TrimSpace(string(data))
	if value == "" {
		return Secret{}, fmt.Errorf("%s: file %s is empty", what, path)
	}
	return Secret{value: value}, nil
}

// Reveal returns the value, for the one place that needs it.
func (s Secret) Reveal() string { return s.value }

// String hides the value from fmt.
func (Secret) String() string { return redacted }

// GoString hides the value from %#v.
func (Secret) GoString() string { return redacted }

// MarshalText hides the value from encoders and from slog.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
