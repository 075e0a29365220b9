package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
)

// TestWhatLogicIsToldOutlivesIt kills logic between the messages of a dialogue, and after it has learned something:
// what it was told lies in Redis. No log shows any of it.
func TestWhatLogicIsToldOutlivesIt(t *testing.T) {
	const teacher, follower, moderator = "oTEACHER0000000000000000000", "oFOLLOWER000000000000000001", "oMODERATOR00000000000000000"
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte(`rules:
  - name: booking
    match: {text: 预约}
    dialogue:
      steps:
        - {ask: 请问怎么称呼您？, save: name}
        - {ask: "{{ .Answers.name }}，请留下手机号", save: phone, pattern: '^1\d{10}$'}
      reply: {text: "好的，{{ .Answers.name }}，会打 {{ .Answers.phone }}。"}
  - name: learn
    match: {type: text}
    teach: {moderators: `+moderator+`}
  - {name: rest, match: {type: text}, reply: {text: 不知道}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.StartServices(t, "WX_RULES_FILE="+rules)
	says := func(from, text, want string) {
		t.Helper()
		got, err := s.Platform.Push(t.Context(), simulator.Push{From: from, Content: text})
		if err != nil || len(got.Shown) != 1 || got.Shown[0].Text != want {
			t.Errorf("%s: want %q, shown %+v, %v", text, want, got.Shown, err)
		}
	}
	var logs strings.Builder
	restart := func() {
		t.Helper()
		logs.WriteString(s.Processes["logic"].Output())
		s.Restart(t, "logic")
	}

	says(follower, "预约", "请问怎么称呼您？")
	restart()
	says(follower, "张三丰", "张三丰，请留下手机号")
	says(teacher, "问：几点开门？ 答：早上九点", "已提交，等待审核。")
	says(teacher, "几点开门", "不知道")
	restart()
	says(follower, "123", "没有看懂，请再输入一次。")
	says(moderator, "通过 1", "已通过第 1 条。")
	restart()
	says(follower, "13800000000", "好的，张三丰，会打 13800000000。")
	says(follower, "几点开门？？", "早上九点")

	logs.WriteString(s.Processes["logic"].Output())
	for _, secret := range []string{follower, teacher, moderator, "张三丰", "13800000000", "早上九点"} {
		if strings.Contains(logs.String(), secret) {
			t.Errorf("a log shows %s", secret)
		}
	}
}
