// Package yamlfile reads YAML files that people write, and finds everything that is wrong in one at once:
// each fault with line, column, reason and remedy. What a file may hold is up to the function that walks its
// nodes with a Reader.
package yamlfile

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/wxstack/wxstack/chassis/config"
)

// document receives the parsed YAML as it stands, because only the nodes know their lines.
type document struct{ root ast.Node }

// UnmarshalYAML keeps the node for Reader.
func (d *document) UnmarshalYAML(node ast.Node) error {
	d.root = node

	return nil
}

// Read parses data, one YAML document, and lets walk read it from its root. The name is for errors: that of the
// file; needs says what an empty file lacks, such as "the key rules". What walk reports, with Faultf and the
// Reader's other methods, comes back as an *InvalidError; errors in the YAML itself show an excerpt.
func Read(name string, data []byte, needs string, walk func(r *Reader, root ast.Node)) error {
	var doc document
	if err := config.DecodeYAML(name, data, &doc); err != nil {
		return fmt.Errorf("%w\n(YAML is indented with spaces, never tabs; a text with \": \" or \" #\" in it, or with a leading {{, [, * or &, needs quotes)", err)
	}
	if doc.root == nil {
		return &InvalidError{File: name, Faults: []Fault{{
			Line: 1, Column: 1, Reason: "the file is empty; it needs " + needs,
		}}}
	}
	r := &Reader{anchors: map[string]ast.Node{}}
	ast.Walk(anchors(r.anchors), doc.root)
	r.singleDocument(doc.root)
	walk(r, doc.root)
	if len(r.faults) > 0 {
		slices.SortStableFunc(r.faults, func(a, b Fault) int { return a.Line - b.Line })

		return &InvalidError{File: name, Faults: r.faults}
	}

	return nil
}

// anchors collects what the anchors (&name) of a document stand for.
type anchors map[string]ast.Node

// Visit is for ast.Walk.
func (a anchors) Visit(node ast.Node) ast.Visitor {
	if anchor, ok := node.(*ast.AnchorNode); ok {
		a[anchor.Name.String()] = anchor.Value
	}

	return a
}

// singleDocument refuses a second document, which would otherwise be ignored in silence.
func (r *Reader) singleDocument(root ast.Node) {
	for t := root.GetToken(); t != nil; t = t.Next {
		if t.Type == token.DocumentHeaderType {
			r.faults = append(r.faults, Fault{
				Line: t.Position.Line, Column: t.Position.Column,
				Reason: "a second document begins here; put everything into one and remove the line ---",
			})

			return
		}
	}
}
