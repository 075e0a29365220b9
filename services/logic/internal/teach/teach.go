// Package teach lets followers teach an account questions and their answers (你说我学), and answers what it was
// taught. What is taught waits for a moderator where a rule says so. What a text means is decided here without
// I/O; Store keeps what is taught in Redis.
package teach

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wxstack/wxstack/services/logic/internal/reply"
)

// DefaultPattern is how followers teach: 问：几点开门 答：九点.
const DefaultPattern = `(?s)^问[：:]\s*(?P<question>.+?)\s*答[：:]\s*(?P<answer>.+)$`

// The bounds of what is taught.
const (
	// MaxQuestion is in characters.
	MaxQuestion = 200
	// MaxAnswerBytes is what WeChat shows of a text.
	MaxAnswerBytes = reply.MaxTextBytes
	// MaxWaitingEach is how many questions of one follower may wait for a moderator, and MaxWaiting how many of
	// all together.
	MaxWaitingEach = 5
	MaxWaiting     = 1000
)

// Course is how a rule learns.
type Course struct {
	// Pattern has the groups question and answer.
	Pattern *regexp.Regexp
	// Moderated says that what is taught is not shown until a moderator lets it through.
	Moderated bool
	// Moderators are OpenIDs. What they teach is shown at once.
	Moderators []string
	// Teachers are OpenIDs; empty: everybody may teach. Moderators may anyway.
	Teachers []string
	// Limit is how many questions an account knows at the most.
	Limit int
	// Replies are what the follower is told.
	Replies Replies
}

// Replies are fixed texts: nothing in them is evaluated.
type Replies struct {
	Learned string // it is known from now on
	Pending string // it waits for a moderator
	Taken   string // somebody else has taught this question
	Long    string // the question or the answer is too long
	Waiting string // too much of this follower's, or of everybody's, waits for a moderator
	Full    string // the account knows as much as it may
}

// DefaultReplies are those of a rule that says nothing else.
func DefaultReplies() Replies {
	return Replies{
		Learned: "学会了！",
		Pending: "已提交，等待审核。",
		Taken:   "这个问题已经有人教过了。",
		Long:    "太长了，学不会。请缩短后再试。",
		Waiting: "待审核的内容太多，请稍后再试。",
		Full:    "学到的问题已达上限，暂时学不了新的。",
	}
}

// Meaning is what a text asks for.
type Meaning int

// What a text can mean.
const (
	Asks     Meaning = iota // Question, which may be known
	Teaches                 // Question and Answer
	TooLong                 // Question and Answer, and they are not to be learned
	Lists                   // what waits for a moderator
	Approves                // what waits under ID
	Rejects                 // what waits under ID
	Forgets                 // Question
)

// Request is a text that was understood.
type Request struct {
	Meaning  Meaning
	Question string
	Answer   string
	ID       int64
}

// The words of moderators.
var (
	verdictPattern = regexp.MustCompile(`^(通过|拒绝)\s*(\d{1,15})$`)
	forgetPattern  = regexp.MustCompile(`(?s)^忘记\s*(.+)$`)
)

const listWord = "待审"

// Read says what a text of a follower means.
func (c *Course) Read(openID, text string) Request {
	text = strings.TrimSpace(text)
	moderator := c.moderates(openID)
	if moderator {
		if request, ok := readModerator(text); ok {
			return request
		}
	}
	if moderator || len(c.Teachers) == 0 || slices.Contains(c.Teachers, openID) {
		if request, ok := c.readLesson(text); ok {
			return request
		}
	}
	return Request{Meaning: Asks, Question: text}
}

func (c *Course) moderates(openID string) bool { return slices.Contains(c.Moderators, openID) }

func readModerator(text string) (request Request, ok bool) {
	if text == listWord {
		return Request{Meaning: Lists}, true
	}
	if forget := forgetPattern.FindStringSubmatch(text); forget != nil {
		return Request{Meaning: Forgets, Question: forget[1]}, true
	}
	verdict := verdictPattern.FindStringSubmatch(text)
	if verdict == nil {
		return Request{}, false
	}
	id, err := strconv.ParseInt(verdict[2], 10, 64)
	if err != nil {
		return Request{}, false
	}
	if verdict[1] == "通过" {
		return Request{Meaning: Approves, ID: id}, true
	}
	return Request{Meaning: Rejects, ID: id}, true
}

// readLesson splits a text that teaches. One whose question or answer is blank teaches nothing.
func (c *Course) readLesson(text string) (request Request, ok bool) {
	groups := c.Pattern.FindStringSubmatch(text)
	if groups == nil {
		return Request{}, false
	}
	request = Request{
		Meaning:  Teaches,
		Question: strings.TrimSpace(groups[c.Pattern.SubexpIndex("question")]),
		Answer:   strings.TrimSpace(groups[c.Pattern.SubexpIndex("answer")]),
	}
	if request.Question == "" || request.Answer == "" {
		return Request{}, false
	}
	if !c.fits(&request) {
		request.Meaning = TooLong
	}
	return request, true
}

// fits reports whether a lesson is short enough: also for a moderator to see the whole of it in one message, so
// that nothing is let through unseen.
func (c *Course) fits(request *Request) bool {
	if utf8.RuneCountInString(request.Question) > MaxQuestion || len(request.Answer) > MaxAnswerBytes {
		return false
	}
	longest := Entry{ID: maxID, Lesson: Lesson{Question: request.Question, Answer: request.Answer}}
	return !c.Moderated || len(longest.String())+roomForRest <= reply.MaxTextBytes
}

// KeyOf is what two ways to ask the same question have in common: upper and lower case, and the punctuation at
// the end, do not matter.
func KeyOf(question string) string {
	folded := strings.ToLower(strings.TrimSpace(question))
	if bare := strings.TrimRightFunc(folded, endsNothing); bare != "" {
		return bare
	}
	return folded
}

func endsNothing(r rune) bool {
	return unicode.IsPunct(r) || unicode.IsSpace(r) || r == '~' || r == '～'
}

// Lesson is a question and its answer.
type Lesson struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`
	// By is the OpenID of who taught it.
	By string `json:"by"`
}

// Entry is a lesson that waits for a moderator.
type Entry struct {
	Lesson

	// ID names it for moderators. It is never given twice, so that what they let through is what they saw.
	ID int64
}

const (
	// maxID is the longest id that a moderator can write.
	maxID = 999_999_999_999_999
	// roomForRest is for what stands below the list, in bytes.
	roomForRest = 80
)

// String is how a moderator sees it.
func (e Entry) String() string {
	return fmt.Sprintf("%d. 问：%s\n答：%s\n", e.ID, e.Question, e.Answer)
}

// list is what a moderator is shown of the entries, of which there are total. What it shows it shows whole.
func list(entries []Entry, total int) string {
	if total == 0 {
		return "没有待审核的内容。"
	}
	var text strings.Builder
	shown := 0
	for _, entry := range entries {
		line := entry.String()
		if shown > 0 && text.Len()+len(line)+roomForRest > reply.MaxTextBytes {
			break
		}
		text.WriteString(line)
		shown++
	}
	if rest := total - shown; rest > 0 {
		fmt.Fprintf(&text, "还有 %d 条。", rest)
	}
	text.WriteString("回复「通过 编号」或「拒绝 编号」")
	return text.String()
}
