// Package rule reads rule files: YAML that says, in order, which messages are answered how. Everything
// that can be known to be wrong is found when the file is read, all of it at once, each with its line,
// the rule's name, the reason and the remedy.
package rule

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/wxstack/wxstack/services/logic/internal/reply"
	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/yamlfile"
)

// Load reads the rules in data, a YAML document, and makes their handlers. The name is for errors: that of
// the file. Errors in the rules are a *yamlfile.InvalidError; errors in the YAML show an excerpt. Without a runtime the
// file is checked by itself: secrets that it names are not read, and handlers must not be asked.
func Load(name string, data []byte, runtime *Runtime) ([]route.Rule, error) {
	var rules []route.Rule
	err := yamlfile.Read(name, data, "the key rules with at least one rule", func(r *yamlfile.Reader, root ast.Node) {
		rules = (&reader{Reader: r, runtime: runtime, choiceLines: map[string]int{}}).file(root)
	})
	if err != nil {
		return nil, err
	}

	return rules, nil
}

func (r *reader) file(root ast.Node) []route.Rule {
	if _, isList := r.Resolve(root).(*ast.SequenceNode); isList {
		r.Faultf(root, "the file must begin with the key rules: and the list indented under it")

		return nil
	}
	var rules []route.Rule
	found, ok := r.Mapping(root, "the file", map[string]func(entry){
		"rules": func(e entry) { rules = r.rules(e) },
	})
	if _, has := found["rules"]; ok && !has && r.Faults() == 0 {
		r.Faultf(root, "the file has no key rules; it needs at least one rule")
	}

	return rules
}

func (r *reader) rules(e entry) []route.Rule {
	nodes, ok := r.List(e, "rules")
	if !ok {
		return nil
	}
	if len(nodes) == 0 {
		r.Faultf(e.Key, "the list of rules is empty; it needs at least one rule")
	}
	seen := map[string]int{}
	var rules []route.Rule
	var everything *ast.Node
	var everythingName string
	for i := range nodes {
		r.named("")
		r.replies = nil
		rule, nameNode := r.oneRule(nodes[i])
		if nameNode != nil {
			if line, twice := seen[rule.Name]; twice {
				r.Faultf(nameNode, "the name is used by the rule in line %d already; give each rule its own", line)
			}
			seen[rule.Name] = nameNode.GetToken().Position.Line
		}
		if everything != nil {
			r.Faultf(nodes[i], "never reached: rule %q in line %d matches every message; move this one before it",
				everythingName, (*everything).GetToken().Position.Line)
		} else if rule.Match.Everything() && rule.Handler != nil && rule.Kind == kindReply { // other handlers may pass
			everything, everythingName = &nodes[i], rule.Name
		}
		rules = append(append(rules, r.replies...), rule)
	}
	r.named("")

	return rules
}

// namePattern keeps names usable as a metric's label and in a log.
var namePattern = regexp.MustCompile(`^[\pL\pN][\pL\pN ._-]{0,63}$`)

// kindReply is the kind of rules whose answer stands in the file.
const kindReply = "reply"

// oneRule returns the rule and the node of its name, nil when it has no usable one.
func (r *reader) oneRule(node ast.Node) (rule route.Rule, nameNode ast.Node) {
	var answer *content
	var send []*content
	var rollout *route.Rollout
	r.named(r.nameOf(node))
	before := r.Faults()
	keys := map[string]func(entry){
		"name":    func(e entry) { rule.Name, nameNode = r.name(e) },
		"match":   func(e entry) { rule.Match = r.match(e) },
		"rollout": func(e entry) { rollout = r.rollout(e) },
		"reply":   func(e entry) { answer = r.content(e.Value, "reply", true) },
		"send":    func(e entry) { send = r.send(e) },
	}
	handlers := r.handlers()
	for kind, read := range handlers {
		keys[kind] = func(e entry) { rule.Handler = read(e) }
	}
	kinds := slices.Sorted(maps.Keys(handlers))
	kinds = slices.Insert(kinds, 0, kindReply)
	found, ok := r.Mapping(node, "a rule", keys)
	if !ok {
		return rule, nil
	}
	rule.Match.Rollout = rollout
	if _, has := found["name"]; !has {
		r.Faultf(node, "the rule has no name; add name: with a short one, which logs and metrics will show")
	}
	rule.Line, rule.Kind = node.GetToken().Position.Line, r.oneAnswer(node, found, kinds)
	rule.Remembers = slices.Contains(remembering, rule.Kind)
	if _, replies := found["reply"]; replies && r.Faults() == before {
		r.checkTogether(&rule.Match, answer, send, found)
		rule.Handler = canned(answer, send)
	}

	return rule, nameNode
}

