package rule_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/rule"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		match string
		want  route.Match
	}{
		"one":            {"{type: text}", route.Match{Types: []string{"text"}}},
		"several":        {"{type: [text, image]}", route.Match{Types: []string{"text", "image"}}},
		"number as text": {"{text: [1, 01, true]}", route.Match{Texts: []string{"1", "01", "true"}}},
		"white space":    {"{text: ' a ', prefix: 'b '}", route.Match{Texts: []string{"a"}, Prefixes: []string{"b"}}},
		"unlisted event": {"{event: brand_new_event}", route.Match{Events: []string{"brand_new_event"}}},
		"event case":     {"{event: click}", route.Match{Events: []string{"click"}}},
		"account":        {"{account: [wx1, gh_2]}", route.Match{Accounts: []string{"wx1", "gh_2"}}},
		"quoted tag":     {"{text: !!str 1}", route.Match{Texts: []string{"1"}}},
		"nothing":        {"{}", route.Match{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := rule.Load("f", []byte("rules:\n  - name: a\n    match: "+test.match+"\n    reply: {silence: true}\n"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got[0].Match, cmp.Transformer("empty", func(s []string) []string {
				if len(s) == 0 {
					return nil
				}

				return s
			})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTransferToTheAI(t *testing.T) {
	t.Parallel()
	got, err := rule.Load("f", []byte("rules:\n  - name: a\n    match: {type: text}\n    reply: {transfer_biz_ai_ivr: true}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := got[0].Handler.Answer(t.Context(), &logicv1.ReplyRequest{Message: &messagev1.Message{MsgType: "text"}})
	if err != nil || answer.Reply.GetTransferBizAiIvr() == nil {
		t.Errorf("%v, %v", answer, err)
	}
}

func TestAlias(t *testing.T) {
	t.Parallel()
	got, err := rule.Load("f", []byte(`rules:
  - name: a
    match: &words {contains: [x, y]}
    reply: {text: one}
  - name: b
    match: *words
    reply: {text: two}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got[0].Match.Contains, got[1].Match.Contains); diff != "" || len(got[1].Match.Contains) != 2 {
		t.Errorf("the alias is not what it stands for: %s", diff)
	}
}

func FuzzLoad(f *testing.F) {
	builtIn, err := os.ReadFile("../../rules/default.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(builtIn)
	f.Add([]byte("rules:\n  - name: a\n    match: {text: [1, *x], pattern: '('}\n    reply: &x {text: '{{ .Content }}'}\n    send: [{news: [{title: t}]}]\n"))
	f.Add([]byte("rules: &a\n  - *a\n---\nb: !!str {{ c }}\n"))
	f.Add([]byte("{{{[[[&&&***|>\t: - ? !"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, err := rule.Load("f", data, nil)
		if (err == nil) != (len(rules) > 0) {
			t.Errorf("%d rules with error %v", len(rules), err)
		}
		for _, r := range rules {
			if r.Name == "" || r.Name == route.Unmatched || r.Handler == nil {
				t.Errorf("incomplete rule %+v", r)
			}
		}
	})
}
