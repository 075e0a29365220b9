package rule_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/services/logic/internal/rule"
)

// wrongHandlers are handlers that a rule file must not have, with what their author reads.
type wrongHandlers map[string]struct {
	rule string
	want []string
}

func (w wrongHandlers) run(t *testing.T) {
	t.Helper()
	for name, test := range w {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys := "    " + strings.ReplaceAll(strings.TrimSpace(test.rule), "\n", "\n    ")
			refused(t, rules(keys), append(test.want, `: rule "a": `)...)
		})
	}
}

func TestWrongForward(t *testing.T) {
	t.Parallel()
	wrongHandlers{
		"no mapping":  {"forward: https://example.com", []string{`forward must be a mapping with the keys concurrency, headers, retries, secret_file, timeout, url, not "https://example.com"`}},
		"no url":      {"forward: {timeout: 4s}", []string{"forward has no url; it names the backend"}},
		"no address":  {"forward: {url: example.com/x}", []string{`rules.yaml:3:20: rule "a": url "example.com/x" is not a web address`}},
		"password":    {"forward: {url: 'https://me:secret@example.com'}", []string{"url holds a user or password, which a rule file must not"}},
		"unknown key": {"forward: {ulr: x}", []string{`unknown key "ulr" in forward; did you mean "url"?`}},
		"timeout":     {"forward: {url: http://x, timeout: 4}", []string{`timeout must be a duration from 100ms to 10m0s, such as 500ms, 30s or 10m, not "4"`}},
		"concurrency": {"forward: {url: http://x, concurrency: 0}", []string{`concurrency must be a number from 1 to 10000, not "0"`}},
		"retries":     {"forward: {url: http://x, retries: many}", []string{`retries must be a number from 0 to 10, not "many"`}},
		"headers":     {"forward: {url: http://x, headers: [a]}", []string{"headers must be a mapping of names to texts, not a list"}},
		"header text": {"forward: {url: http://x, headers: {X-Team: [a]}}", []string{`rules.yaml:3:48: rule "a": header X-Team must be a text, not a list`}},
		"header name": {"forward: {url: http://x, headers: {X Team: a}}", []string{`header "X Team": a name has letters, digits and hyphens only`}},
		"line break":  {`forward: {url: http://x, headers: {X-Team: "a\nb"}}`, []string{"header X-Team: the text has a line break or another control character"}},
		"own header":  {"forward: {url: http://x, headers: {webhook-id: a}}", []string{"header webhook-id is set by the request itself; remove it"}},
		"host":        {"forward: {url: http://x, headers: {host: a}}", []string{"header host is set by the request itself; remove it"}},
		"credentials": {"forward: {url: http://x, headers: {authorization: Bearer x}}", []string{"header authorization would hold a secret, which a rule file must not"}},
	}.run(t)
}

func TestWrongMenu(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("长", 200)
	wrongHandlers{
		"no choices":  {"menu: {head: a}", []string{"menu has no choices"}},
		"none":        {"menu: {choices: []}", []string{"choices has 0 entries; it needs from 1 to 20"}},
		"no list":     {"menu: {choices: {id: a}}", []string{"choices must be a list"}},
		"no id":       {"menu: {choices: [{text: a}]}", []string{"a choice has no id"}},
		"no text":     {"menu: {choices: [{id: a}]}", []string{"a choice has no text"}},
		"markup":      {"menu: {choices: [{id: a, text: <b>}]}", []string{"text of a choice is one line without < and >"}},
		"unknown way": {"menu: {as: link, choices: [{id: a, text: b}]}", []string{`rules.yaml:3:16: rule "a": as must be one of message, links, not "link"`}},
		"unknown key": {"menu: {header: x, choices: [{id: a, text: b}]}", []string{`unknown key "header" in menu`}},
		"reply":       {"menu: {choices: [{id: a, text: b, reply: {txet: c}}]}", []string{`unknown key "txet" in reply; did you mean "text"?`}},
		"id twice":    {"menu:\n  choices:\n    - {id: 1, text: a, reply: {text: b}}\n    - {id: 1, text: c, reply: {text: d}}", []string{`rules.yaml:6:16: rule "a": id "1" has a reply in line 5 already`}},
		"link":        {"menu: {as: links, choices: [{id: 1, text: a&b}]}", []string{`choice "a&b": asked by links, a choice cannot have any of &#%+`}},
		"too long":    {"menu: {as: links, choices: [{id: 1, text: " + long + "}, {id: 2, text: " + long + "}]}", []string{"asked by links, the question is 2525 bytes long; WeChat shows 2048"}},
		"with head":   {"menu: {as: links, head: " + long + long + long + ", choices: [{id: 1, text: " + long[:300] + "}]}", []string{"asked by links, the question is 2463 bytes long"}},
	}.run(t)
}

// TestRepliesToChoices stand before the rule that asks, or a rule before it would be asked first.
func TestRepliesToChoices(t *testing.T) {
	t.Parallel()
	got, err := rule.Load("f", []byte(`rules:
  - name: first
    match: {event: subscribe}
    reply: {text: a}
  - name: rate
    match: {text: 评价}
    menu:
      choices:
        - {id: "1", text: 满意, reply: {text: 谢谢}}
        - {id: "2", text: 一般}
        - {id: "3", text: 不满意, reply: {transfer_customer_service: true}}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range got {
		names = append(names, r.Name+" "+r.Kind+" "+strings.Join(r.Match.Choices, ","))
	}
	if diff := cmp.Diff([]string{"first reply ", "rate/1 reply 1", "rate/3 reply 3", "rate menu "}, names); diff != "" {
		t.Error(diff)
	}
}
