package message_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/wechat/message"
)

func TestSplitText(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		text  string
		limit int
		want  []string
	}{
		"nothing":                   {"", 8, nil},
		"nothing to see":            {" \n \x00 \n\n\n", 8, nil},
		"fits":                      {" 12345\n ", 8, []string{" 12345\n "}},
		"fits without the unseen":   {"1234\x005678\xff", 8, []string{"12345678"}},
		"between characters":        {"好好好好", 8, []string{"好好", "好好"}},
		"four bytes":                {"a😀😀", 8, []string{"a😀", "😀"}},
		"after a line break":        {"123456789。\n4 6abc", 16, []string{"123456789。", "4 6abc"}},
		"after a sentence":          {"一二三。四 五六七", 18, []string{"一二三。四", "五六七"}},
		"sentence before space":     {"一二三四五六。a b七八", 24, []string{"一二三四五六。", "a b七八"}},
		"ASCII sentence":            {"12345678901! b cde", 14, []string{"12345678901!", "b cde"}},
		"sentence ends at the cut":  {"1234567 90. c", 11, []string{"1234567 90.", "c"}},
		"point in a number":         {"123456 89.12", 11, []string{"123456 89.1", "2"}},
		"at white space":            {"123456789 abcdef", 12, []string{"123456789", "abcdef"}},
		"wide space":                {"一二三\u3000四五", 12, []string{"一二三", "四五"}},
		"no early cut":              {"1 3456789abc", 8, []string{"1 345678", "9abc"}},
		"white space at the cuts":   {"12345678\n \n  abc", 8, []string{"12345678", "abc"}},
		"white space of a part":     {strings.Repeat(" ", 20) + "abc", 8, []string{"abc"}},
		"link":                      {`see <a href="u">this</a>`, 22, []string{"see", `<a href="u">this</a>`}},
		"link longer than a part":   {`<a href="uuuuuuuu">this</a>`, 22, []string{`<a href="uuuuuuuu">thi`, `s</a>`}},
		"limit below one character": {"好a😀", 0, []string{"好a", "😀"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, message.SplitText(test.text, test.limit)); diff != "" {
				t.Errorf("SplitText (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzSplitText: parts are short enough, can be sent, and lose nothing that can be seen.
func FuzzSplitText(f *testing.F) {
	f.Add(strings.Repeat("你好，世界。", 300), message.MaxTextBytes)
	f.Add("a. b\n<a href='x'>c</a> d", 7)
	f.Add("\xff\x00\ufffe 😀", 1)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		parts := message.SplitText(text, limit)
		for _, part := range parts {
			if len(part) > max(limit, utf8.UTFMax) {
				t.Errorf("part of %d bytes, limit %d", len(part), limit)
			}
			if len(part) > message.MaxTextBytes {
				continue
			}
			if err := message.Validate(message.TextReply{Content: part}, 1); err != nil {
				t.Errorf("part %q cannot be sent: %v", part, err)
			}
		}
		if got, want := visible(strings.Join(parts, "")), visible(text); got != want {
			t.Errorf("parts show %q, want %q", got, want)
		}
	})
}

// visible is what is left of a text without white space and without what XML forbids.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r < ' ' || r == '\ufffe' || r == '\uffff' {
			return -1
		}

		return r
	}, strings.ToValidUTF8(text, ""))
}
