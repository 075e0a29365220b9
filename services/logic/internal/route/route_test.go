package route_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/fields"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

func text(content string) *messagev1.Message {
	return &messagev1.Message{
		AppId: "wx1", ToUserName: "gh_1", FromUserName: "o1", MsgType: "text",
		Content: &messagev1.Message_Text{Text: &messagev1.Text{Content: content}},
	}
}

func event(name, key string) *messagev1.Message {
	return &messagev1.Message{
		AppId: "wx1", ToUserName: "gh_1", FromUserName: "o1", MsgType: "event",
		Content: &messagev1.Message_Event{Event: &messagev1.Event{Name: name, Key: key}},
	}
}

func names(r *route.Router, msg *messagev1.Message) []string {
	var got []string
	for rule := range r.Matching(route.Query{Message: msg}) {
		got = append(got, rule.Name)
	}

	return got
}

// TestIndexAgreesWithTrying compares the router with trying every rule in order: whatever the index
// leaves out, repeats or puts in the wrong order shows.
func TestIndexAgreesWithTrying(t *testing.T) {
	t.Parallel()
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	letters := []string{"帮", "助", "a", "b", " ", "c"}
	word := func(most int) string {
		var w strings.Builder
		for range 1 + random.IntN(most) {
			w.WriteString(letters[random.IntN(len(letters))])
		}

		return strings.TrimSpace(w.String())
	}
	var rules []route.Rule
	for i := range 400 {
		m := route.Match{}
		switch random.IntN(10) {
		case 0:
			m.Texts = []string{word(3) + "a", "a"}
		case 1:
			m.Prefixes = []string{"a" + word(2)}
		case 2:
			m.Contains = []string{"a" + word(2), "帮"}
		case 3:
			m.Patterns = []*regexp.Regexp{regexp.MustCompile("^" + regexp.QuoteMeta(word(2)))}
		case 4:
			m.Events = []string{"CLICK"}
		case 5:
			m.Keys = []string{word(2), "k"}
		case 6:
			m.Types = []string{"text", "image"}
		case 7:
			m.Accounts = []string{"gh_1"}
		case 8:
			m.Scenes = []string{word(2), "k"}
		case 9:
			m.Choices = []string{"101", "102"}
		}
		if random.IntN(3) == 0 {
			m.Prefixes = append(m.Prefixes, "a")
		}
		rules = append(rules, route.Rule{Name: strconv.Itoa(i), Match: m})
	}
	whole := route.New(rules)
	for range 300 {
		msg := text(word(5))
		switch random.IntN(6) {
		case 0:
			msg = event("click", word(2))
		case 1:
			msg = event("scan", word(2))
		case 2:
			msg.GetText().MenuEntryId = "102"
		}
		var want []string
		for _, rule := range rules {
			if matches, _ := rule.Match.Matches(route.Query{Message: msg}); matches {
				want = append(want, rule.Name)
			}
		}
		if diff := cmp.Diff(want, names(whole, msg)); diff != "" {
			t.Fatalf("%v (-one by one +indexed):\n%s", msg, diff)
		}
	}
}

