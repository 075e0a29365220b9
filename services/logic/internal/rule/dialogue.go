package rule

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/wxstack/wxstack/services/logic/internal/bulkhead"
	"github.com/wxstack/wxstack/services/logic/internal/dialogue"
	"github.com/wxstack/wxstack/services/logic/internal/reply"
	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/yamlfile"
)

// What a dialogue has where the file says nothing else.
const (
	dialogueTimeout  = 10 * time.Minute
	dialogueAttempts = 3
	dialogueGoodbye  = "已取消。"
	dialogueGiveUp   = "多次输入有误，已结束。需要时请重新开始。"
	dialogueRetry    = "没有看懂，请再输入一次。"
)

// The bounds of a dialogue.
const (
	minDialogueTimeout = 10 * time.Second
	maxDialogueTimeout = 24 * time.Hour
	maxSteps           = 30
	maxAttempts        = 100
)

// dialogue reads several questions and what follows them.
func (r *reader) dialogue(e entry) route.Handler {
	script := dialogue.Script{
		Timeout: dialogueTimeout, Exits: []string{"退出", "取消"}, Goodbye: said(dialogueGoodbye),
	}
	later := func(entry) {} // read below: templates may use the answers, whose names the steps say.
	before := r.Faults()
	found, ok := r.Mapping(e.Value, "dialogue", map[string]func(entry){
		"timeout":    func(e entry) { script.Timeout = r.Duration(e, "timeout", minDialogueTimeout, maxDialogueTimeout) },
		"exit":       func(e entry) { script.Exits = trimmed(r.Texts(e, "exit")) },
		"exit_reply": func(e entry) { script.Goodbye = r.says(e, "exit_reply") },
		"steps":      later,
		"reply":      later,
		"send":       later,
		"forward":    later,
	})
	if !ok {
		return nil
	}
	defer func() { r.answers = nil }()
	if steps, has := found["steps"]; has {
		script.Steps = r.steps(steps, script.Exits)
	} else {
		r.Faultf(e.Key, "dialogue has no steps; it needs at least one question")
	}
	limits := storeLimits
	script.End = r.end(e, found)
	if at, delivers := found["forward"]; delivers {
		backend, takes := r.backend(at)
		limits = bulkhead.Limits{Concurrency: takes.Concurrency, Timeout: takes.Timeout + storeLimits.Timeout}
		script.End = dialogue.Delivered{To: backend, Otherwise: script.End}
	}
	if r.Faults() > before {
		return nil
	}

	return r.bounded(dialogue.New(r.rule, script, r.dialogues()), limits)
}

// dialogues is where they are kept. Without a Runtime nobody looks there.
func (r *reader) dialogues() *dialogue.Store {
	if r.runtime == nil {
		return nil
	}

	return dialogue.NewStore(r.runtime.Redis)
}

// end reads what is said after the last answer, to which all answers are known.
func (r *reader) end(e entry, found map[string]entry) *reply.Canned {
	at, has := found["reply"]
	if !has {
		r.Faultf(e.Key, "dialogue has no reply; give it one for the end, or reply: {silence: true}. With forward it is said when the backend says nothing")

		return nil
	}
	answer := r.content(at.Value, "reply", true)
	var send []*content
	if e, sends := found["send"]; sends {
		send = r.send(e)
	}
	if answer == nil {
		return nil
	}
	r.checkTogether(&route.Match{}, answer, send, found)

	return canned(answer, send)
}

func (r *reader) steps(e entry, exits []string) []dialogue.Step {
	nodes, ok := r.List(e, "steps")
	switch {
	case ok && len(nodes) == 0:
		r.Faultf(e.Key, "steps is empty; it needs at least one question")
	case len(nodes) > maxSteps:
		r.Faultf(e.Key, "steps has %d questions; %d is the most, and more than a follower will answer", len(nodes), maxSteps)
	}
	steps := make([]dialogue.Step, 0, len(nodes))
	for _, node := range nodes {
		step := r.step(node, exits)
		if step.Save != "" {
			r.answers = append(r.answers, step.Save)
		}
		steps = append(steps, step)
	}

	return steps
}

