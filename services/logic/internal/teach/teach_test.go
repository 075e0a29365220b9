package teach

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/services/logic/internal/reply"
)

func course() Course {
	return Course{
		Pattern: regexp.MustCompile(DefaultPattern), Moderated: true, Moderators: []string{"oMODERATOR"}, Limit: 100, Replies: DefaultReplies(),
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	few := course()
	few.Teachers = []string{"o1"}
	loose := course()
	loose.Moderated = false
	reversed := course()
	reversed.Pattern = regexp.MustCompile(`^(?P<answer>.*) <= (?P<question>.*)$`)
	tests := map[string]struct {
		course Course
		openID string
		text   string
		want   Request
	}{
		"a question":             {course(), "o1", " 几点开门？ ", Request{Question: "几点开门？"}},
		"a lesson":               {course(), "o1", "问：几点开门？ 答：九点", Request{Meaning: Teaches, Question: "几点开门？", Answer: "九点"}},
		"narrow colons":          {course(), "o1", "问:a答:b", Request{Meaning: Teaches, Question: "a", Answer: "b"}},
		"several lines":          {course(), "o1", "问：a\n答：b\nc\n", Request{Meaning: Teaches, Question: "a", Answer: "b\nc"}},
		"two answers":            {course(), "o1", "问：a 答：b 答：c", Request{Meaning: Teaches, Question: "a", Answer: "b 答：c"}},
		"no answer":              {course(), "o1", "问：a 答： ", Request{Question: "问：a 答："}},
		"no question":            {reversed, "o1", "x <= ", Request{Question: "x <="}},
		"in the wrong order":     {reversed, "o1", "b <= a", Request{Meaning: Teaches, Question: "a", Answer: "b"}},
		"no teacher":             {few, "o2", "问：a 答：b", Request{Question: "问：a 答：b"}},
		"a teacher":              {few, "o1", "问：a 答：b", Request{Meaning: Teaches, Question: "a", Answer: "b"}},
		"a moderator teaches":    {few, "oMODERATOR", "问：a 答：b", Request{Meaning: Teaches, Question: "a", Answer: "b"}},
		"long question":          {course(), "o1", "问：" + strings.Repeat("长", 201) + "答：b", Request{Meaning: TooLong, Question: strings.Repeat("长", 201), Answer: "b"}},
		"longest answer":         {loose, "o1", "问：a 答：" + strings.Repeat("b", 2048), Request{Meaning: Teaches, Question: "a", Answer: strings.Repeat("b", 2048)}},
		"long answer":            {loose, "o1", "问：a 答：" + strings.Repeat("b", 2049), Request{Meaning: TooLong, Question: "a", Answer: strings.Repeat("b", 2049)}},
		"too long for one look":  {course(), "o1", "问：a 答：" + strings.Repeat("b", 2048), Request{Meaning: TooLong, Question: "a", Answer: strings.Repeat("b", 2048)}},
		"list":                   {course(), "oMODERATOR", "待审 ", Request{Meaning: Lists}},
		"approve":                {course(), "oMODERATOR", "通过 3", Request{Meaning: Approves, ID: 3}},
		"approve in one word":    {course(), "oMODERATOR", "通过12", Request{Meaning: Approves, ID: 12}},
		"reject":                 {course(), "oMODERATOR", "拒绝\n3", Request{Meaning: Rejects, ID: 3}},
		"forget":                 {course(), "oMODERATOR", "忘记 几点开门？", Request{Meaning: Forgets, Question: "几点开门？"}},
		"no number":              {course(), "oMODERATOR", "通过 三", Request{Question: "通过 三"}},
		"a number beyond all":    {course(), "oMODERATOR", "通过 9999999999999999", Request{Question: "通过 9999999999999999"}},
		"a part of a sentence":   {course(), "oMODERATOR", "我想通过 3", Request{Question: "我想通过 3"}},
		"not from just anybody":  {course(), "o1", "通过 3", Request{Question: "通过 3"}},
		"nor is the list":        {course(), "o1", "待审", Request{Question: "待审"}},
		"nor can they forget":    {course(), "o1", "忘记 a", Request{Question: "忘记 a"}},
		"a stranger without id":  {course(), "", "待审", Request{Question: "待审"}},
		"nothing":                {course(), "o1", "", Request{}},
		"white space for nobody": {course(), "oMODERATOR", "忘记 ", Request{Question: "忘记"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, test.course.Read(test.openID, test.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestKeyOf(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{"几点开门", " 几点开门？ ", "几点开门？？!", "几点开门。", "几点开门 ~"},
		{"wifi", "WiFi", "WIFI?", "wifi…"},
		{"c++", "C++"},
		{"？"}, {"？！"}, {""},
	} {
		for _, question := range same {
			if got := KeyOf(question); got != same[0] {
				t.Errorf("%q: want %q, got %q", question, same[0], got)
			}
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	if got := list(nil, 0); got != "没有待审核的内容。" {
		t.Errorf("nothing waits: %q", got)
	}
	short := Entry{ID: 7, Lesson: Lesson{Question: "a", Answer: "b", By: "oSECRET"}}
	if got := list([]Entry{short}, 1); got != "7. 问：a\n答：b\n回复「通过 编号」或「拒绝 编号」" {
		t.Errorf("one waits: %q", got)
	}
	long := Entry{ID: 8, Lesson: Lesson{Question: "a", Answer: strings.Repeat("b", 1000)}}
	got := list([]Entry{long, long, short}, 9)
	if strings.Count(got, "8. 问") != 1 || strings.Contains(got, "7. 问") || !strings.Contains(got, "还有 8 条。") {
		t.Errorf("what does not fit is counted, and what comes after it waits too: %q", got)
	}
}

// FuzzRead: whatever a follower writes is understood somehow, and what is learned of it is within the bounds, so
// that a moderator can be shown it whole.
func FuzzRead(f *testing.F) {
	for _, text := range []string{"问：几点开门？ 答：九点", "问:a答:b", "待审", "通过 3", "拒绝 99999999999999999999", "忘记 a", "\xff问：\xff答：\xff", "问：" + strings.Repeat("长", 300) + "答：b"} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, moderator bool) {
		c := course()
		openID := "o1"
		if moderator {
			openID = "oMODERATOR"
		}
		got := c.Read(openID, text)
		switch got.Meaning {
		case Teaches:
			if got.Question == "" || got.Answer == "" || utf8.RuneCountInString(got.Question) > MaxQuestion || KeyOf(got.Question) == "" {
				t.Errorf("learned %+v", got)
			}
			entry := Entry{ID: maxID, Lesson: Lesson{Question: got.Question, Answer: got.Answer}}
			if shown := list([]Entry{entry, entry}, MaxWaiting); len(shown) > reply.MaxTextBytes || !strings.Contains(shown, got.Answer) {
				t.Errorf("a moderator cannot see the whole of it: %d bytes", len(shown))
			}
		case Lists, Approves, Rejects, Forgets:
			if !moderator || got.ID < 0 || got.ID > maxID {
				t.Errorf("obeyed %+v", got)
			}
		case Asks, TooLong:
		}
		if key := KeyOf(got.Question); key != KeyOf(key) {
			t.Errorf("the key of %q is %q and the key of that %q", got.Question, key, KeyOf(key))
		}
	})
}
