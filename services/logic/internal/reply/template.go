package reply

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
	"unicode/utf8"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"

	"github.com/wxstack/wxstack/services/logic/internal/fields"
	"github.com/wxstack/wxstack/services/logic/internal/suggest"
)

// Template is a text with placeholders in the notation of text/template, such as {{ .Content }}.
// It is safe for concurrent use.
type Template struct {
	source string
	// parsed is nil when the text has no placeholder.
	parsed *template.Template
	// answers says that it was read with the answers of a dialogue, which it may use.
	answers bool
}

// ErrTemplate is what every error of ParseTemplate wraps.
var ErrTemplate = errors.New("template")

// ParseTemplate reads a template and tries it on a sample, so that a mistake shows when rules are
// loaded and not when a follower writes. Loops and nested templates are refused: with neither, no
// template runs longer than its own text. The answers are the names that .Answers has, in a dialogue.
func ParseTemplate(source string, answers ...string) (*Template, error) {
	if !utf8.ValidString(source) {
		return nil, fmt.Errorf("%w: the text is not UTF-8; save the file as UTF-8", ErrTemplate)
	}
	if !strings.Contains(source, "{{") {
		return &Template{source: source}, nil
	}
	// An answer that is not there, because the rules have changed since, is empty.
	parsed, err := template.New("text").Option("missingkey=zero").Parse(source)
	if err != nil {
		reason := strings.Replace(err.Error(), "template: text:", "line ", 1)

		return nil, fmt.Errorf("%w: %s%s", ErrTemplate, reason, syntaxHint(err))
	}
	for _, one := range parsed.Templates() {
		if one != parsed {
			return nil, fmt.Errorf("%w: %w", ErrTemplate, errNested)
		}
	}
	if parsed.Tree == nil {
		return &Template{source: ""}, nil
	}
	if err := (vocabulary{answers: answers}).check(parsed.Root); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	t := &Template{source: source, parsed: parsed, answers: len(answers) > 0}
	example := sample(answers)
	if _, _, err := t.execute(&example, maxFieldBytes); err != nil {
		return nil, fmt.Errorf("%w: tried on a sample message: %w; guard it with {{ if }}", ErrTemplate, err)
	}

	return t, nil
}

// Fixed is a text without placeholders, whatever it looks like.
func Fixed(text string) *Template { return &Template{source: text} }

// data is what a template sees.
type data struct {
	fields.Message

	// Answers are those of the follower in a dialogue, by the name under which the step saves them.
	Answers map[string]string
}

func viewOf(req *logicv1.ReplyRequest, answers map[string]string) data {
	msg := req.GetMessage()

	return data{Message: fields.Of(msg, fields.At(msg, time.Now())), Answers: answers}
}

func sample(answers []string) data {
	d := data{Message: fields.Sample(), Answers: map[string]string{}}
	for _, name := range answers {
		d.Answers[name] = d.Content
	}

	return d
}

// Static returns the text when it has no placeholder.
func (t *Template) Static() (string, bool) { return t.source, t.parsed == nil }

// Fill fills in the placeholders for a message. A nil Template is an empty text; one that becomes longer than
// limit bytes is cut.
func (t *Template) Fill(req *logicv1.ReplyRequest, limit int) (string, error) {
	view := viewOf(req, nil)
	text, _, err := t.execute(&view, limit)

	return text, err
}

// errFull ends the execution of a template whose text has grown too long.
var errFull = errors.New("text is full")

// execute fills in the placeholders. A text longer than limit bytes is cut on a character boundary.
func (t *Template) execute(d *data, limit int) (text string, truncated bool, err error) {
	if t == nil {
		return "", false, nil
	}
	text = t.source
	if t.parsed != nil {
		out := &bounded{limit: limit}
		if err := t.parsed.Execute(out, t.view(d)); err != nil && !errors.Is(err, errFull) {
			return "", false, err
		}
		text = out.String()
	}
	if len(text) <= limit {
		return text, false, nil
	}

	return cut(text, limit), true, nil
}

// view is what of d the template can name. Without answers that is the message itself: to find a field
// of a struct in another one costs reflect five allocations, which all templates outside of dialogues would pay.
func (t *Template) view(d *data) any {
	if t.answers {
		return d
	}

	return &d.Message
}

