package rule_test

import (
	"strings"
	"testing"
)

func TestWrongAssistant(t *testing.T) {
	t.Parallel()
	const good = "base_url: http://localhost:11434/v1, model: m"
	wrongHandlers{
		"no mapping":        {"assistant: qwen", []string{"assistant must be a mapping with the keys api_key_file, base_url, concurrency"}},
		"nothing":           {"assistant: {}", []string{"assistant has no base_url; copy it from the documentation of the provider", "assistant has no model"}},
		"unknown key":       {"assistant: {" + good + ", promt: x}", []string{`unknown key "promt" in assistant; known are:`}},
		"no address":        {"assistant: {base_url: api.example.com, model: m}", []string{"rules.yaml:3:27:", "base_url is no address of an API"}},
		"password":          {"assistant: {base_url: 'https://u:p@example.com/v1', model: m}", []string{"base_url holds a user or password"}},
		"query":             {"assistant: {base_url: 'https://example.com/v1?key=x', model: m}", []string{"base_url has something after its path"}},
		"whole path":        {"assistant: {base_url: 'https://example.com/v1/chat/completions', model: m}", []string{"base_url ends in /chat/completions, which is added anyway"}},
		"history":           {"assistant: {" + good + ", history: 10}", []string{`history must be a mapping with the keys max_bytes, ttl, turns, not "10"`}},
		"turns":             {"assistant: {" + good + ", history: {turns: 101}}", []string{`turns must be a number from 0 to 100, not "101"`}},
		"half a turn":       {"assistant: {" + good + ", history: {turns: 1.5}}", []string{"turns must be a whole number, not 1.5"}},
		"ttl":               {"assistant: {" + good + ", history: {ttl: 1 hour}}", []string{`ttl must be a duration from 1s to 720h0m0s`}},
		"markdown":          {"assistant: {" + good + ", markdown: yes}", []string{`markdown must be one of keep, strip, not "yes"`}},
		"answer":            {"assistant: {" + good + ", max_bytes: 10000}", []string{"max_bytes must be a number from 300 to 7500"}},
		"temperature":       {"assistant: {" + good + ", temperature: hot}", []string{`temperature must be a number from 0 to 2, not "hot"`}},
		"template":          {"assistant: {" + good + ", system: '{{ .Contnet }}'}", []string{`unknown field .Contnet; did you mean "Content"?`}},
		"system":            {"assistant: {" + good + ", system: " + strings.Repeat("x", 33<<10) + "}", []string{"system is 33792 bytes long; 32768 is the most"}},
		"reset reply":       {"assistant: {" + good + ", reset_reply: 好}", []string{"reset_reply answers the texts of reset, of which there are none"}},
		"nothing to forget": {"assistant: {" + good + ", reset: 新话题, history: {turns: 0}}", []string{"reset has nothing to forget, as history has turns: 0"}},
		"timeout":           {"assistant: {" + good + ", timeout: 1h}", []string{"timeout must be a duration from 100ms to 10m0s"}},
	}.run(t)
}
