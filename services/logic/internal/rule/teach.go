package rule

import (
	"regexp"

	"github.com/wxstack/wxstack/services/logic/internal/reply"
	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/teach"
	"github.com/wxstack/wxstack/services/logic/internal/yamlfile"
)

// How many questions an account learns, and how many it may.
const (
	teachLimit    = 10_000
	maxTeachLimit = 100_000
)

// teach reads how followers may teach.
func (r *reader) teach(e entry) route.Handler {
	course := teach.Course{
		Pattern: regexp.MustCompile(teach.DefaultPattern), Moderated: true, Limit: teachLimit, Replies: teach.DefaultReplies(),
	}
	limits := storeLimits
	keys := r.limitKeys(&limits)
	keys["learn"] = func(e entry) { course.Pattern = r.learnPattern(e) }
	keys["moderation"] = func(e entry) { course.Moderated = r.Flag(e, "moderation") }
	keys["moderators"] = func(e entry) { course.Moderators = trimmed(r.Texts(e, "moderators")) }
	keys["teachers"] = func(e entry) { course.Teachers = trimmed(r.Texts(e, "teachers")) }
	keys["limit"] = func(e entry) { course.Limit = r.Whole(e, "limit", 1, maxTeachLimit) }
	for key, text := range map[string]*string{
		"learned_reply": &course.Replies.Learned,
		"pending_reply": &course.Replies.Pending,
		"taken_reply":   &course.Replies.Taken,
		"long_reply":    &course.Replies.Long,
		"waiting_reply": &course.Replies.Waiting,
		"full_reply":    &course.Replies.Full,
	} {
		keys[key] = func(e entry) { *text = r.fixedText(e, key) }
	}
	before := r.Faults()
	_, ok := r.Mapping(e.Value, "teach", keys)
	if !ok {
		return nil
	}
	if r.Faults() == before && course.Moderated && len(course.Moderators) == 0 {
		r.Faultf(e.Key, "teach has no moderators, so nothing would ever be let through; list their OpenIDs, or show everything at once with moderation: false")
	}
	if r.Faults() > before {
		return nil
	}

	return r.bounded(teach.New(r.rule, course, r.lessons()), limits)
}

// lessons is where they are kept. Without a Runtime nobody looks there.
func (r *reader) lessons() *teach.Store {
	if r.runtime == nil {
		return nil
	}

	return teach.NewStore(r.runtime.Redis)
}

// learnPattern reads the expression that splits a text into question and answer.
func (r *reader) learnPattern(e entry) *regexp.Regexp {
	text, ok := r.Text(e, "learn")
	if !ok {
		return nil
	}
	pattern := r.expression(yamlfile.Value{Text: text, Node: e.Value}, "learn", "shorten it")
	if pattern == nil {
		return nil
	}
	for _, group := range []string{"question", "answer"} {
		if pattern.SubexpIndex(group) < 0 {
			r.Faultf(e.Value, "learn has no group (?P<%s>…), which says what of the text is the %s", group, group)
		}
	}

	return pattern
}

// fixedText reads a text that is shown as it is.
func (r *reader) fixedText(e entry, what string) string {
	text, ok := r.Text(e, what)
	if ok && len(text) > reply.MaxTextBytes {
		r.Faultf(e.Value, "%s is %d bytes long; WeChat shows %d, about 680 Chinese characters", what, len(text), reply.MaxTextBytes)
	}

	return text
}