// ellipsis ends a text that was cut.
const ellipsis = "…"

// cut shortens text to at most limit bytes, the ellipsis included, without splitting a character.
func cut(text string, limit int) string {
	end := limit - len(ellipsis)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}

	return text[:end] + ellipsis
}

// bounded is a writer that refuses to grow beyond its limit by more than one write.
type bounded struct {
	strings.Builder

	limit int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len() > b.limit {
		return 0, errFull
	}

	return b.Builder.Write(p)
}

// syntaxHint adds what people most often meant.
func syntaxHint(err error) string {
	const undefined = `function "`
	_, rest, found := strings.Cut(err.Error(), undefined)
	name, _, quoted := strings.Cut(rest, `"`)
	if !found || !quoted {
		return "; a placeholder looks like {{ .Content }}"
	}
	for _, field := range fields.Names() {
		if strings.EqualFold(field, name) {
			return "; did you mean {{ ." + field + " }}?"
		}
	}

	return suggest.DidYouMean(name, builtins)
}

// builtins are the functions of text/template that make sense in a reply.
var builtins = []string{"and", "eq", "ge", "gt", "html", "index", "le", "len", "lt", "ne", "not", "or", "print", "printf", "println", "slice", "urlquery"}

// What a template may not do.
var (
	errLoop   = errors.New("range is not supported: a message has no lists")
	errNested = errors.New("define, block and template are not supported; write the text in place")
)

// vocabulary knows the names that a template may use.
type vocabulary struct{ answers []string }

// check refuses what could run long and names that are not known, in branches that the sample does not
// reach too.
func (v vocabulary) check(node parse.Node) error {
	switch n := node.(type) {
	case *parse.ListNode:
		return v.checkList(n)
	case *parse.ActionNode:
		return v.check(n.Pipe)
	case *parse.IfNode:
		return v.checkBranch(&n.BranchNode)
	case *parse.WithNode:
		return v.checkBranch(&n.BranchNode)
	case *parse.RangeNode:
		return errLoop
	case *parse.TemplateNode:
		return errNested
	case *parse.PipeNode:
		return v.checkPipe(n)
	case *parse.FieldNode:
		return v.checkField(n.Ident)
	case *parse.ChainNode:
		return v.check(n.Node)
	case *parse.VariableNode:
		if len(n.Ident) > 1 && n.Ident[0] == "$" {
			return v.checkField(n.Ident[1:])
		}
	}

	return nil
}

func (v vocabulary) checkList(list *parse.ListNode) error {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		if err := v.check(node); err != nil {
			return err
		}
	}

	return nil
}

func (v vocabulary) checkBranch(branch *parse.BranchNode) error {
	for _, node := range []parse.Node{branch.Pipe, branch.List} {
		if err := v.check(node); err != nil {
			return err
		}
	}

	return v.checkList(branch.ElseList)
}

func (v vocabulary) checkPipe(pipe *parse.PipeNode) error {
	if pipe == nil {
		return nil
	}
	for _, command := range pipe.Cmds {
		for _, argument := range command.Args {
			if err := v.check(argument); err != nil {
				return err
			}
		}
	}

	return nil
}

func (v vocabulary) checkField(path []string) error {
	if path[0] == "Answers" {
		return v.checkAnswer(path[1:])
	}
	if _, known := reflect.TypeFor[fields.Message]().FieldByName(path[0]); !known {
		return fmt.Errorf("unknown field .%s%s", path[0], suggest.DidYouMean(path[0], fields.Names()))
	}

	return nil
}

func (v vocabulary) checkAnswer(path []string) error {
	switch {
	case len(v.answers) == 0:
		return errors.New("no answer is known here: .Answers has those of the steps before, in a dialogue")
	case len(path) == 0:
		return fmt.Errorf("write .Answers with a name, such as .Answers.%s", v.answers[0])
	case !slices.Contains(v.answers, path[0]):
		return fmt.Errorf(".Answers has no %s here%s", path[0], suggest.DidYouMean(path[0], v.answers))
	}

	return nil
}