// remembering are the handlers that keep something in Redis.
var remembering = []string{"assistant", "dialogue", "teach"}

// oneAnswer returns the key that says who answers. It refuses a rule that has more or less than one.
func (r *reader) oneAnswer(node ast.Node, found map[string]entry, kinds []string) string {
	has := slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool {
		_, has := found[kind]
		return !has
	})
	switch {
	case len(has) == 0:
		r.Faultf(node, "the rule has no reply; give it one of %s; to show the follower nothing write reply: {silence: true}", strings.Join(kinds, ", "))

		return ""
	case len(has) > 1:
		r.Faultf(found[has[1]].Key, "the rule has %s; it can have only one of them", strings.Join(has, " and "))
	}
	if e, sends := found["send"]; sends && !slices.Contains(has, kindReply) {
		r.Faultf(e.Key, "send goes with reply only; %s sends what it has to send itself", has[0])
	}

	return has[0]
}

// name returns the name of a rule and its node, nil if it is not usable.
func (r *reader) name(e entry) (string, ast.Node) {
	name, ok := r.Text(e, "name")
	if !ok {
		return "", nil
	}
	if !namePattern.MatchString(name) {
		r.Faultf(e.Value, "name %q: use up to 64 letters, digits, spaces and . _ - and begin with a letter or digit", name)

		return "", nil
	}

	return name, e.Value
}

// named says which rule is being read.
func (r *reader) named(name string) {
	r.rule, r.Subject = name, ""
	if name != "" {
		r.Subject = fmt.Sprintf("rule %q", name)
	}
}

// nameOf looks the name up before the rule is read, so that faults in keys before it name the rule.
func (r *reader) nameOf(node ast.Node) string {
	for key, value := range r.Pairs(node) {
		if text, ok := r.Resolve(value).(*ast.StringNode); ok && key == "name" {
			return text.Value
		}
	}

	return ""
}

func (r *reader) send(e entry) []*content {
	nodes, ok := r.List(e, "send")
	if !ok {
		return nil
	}
	var send []*content
	for _, node := range nodes {
		if c := r.content(node, "an entry of send", false); c != nil {
			send = append(send, c)
		}
	}

	return send
}

// How many customer-service messages WeChat allows after a message and after an event (follow, menu
// click, scan): 微信公众平台 “客服消息”.
const (
	maxSendToMessage = 5
	maxSendToEvent   = 3
)

// checkTogether finds what is wrong only in combination.
func (r *reader) checkTogether(match *route.Match, answer *content, send []*content, found map[string]entry) {
	onlyEvents := match.WantsEvent()
	limit := reply.MaxArticlesToMessage
	if onlyEvents {
		limit = reply.MaxArticlesToEvent
	}
	if news, ok := answer.made.(reply.News); ok && len(news.Articles) > limit {
		r.Faultf(answer.node, "news has %d articles; WeChat shows %d in reply to a message and %d to an event (match: {type: event})",
			len(news.Articles), reply.MaxArticlesToMessage, reply.MaxArticlesToEvent)
	}
	if _, ok := answer.made.(reply.Transfer); ok && onlyEvents {
		r.Faultf(answer.node, "transfer_customer_service hands over messages, not events; match a type such as text")
	}
	if _, ok := answer.made.(reply.TransferAI); ok && onlyEvents {
		r.Faultf(answer.node, "transfer_biz_ai_ivr hands over messages, not events; match a type such as text")
	}
	for _, event := range match.Events {
		if answer.made != nil && isSilent(event) {
			r.Faultf(answer.node, "WeChat shows no reply to the event %s; use reply: {silence: true}", event)
		}
	}
	most := maxSendToMessage
	if onlyEvents {
		most = maxSendToEvent
	}
	if len(send) > most {
		r.Faultf(found["send"].Key, "send has %d messages; WeChat allows %d after a message and %d after an event",
			len(send), maxSendToMessage, maxSendToEvent)
	}
}

func canned(answer *content, send []*content) *reply.Canned {
	c := &reply.Canned{Reply: answer.made}
	for _, message := range send {
		c.Send = append(c.Send, reply.Message{Content: message.made, KfAccount: message.kfAccount})
	}

	return c
}
