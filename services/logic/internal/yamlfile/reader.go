package yamlfile

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/wxstack/wxstack/services/logic/internal/suggest"
)

// Reader walks the nodes of a file and collects every fault instead of stopping at the first.
type Reader struct {
	// Subject is what is being read, such as rule "help"; every fault names it.
	Subject string

	anchors map[string]ast.Node
	faults  []Fault
}

// Faultf reports that something at a node is wrong: what, and how to mend it.
func (r *Reader) Faultf(at ast.Node, format string, args ...any) {
	r.faults = append(r.faults, r.Remark(at, format, args...))
}

// Remark is a remark on a node that makes the file no worse.
func (r *Reader) Remark(at ast.Node, format string, args ...any) Fault {
	position := at.GetToken().Position

	return Fault{Line: position.Line, Column: position.Column, Subject: r.Subject, Reason: fmt.Sprintf(format, args...)}
}

// Faults is how many faults there are so far. What is read between two equal counts is right.
func (r *Reader) Faults() int { return len(r.faults) }

// maxAliasHops ends a chain of aliases that leads back to itself.
const maxAliasHops = 8

// Resolve looks through anchors, aliases and tags at what they stand for.
func (r *Reader) Resolve(node ast.Node) ast.Node {
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

// Entry is one key of a mapping with its value. The value keeps its place; Resolve it before use.
type Entry struct {
	Key   ast.Node
	Value ast.Node
}

// Mapping reads the mapping at node and hands each value to the function under its key. It reports
// unknown keys, and returns the entries found; ok is false when node is no mapping.
func (r *Reader) Mapping(node ast.Node, what string, known map[string]func(Entry)) (found map[string]Entry, ok bool) {
	mapNode, ok := r.Resolve(node).(ast.MapNode)
	names := slices.Sorted(maps.Keys(known))
	if !ok {
		r.Faultf(node, "%s must be a mapping with the keys %s, not %s", what, strings.Join(names, ", "), r.Describe(node))

		return nil, false
	}
	found = map[string]Entry{}
	for pairs := mapNode.MapRange(); pairs.Next(); {
		name := pairs.Key().GetToken().Value
		e := Entry{Key: pairs.Key(), Value: pairs.Value()}
		read, isKnown := known[name]
		if !isKnown {
			r.Faultf(e.Key, "unknown key %q in %s%s", name, what, suggest.DidYouMean(name, names))

			continue
		}
		found[name] = e
		read(e)
	}

	return found, true
}

// Pairs yields the keys and values of the mapping at node, if it is one.
func (r *Reader) Pairs(node ast.Node) iter.Seq2[string, ast.Node] {
	return func(yield func(string, ast.Node) bool) {
		mapNode, ok := r.Resolve(node).(ast.MapNode)
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

// Require reports a key that is missing from the mapping at e, whose keys are found.
func (r *Reader) Require(e Entry, found map[string]Entry, what, key string) {
	if _, has := found[key]; !has && found != nil {
		r.Faultf(e.Key, "%s has no %s, which WeChat requires", what, key)
	}
}

// List returns the entries of the sequence at e.
func (r *Reader) List(e Entry, what string) ([]ast.Node, bool) {
	sequence, ok := r.Resolve(e.Value).(*ast.SequenceNode)
	if !ok {
		r.Faultf(e.Key, "%s must be a list, each entry on a line that begins with \"- \", not %s", what, r.Describe(e.Value))

		return nil, false
	}

	return sequence.Values, true
}

// Scalar returns a single value as it is written. Numbers and the like count as text, because a
// follower who is told to answer 1 sends the text 1.
func (r *Reader) Scalar(node ast.Node, what string) (string, bool) {
	switch n := r.Resolve(node).(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	r.Faultf(node, "%s must be a text, not %s", what, r.Describe(node))

	return "", false
}

// Text is a scalar that must not be empty.
func (r *Reader) Text(e Entry, what string) (string, bool) {
	value, ok := r.Scalar(e.Value, what)
	if ok && strings.TrimSpace(value) == "" {
		r.Faultf(e.Key, "%s is empty; give it a value or remove the key", what)

		return "", false
	}

	return value, ok
}

// Value is one entry of a list with its place.
type Value struct {
	Text string
	Node ast.Node
}

// Texts reads one text or a list of texts.
func (r *Reader) Texts(e Entry, what string) []Value {
	nodes := []ast.Node{e.Value}
	if sequence, ok := r.Resolve(e.Value).(*ast.SequenceNode); ok {
		nodes = sequence.Values
		if len(nodes) == 0 {
			r.Faultf(e.Key, "%s is an empty list, which nothing matches; give it an entry or remove the key", what)
		}
	}
	var values []Value
	for _, node := range nodes {
		if text, ok := r.Text(Entry{Key: node, Value: node}, what); ok {
			values = append(values, Value{Text: text, Node: node})
		}
	}

	return values
}

// Describe names the kind of a node for somebody who does not know YAML's words.
func (r *Reader) Describe(node ast.Node) string {
	switch n := r.Resolve(node).(type) {
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
