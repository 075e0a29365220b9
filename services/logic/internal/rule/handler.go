package rule

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/chassis/config"

	"github.com/wxstack/wxstack/services/logic/internal/assistant"
	"github.com/wxstack/wxstack/services/logic/internal/bulkhead"
	"github.com/wxstack/wxstack/services/logic/internal/echo"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// Runtime is what handlers work with.
type Runtime struct {
	// ReadSecret reads the file of a secret; what names its key in errors.
	ReadSecret func(what, path string) (config.Secret, error)
	// Redis keeps what handlers have to remember.
	Redis redis.UniversalClient
	// Transport is the way to the services that handlers ask.
	Transport http.RoundTripper
	// Log is told what handlers get over by themselves.
	Log *slog.Logger
	// Handlers are the metrics of handlers that wait for something, Assistants those of assistants.
	Handlers   *bulkhead.Metrics
	Assistants *assistant.Metrics
}

// handlers are the keys of a rule that name who answers instead of a reply. Each function returns nil after
// a fault; without a Runtime what it makes is never asked.
func (r *reader) handlers() map[string]func(entry) route.Handler {
	return map[string]func(entry) route.Handler{
		"assistant": r.assistant,
		"dialogue":  r.dialogue,
		"echo":      r.echo,
		"forward":   r.forward,
		"menu":      r.question,
		"teach":     r.teach,
	}
}

func (r *reader) echo(e entry) route.Handler {
	r.Yes(e, "echo")
	return echo.Handler{}
}

// bounded puts a handler that waits for something within limits.
func (r *reader) bounded(handler route.Handler, limits bulkhead.Limits) route.Handler {
	if r.runtime == nil {
		return handler
	}
	return bulkhead.New(handler, r.rule, limits, r.runtime.Handlers)
}

// The bounds of what a rule may ask for.
const (
	maxConcurrency = 10_000
	maxTimeout     = 10 * time.Minute
)

// storeLimits are those of a handler that waits for Redis alone.
var storeLimits = bulkhead.Limits{Concurrency: 256, Timeout: 2 * time.Second}

// limitKeys are the keys concurrency and timeout, which every handler that waits for something has.
func (r *reader) limitKeys(limits *bulkhead.Limits) map[string]func(entry) {
	return map[string]func(entry){
		"concurrency": func(e entry) { limits.Concurrency = r.Whole(e, "concurrency", 1, maxConcurrency) },
		"timeout":     func(e entry) { limits.Timeout = r.Duration(e, "timeout", 100*time.Millisecond, maxTimeout) },
	}
}

// secret reads the file that a key names. Without a Runtime the file isn't looked at: whoever writes the rules
// need not have the secrets.
func (r *reader) secret(e entry, what string) config.Secret {
	path, ok := r.Text(e, what)
	if !ok || r.runtime == nil {
		return config.Secret{}
	}
	secret, err := r.runtime.ReadSecret(what, path)
	if err != nil {
		r.Faultf(e.Value, "%v", err)
	}

	return secret
}
