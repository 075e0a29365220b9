package rule_test

import (
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/logic/internal/bulkhead"
	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/rule"
)

// teachOf is a file with a rule that teaches, whose keys are given in line 3.
func teachOf(keys string) string { return rules("    teach: {" + keys + "}") }

func TestWrongTeaching(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file string
		want []string
	}{
		"no mapping":     {rules("    teach: true"), []string{`rules.yaml:3:12: rule "a": teach must be a mapping with the keys concurrency, full_reply, learn, `, `not "true"`}},
		"unknown key":    {teachOf("moderation: false, teacher: o1"), []string{`rules.yaml:3:32: rule "a": unknown key "teacher" in teach; did you mean "teachers"?`}},
		"no moderators":  {teachOf("limit: 3"), []string{`rules.yaml:3:5: rule "a": teach has no moderators, so nothing would ever be let through; list their OpenIDs, or show everything at once with moderation: false`}},
		"none on demand": {teachOf("moderation: true"), []string{"teach has no moderators"}},
		"empty list":     {teachOf("moderators: []"), []string{"moderators is an empty list"}},
		"moderation":     {teachOf("moderation: later"), []string{`moderation must be true or false, not "later"`}},
		"limit":          {teachOf("moderation: false, limit: 0"), []string{`rules.yaml:3:39: rule "a": limit must be a number from 1 to 100000, not "0"`}},
		"learn":          {teachOf("moderation: false, learn: '('"), []string{"learn: error parsing regexp: missing closing )", "the syntax is RE2"}},
		"learn too long": {teachOf("moderation: false, learn: '" + strings.Repeat("x", 1001) + "'"), []string{"learn is 1001 bytes long; 1000 is the most: shorten it"}},
		"no groups":      {teachOf("moderation: false, learn: '^(.+)=(.+)$'"), []string{`learn has no group (?P<question>…), which says what of the text is the question`, `learn has no group (?P<answer>…)`}},
		"empty reply":    {teachOf("moderation: false, learned_reply: ''"), []string{"learned_reply is empty"}},
		"long reply":     {teachOf("moderation: false, full_reply: " + strings.Repeat("长", 683)), []string{"full_reply is 2049 bytes long; WeChat shows 2048"}},
		"timeout":        {teachOf("moderation: false, timeout: 1h"), []string{"timeout must be a duration from 100ms to 10m0s"}},
		"concurrency":    {teachOf("moderation: false, concurrency: many"), []string{`concurrency must be a number from 1 to 10000, not "many"`}},
		"with a reply":   {rules("    reply: {text: b}\n    teach: {moderation: false}"), []string{"the rule has reply and teach; it can have only one of them"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, test.file, test.want...)
		})
	}
}

// TestTeaching: it may pass, so a rule without conditions hides nobody behind it, and it holds nobody.
func TestTeaching(t *testing.T) {
	t.Parallel()
	file := "rules:\n  - {name: a, teach: {moderators: [o1], teachers: o2, learn: '(?P<question>.+)=(?P<answer>.+)', pending_reply: ok, timeout: 1s, concurrency: 3}}\n  - {name: b, reply: {text: c}}\n"
	for name, runtime := range map[string]*rule.Runtime{"checked": nil, "at work": {Handlers: bulkhead.NewMetrics(telemetry.Discard().Metrics)}} {
		got, err := rule.Load("f", []byte(file), runtime)
		if err != nil {
			t.Fatal(err)
		}
		if router := route.New(got); router.Holds() || got[0].Prompt() || got[0].Kind != "teach" {
			t.Errorf("%s: %+v", name, got[0])
		}
	}
}
