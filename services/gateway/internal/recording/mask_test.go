package recording

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMask(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"":                   "",
		"你好":                 "你好",
		"第123期":              "第123期",
		"电话13800138000谢谢":    "电话***********谢谢",
		"138 0013 8000":      "*** **** ****",
		"138-0013-8000":      "***-****-****",
		"１３８００１３８０００":        "***********",
		"11010519491231002X": "*****************X",
		"验证码 4821":           "验证码 ****",
		"买 12 个, 共 99 元":     "买 12 个, 共 99 元",
		"一三八零零一三八零零零":        "***********",
		"一二三":                "一二三",
		"我的邮箱是li.lei@example.com谢谢":             "我的邮箱是[hidden]谢谢",
		"li@qq.com,han@qq.com":                  "[hidden],[hidden]",
		"https://example.com/a?openid=o1#x 看":   "https://example.com/a 看",
		"https://example.com/#/pay":             "https://example.com/",
		"https://example.com/orders/20240101":   "https://example.com/orders/********",
		"https://li:secret@example.com/a 12345": "https://li:[hidden]/a *****",
	}
	for text, want := range tests {
		if got := mask(text); got != want {
			t.Errorf("mask(%q) = %q, want %q", text, got, want)
		}
	}
}

var fourDigits = regexp.MustCompile(`\p{Nd}{4}`)

func FuzzMask(f *testing.F) {
	for _, text := range []string{"", "138 0013 8000", "a@b.c12345", "x://y?1 2345", "一二三四五六七12", "\xff1234\xfe", "[hidden]1-2-3-4", "1@2@3@4567"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := mask(text)
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("%q became %q, which is not UTF-8", text, got)
		}
		if fourDigits.MatchString(got) {
			t.Errorf("%q became %q, which has four digits", text, got)
		}
		if mask(got) != got {
			t.Errorf("%q became %q, and that %q", text, got, mask(got))
		}
		if page := withoutQuery(text); strings.ContainsAny(page, "?#") || !strings.HasPrefix(text, page) {
			t.Errorf("%q without query is %q", text, page)
		}
	})
}
