package decide_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/live"
)

// frequentQuestions is a rule file as a large account has it: questions by whole text, by word and by beginning,
// menu keys, scenes, a few patterns and expressions, and an answer for all the rest.
func frequentQuestions(size int) []byte {
	var file strings.Builder
	file.WriteString("rules:\n")
	rule := func(i int, match string) {
		fmt.Fprintf(&file, "  - name: question-%d\n    match: {%s}\n    reply: {text: '第 %d 个问题的答案'}\n", i, match, i)
	}
	for i := range size - 1 {
		switch i % 8 {
		case 0, 1:
			rule(i, fmt.Sprintf("text: [问题%d, 第%d问]", i, i))
		case 2, 3:
			rule(i, fmt.Sprintf("contains: [%c%c, 编号%d]", 0x4e00+i, 0x4e01+i, i))
		case 4:
			rule(i, fmt.Sprintf("prefix: %d号", i))
		case 5:
			rule(i, fmt.Sprintf("event: CLICK, key: KEY_%d", i))
		case 6:
			rule(i, fmt.Sprintf("scene: shop-%d", i))
		case 7:
			rule(i, fmt.Sprintf("text: 限时%d, time: {hours: '09:00-18:00'}", i))
		}
	}
	file.WriteString("  - name: rest\n    match: {type: text}\n    reply: {text: '你说：{{ .Content }}'}\n")

	return []byte(file.String())
}

// BenchmarkReplyAtOnce shows that an answer costs the same whether a file has ten rules or ten thousand.
func BenchmarkReplyAtOnce(b *testing.B) {
	req := &logicv1.ReplyRequest{Message: &messagev1.Message{
		AppId: "wx1", FromUserName: "o1", MsgType: "text", MsgId: 1, CreateTime: 1700000000,
		Content: &messagev1.Message_Text{Text: &messagev1.Text{Content: "请问这个怎么办，我想知道营业时间和地址"}},
	}}
	for _, size := range []int{10, 10_000} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			rules, err := live.Open(live.Source{BuiltIn: frequentQuestions(size)}, telemetry.Discard())
			if err != nil {
				b.Fatal(err)
			}
			subject := newDecider(rules, &recorder{})
			b.ReportAllocs()
			for b.Loop() {
				if resp, ok, err := subject.ReplyAtOnce(b.Context(), req); !ok || err != nil || resp.GetRule() != "rest" {
					b.Fatal(resp, ok, err)
				}
			}
		})
	}
}
