// Package dialogue asks a follower several questions, one after the other (多轮对话), and keeps in Redis how far
// they have come. What a message does to a dialogue is decided here without I/O; Handler keeps it.
package dialogue

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// Speaker makes what the follower is told, from the message and what was answered so far. It is *reply.Canned, or *forward.Handler.
// It may be asked for an answer that is then thrown away, and twice about the same message, so whatever effect it
// has must bear that.
type Speaker interface {
	AnswerWith(ctx context.Context, req *logicv1.ReplyRequest, answers map[string]string) (route.Answer, error)
}

// Delivered is a Speaker that hands what was answered to somebody, and says what they have to say to it, or
// Otherwise if that is nothing. While they cannot be reached it fails, so that the last question goes on waiting
// and the follower can answer it again.
type Delivered struct{ To, Otherwise Speaker }

// AnswerWith implements Speaker.
func (d Delivered) AnswerWith(ctx context.Context, req *logicv1.ReplyRequest, answers map[string]string) (route.Answer, error) {
	answer, err := d.To.AnswerWith(ctx, req, answers)
	if errors.Is(err, route.ErrPass) || (err == nil && answer.Reply == nil && len(answer.Send) == 0) {
		return d.Otherwise.AnswerWith(ctx, req, answers)
	}
	return answer, err
}

// Script is what a dialogue asks and says.
type Script struct {
	// Timeout is how long it waits for the follower's next word.
	Timeout time.Duration
	// Exits are the texts that end it, in upper or lower case, and Goodbye is said then.
	Exits   []string
	Goodbye Speaker
	// Steps has at least one.
	Steps []Step
	// End is said after the last answer.
	End Speaker
}

// Step is one question.
type Step struct {
	// Save is the name of the answer, unique in the Script. It also says which question waits, so that
	// a Script may be changed while dialogues are under way.
	Save   string
	Ask    Speaker
	Expect Expectation
	// Retry is said when an answer is not what is expected, and GiveUp instead when so many Attempts were not.
	Retry    Speaker
	Attempts int
	GiveUp   Speaker
}

// Expectation is what an answer must look like. The zero value is any text.
type Expectation struct {
	// Type is a MsgType; empty: text. The other fields are for texts.
	Type string
	// Pattern must fit, if there is one.
	Pattern *regexp.Regexp
	// Choices are all the texts that will do, in upper or lower case; empty: any.
	Choices []string
}

// State is how far a follower has come.
type State struct {
	// Step is the name of the answer that is waited for.
	Step string `json:"step,omitempty"`
	// Failed counts the answers to it that were not what is expected.
	Failed  int               `json:"failed,omitempty"`
	Answers map[string]string `json:"answers,omitempty"`
	// Over says that nothing is waited for any more.
	Over bool `json:"over,omitempty"`
}

// Begin asks the first question.
func (s *Script) Begin() (State, Speaker) {
	return State{Step: s.Steps[0].Save}, s.Steps[0].Ask
}

// Next returns what a message does to a dialogue that is not over, and what is said to it. A dialogue whose
// question is not asked any more ends as if the follower had left.
func (s *Script) Next(state State, msg *messagev1.Message) (State, Speaker) {
	at := slices.IndexFunc(s.Steps, func(step Step) bool { return step.Save == state.Step })
	if at < 0 || s.leaves(msg) {
		return State{Over: true}, s.Goodbye
	}
	step := &s.Steps[at]
	answer, fits := step.Expect.valueOf(msg)
	if !fits {
		state.Failed++
		if state.Failed >= step.Attempts {
			return State{Over: true, Answers: state.Answers}, step.GiveUp
		}
		return state, step.Retry
	}
	answers := maps.Clone(state.Answers)
	if answers == nil {
		answers = map[string]string{}
	}
	answers[step.Save] = answer
	if at == len(s.Steps)-1 {
		return State{Over: true, Answers: answers}, s.End
	}
	return State{Step: s.Steps[at+1].Save, Answers: answers}, s.Steps[at+1].Ask
}

func (s *Script) leaves(msg *messagev1.Message) bool {
	text := strings.TrimSpace(msg.GetText().GetContent())
	return text != "" && slices.ContainsFunc(s.Exits, func(exit string) bool { return strings.EqualFold(exit, text) })
}

// WantsText reports whether an answer must be a text.
func (e *Expectation) WantsText() bool { return e.Type == "" || e.Type == "text" }

// maxAnswerBytes bounds what is kept of one answer. It is more than WeChat lets a follower write.
const maxAnswerBytes = 4096

// valueOf returns what is kept of an answer, and whether it is one that is expected.
func (e *Expectation) valueOf(msg *messagev1.Message) (value string, fits bool) {
	if !e.WantsText() {
		value = contentOf(msg)
		return value, msg.GetMsgType() == e.Type && value != "" && len(value) <= maxAnswerBytes
	}
	value = strings.TrimSpace(msg.GetText().GetContent())
	if value == "" || len(value) > maxAnswerBytes || (e.Pattern != nil && !e.Pattern.MatchString(value)) {
		return "", false
	}
	if len(e.Choices) == 0 {
		return value, true
	}
	chosen := slices.IndexFunc(e.Choices, func(choice string) bool { return strings.EqualFold(choice, value) })
	if chosen < 0 {
		return "", false
	}
	return e.Choices[chosen], true
}

// Types are the values of MsgType that a step can expect: those of which something can be kept.
func Types() []string {
	return []string{"text", "image", "voice", "video", "shortvideo", "location", "link"}
}

// contentOf is what is kept of a message that is no text: the media id, the place, or the address.
func contentOf(msg *messagev1.Message) string {
	switch content := msg.GetContent().(type) {
	case *messagev1.Message_Image:
		return content.Image.GetMediaId()
	case *messagev1.Message_Voice:
		return content.Voice.GetMediaId()
	case *messagev1.Message_Video:
		return content.Video.GetMediaId()
	case *messagev1.Message_Link:
		return content.Link.GetUrl()
	case *messagev1.Message_Location:
		place := content.Location
		if place.GetLabel() != "" {
			return place.GetLabel()
		}
		return strconv.FormatFloat(place.GetLatitude(), 'f', -1, 64) + "," + strconv.FormatFloat(place.GetLongitude(), 'f', -1, 64)
	}
	return ""
}
