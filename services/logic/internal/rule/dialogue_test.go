package rule_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/logic/internal/bulkhead"
	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/rule"
)

// dialogueOf is a file with a dialogue, whose keys are given from line 5 on beside a reply.
func dialogueOf(keys string) string {
	return "rules:\n  - name: a\n    dialogue:\n      reply: {text: end}\n" + keys + "\n"
}

// stepOf is a dialogue of one step, whose keys are given in line 6.
func stepOf(keys string) string {
	return dialogueOf("      steps:\n        - {" + keys + "}")
}

func TestWrongDialogues(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file string
		want []string
	}{
		"no mapping":         {rules("    dialogue: hello"), []string{`rules.yaml:3:15: rule "a": dialogue must be a mapping with the keys exit, exit_reply, forward, reply, send, steps, timeout, not "hello"`}},
		"unknown key":        {dialogueOf("      exits: [x]\n      steps: [{ask: a, save: b}]"), []string{`rules.yaml:5:7: rule "a": unknown key "exits" in dialogue; did you mean "exit"?`}},
		"no steps":           {dialogueOf("      timeout: 5m"), []string{`rules.yaml:3:5: rule "a": dialogue has no steps; it needs at least one question`}},
		"empty steps":        {dialogueOf("      steps: []"), []string{`rules.yaml:5:7: rule "a": steps is empty; it needs at least one question`}},
		"steps no list":      {dialogueOf("      steps: {ask: a, save: b}"), []string{"steps must be a list"}},
		"too many steps":     {dialogueOf("      steps:\n" + strings.Repeat("        - {ask: a, save: b}\n", 31)), []string{"steps has 31 questions; 30 is the most"}},
		"no reply":           {rules("    dialogue: {steps: [{ask: a, save: b}]}"), []string{"dialogue has no reply; give it one for the end, or reply: {silence: true}"}},
		"wrong reply":        {rules("    dialogue: {steps: [{ask: a, save: b}], reply: {txet: b}}"), []string{`unknown key "txet" in reply; did you mean "text"?`}},
		"two articles":       {rules("    dialogue: {steps: [{ask: a, save: b}], reply: {news: [{title: a}, {title: b}]}}"), []string{"news has 2 articles; WeChat shows 1 in reply to a message"}},
		"send too many":      {dialogueOf("      steps: [{ask: a, save: b}]\n      send: [" + strings.Repeat("{text: c}, ", 6) + "]"), []string{"send has 6 messages; WeChat allows 5 after a message"}},
		"timeout":            {dialogueOf("      timeout: 1s\n      steps: [{ask: a, save: b}]"), []string{`rules.yaml:5:16: rule "a": timeout must be a duration from 10s to 24h0m0s`}},
		"empty exit":         {dialogueOf("      exit: []\n      steps: [{ask: a, save: b}]"), []string{"exit is an empty list, which nothing matches"}},
		"exit template":      {dialogueOf("      exit_reply: '{{ .Answers.b }}'\n      steps: [{ask: a, save: b}]"), []string{"exit_reply: template: no answer is known here"}},
		"step no mapping":    {dialogueOf("      steps: [hello]"), []string{`a step must be a mapping with the keys ask, attempts, choices, give_up, pattern, retry, save, type, not "hello"`}},
		"step without ask":   {stepOf("save: b"), []string{`rules.yaml:6:11: rule "a": a step has no ask; give it the question`}},
		"step without save":  {stepOf("ask: a"), []string{"a step has no save; give it the name of the answer"}},
		"ask too long":       {stepOf("save: b, ask: " + strings.Repeat("长", 683)), []string{"ask is 2049 bytes long; WeChat shows 2048"}},
		"name":               {stepOf("ask: a, save: a-b"), []string{`rules.yaml:6:26: rule "a": save "a-b": use up to 32 letters, digits and _`}},
		"name twice":         {dialogueOf("      steps: [{ask: a, save: b}, {ask: a, save: b}]"), []string{`save "b" is the name of an earlier answer; give each its own`}},
		"pattern":            {stepOf("ask: a, save: b, pattern: '('"), []string{"pattern: error parsing regexp: missing closing )", "the syntax is RE2"}},
		"pattern too long":   {stepOf("ask: a, save: b, pattern: " + strings.Repeat("x", 1001)), []string{"pattern is 1001 bytes long; 1000 is the most"}},
		"pattern of image":   {stepOf("ask: a, save: b, type: image, pattern: x"), []string{"pattern is for a text, and type wants image; remove one of them"}},
		"choices of image":   {stepOf("ask: a, save: b, type: image, choices: x"), []string{"choices is for a text, and type wants image; remove one of them"}},
		"pattern, choices":   {stepOf("ask: a, save: b, pattern: x, choices: [x]"), []string{"choices and pattern both say which texts will do; remove one of them"}},
		"choice twice":       {stepOf("ask: a, save: b, choices: [x, X]"), []string{`choice "X" is there twice; remove one`}},
		"choice ends it":     {stepOf("ask: a, save: b, choices: [继续, 取消]"), []string{`choice "取消" ends the dialogue, since exit has it; remove it from one of them`}},
		"choices too long":   {stepOf("ask: a, save: b, choices: [" + strings.Repeat("x", 1501) + "]"), []string{"choices have 1501 bytes together; 1500 is the most: use pattern"}},
		"type":               {stepOf("ask: a, save: b, type: file"), []string{"type must be one of text, image, voice, video, shortvideo, location, link"}},
		"attempts":           {stepOf("ask: a, save: b, attempts: 0"), []string{`attempts must be a number from 1 to 100, not "0"`}},
		"own answer":         {stepOf("ask: '{{ .Answers.b }}', save: b"), []string{`rules.yaml:6:17: rule "a": ask: template: no answer is known here`}},
		"later answer":       {dialogueOf("      steps: [{ask: a, save: b}, {ask: '{{ .Answers.c }}', save: c}]"), []string{`.Answers has no c here; known are: b`}},
		"unknown answer":     {rules("    dialogue: {steps: [{ask: a, save: name}], reply: {text: '{{ .Answers.nmae }}'}}"), []string{`.Answers has no nmae here; did you mean "name"?`}},
		"answer of no form":  {rules("    reply: {text: '{{ .Answers.name }}'}"), []string{"no answer is known here: .Answers has those of the steps before, in a dialogue"}},
		"of another form":    {"rules:\n  - {name: a, match: {text: x}, dialogue: {steps: [{ask: a, save: b}], reply: {text: c}}}\n  - {name: b, reply: {text: '{{ .Answers.b }}'}}\n", []string{`rule "b": text: template: no answer is known here`}},
		"with another reply": {rules("    reply: {text: b}\n    dialogue: {steps: [{ask: a, save: b}], reply: {text: c}}"), []string{"the rule has reply and dialogue; it can have only one of them"}},
		"send outside":       {rules("    dialogue: {steps: [{ask: a, save: b}], reply: {text: c}}\n    send: [{text: a}]"), []string{"send goes with reply only; dialogue sends what it has to send itself"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, test.file, test.want...)
		})
	}
}

// TestDialogueHolds: within its limits, too.
func TestDialogueHolds(t *testing.T) {
	t.Parallel()
	file := rules("    dialogue:\n      reply: {text: '{{ .Answers.a }}{{ .Answers.b }}'}\n      steps: [{ask: a, save: a}, {ask: '{{ .Answers.a }}', save: b}]\n      timeout: 30s\n      exit: stop")
	for name, runtime := range map[string]*rule.Runtime{"checked": nil, "at work": {Handlers: bulkhead.NewMetrics(telemetry.Discard().Metrics)}} {
		got, err := rule.Load("f", []byte(file), runtime)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := got[0].Handler.(route.Resumer); !ok || !route.New(got).Holds() || got[0].Kind != "dialogue" {
			t.Errorf("%s: the rule holds nobody: %s", name, fmt.Sprintf("%T", got[0].Handler))
		}
	}
}
