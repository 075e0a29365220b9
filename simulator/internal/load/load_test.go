package load

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/simulator/internal/phrase"
)

func TestDue(t *testing.T) {
	t.Parallel()
	for number, want := range map[int]time.Duration{0: 0, 1: 5 * time.Millisecond, 200: time.Second, 1_000_000: 5000 * time.Second} {
		if got := Due(number, 200); got != want {
			t.Errorf("message %d is due after %s, want %s", number, got, want)
		}
	}
}

func TestDueBefore(t *testing.T) {
	t.Parallel()
	for moment, want := range map[time.Duration]int{-time.Second: 0, 0: 0, time.Millisecond: 1, 5 * time.Millisecond: 1, 6 * time.Millisecond: 2, time.Second: 200} {
		if got := DueBefore(moment, 200); got != want {
			t.Errorf("%d are due before %s, want %d", got, moment, want)
		}
	}
}

func TestMixIsSpreadEvenly(t *testing.T) {
	t.Parallel()
	mix := NewMix([]int{5, 1, 2})
	var order strings.Builder
	for range 16 {
		fmt.Fprint(&order, mix.Next())
	}
	for kind, want := range map[string]int{"0": 10, "1": 2, "2": 4} {
		if got := strings.Count(order.String(), kind); got != want {
			t.Errorf("kind %s was sent %d times, want %d", kind, got, want)
		}
	}
	if strings.Contains(order.String(), "0000") {
		t.Errorf("a clump in %s", order.String())
	}
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	for share, want := range map[float64]int{0: 0, 0.05: 50, 0.5: 500, 1: 1000} {
		count := 0
		for number := range 1000 {
			if Repeats(number, share) {
				count++
			}
		}
		if count != want {
			t.Errorf("of 1000, %d are repeated at %g, want %d", count, share, want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	text := func(expect string) Message {
		return Message{Number: 6, Follower: "o1", Content: "你好 #7", Expect: expect}
	}
	picture := Message{Number: 6, Follower: "o1", MediaID: "M", Expect: ExpectEcho}
	cases := map[string]struct {
		message Message
		answer  Answer
		problem string
	}{
		"anything":                {text(""), Answer{Text: "收到"}, ""},
		"another's marker":        {text(""), Answer{Text: "你说：你好 #8"}, "it answers message #8, not #7"},
		"a longer marker":         {text(""), Answer{Text: "你好 #77"}, "it answers message #77"},
		"its own marker":          {text(ExpectReply), Answer{Text: "你好 #7！"}, ""},
		"echo":                    {text(ExpectEcho), Answer{Text: "你说：你好 #7"}, ""},
		"no echo":                 {text(ExpectEcho), Answer{Text: "收到 #7"}, `it must contain "你好 #7"`},
		"template":                {text("text:{openid}：{content}，{marker}"), Answer{Text: "o1：你好 #7，#7"}, ""},
		"not the template":        {text("text:{openid}：{content}"), Answer{Text: "o2：你好 #7"}, `it must be "o1：你好 #7"`},
		"the same picture":        {picture, Answer{MediaID: "M"}, ""},
		"another picture":         {picture, Answer{MediaID: "N"}, "the same file"},
		"a number is no marker":   {text(""), Answer{Text: "订单 #0007 在 C# 7 层"}, ""},
		"markers of an event":     {Message{Number: 6, Follower: "o1"}, Answer{Text: "第 #8 号"}, ""},
		"a marker in the content": {Message{Number: 6, Content: "#3 好吗 #7"}, Answer{Text: "#3 好"}, ""},
	}
	for name, test := range cases {
		if got := test.message.Check(test.answer); (got == phrase.Phrase{}) != (test.problem == "") || !strings.Contains(got.En, test.problem) || han.MatchString(got.Zh) != (got.En != "") {
			t.Errorf("%s: %q, want %q", name, got, test.problem)
		}
	}
	for expect, ok := range map[string]bool{"": true, "any": true, "reply": true, "echo": true, "text:x": true, "x": false} {
		if err := CheckExpectation(expect); (err == nil) != ok {
			t.Errorf("expectation %q: %v", expect, err)
		}
	}
}

// han are Chinese characters, by which a sentence is known to be Chinese.
var han = regexp.MustCompile(`\p{Han}`)

// Each story is what is sent and answered, in order, and what is found.
func TestBook(t *testing.T) {
	t.Parallel()
	sent := func(number int, expect string) Message {
		return Message{Number: number, Follower: fmt.Sprintf("o%d", number), Content: "x " + Marker(number), Expect: expect}
	}
	answer := func(text string) *Answer { return &Answer{Text: text} }
	stories := map[string]struct {
		tell func(b *Book)
		want map[Kind]int
		says string
	}{
		"answered":         {func(b *Book) { b.Sent(sent(0, "reply")); b.Replied(0, answer("ok")) }, nil, ""},
		"answered late":    {func(b *Book) { b.Sent(sent(0, "reply")); b.Replied(0, nil); b.Late("o0", Answer{Text: "ok"}) }, nil, ""},
		"silence is right": {func(b *Book) { b.Sent(sent(0, "any")); b.Replied(0, nil) }, nil, ""},
		"lost":             {func(b *Book) { b.Sent(sent(0, "reply")); b.Replied(0, nil) }, map[Kind]int{Lost: 1}, "no answer"},
		"failed": {func(b *Book) {
			b.Sent(sent(0, "reply"))
			b.Failed(0, phrase.Phrase{Zh: "没有应答", En: "nothing came"})
		}, map[Kind]int{Failed: 1}, "nothing came"},
		"reply and late answer": {
			func(b *Book) {
				b.Sent(sent(0, "reply"))
				b.Replied(0, answer("a"))
				b.Late("o0", Answer{Text: "a"})
				b.Late("o0", Answer{Text: "a"})
			}, map[Kind]int{Duplicate: 1}, "two answers",
		},
		"late answer to an older message": {
			func(b *Book) {
				b.Sent(sent(0, "reply"))
				second := sent(1, "reply")
				second.Follower = "o0"
				b.Sent(second)
				b.Replied(1, answer("b"))
				b.Late("o0", Answer{Text: "a #1"})
			}, nil, "",
		},
		"late answers without markers, in turn": {
			func(b *Book) {
				for number := range 3 {
					one := sent(number, "reply")
					one.Follower = "o0"
					b.Sent(one)
					b.Replied(number, nil)
				}
				aside := sent(3, "any")
				aside.Follower = "o0"
				b.Sent(aside)
				for range 4 {
					b.Late("o0", Answer{Text: "done"})
				}
			}, nil, "",
		},
		"one late answer too many": {
			func(b *Book) {
				b.Sent(sent(0, "reply"))
				b.Late("o0", Answer{Text: "done"})
				b.Late("o0", Answer{Text: "done"})
			}, map[Kind]int{Duplicate: 1}, "two answers",
		},
		"another's answer": {func(b *Book) { b.Sent(sent(0, "")); b.Sent(sent(1, "")); b.Replied(0, answer("x #2")) }, map[Kind]int{Wrong: 1}, "it answers message #2"},
		"told to another": {
			func(b *Book) { b.Sent(sent(0, "reply")); b.Sent(sent(1, "")); b.Late("o1", Answer{Text: "x #1"}) },
			map[Kind]int{Wrong: 1, Lost: 1}, "o1 was told",
		},
		"repeated alike": {func(b *Book) {
			b.Sent(sent(0, ""))
			b.Repeated(0, answer("a"), answer("a"), true)
			b.Repeated(0, nil, nil, true)
		}, nil, ""},
		"repeated otherwise": {func(b *Book) { b.Sent(sent(0, "")); b.Repeated(0, answer("a"), answer("b"), true) }, map[Kind]int{Inconsistent: 1}, `"b", the first with "a"`},
		"repeated in vain":   {func(b *Book) { b.Sent(sent(0, "")); b.Repeated(0, answer("a"), nil, false) }, map[Kind]int{Inconsistent: 1}, "no valid answer"},
		"silent, then not":   {func(b *Book) { b.Sent(sent(0, "")); b.Repeated(0, nil, &Answer{MediaID: "M"}, true) }, map[Kind]int{Inconsistent: 1}, "the file M, the first with nothing to show"},
		"a stranger's line":  {func(b *Book) { b.Late("o9", Answer{Text: "hello"}) }, nil, ""},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			book := NewBook()
			story.tell(book)
			book.Finish()
			got := map[Kind]int{}
			for _, kind := range []Kind{Lost, Duplicate, Wrong, Inconsistent, Failed} {
				if count := book.Count(kind); count > 0 {
					got[kind] = count
				}
			}
			if story.want == nil {
				story.want = map[Kind]int{}
			}
			if diff := cmp.Diff(story.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if story.says != "" && (!strings.Contains(book.Findings()[0].Reason, story.says) || !han.MatchString(book.Findings()[0].ReasonZh)) {
				t.Errorf("it says %q and %q, want %q", book.Findings()[0].Reason, book.Findings()[0].ReasonZh, story.says)
			}
		})
	}
}

// Millions of messages don't fill the memory: the oldest are judged as they stand.
func TestTheBookIsBounded(t *testing.T) {
	t.Parallel()
	book := NewBook()
	for number := range remembered + 100 {
		book.Sent(Message{Number: number, Follower: "o", Expect: ExpectReply})
	}
	if len(book.messages) != remembered || book.Count(Lost) != 100 || len(book.Findings()) != shownPerKind {
		t.Errorf("%d remembered, %d lost, %d shown", len(book.messages), book.Count(Lost), len(book.Findings()))
	}
}
