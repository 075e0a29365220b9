package load

import "github.com/wxstack/wxstack/simulator/internal/phrase"

// Kind says what a finding is about.
type Kind string

// The kinds of findings.
const (
	// Lost is a message that needed an answer and got none in time.
	Lost Kind = "lost"
	// Duplicate is a message that was answered more than once.
	Duplicate Kind = "duplicate"
	// Wrong is an answer that isn't right, or that another follower got.
	Wrong Kind = "wrong"
	// Inconsistent is a message whose repeated delivery was answered otherwise than the first.
	Inconsistent Kind = "inconsistent"
	// Failed is a message that got no valid answer: the follower read the error notice.
	Failed Kind = "failed"
)

// Finding is one thing that is wrong.
type Finding struct {
	Kind     Kind     `json:"kind"`
	Number   int      `json:"number"` // Of the message, from 1; 0 if it belongs to none.
	Follower string   `json:"follower"`
	Content  string   `json:"content,omitempty"`
	Answers  []Answer `json:"answers,omitempty"` // What the follower saw, oldest first.
	Reason   string   `json:"reason"`            // In English.
	ReasonZh string   `json:"reason_zh"`         // In Chinese.
}

const (
	// shownPerKind is how many findings of a kind are kept in full.
	shownPerKind = 20
	// remembered is how many messages are remembered; of those before, answers come too late to be judged.
	remembered = 100_000
)

// Book holds what was sent and what was answered, and finds what is wrong.
type Book struct {
	messages map[int]*entry
	oldest   int // The lowest number that may be remembered.
	senders  map[string]*sender
	counts   map[Kind]int
	findings []Finding
	late     int
}

// entry is a message with what came of it.
type entry struct {
	Message

	answers []Answer
	over    bool // Whether no more answers are waited for: it failed, or what was wrong has been said.
}

// sender is what a follower has sent. The numbers of messages wait in the order in which they were sent, and are dropped
// once they no longer do.
type sender struct {
	last    int
	needing []int // Messages that need an answer.
	others  []int // Messages that may be answered.
}

// NewBook returns an empty book.
func NewBook() *Book {
	return &Book{messages: make(map[int]*entry), senders: make(map[string]*sender), counts: make(map[Kind]int)}
}

// Sent writes down a message before it is delivered. What is too old to be remembered is judged as it stands.
func (b *Book) Sent(message Message) {
	b.messages[message.Number] = &entry{Message: message}
	from := b.senderOf(message.Follower)
	from.needing, from.others = b.trim(from.needing), b.trim(from.others)
	from.sent(message)
	for ; len(b.messages) > remembered; b.oldest++ {
		if old, known := b.messages[b.oldest]; known {
			b.finish(old)
			delete(b.messages, b.oldest)
		}
	}
}

func (b *Book) senderOf(follower string) *sender {
	known := b.senders[follower]
	if known == nil {
		known = &sender{}
		b.senders[follower] = known
	}

	return known
}

func (s *sender) sent(message Message) {
	s.last = message.Number
	if message.NeedsAnswer() {
		s.needing = append(s.needing, message.Number)
	} else {
		s.others = append(s.others, message.Number)
	}
}

// Replied writes down that a delivery was answered: by what the follower saw, if that was anything.
func (b *Book) Replied(number int, shown *Answer) {
	if sent, known := b.messages[number]; known && shown != nil {
		b.answered(sent, *shown)
	}
}

// Failed writes down that no delivery got a valid answer.
func (b *Book) Failed(number int, reason phrase.Phrase) {
	if sent, known := b.messages[number]; known {
		sent.over = true
		b.find(Failed, sent, reason)
	}
}

// Repeated writes down how the repeated delivery of a message was answered.
func (b *Book) Repeated(number int, first, again *Answer, valid bool) {
	sent, known := b.messages[number]
	if !known {
		return
	}
	same := (first == nil) == (again == nil) && (first == nil || *first == *again)
	switch {
	case !valid:
		b.find(Inconsistent, sent, repeatedInVain)
	case !same:
		b.find(Inconsistent, sent, answeredOtherwise.With(describe(again), describe(first)))
	}
}

func describe(answer *Answer) phrase.Phrase {
	switch {
	case answer == nil:
		return nothing
	case answer.MediaID != "":
		return theFile.With(answer.MediaID)
	default:
		return quoted.With(answer.Text)
	}
}

// Late writes down a line that a follower saw outside of any delivery (客服消息). It belongs to the message whose marker it
// has, else to the oldest of the follower's that waits for one.
func (b *Book) Late(follower string, answer Answer) {
	number, known := b.waiting(follower)
	for _, marked := range markersIn(answer.Text) {
		if _, sent := b.messages[marked]; sent {
			number, known = marked, true

			break
		}
	}
	sent := b.messages[number]
	if !known || sent == nil {
		return // Nothing of this run.
	}
	b.late++
	if sent.Follower != follower {
		b.find(Wrong, sent, toldAnother.With(follower, describe(&answer)))

		return
	}
	b.answered(sent, answer)
}

// waiting returns the number of the follower's message to which an answer without a marker belongs: the oldest that needs
// one, else the oldest that may have one, else the last.
func (b *Book) waiting(follower string) (number int, known bool) {
	from := b.senders[follower]
	if from == nil {
		return 0, false
	}
	for _, queue := range []*[]int{&from.needing, &from.others} {
		*queue = b.trim(*queue)
		if len(*queue) > 0 {
			return (*queue)[0], true
		}
	}

	return from.last, true
}

// trim drops the messages at the head of a queue that wait for nothing.
func (b *Book) trim(queue []int) []int {
	for len(queue) > 0 {
		if sent := b.messages[queue[0]]; sent != nil && !sent.over && len(sent.answers) == 0 {
			break
		}
		queue = queue[1:]
	}

	return queue
}

// answered judges an answer and counts it.
func (b *Book) answered(sent *entry, answer Answer) {
	sent.answers = append(sent.answers, answer)
	switch problem := sent.Check(answer); {
	case problem != phrase.Phrase{}:
		sent.over = true // It was answered, though wrongly: not lost besides.
		b.find(Wrong, sent, sawWrong.With(describe(&answer), problem))
	case len(sent.answers) == 2: //nolint:mnd // The third isn't another finding.
		b.find(Duplicate, sent, sawTwo)
	}
}

// Finish judges what is still open.
func (b *Book) Finish() {
	for number := b.oldest; len(b.messages) > 0; number++ {
		if sent, known := b.messages[number]; known {
			b.finish(sent)
			delete(b.messages, number)
		}
	}
}

func (b *Book) finish(sent *entry) {
	if sent.NeedsAnswer() && len(sent.answers) == 0 && !sent.over {
		b.find(Lost, sent, sawNone)
	}
}

func (b *Book) find(kind Kind, sent *entry, reason phrase.Phrase) {
	b.counts[kind]++
	if b.counts[kind] <= shownPerKind {
		b.findings = append(b.findings, Finding{
			Kind: kind, Number: sent.Number + 1, Follower: sent.Follower, Content: sent.Content, Answers: append([]Answer{}, sent.answers...), Reason: reason.En, ReasonZh: reason.Zh,
		})
	}
}

// Count is how many findings of a kind there are.
func (b *Book) Count(kind Kind) int { return b.counts[kind] }

// LateAnswers is how many answers came outside of deliveries.
func (b *Book) LateAnswers() int { return b.late }

// Findings returns the first findings of each kind, in the order in which they were made.
func (b *Book) Findings() []Finding { return append([]Finding{}, b.findings...) }
