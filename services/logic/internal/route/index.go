package route

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// index finds the rules that could match. Each rule stands under its most selective condition only;
// the other conditions are checked afterwards.
type index struct {
	texts    map[string][]int // by the whole content
	choices  map[string][]int // by the id of the tapped entry of a menu message
	keys     map[string][]int // by EventKey
	scenes   map[string][]int // by the scene of a QR code
	prefixes map[string][]int // by the beginning of the content
	grams    map[string][]int // by the first two characters of a part of the content, or its only one
	events   map[string][]int // by event name in lower case
	types    map[string][]int // by MsgType
	patterns []int            // every text message has to be tried
	rest     []int            // every message has to be tried

	longestPrefix int // in bytes
}

func newIndex() index {
	return index{
		texts: map[string][]int{}, choices: map[string][]int{}, keys: map[string][]int{}, scenes: map[string][]int{}, prefixes: map[string][]int{},
		grams: map[string][]int{}, events: map[string][]int{}, types: map[string][]int{},
	}
}

func (x *index) add(rule int, m *Match) {
	switch {
	case len(m.Texts) > 0:
		put(x.texts, rule, m.Texts)
	case len(m.Choices) > 0:
		put(x.choices, rule, m.Choices)
	case len(m.Keys) > 0:
		put(x.keys, rule, m.Keys)
	case len(m.Scenes) > 0:
		put(x.scenes, rule, m.Scenes)
	case len(m.Prefixes) > 0:
		put(x.prefixes, rule, m.Prefixes)
		for _, prefix := range m.Prefixes {
			x.longestPrefix = max(x.longestPrefix, len(prefix))
		}
	case len(m.Contains) > 0:
		for _, part := range m.Contains {
			put(x.grams, rule, []string{firstGram(part)})
		}
	case len(m.Patterns) > 0:
		x.patterns = append(x.patterns, rule)
	case len(m.Events) > 0:
		for _, event := range m.Events {
			put(x.events, rule, []string{strings.ToLower(event)})
		}
	case len(m.Types) > 0:
		put(x.types, rule, m.Types)
	default:
		x.rest = append(x.rest, rule)
	}
}

func put(to map[string][]int, rule int, under []string) {
	for _, key := range under {
		to[key] = append(to[key], rule)
	}
}

// candidates returns the rules that could match, in order, each once.
func (x *index) candidates(f *facts) []int {
	found := slices.Concat(x.rest, x.types[f.msgType])
	if f.isEvent {
		found = append(found, x.keys[f.key]...)
		found = append(found, x.scenes[f.scene]...)
		found = append(found, x.events[f.event]...)
	}
	if f.isText {
		found = append(found, x.texts[f.content]...)
		found = append(found, x.choices[f.choice]...)
		found = append(found, x.patterns...)
		for end := 1; end <= min(len(f.content), x.longestPrefix); end++ {
			found = append(found, x.prefixes[f.content[:end]]...)
		}
		found = x.appendGrams(found, f.content)
	}
	slices.Sort(found)

	return slices.Compact(found)
}

func (x *index) appendGrams(found []int, content string) []int {
	if len(x.grams) == 0 {
		return found
	}
	for start := 0; start < len(content); {
		_, first := utf8.DecodeRuneInString(content[start:])
		_, second := utf8.DecodeRuneInString(content[start+first:])
		found = append(found, x.grams[content[start:start+first]]...)
		if second > 0 {
			found = append(found, x.grams[content[start:start+first+second]]...)
		}
		start += first
	}

	return found
}

// firstGram returns the first two characters of s, or all of it when it is shorter.
func firstGram(s string) string {
	_, first := utf8.DecodeRuneInString(s)
	_, second := utf8.DecodeRuneInString(s[first:])

	return s[:first+second]
}
