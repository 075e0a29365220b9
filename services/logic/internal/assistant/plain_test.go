package assistant_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wxstack/wxstack/services/logic/internal/assistant"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ markdown, want string }{
		"heading":          {"## 退货流程 ##\n第一步", "退货流程\n第一步"},
		"no heading":       {"#新话题# 今天", "#新话题# 今天"},
		"bold":             {"请看**重点**，还有 **two words**。", "请看重点，还有 two words。"},
		"bold and italic":  {"***都是***", "都是"},
		"bold code":        {"运行 **`go test`** 即可", "运行 go test 即可"},
		"italic":           {"this is *important*, really", "this is important, really"},
		"product":          {"3*4*5 = 60，长*宽*高，2**3**4", "3*4*5 = 60，长*宽*高，2**3**4"},
		"stars alone":      {"评分 * * *，共 5 * 2 分", "评分 * * *，共 5 * 2 分"},
		"kwargs":           {"传 `**kwargs` 和 `*args*`", "传 **kwargs 和 *args*"},
		"names":            {"文件 my_file_name.txt 和 __init__", "文件 my_file_name.txt 和 __init__"},
		"struck out":       {"原价 ~~99~~ 59", "原价 99 59"},
		"bullets":          {"* 一\n  * 二\n- 三\n1. 四", "- 一\n  - 二\n- 三\n1. 四"},
		"quotation":        {"> 引用\n>引用", "引用\n>引用"},
		"rule":             {"上\n\n---\n\n下", "上\n\n下"},
		"code block":       {"看：\n```go\nx := a*b*c // **no**\n# 注释\n```\n完", "看：\nx := a*b*c // **no**\n# 注释\n完"},
		"code not closed":  {"```\n# a", "# a"},
		"table":            {"| 名 | 价 |\n|---|:--:|\n| 茶 | 5 |", "| 名 | 价 |\n| 茶 | 5 |"},
		"link":             {"见[文档](https://example.com/a_b)。", "见文档: https://example.com/a_b 。"},
		"no link":          {"数组 a[0](1) 和 [说明](见下)", "数组 a[0](1) 和 [说明](见下)"},
		"address":          {"<https://example.com>", "https://example.com"},
		"WeChat's own tag": {`<a href="https://example.com">点这里</a>`, `<a href="https://example.com">点这里</a>`},
		"blank lines":      {"一\r\n\r\n\r\n\r\n二", "一\n\n二"},
		"nothing":          {"  \n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := assistant.Plain(test.markdown); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// FuzzPlain looks for texts that it spoils: with invalid characters, by growth, or though they hold no mark.
func FuzzPlain(f *testing.F) {
	for _, seed := range []string{"**a** `b`", "# a\n```\n*b*\n```", "[a](https://b)", "> *~~a~~*", "|a|\n|--|--|", "普通的话，没有标记。"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, markdown string) {
		got := assistant.Plain(markdown)
		if utf8.ValidString(markdown) && !utf8.ValidString(got) {
			t.Errorf("%q became %q, which is not UTF-8", markdown, got)
		}
		if len(got) > 2*len(markdown) {
			t.Errorf("%q grew to %q", markdown, got)
		}
		if !strings.ContainsAny(markdown, "#*`~>-_|[]<\r\n+") && got != strings.TrimSpace(markdown) {
			t.Errorf("%q holds no mark and became %q", markdown, got)
		}
	})
}
