package rule

import (
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/wxstack/wxstack/services/logic/internal/choices"
	"github.com/wxstack/wxstack/services/logic/internal/reply"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// maxChoices keeps a menu message readable; WeChat names no limit.
const maxChoices = 20

// question reads a question with choices. What a choice is answered becomes a rule of its own, which stands
// directly before this one.
func (r *reader) question(e entry) route.Handler {
	q := &choices.Question{}
	before := r.Faults()
	found, ok := r.Mapping(e.Value, "menu", map[string]func(entry){
		"head":    func(e entry) { q.Head = r.textTemplate(e, "head") },
		"tail":    func(e entry) { q.Tail = r.textTemplate(e, "tail") },
		"choices": func(e entry) { r.choices(e, q) },
		"as":      func(e entry) { q.AsLinks = r.OneOf(e, "as", "message", "links") == "links" },
	})
	if _, has := found["choices"]; ok && !has {
		r.Faultf(e.Key, "menu has no choices, which it is all about")
	}
	if r.Faults() > before {
		return nil
	}
	for _, choice := range q.Choices {
		if bad := strings.IndexAny(choice.ID+choice.Text, choices.Unlinkable); q.AsLinks && bad >= 0 {
			r.Faultf(e.Value, "choice %q: asked by links, a choice cannot have any of %s in its id or text", choice.Text, choices.Unlinkable)
		}
	}
	if size := q.Size(); q.AsLinks && size > reply.MaxTextBytes {
		r.Faultf(e.Value, "asked by links, the question is %d bytes long; WeChat shows %d: use fewer or shorter choices, or as: message", size, reply.MaxTextBytes)
	}

	return q
}

func (r *reader) choices(e entry, q *choices.Question) {
	nodes, ok := r.List(e, "choices")
	if !ok {
		return
	}
	if len(nodes) == 0 || len(nodes) > maxChoices {
		r.Faultf(e.Key, "choices has %d entries; it needs from 1 to %d", len(nodes), maxChoices)
	}
	for _, node := range nodes {
		q.Choices = append(q.Choices, r.choice(node))
	}
}

func (r *reader) choice(node ast.Node) choices.Choice {
	var c choices.Choice
	var idNode ast.Node
	var answer *content
	found, ok := r.Mapping(node, "a choice", map[string]func(entry){
		"id": func(e entry) {
			c.ID, _ = r.Text(e, "id")
			idNode = e.Value
		},
		"text": func(e entry) {
			c.Text, _ = r.Text(e, "text")
			if strings.ContainsAny(c.Text, "<>\n") {
				r.Faultf(e.Value, "text of a choice is one line without < and >")
			}
		},
		"reply": func(e entry) { answer = r.content(e.Value, "reply", true) },
	})
	at := entry{Key: node, Value: node}
	r.Require(at, found, "a choice", "id")
	r.Require(at, found, "a choice", "text")
	if !ok || answer == nil || c.ID == "" {
		return c
	}
	if line, twice := r.choiceLines[c.ID]; twice {
		r.Faultf(idNode, "id %q has a reply in line %d already; ids are the same for the whole file, so give this choice another", c.ID, line)

		return c
	}
	r.choiceLines[c.ID] = idNode.GetToken().Position.Line
	r.replies = append(r.replies, route.Rule{
		// No name that a rule may have holds a slash.
		Name: r.rule + "/" + c.ID, Match: route.Match{Choices: []string{c.ID}}, Handler: canned(answer, nil),
		Kind: kindReply, Line: idNode.GetToken().Position.Line,
	})

	return c
}
