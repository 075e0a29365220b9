package rule

import (
	"regexp"
	"slices"
	"strings"

	"github.com/wxstack/wxstack/services/logic/internal/condition"
	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/suggest"
)

func (r *reader) match(e entry) route.Match {
	var m route.Match
	found, ok := r.mapping(e.value, "match", map[string]func(entry){
		"type":     func(e entry) { m.Types = r.types(e) },
		"event":    func(e entry) { m.Events = r.events(e) },
		"key":      func(e entry) { m.Keys = plain(r.texts(e, "key")) },
		"text":     func(e entry) { m.Texts = trimmed(r.texts(e, "text")) },
		"contains": func(e entry) { m.Contains = plain(r.texts(e, "contains")) },
		"prefix":   func(e entry) { m.Prefixes = trimmed(r.texts(e, "prefix")) },
		"pattern":  func(e entry) { m.Patterns = r.patterns(e) },
		"account":  func(e entry) { m.Accounts = r.accounts(e) },
		"scene":    func(e entry) { m.Scenes = plain(r.texts(e, "scene")) },
		"tag":      func(e entry) { m.Tags = trimmed(r.texts(e, "tag")) },
		"time":     func(e entry) { m.Time = r.window(e) },
		"if":       func(e entry) { m.Condition = r.condition(e) },
	})
	if !ok {
		return m
	}
	for _, key := range []string{"text", "contains", "prefix", "pattern"} {
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
		r.faultf(e.key, "%s needs type %s but the rule matches type %s only; remove type or change it", key, needed, strings.Join(types, ", "))
	}
}

func (r *reader) exclusive(found map[string]entry, key, other string) {
	if e, has := found[key]; has {
		r.faultf(e.key, "%s looks at text messages and %s at events, so both can never match; make two rules", key, other)
	}
}

// sceneEvents refuses a scene beside events that never have one.
func (r *reader) sceneEvents(found map[string]entry, events []string) {
	e, has := found["scene"]
	for _, event := range events {
		if has && !strings.EqualFold(event, "SCAN") && !strings.EqualFold(event, "subscribe") {
			r.faultf(e.key, "scene is that of a QR code, which only the events SCAN and subscribe have, not %s", event)
		}
	}
}

// condition reads an expression. It returns a nil interface after a fault.
func (r *reader) condition(e entry) route.Condition {
	source, ok := r.text(e, "if")
	if !ok {
		return nil
	}
	compiled, err := condition.Compile(source)
	if err != nil {
		r.faultf(e.value, "if: %v", err)

		return nil
	}

	return compiled
}

func (r *reader) types(e entry) []string {
	var types []string
	for _, v := range r.texts(e, "type") {
		switch {
		case slices.Contains(knownTypes, v.text):
			types = append(types, v.text)
		case isKnownEvent(v.text):
			r.faultf(v.node, "%q is an event, not a type; write event: %s", v.text, v.text)
		default:
			r.faultf(v.node, "unknown type %q%s", v.text, suggest.DidYouMean(v.text, knownTypes))
		}
	}

	return types
}

// events accepts names that are not in the list, because WeChat adds events without notice, but not
// those that look like a slip.
func (r *reader) events(e entry) []string {
	var events []string
	for _, v := range r.texts(e, "event") {
		if nearest := suggest.Nearest(v.text, knownEvents); nearest != "" && !isKnownEvent(v.text) {
			r.faultf(v.node, "unknown event %q; did you mean %q?", v.text, nearest)

			continue
		}
		events = append(events, v.text)
	}

	return events
}

// maxPatternBytes bounds what the regular expression of one rule costs.
const maxPatternBytes = 1000

func (r *reader) patterns(e entry) []*regexp.Regexp {
	var patterns []*regexp.Regexp
	for _, v := range r.texts(e, "pattern") {
		if len(v.text) > maxPatternBytes {
			r.faultf(v.node, "pattern is %d bytes long; %d is the most: use contains with a list of words", len(v.text), maxPatternBytes)

			continue
		}
		pattern, err := regexp.Compile(v.text)
		if err != nil {
			r.faultf(v.node, "pattern: %v; the syntax is RE2 (https://go.dev/s/re2syntax), and single quotes keep backslashes", err)

			continue
		}
		patterns = append(patterns, pattern)
	}

	return patterns
}

// accountPattern is the form of an AppID or an original id (原始ID).
var accountPattern = regexp.MustCompile(`^(wx|gh_)[0-9A-Za-z_]+$`)

func (r *reader) accounts(e entry) []string {
	var accounts []string
	for _, v := range r.texts(e, "account") {
		if !accountPattern.MatchString(v.text) {
			r.faultf(v.node, "account %q is neither an AppID (wx…) nor an original id (gh_…)", v.text)

			continue
		}
		accounts = append(accounts, v.text)
	}

	return accounts
}

func plain(values []value) []string {
	texts := make([]string, 0, len(values))
	for _, v := range values {
		texts = append(texts, v.text)
	}

	return texts
}

// trimmed cuts the white space that the content of a message is stripped of too.
func trimmed(values []value) []string {
	texts := plain(values)
	for i := range texts {
		texts[i] = strings.TrimSpace(texts[i])
	}

	return texts
}