func TestMatching(t *testing.T) {
	t.Parallel()
	r := route.New([]route.Rule{
		{Name: "exact", Match: route.Match{Texts: []string{"帮助"}}},
		{Name: "prefix", Match: route.Match{Prefixes: []string{"帮"}}},
		{Name: "contains", Match: route.Match{Contains: []string{"助"}}},
		{Name: "key", Match: route.Match{Events: []string{"CLICK"}, Keys: []string{"帮助"}}},
		{Name: "all"},
	})
	tests := map[string]struct {
		msg  *messagev1.Message
		want []string
	}{
		"all conditions":    {text(" 帮助 "), []string{"exact", "prefix", "contains", "all"}},
		"only one":          {text("求助"), []string{"contains", "all"}},
		"half a character":  {text("\xe5\xb8"), []string{"all"}},
		"event":             {event("click", "帮助"), []string{"key", "all"}},
		"event without key": {event("CLICK", ""), []string{"all"}},
		"no content":        {&messagev1.Message{MsgType: "text"}, []string{"all"}},
		"nothing at all":    {&messagev1.Message{}, []string{"all"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, names(r, test.msg)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if r.Len() != 5 {
		t.Errorf("want 5 rules, got %d", r.Len())
	}
}

// holds is a condition of a test.
type holds func(*fields.Message) (bool, error)

func (h holds) Holds(msg *fields.Message) (bool, error) { return h(msg) }

// TestWhatIsLookedUp: tags cost a call, so they are asked for last and once.
func TestWhatIsLookedUp(t *testing.T) {
	t.Parallel()
	long := holds(func(msg *fields.Message) (bool, error) { return len(msg.Content) > 9, nil })
	broken := holds(func(*fields.Message) (bool, error) { return false, errors.New("broken") })
	r := route.New([]route.Rule{
		{Name: "other text", Match: route.Match{Texts: []string{"y"}, Tags: []string{"VIP"}}},
		{Name: "long", Match: route.Match{Condition: long, Tags: []string{"VIP"}}},
		{Name: "broken", Match: route.Match{Condition: broken}},
		{Name: "by name", Match: route.Match{Types: []string{"text"}, Tags: []string{"VIP", "x"}}},
		{Name: "by id", Match: route.Match{Tags: []string{"101"}}},
		{Name: "not his", Match: route.Match{Tags: []string{"102"}}},
		{Name: "last"},
	})
	unreachable := errors.New("unreachable")
	tests := map[string]struct {
		content string
		tags    func() ([]string, error)
		want    []string
		lookups int
	}{
		"known":      {"x", func() ([]string, error) { return []string{"VIP", "101"}, nil }, []string{"broken: condition", "by name", "by id", "last"}, 1},
		"none":       {"x", func() ([]string, error) { return nil, nil }, []string{"broken: condition", "last"}, 1},
		"a long one": {"0123456789", func() ([]string, error) { return []string{"VIP"}, nil }, []string{"long", "broken: condition", "by name", "last"}, 1},
		"unreachable": {"x", func() ([]string, error) { return nil, unreachable },
			[]string{"broken: condition", "by name: tags", "by id: tags", "not his: tags", "last"}, 1},
		"nobody knows": {"x", nil, []string{"broken: condition", "by name: tags", "by id: tags", "not his: tags", "last"}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lookups := 0
			q := route.Query{Message: text(test.content)}
			if test.tags != nil {
				q.Tags = func() ([]string, error) {
					lookups++
					return test.tags()
				}
			}
			var got []string
			for rule, err := range r.Matching(q) {
				name := rule.Name
				if err != nil {
					name += ": " + string(route.ReasonOf(err))
				}
				got = append(got, name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" || lookups != test.lookups {
				t.Errorf("%d lookups, want %d\n%s", lookups, test.lookups, diff)
			}
		})
	}
}

func TestScenes(t *testing.T) {
	t.Parallel()
	r := route.New([]route.Rule{{Name: "shop", Match: route.Match{Scenes: []string{"shop-7"}}}})
	for name, test := range map[string]struct {
		msg  *messagev1.Message
		want int
	}{
		"scanned":          {event("SCAN", "shop-7"), 1},
		"followed by code": {event("subscribe", "qrscene_shop-7"), 1},
		"followed":         {event("subscribe", ""), 0},
		"another":          {event("SCAN", "shop-8"), 0},
		"a menu key":       {event("CLICK", "shop-7"), 0},
	} {
		if got := names(r, test.msg); len(got) != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFail(t *testing.T) {
	t.Parallel()
	cause := errors.New("why")
	err := fmt.Errorf("more: %w", route.Fail(route.ReasonBusy, cause))
	if !errors.Is(err, cause) || route.ReasonOf(err) != route.ReasonBusy || err.Error() != "more: why" {
		t.Errorf("%v is of %s", err, route.ReasonOf(err))
	}
	if got := route.ReasonOf(cause); got != route.ReasonContent {
		t.Errorf("without a reason it is of %s", got)
	}
}

func TestMatchKinds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		match                         route.Match
		wantText, wantEvent, everyone bool
	}{
		"zero":       {route.Match{}, false, false, true},
		"text":       {route.Match{Types: []string{"text"}}, true, false, false},
		"event":      {route.Match{Types: []string{"event"}}, false, true, false},
		"both":       {route.Match{Types: []string{"event", "text"}}, false, false, false},
		"contains":   {route.Match{Contains: []string{"x"}}, true, false, false},
		"key":        {route.Match{Keys: []string{"x"}}, false, true, false},
		"an account": {route.Match{Accounts: []string{"x"}}, false, false, false},
		"a scene":    {route.Match{Scenes: []string{"x"}}, false, true, false},
		"a choice":   {route.Match{Choices: []string{"x"}}, true, false, false},
		"a tag":      {route.Match{Tags: []string{"x"}}, false, false, false},
		"a window":   {route.Match{Time: &route.Window{}}, false, false, false},
		"a share":    {route.Match{Rollout: &route.Rollout{Percent: 100}}, false, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &test.match
			if m.WantsText() != test.wantText || m.WantsEvent() != test.wantEvent || m.Everything() != test.everyone {
				t.Errorf("text %v, event %v, everything %v", m.WantsText(), m.WantsEvent(), m.Everything())
			}
		})
	}
}

func TestStopsEarly(t *testing.T) {
	t.Parallel()
	r := route.New([]route.Rule{{Name: "a"}, {Name: "b"}})
	asked := slices.Collect(func(yield func(string) bool) {
		for rule := range r.Matching(route.Query{Message: text("x")}) {
			yield(rule.Name)

			return
		}
	})
	if diff := cmp.Diff([]string{"a"}, asked); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkMatching shows that time does not grow with the number of rules.
func BenchmarkMatching(b *testing.B) {
	for _, size := range []int{10, 10_000} {
		for kind, match := range map[string]func(i int) route.Match{
			"text":   func(i int) route.Match { return route.Match{Texts: []string{fmt.Sprintf("问题%d", i)}} },
			"prefix": func(i int) route.Match { return route.Match{Prefixes: []string{fmt.Sprintf("%d号", i)}} },
			"contains": func(i int) route.Match {
				return route.Match{Contains: []string{fmt.Sprintf("%c%c词", 0x4e00+i, 0x4e01+i)}}
			},
			"key": func(i int) route.Match { return route.Match{Keys: []string{fmt.Sprintf("KEY_%d", i)}} },
			"pattern": func(i int) route.Match {
				return route.Match{Patterns: []*regexp.Regexp{regexp.MustCompile(fmt.Sprintf("^订单%d$", i))}}
			},
		} {
			b.Run(fmt.Sprintf("%s/%d", kind, size), func(b *testing.B) {
				var rules []route.Rule
				for i := range size {
					rules = append(rules, route.Rule{Name: strconv.Itoa(i), Match: match(i)})
				}
				r := route.New(append(rules, route.Rule{Name: "last"}))
				msg := text("请问这个问题怎么办，我想知道营业时间和地址")
				b.ReportAllocs()
				for b.Loop() {
					for rule := range r.Matching(route.Query{Message: msg}) {
						if rule.Name != "last" {
							b.Fatal(rule.Name)
						}
					}
				}
			})
		}
	}
}
