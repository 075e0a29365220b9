package rule_test

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/services/logic/internal/fields"
	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/rule"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
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
		"scene":          {"{event: SCAN, scene: [7, shop]}", route.Match{Events: []string{"SCAN"}, Scenes: []string{"7", "shop"}}},
		"tags":           {"{tag: [VIP, 101]}", route.Match{Tags: []string{"VIP", "101"}}},
		"time": {"{time: {from: 2026-12-24, until: 2026-12-24 18:30, days: [sat, Sun], hours: ['09:00-12:00', '22:00-24:00']}}", route.Match{Time: &route.Window{
			From: time.Date(2026, 12, 24, 0, 0, 0, 0, fields.China), Until: time.Date(2026, 12, 24, 18, 30, 0, 0, fields.China),
			Days: []time.Weekday{time.Saturday, time.Sunday}, Hours: []route.Hours{{From: 9 * 60, Until: 12 * 60}, {From: 22 * 60, Until: 24 * 60}}, Zone: fields.China,
		}}},
		"time elsewhere": {"{time: {hours: '8:00-9:00', zone: Europe/Berlin}}", route.Match{Time: &route.Window{
			Hours: []route.Hours{{From: 8 * 60, Until: 9 * 60}}, Zone: berlin,
		}}},
		"nothing": {"{}", route.Match{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := rule.Load("f", []byte("rules:\n  - name: a\n    match: "+test.match+"\n    reply: {silence: true}\n"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got[0].Match, cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }), cmp.Transformer("empty", func(s []string) []string {
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
	f.Add([]byte("rules:\n  - name: a\n    match: {if: 'len(Content) > 1', time: {hours: 22:00-02:00, days: fri}, tag: 1, scene: x}\n    rollout: {percent: 5}\n    menu: {as: links, choices: [{id: 1, text: b, reply: {text: c}}]}\n" +
		"  - name: b\n    dialogue: {steps: [{ask: a, save: b, choices: [c, d]}], forward: {url: http://x, headers: {A: b}}, reply: {text: '{{ .Answers.b }}'}}\n" +
		"  - {name: c, teach: {moderators: o1}}\n  - {name: d, assistant: {base_url: http://x, model: m, history: {turns: 1}}}\n"))
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
