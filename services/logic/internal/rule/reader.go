package rule

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/wxstack/wxstack/services/logic/internal/suggest"
)

// document receives the parsed YAML as it stands, because only the nodes know their lines.
type document struct{ root ast.Node }

// UnmarshalYAML keeps the node for reader.
func (d *document) UnmarshalYAML(node ast.Node) error {
	d.root = node

	return nil
}

// reader walks the nodes of a rule file and collects every fault instead of stopping at the first.
type reader struct {
	// runtime is nil when the file is only checked.
	runtime *Runtime
	anchors map[string]ast.Node
	// rule is the name of the rule that is being read.
	rule   string
	faults []Fault
}

func newReader(root ast.Node, runtime *Runtime) *reader {
	r := &reader{runtime: runtime, anchors: map[string]ast.Node{}}
	ast.Walk(r, root)

	return r
}

// Visit collects the anchors (&name), for ast.Walk.
func (r *reader) Visit(node ast.Node) ast.Visitor {
	if anchor, ok := node.(*ast.AnchorNode); ok {
		r.anchors[anchor.Name.String()] = anchor.Value
	}

	return r
}

func (r *reader) faultf(at ast.Node, format string, args ...any) {
	position := at.GetToken().Position
	r.faults = append(r.faults, Fault{
		Line: position.Line, Column: position.Column, Rule: r.rule, Reason: fmt.Sprintf(format, args...),
	})
}

// maxAliasHops ends a chain of aliases that leads back to itself.
const maxAliasHops = 8

// resolve looks through anchors, aliases and tags at what they stand for.
func (r *reader) resolve(node ast.Node) ast.Node {
	for range maxAliasHops {
		switch n := node.(type) {
		case *ast.AnchorNode:
			node = n.Value
		case *ast.TagNode:
			node = n.Value
		case *ast.AliasNode:
			target, known := r.anchors[n.Value.String()]
			if !known {
				return node
			}
			node = target
		default:
			return node
		}
	}

	return node
}

// entry is one key of a mapping with its value. The value keeps its place; resolve it before use.
type entry struct {
	key   ast.Node
	value ast.Node
}

// mapping reads the mapping at node and hands each value to the function under its key. It reports
// unknown keys, and returns the entries found; ok is false when node is no mapping.
func (r *reader) mapping(node ast.Node, what string, known map[string]func(entry)) (found map[string]entry, ok bool) {
	mapNode, ok := r.resolve(node).(ast.MapNode)
	names := slices.Sorted(maps.Keys(known))
	if !ok {
		r.faultf(node, "%s must be a mapping with the keys %s, not %s", what, strings.Join(names, ", "), r.describe(node))

		return nil, false
	}
	found = map[string]entry{}
	for pairs := mapNode.MapRange(); pairs.Next(); {
		name := pairs.Key().GetToken().Value
		e := entry{key: pairs.Key(), value: pairs.Value()}
		read, isKnown := known[name]
		if !isKnown {
			r.faultf(e.key, "unknown key %q in %s%s", name, what, suggest.DidYouMean(name, names))

			continue
		}
		found[name] = e
		read(e)
	}

	return found, true
}

// pairs yields the keys and values of the mapping at node, if it is one.
func (r *reader) pairs(node ast.Node) iter.Seq2[string, ast.Node] {
	return func(yield func(string, ast.Node) bool) {
		mapNode, ok := r.resolve(node).(ast.MapNode)
		if !ok {
			return
		}
		for pairs := mapNode.MapRange(); pairs.Next(); {
			if !yield(pairs.Key().GetToken().Value, pairs.Value()) {
				return
			}
		}
	}
}

// list returns the entries of the sequence at e.
func (r *reader) list(e entry, what string) ([]ast.Node, bool) {
	sequence, ok := r.resolve(e.value).(*ast.SequenceNode)
	if !ok {
		r.faultf(e.key, "%s must be a list, each entry on a line that begins with \"- \", not %s", what, r.describe(e.value))

		return nil, false
	}

	return sequence.Values, true
}

// scalar returns a single value as it is written. Numbers and the like count as text, because a
// follower who is told to answer 1 sends the text 1.
func (r *reader) scalar(node ast.Node, what string) (string, bool) {
	switch n := r.resolve(node).(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	r.faultf(node, "%s must be a text, not %s", what, r.describe(node))

	return "", false
}

// text is a scalar that must not be empty.
func (r *reader) text(e entry, what string) (string, bool) {
	value, ok := r.scalar(e.value, what)
	if ok && strings.TrimSpace(value) == "" {
		r.faultf(e.key, "%s is empty; give it a value or remove the key", what)

		return "", false
	}

	return value, ok
}

// value is one entry of a list with its place.
type value struct {
	text string
	node ast.Node
}

// texts reads one text or a list of texts.
func (r *reader) texts(e entry, what string) []value {
	nodes := []ast.Node{e.value}
	if sequence, ok := r.resolve(e.value).(*ast.SequenceNode); ok {
		nodes = sequence.Values
		if len(nodes) == 0 {
			r.faultf(e.key, "%s is an empty list, which nothing matches; give it an entry or remove the key", what)
		}
	}
	var values []value
	for _, node := range nodes {
		if text, ok := r.text(entry{key: node, value: node}, what); ok {
			values = append(values, value{text: text, node: node})
		}
	}

	return values
}

// describe names the kind of a node for somebody who does not know YAML's words.
func (r *reader) describe(node ast.Node) string {
	switch n := r.resolve(node).(type) {
	case *ast.NullNode:
		return "nothing"
	case *ast.SequenceNode:
		return "a list"
	case ast.MapNode:
		return "a mapping"
	case *ast.AliasNode:
		return "the unknown alias *" + n.Value.String()
	default:
		const shown = 40

		return fmt.Sprintf("%.*q", shown, n.GetToken().Value)
	}
}
