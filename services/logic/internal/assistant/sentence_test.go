package assistant_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wxstack/wxstack/services/logic/internal/assistant"
)

func TestSentences(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text  string
		limit int
		want  string
	}{
		"whole":                 {"一句。两句。", 100, "一句。两句。"},
		"begun":                 {"第一句话。第二句话说到一", 100, "第一句话。"},
		"too long":              {"第一句话。第二句话。第三句话。", 32, "第一句话。第二句话。"},
		"quotation":             {"他说：“可以。”然后走", 100, "他说：“可以。”"},
		"number":                {"Pi is 3.14159 or so", 14, "Pi is 3.14159"},
		"English":               {"One sentence. And the next on", 100, "One sentence."},
		"no sentence":           {"word another wor", 100, "word another"},
		"no word":               {"没有标点也没有空格", 10, "没有标"},
		"only at its beginning": {"短。后面是一长串没有标点的文字", 100, "短。后面是一长串没有标点的文字"},
		"nothing":               {"", 10, ""},
		"no room":               {"字", 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := assistant.Sentences(test.text, test.limit); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func FuzzSentences(f *testing.F) {
	f.Add("一句。两句", 7)
	f.Add("One. Two!\nThree", 9)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit < 0 {
			t.Skip("no limit is negative")
		}
		got := assistant.Sentences(text, limit)
		if len(got) > limit || !strings.HasPrefix(text, got) {
			t.Errorf("%q, at most %d bytes: got %q", text, limit, got)
		}
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("%q cuts a character of %q", got, text)
		}
	})
}
