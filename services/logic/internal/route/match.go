package route

import (
	"regexp"
	"slices"
	"strings"

	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
)

// Match says which messages a rule answers. Every list that is not empty must have an entry that
// fits; the zero Match fits every message.
type Match struct {
	// Types are values of MsgType.
	Types []string
	// Events are values of Event; upper and lower case do not matter, as WeChat's own pages disagree.
	Events []string
	// Keys are whole values of EventKey.
	Keys []string
	// Accounts are AppIDs or original ids (原始ID, gh_…).
	Accounts []string

	// The lists below look at the content of a text message without the white space around it.

	// Texts are whole contents.
	Texts []string
	// Prefixes are beginnings.
	Prefixes []string
	// Contains are parts.
	Contains []string
	// Patterns are regular expressions that fit somewhere in the content.
	Patterns []*regexp.Regexp
}

// WantsText says that only text messages can match.
func (m *Match) WantsText() bool {
	return len(m.Texts)+len(m.Prefixes)+len(m.Contains)+len(m.Patterns) > 0 ||
		(len(m.Types) > 0 && !slices.ContainsFunc(m.Types, func(t string) bool { return t != typeText }))
}

// WantsEvent says that only events can match.
func (m *Match) WantsEvent() bool {
	return len(m.Events)+len(m.Keys) > 0 ||
		(len(m.Types) > 0 && !slices.ContainsFunc(m.Types, func(t string) bool { return t != typeEvent }))
}

// Everything says that there is no condition at all.
func (m *Match) Everything() bool {
	return !m.WantsText() && !m.WantsEvent() && len(m.Types) == 0 && len(m.Accounts) == 0
}

// The two values of MsgType that have conditions of their own.
const (
	typeText  = "text"
	typeEvent = "event"
)

// facts are the parts of a message that rules look at, taken out once.
type facts struct {
	msgType  string
	event    string // in lower case
	key      string
	content  string // without white space around it
	isText   bool
	isEvent  bool
	accounts [2]string
}

func factsOf(msg *messagev1.Message) facts {
	f := facts{msgType: msg.GetMsgType(), accounts: [2]string{msg.GetAppId(), msg.GetToUserName()}}
	if text := msg.GetText(); text != nil {
		f.isText, f.content = true, strings.TrimSpace(text.GetContent())
	}
	if event := msg.GetEvent(); event != nil {
		f.isEvent, f.event, f.key = true, strings.ToLower(event.GetName()), event.GetKey()
	}

	return f
}

func (m *Match) matches(f *facts) bool {
	return m.matchesKind(f) && m.matchesEvent(f) && m.matchesText(f)
}

func (m *Match) matchesKind(f *facts) bool {
	if len(m.Types) > 0 && !slices.Contains(m.Types, f.msgType) {
		return false
	}

	return len(m.Accounts) == 0 || slices.Contains(m.Accounts, f.accounts[0]) || slices.Contains(m.Accounts, f.accounts[1])
}

func (m *Match) matchesEvent(f *facts) bool {
	if len(m.Events) > 0 && (!f.isEvent || !slices.ContainsFunc(m.Events, func(e string) bool { return strings.EqualFold(e, f.event) })) {
		return false
	}

	return len(m.Keys) == 0 || (f.isEvent && slices.Contains(m.Keys, f.key))
}

func (m *Match) matchesText(f *facts) bool {
	if len(m.Texts)+len(m.Prefixes)+len(m.Contains)+len(m.Patterns) > 0 && !f.isText {
		return false
	}

	return anyOf(m.Texts, func(s string) bool { return s == f.content }) &&
		anyOf(m.Prefixes, func(s string) bool { return strings.HasPrefix(f.content, s) }) &&
		anyOf(m.Contains, func(s string) bool { return strings.Contains(f.content, s) }) &&
		anyOf(m.Patterns, func(p *regexp.Regexp) bool { return p.MatchString(f.content) })
}

// anyOf is true for an empty list: no condition.
func anyOf[T any](list []T, fits func(T) bool) bool {
	return len(list) == 0 || slices.ContainsFunc(list, fits)
}