func (r *reader) step(node ast.Node, exits []string) dialogue.Step {
	step := dialogue.Step{Attempts: dialogueAttempts, GiveUp: said(dialogueGiveUp)}
	found, ok := r.Mapping(node, "a step", map[string]func(entry){
		"ask":      func(e entry) { step.Ask = r.says(e, "ask") },
		"save":     func(e entry) { step.Save = r.save(e) },
		"pattern":  func(e entry) { step.Expect.Pattern = r.answerPattern(e) },
		"choices":  func(e entry) { step.Expect.Choices = r.acceptable(e, exits) },
		"type":     func(e entry) { step.Expect.Type = r.OneOf(e, "type", dialogue.Types()...) },
		"retry":    func(e entry) { step.Retry = r.says(e, "retry") },
		"attempts": func(e entry) { step.Attempts = r.Whole(e, "attempts", 1, maxAttempts) },
		"give_up":  func(e entry) { step.GiveUp = r.says(e, "give_up") },
	})
	if !ok {
		return step
	}
	if _, has := found["ask"]; !has {
		r.Faultf(node, "a step has no ask; give it the question")
	}
	if _, has := found["save"]; !has {
		r.Faultf(node, "a step has no save; give it the name of the answer, for {{ .Answers.NAME }}")
	}
	for _, key := range []string{"pattern", "choices"} {
		if e, has := found[key]; has && !step.Expect.WantsText() {
			r.Faultf(e.Key, "%s is for a text, and type wants %s; remove one of them", key, step.Expect.Type)
		}
	}
	if e, both := found["choices"]; both && step.Expect.Pattern != nil {
		r.Faultf(e.Key, "choices and pattern both say which texts will do; remove one of them")
	}
	if step.Retry == nil {
		step.Retry = said(retryFor(&step.Expect))
	}

	return step
}

// says reads what a follower is told, a text.
func (r *reader) says(e entry, what string) dialogue.Speaker {
	parsed := r.textTemplate(e, what)
	if parsed == nil {
		return nil
	}

	return &reply.Canned{Reply: reply.Text{Content: parsed}}
}

// said is a fixed text without placeholders.
func said(text string) *reply.Canned {
	return &reply.Canned{Reply: reply.Text{Content: reply.Fixed(text)}}
}

// retryFor is what a follower is told whose answer is not what is expected.
func retryFor(expect *dialogue.Expectation) string {
	kinds := map[string]string{
		"image": "一张图片", "voice": "一条语音", "video": "一段视频", "shortvideo": "一段小视频", "location": "一个位置", "link": "一个链接",
	}
	switch {
	case kinds[expect.Type] != "":
		return "请发送" + kinds[expect.Type] + "。"
	case len(expect.Choices) > 0:
		return "请回复其中一项：" + strings.Join(expect.Choices, "、")
	}

	return dialogueRetry
}

// savePattern is what a template can say after .Answers and a dot.
var savePattern = regexp.MustCompile(`^[\pL_][\pL\pN_]{0,31}$`)

// save returns the name of an answer, empty after a fault.
func (r *reader) save(e entry) string {
	name, ok := r.Text(e, "save")
	switch {
	case !ok:
		return ""
	case !savePattern.MatchString(name):
		r.Faultf(e.Value, "save %q: use up to 32 letters, digits and _ and begin with a letter, so that .Answers.NAME can be written", name)

		return ""
	case slices.Contains(r.answers, name):
		r.Faultf(e.Value, "save %q is the name of an earlier answer; give each its own", name)

		return ""
	}

	return name
}

func (r *reader) answerPattern(e entry) *regexp.Regexp {
	text, ok := r.Text(e, "pattern")
	if !ok {
		return nil
	}

	return r.expression(yamlfile.Value{Text: text, Node: e.Value}, "pattern", "use choices, or accept more")
}

// maxChoicesBytes leaves the default retry, which lists them, within what WeChat shows.
const maxChoicesBytes = 1500

// acceptable reads the texts that will do as an answer.
func (r *reader) acceptable(e entry, exits []string) []string {
	values := r.Texts(e, "choices")
	choices := trimmed(values)
	for i, choice := range choices {
		same := func(other string) bool { return strings.EqualFold(choice, other) }
		switch {
		case slices.ContainsFunc(choices[:i], same):
			r.Faultf(values[i].Node, "choice %q is there twice; remove one", choice)
		case slices.ContainsFunc(exits, same):
			r.Faultf(values[i].Node, "choice %q ends the dialogue, since exit has it; remove it from one of them", choice)
		}
	}
	if size := len(strings.Join(choices, "、")); size > maxChoicesBytes {
		r.Faultf(e.Key, "choices have %d bytes together; %d is the most: use pattern", size, maxChoicesBytes)
	}

	return choices
}
