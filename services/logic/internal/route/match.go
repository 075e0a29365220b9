package route

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/wxstack/wxstack/services/logic/internal/fields"
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
	// Scenes are those of QR codes (场景值), whether the follower scanned one or followed by it.
	Scenes []string
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
	// Choices are ids of entries in a menu message (菜单消息, bizmsgmenuid) that the follower tapped.
	Choices []string

	// Time is when the message must have been written; nil: whenever.
	Time *Window
	// Condition is whatever else must hold; nil: nothing.
	Condition Condition
	// Rollout narrows the rule to some of the followers; nil: it is for all.
	Rollout *Rollout
	// Tags are tags (标签) of the follower, names or ids. They are looked up when all else fits.
	Tags []string
}

// Condition is a test of a message.
type Condition interface {
	Holds(msg *fields.Message) (bool, error)
}

// WantsText says that only text messages can match.
func (m *Match) WantsText() bool {
	return m.readsContent() || (len(m.Types) > 0 && !slices.ContainsFunc(m.Types, func(t string) bool { return t != typeText }))
}

// WantsEvent says that only events can match.
func (m *Match) WantsEvent() bool {
	return len(m.Events)+len(m.Keys)+len(m.Scenes) > 0 ||
		(len(m.Types) > 0 && !slices.ContainsFunc(m.Types, func(t string) bool { return t != typeEvent }))
}

// Everything says that there is no condition at all.
func (m *Match) Everything() bool {
	return !m.WantsText() && !m.WantsEvent() && len(m.Types)+len(m.Accounts)+len(m.Tags) == 0 &&
		m.Time == nil && m.Condition == nil && m.Rollout == nil
}

func (m *Match) readsContent() bool {
	return len(m.Texts)+len(m.Prefixes)+len(m.Contains)+len(m.Patterns)+len(m.Choices) > 0
}

// The two values of MsgType that have conditions of their own.
const (
	typeText  = "text"
	typeEvent = "event"
)

// facts are the parts of a message that rules look at, taken out once.
type facts struct {
	query    Query
	msgType  string
	event    string // in lower case
	key      string
	scene    string
	content  string // without white space around it
	choice   string
	isText   bool
	isEvent  bool
	accounts [2]string

	// made are the fields of the message, once a condition has asked for them.
	made *fields.Message
	// tags are those of the follower, once they have been looked up.
	tags   []string
	tagErr error
	looked bool
}

func factsOf(q Query) facts {
	msg := q.Message
	f := facts{query: q, msgType: msg.GetMsgType(), accounts: [2]string{msg.GetAppId(), msg.GetToUserName()}}
	if text := msg.GetText(); text != nil {
		f.isText, f.content, f.choice = true, strings.TrimSpace(text.GetContent()), text.GetMenuEntryId()
	}
	if event := msg.GetEvent(); event != nil {
		f.isEvent, f.event, f.key, f.scene = true, strings.ToLower(event.GetName()), event.GetKey(), fields.SceneOf(event)
	}
	return f
}

// fields returns the fields of the message, made once.
func (f *facts) fields() *fields.Message {
	if f.made == nil {
		made := fields.Of(f.query.Message, fields.At(f.query.Message, f.query.Now))
		f.made = &made
	}

	return f.made
}

// matches decides by the cheap conditions first.
func (m *Match) matches(f *facts) (bool, error) {
	if !m.matchesKind(f) || !m.matchesEvent(f) || !m.matchesText(f) {
		return false, nil
	}
	if m.Time != nil && !m.Time.Contains(f.fields().Time) {
		return false, nil
	}
	if m.Rollout != nil && !m.Rollout.Includes(f.query.Message.GetFromUserName()) {
		return false, nil
	}
	if m.Condition != nil {
		holds, err := m.Condition.Holds(f.fields())
		if err != nil {
			return false, Fail(ReasonCondition, fmt.Errorf("if: %w", err))
		}
		if !holds {
			return false, nil
		}
	}
	return m.matchesTags(f)
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
	return (len(m.Keys) == 0 || (f.isEvent && slices.Contains(m.Keys, f.key))) &&
		(len(m.Scenes) == 0 || (f.scene != "" && slices.Contains(m.Scenes, f.scene)))
}

func (m *Match) matchesText(f *facts) bool {
	if m.readsContent() && !f.isText {
		return false
	}
	return anyOf(m.Texts, func(s string) bool { return s == f.content }) &&
		anyOf(m.Prefixes, func(s string) bool { return strings.HasPrefix(f.content, s) }) &&
		anyOf(m.Contains, func(s string) bool { return strings.Contains(f.content, s) }) &&
		anyOf(m.Patterns, func(p *regexp.Regexp) bool { return p.MatchString(f.content) }) &&
		anyOf(m.Choices, func(id string) bool { return id == f.choice })
}

// errNoTags is the error of a rule with tags where nobody knows them.
var errNoTags = errors.New("tags are not looked up here")

func (m *Match) matchesTags(f *facts) (bool, error) {
	if len(m.Tags) == 0 {
		return true, nil
	}
	if !f.looked {
		f.looked, f.tagErr = true, errNoTags
		if f.query.Tags != nil {
			f.tags, f.tagErr = f.query.Tags()
		}
	}
	if f.tagErr != nil {
		return false, Fail(ReasonTags, fmt.Errorf("tag: %w", f.tagErr))
	}
	return anyOf(m.Tags, func(tag string) bool { return slices.Contains(f.tags, tag) }), nil
}

// anyOf is true for an empty list: no condition.
func anyOf[T any](list []T, fits func(T) bool) bool {
	return len(list) == 0 || slices.ContainsFunc(list, fits)
}
