// Package load decides about load runs: which message is sent when, and whether the answers that followers saw are the
// right ones. It does no I/O and is told the time.
package load

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/phrase"
)

// Due returns when the message of that number, from 0, is to be sent after the start of an open loop (开环) of that many
// messages a second.
func Due(number int, rate float64) time.Duration {
	return time.Duration(float64(number) / rate * float64(time.Second))
}

// DueBefore returns how many messages are due before a moment after the start.
func DueBefore(moment time.Duration, rate float64) int {
	return int(math.Ceil(max(moment, 0).Seconds() * rate))
}

// Mix spreads kinds of messages by their weights, evenly and always in the same way.
type Mix struct {
	weights, current []int
	total            int
}

// NewMix returns a mix of kinds with those weights, which must be positive.
func NewMix(weights []int) *Mix {
	mix := &Mix{weights: weights, current: make([]int, len(weights))}
	for _, weight := range weights {
		mix.total += weight
	}

	return mix
}

// Next returns the position of the kind of the next message: the one that is furthest behind its share.
func (m *Mix) Next() int {
	chosen := 0
	for position, weight := range m.weights {
		m.current[position] += weight
		if m.current[position] > m.current[chosen] {
			chosen = position
		}
	}
	m.current[chosen] -= m.total

	return chosen
}

// Repeats reports whether the message of that number is among the share that is delivered once more.
func Repeats(number int, share float64) bool {
	return int(float64(number+1)*share) > int(float64(number)*share)
}

// Marker is what makes the text of a message unique: it stands at its end.
func Marker(number int) string { return "#" + strconv.Itoa(number+1) }

// markerPattern finds markers in an answer.
var markerPattern = regexp.MustCompile(`#([1-9][0-9]{0,8})\b`)

// markersIn returns the numbers of the messages whose markers a text has.
func markersIn(text string) []int {
	var numbers []int
	for _, match := range markerPattern.FindAllStringSubmatch(text, -1) {
		number, err := strconv.Atoi(match[1])
		if err == nil {
			numbers = append(numbers, number-1)
		}
	}

	return numbers
}

// Message is a message that was sent.
type Message struct {
	Number   int
	Follower string // OpenID.
	Content  string // Of a text, with its marker; empty for others.
	MediaID  string // Of a picture, voice or video.
	Expect   string // What a right answer is, see Check.
}

// Answer is a line that a follower saw.
type Answer struct {
	Text    string `json:"text,omitempty"`
	MediaID string `json:"media_id,omitempty"`
}

// The expectations that have names. Any other is the text of the answer, in which {content}, {marker} and {openid} stand
// for those of the message.
const (
	ExpectAny   = "any"   // Any valid answer, success included.
	ExpectReply = "reply" // The follower must see something.
	ExpectEcho  = "echo"  // The follower must see the message again, whatever else stands beside it.
)

// CheckExpectation returns what is wrong with an expectation, nothing if it can be met.
func CheckExpectation(expect string) error {
	if strings.HasPrefix(expect, "text:") || slices.Contains([]string{"", ExpectAny, ExpectReply, ExpectEcho}, expect) {
		return nil
	}

	return fmt.Errorf("expect is %q, must be any, reply, echo, or text: and the text with {content}, {marker} or {openid} in it", expect)
}

// NeedsAnswer reports whether a follower who sees nothing has lost an answer.
func (m Message) NeedsAnswer() bool { return cmp.Or(m.Expect, ExpectAny) != ExpectAny }

// Check returns what is wrong with an answer to the message, nothing if it is right.
func (m Message) Check(answer Answer) (problem phrase.Phrase) {
	for _, number := range markersIn(answer.Text) {
		if number != m.Number && m.Content != "" && !strings.Contains(m.Content, Marker(number)) {
			return answersAnother.With(Marker(number), Marker(m.Number))
		}
	}
	switch want, isText := strings.CutPrefix(m.Expect, "text:"); {
	case isText:
		want = strings.NewReplacer("{content}", m.Content, "{marker}", Marker(m.Number), "{openid}", m.Follower).Replace(want)
		if answer.Text != want {
			return mustBe.With(want)
		}
	case m.Expect == ExpectEcho && m.MediaID != "":
		if answer.MediaID != m.MediaID {
			return mustBeTheFile
		}
	case m.Expect == ExpectEcho && !strings.Contains(answer.Text, m.Content):
		return mustContain.With(m.Content)
	}

	return phrase.Phrase{}
}
