package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/wxstack/wxstack/chassis/fault"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
)

// Printer shows results.
type Printer interface {
	// Print shows one as soon as it is there.
	Print(r Result) error
	// Sum comes last.
	Sum(s Summary) error
}

// ForPeople prints a line for each message and a table of rules.
func ForPeople(out io.Writer) Printer { return people{out} }

// ForPrograms prints a JSON object on a line of its own for each message, and one with the summary.
func ForPrograms(out io.Writer) Printer {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return programs{encoder}
}

type people struct{ out io.Writer }

func (p people) Print(r Result) error {
	said := "rule " + r.Rule + "  " + short(r.Reply)
	if r.Err != nil {
		said = "failed: " + reason(r.Err)
	}
	_, err := fmt.Fprintf(p.out, "%6d  %-14s  %8s  %s\n", r.Line, r.What, r.Took.Round(time.Millisecond/10), said)
	return err
}

func (p people) Sum(s Summary) error {
	var text strings.Builder
	fmt.Fprintf(&text, "\n%d messages, %d failed\n", s.Messages, s.Failed)
	for _, rule := range s.byCount() {
		fmt.Fprintf(&text, "%6d  rule %s\n", s.Rules[rule], rule)
	}
	_, err := io.WriteString(p.out, text.String())
	return err
}

// reason is what an error says, without the words of the call that brought it.
func reason(err error) string {
	if failure, ok := errors.AsType[*fault.Error](err); ok {
		return failure.Message()
	}
	return err.Error()
}

// maxShown is how many characters of a reply are shown.
const maxShown = 60

// short is a reply on part of a line.
func short(reply *messagev1.Reply) string {
	text := reply.GetText().GetContent()
	switch {
	case reply.GetContent() == nil:
		return "(nothing)"
	case reply.GetText() == nil:
		text = protojson.MarshalOptions{UseProtoNames: true}.Format(reply)
	}
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) > maxShown {
		text = string([]rune(text)[:maxShown-1]) + "…"
	}
	return text
}

type programs struct{ encoder *json.Encoder }

// object is a Result for programs.
type object struct {
	Line       int             `json:"line"`
	What       string          `json:"what"`
	Rule       string          `json:"rule,omitempty"`
	Reply      json.RawMessage `json:"reply,omitempty"`
	DurationMS float64         `json:"duration_ms"`
	Error      string          `json:"error,omitempty"`
}

func (p programs) Print(r Result) error {
	o := object{Line: r.Line, What: r.What, Rule: r.Rule, DurationMS: float64(r.Took.Microseconds()) / 1000} //nolint:mnd // µs in ms.
	if r.Err != nil {
		o.Error = reason(r.Err)
	}
	if r.Reply != nil {
		var err error
		if o.Reply, err = (protojson.MarshalOptions{UseProtoNames: true}).Marshal(r.Reply); err != nil {
			return fmt.Errorf("line %d: the reply is no JSON: %w", r.Line, err)
		}
	}
	return p.encoder.Encode(o)
}

func (p programs) Sum(s Summary) error {
	return p.encoder.Encode(map[string]Summary{"summary": s})
}
