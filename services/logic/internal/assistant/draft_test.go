package assistant_test

import (
	"strings"
	"testing"

	"github.com/wxstack/wxstack/services/logic/internal/assistant"
)

func TestThoughtsAreNoAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pieces []string
		want   string
	}{
		"none":            {[]string{"你", "好"}, "你好"},
		"some":            {[]string{"<think>想想</think>\n\n你好"}, "你好"},
		"empty":           {[]string{"<think>\n\n</think>\n\n你好"}, "你好"},
		"in pieces":       {[]string{"\n<th", "ink>想", "想</thi", "nk>你", "好"}, "你好"},
		"not ended":       {[]string{"<think>想想"}, ""},
		"not at the head": {[]string{"标签是 <think>x</think>"}, "标签是 <think>x</think>"},
		"something like":  {[]string{"<thinking>x"}, "<thinking>x"},
		"begun":           {[]string{"<thi"}, "<thi"},
		"nothing":         {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := assistant.Drafted(test.pieces...); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// FuzzDraft compares an answer in pieces with the same in one.
func FuzzDraft(f *testing.F) {
	f.Add("<think>a</think>b", 3, 12)
	f.Add(" <think> </think>", 1, 16)
	f.Fuzz(func(t *testing.T, text string, first, second int) {
		a := max(0, min(first, len(text)))
		b := max(a, min(second, len(text)))
		whole, pieces := assistant.Drafted(text), assistant.Drafted(text[:a], text[a:b], text[b:])
		if whole != pieces {
			t.Errorf("%q in one is %q, in pieces %q", text, whole, pieces)
		}
		if !strings.Contains(text, whole) {
			t.Errorf("%q is not in %q", whole, text)
		}
	})
}
