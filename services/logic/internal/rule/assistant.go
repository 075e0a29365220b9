package rule

import (
	"maps"
	"strings"
	"time"

	"github.com/wxstack/wxstack/services/logic/internal/assistant"
	"github.com/wxstack/wxstack/services/logic/internal/bulkhead"
	"github.com/wxstack/wxstack/services/logic/internal/reply"
	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/yamlfile"
)

// defaultAssistant is what a rule says that names base_url and model only.
func defaultAssistant(rule string) (assistant.Config, bulkhead.Limits) {
	return assistant.Config{
		Rule:        rule,
		History:     assistant.Limits{Turns: 10, TTL: time.Hour, MaxBytes: 24_000},
		ResetReply:  "好的，我们开始新的话题。",
		MaxBytes:    6000,
		IdleTimeout: 20 * time.Second,
	}, bulkhead.Limits{Concurrency: 64, Timeout: time.Minute}
}

// The bounds of an assistant's settings.
const (
	maxTurns        = 100
	maxHistoryBytes = 1_000_000
	maxHistoryTTL   = 30 * 24 * time.Hour
	maxTokens       = 1_000_000
	maxTemperature  = 2
	// A gateway brings a text in at most five parts, none of which it makes shorter than three quarters of 2048
	// bytes, less what it may write below a part.
	minAnswerBytes = 300
	maxAnswerBytes = 7500
)

func (r *reader) assistant(e entry) route.Handler {
	c, limits := defaultAssistant(r.rule)
	keys := map[string]func(entry){
		"base_url":     func(e entry) { c.BaseURL = r.endpoint(e) },
		"model":        func(e entry) { c.Model, _ = r.Text(e, "model") },
		"api_key_file": func(e entry) { c.Key = r.secret(e, "api_key_file") },
		"system":       func(e entry) { c.System = r.system(e) },
		"history":      func(e entry) { r.history(e, &c.History) },
		"reset":        func(e entry) { c.Reset = plain(r.Texts(e, "reset")) },
		"reset_reply":  func(e entry) { c.ResetReply, _ = r.Text(e, "reset_reply") },
		"max_tokens":   func(e entry) { c.MaxTokens = new(int64(r.Whole(e, "max_tokens", 1, maxTokens))) },
		"temperature":  func(e entry) { c.Temperature = new(r.Number(e, "temperature", 0, maxTemperature)) },
		"max_bytes":    func(e entry) { c.MaxBytes = r.Whole(e, "max_bytes", minAnswerBytes, maxAnswerBytes) },
		"markdown":     func(e entry) { c.KeepMarkdown = r.OneOf(e, "markdown", "keep", "strip") == "keep" },
		"idle_timeout": func(e entry) { c.IdleTimeout = r.Duration(e, "idle_timeout", 100*time.Millisecond, maxTimeout) },
	}
	maps.Copy(keys, r.limitKeys(&limits))
	before := r.Faults()
	found, ok := r.Mapping(e.Value, "assistant", keys)
	if !ok {
		return nil
	}
	for _, key := range []string{"base_url", "model"} {
		if _, has := found[key]; !has {
			r.Faultf(e.Key, "assistant has no %s; copy it from the documentation of the provider", key)
		}
	}
	if r.Faults() > before {
		return nil
	}
	if reset, has := found["reset_reply"]; has && len(c.Reset) == 0 {
		r.Faultf(reset.Key, "reset_reply answers the texts of reset, of which there are none; add reset: or remove it")
	}
	if reset, has := found["reset"]; has && c.History.Turns == 0 {
		r.Faultf(reset.Key, "reset has nothing to forget, as history has turns: 0; remove one of them")
	}
	if r.runtime == nil {
		return assistant.New(c, assistant.Resources{})
	}

	return r.bounded(assistant.New(c, assistant.Resources{
		Redis: r.runtime.Redis, Transport: r.runtime.Transport, Log: r.runtime.Log, Metrics: r.runtime.Assistants,
	}), limits)
}

// system is a template whose fixed text is not longer than what is sent of it.
func (r *reader) system(e entry) *reply.Template {
	parsed := r.template(e, "system")
	if parsed == nil {
		return nil
	}
	if text, static := parsed.Static(); static && len(text) > assistant.MaxSystemBytes {
		r.Faultf(e.Value, "system is %d bytes long; %d is the most", len(text), assistant.MaxSystemBytes)
	}

	return parsed
}

func (r *reader) history(e entry, limits *assistant.Limits) {
	r.Mapping(e.Value, "history", map[string]func(entry){
		"turns":     func(e entry) { limits.Turns = r.Whole(e, "turns", 0, maxTurns) },
		"ttl":       func(e entry) { limits.TTL = r.Duration(e, "ttl", time.Second, maxHistoryTTL) },
		"max_bytes": func(e entry) { limits.MaxBytes = r.Whole(e, "max_bytes", 0, maxHistoryBytes) },
	})
}

// endpoint reads the address of an API, to which paths are added.
func (r *reader) endpoint(e entry) string {
	text, ok := r.Text(e, "base_url")
	if !ok {
		return ""
	}
	address, isWeb := yamlfile.WebAddress(text)
	switch {
	case !isWeb || address.Hostname() == "":
		r.Faultf(e.Value, "base_url is no address of an API; write it with http:// or https://, such as https://api.deepseek.com/v1")
	case address.User != nil:
		r.Faultf(e.Value, "base_url holds a user or password, which logs might show; write the key into a file and name it in api_key_file")
	case address.RawQuery != "" || address.Fragment != "":
		r.Faultf(e.Value, "base_url has something after its path; write it up to the path only")
	case strings.HasSuffix(strings.TrimRight(address.Path, "/"), "/chat/completions"):
		r.Faultf(e.Value, "base_url ends in /chat/completions, which is added anyway; leave that away")
	}

	return text
}
