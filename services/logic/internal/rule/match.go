package rule

import (
	"regexp"
	"slices"
	"strings"

	"github.com/wxstack/wxstack/services/logic/internal/condition"
	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/suggest"
	"github.com/wxstack/wxstack/services/logic/internal/yamlfile"
)

func (r *reader) match(e entry) route.Match {
	var m route.Match
	found, ok := r.Mapping(e.Value, "match", map[string]func(entry){
		"type":     func(e entry) { m.Types = r.types(e) },
		"event":    func(e entry) { m.Events = r.events(e) },
		"key":      func(e entry) { m.Keys = plain(r.Texts(e, "key")) },
		"text":     func(e entry) { m.Texts = trimmed(r.Texts(e, "text")) },
		"contains": func(e entry) { m.Contains = plain(r.Texts(e, "contains")) },
		"prefix":   func(e entry) { m.Prefixes = trimmed(r.Texts(e, "prefix")) },
		"pattern":  func(e entry) { m.Patterns = r.patterns(e) },
		"account":  func(e entry) { m.Accounts = r.accounts(e) },
		"choice":   func(e entry) { m.Choices = plain(r.Texts(e, "choice")) },
		"scene":    func(e entry) { m.Scenes = plain(r.Texts(e, "scene")) },
		"tag":      func(e entry) { m.Tags = trimmed(r.Texts(e, "tag")) },
		"time":     func(e entry) { m.Time = r.window(e) },
		"if":       func(e entry) { m.Condition = r.condition(e) },
	})
	if !ok {
		return m
	}
	for _, key := range []string{"text", "contains", "prefix", "pattern", "choice"} {
		r.needsType(found, key, "text", m.Types)
		for _, other := range []string{"event", "key", "scene"} {
			if _, both := found[other]; both {
				r.exclusive(found, key, other)
			}
		}
	}
	for _, key := range []string{"event", "key", "scene"} {
		r.needsType(found, key, "event", m.Types)
	}
	r.sceneEvents(found, m.Events)

	return m
}

// needsType refuses a condition that can never hold because of the types beside it.
func (r *reader) needsType(found map[string]entry, key, needed string, types []string) {
	e, has := found[key]
	if has && len(types) > 0 && !slices.Contains(types, needed) {
		r.Faultf(e.Key, "%s needs type %s but the rule matches type %s only; remove type or change it", key, needed, strings.Join(types, ", "))
	}
}

func (r *reader) exclusive(found map[string]entry, key, other string) {
	if e, has := found[key]; has {
		r.Faultf(e.Key, "%s looks at text messages and %s at events, so both can never match; make two rules", key, other)
	}
}

// sceneEvents refuses a scene beside events that never have one.
func (r *reader) sceneEvents(found map[string]entry, events []string) {
	e, has := found["scene"]
	for _, event := range events {
		if has && !strings.EqualFold(event, "SCAN") && !strings.EqualFold(event, "subscribe") {
			r.Faultf(e.Key, "scene is that of a QR code, which only the events SCAN and subscribe have, not %s", event)
		}
	}
}

// condition reads an expression. It returns a nil interface after a fault.
func (r *reader) condition(e entry) route.Condition {
	source, ok := r.Text(e, "if")
	if !ok {
		return nil
	}
	compiled, err := condition.Compile(source)
	if err != nil {
		r.Faultf(e.Value, "if: %v", err)

		return nil
	}

	return compiled
}

func (r *reader) types(e entry) []string {
	var types []string
	for _, v := range r.Texts(e, "type") {
		switch {
		case slices.Contains(knownTypes, v.Text):
			types = append(types, v.Text)
		case isKnownEvent(v.Text):
			r.Faultf(v.Node, "%q is an event, not a type; write event: %s", v.Text, v.Text)
		default:
			r.Faultf(v.Node, "unknown type %q%s", v.Text, suggest.DidYouMean(v.Text, knownTypes))
		}
	}

	return types
}

// events accepts names that are not in the list, because WeChat adds events without notice, but not
// those that look like a slip.
func (r *reader) events(e entry) []string {
	var events []string
	for _, v := range r.Texts(e, "event") {
		if nearest := suggest.Nearest(v.Text, knownEvents); nearest != "" && !isKnownEvent(v.Text) {
			r.Faultf(v.Node, "unknown event %q; did you mean %q?", v.Text, nearest)

			continue
		}
		events = append(events, v.Text)
	}

	return events
}

// maxPatternBytes bounds what the regular expression of one rule costs.
const maxPatternBytes = 1000

func (r *reader) patterns(e entry) []*regexp.Regexp {
	var patterns []*regexp.Regexp
	for _, v := range r.Texts(e, "pattern") {
		if pattern := r.expression(v, "pattern", "use contains with a list of words"); pattern != nil {
			patterns = append(patterns, pattern)
		}
	}

	return patterns
}

// expression compiles a regular expression. The remedy is for one that is too long. It returns nil after a fault.
func (r *reader) expression(v yamlfile.Value, what, remedy string) *regexp.Regexp {
	if len(v.Text) > maxPatternBytes {
		r.Faultf(v.Node, "%s is %d bytes long; %d is the most: %s", what, len(v.Text), maxPatternBytes, remedy)

		return nil
	}
	pattern, err := regexp.Compile(v.Text)
	if err != nil {
		r.Faultf(v.Node, "%s: %v; the syntax is RE2 (https://go.dev/s/re2syntax), and single quotes keep backslashes", what, err)

		return nil
	}

	return pattern
}

// accountPattern is the form of an AppID or an original id (原始ID).
var accountPattern = regexp.MustCompile(`^(wx|gh_)[0-9A-Za-z_]+$`)

func (r *reader) accounts(e entry) []string {
	var accounts []string
	for _, v := range r.Texts(e, "account") {
		if !accountPattern.MatchString(v.Text) {
			r.Faultf(v.Node, "account %q is neither an AppID (wx…) nor an original id (gh_…)", v.Text)

			continue
		}
		accounts = append(accounts, v.Text)
	}

	return accounts
}

func plain(values []yamlfile.Value) []string {
	texts := make([]string, 0, len(values))
	for _, v := range values {
		texts = append(texts, v.Text)
	}

	return texts
}

// trimmed cuts the white space that the content of a message is stripped of too.
func trimmed(values []yamlfile.Value) []string {
	texts := plain(values)
	for i := range texts {
		texts[i] = strings.TrimSpace(texts[i])
	}

	return texts
}
