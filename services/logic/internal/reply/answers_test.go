package reply_test

import (
	"strings"
	"testing"

	"github.com/wxstack/wxstack/services/logic/internal/reply"
)

func TestAnswersInTemplates(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		source string
		want   string
	}{
		"an answer":            {"{{ .Answers.name }}：{{ .Content }}", "张三：x"},
		"an answer is data":    {"{{ .Answers.code }}", "{{ .Content }}"},
		"Chinese name":         {"{{ .Answers.电话 }}", "1"},
		"not answered yet":     {"[{{ .Answers.later }}]", "[]"},
		"not answered, tested": {"{{ with .Answers.later }}{{ . }}{{ else }}无{{ end }}", "无"},
		"inside with":          {"{{ with .Content }}{{ $.Answers.name }}{{ end }}", "张三"},
	}
	answers := map[string]string{"name": "张三", "code": "{{ .Content }}", "电话": "1"}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parsed, err := reply.ParseTemplate(test.source, "name", "code", "电话", "later")
			if err != nil {
				t.Fatal(err)
			}
			answer, err := (&reply.Canned{Reply: reply.Text{Content: parsed}}).AnswerWith(t.Context(), asked(text("x")), answers)
			if got := answer.Reply.GetText().GetContent(); err != nil || got != test.want {
				t.Errorf("want %q, got %q, %v", test.want, got, err)
			}
		})
	}
}

func TestWrongAnswersInTemplates(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		source  string
		answers []string
		want    string
	}{
		"unknown":         {"{{ .Answers.nmae }}", []string{"name"}, `.Answers has no nmae here; did you mean "name"?`},
		"in a branch":     {"{{ if eq .Content \"q\" }}{{ .Answers.x }}{{ end }}", []string{"name"}, ".Answers has no x here; known are: name"},
		"by the root":     {"{{ $.Answers.x }}", []string{"name"}, ".Answers has no x here"},
		"in brackets":     {"{{ (.Answers).x }}", []string{"name"}, "write .Answers with a name, such as .Answers.name"},
		"all of them":     {"{{ .Answers }}", []string{"name"}, "write .Answers with a name"},
		"by index":        {"{{ index .Answers \"x\" }}", []string{"name"}, "write .Answers with a name"},
		"none there":      {"{{ .Answers.name }}", nil, "no answer is known here: .Answers has those of the steps before, in a dialogue"},
		"without Answers": {"{{ .name }}", []string{"name"}, "unknown field .name"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := reply.ParseTemplate(test.source, test.answers...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}
