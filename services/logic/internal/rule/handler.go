package rule

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/chassis/config"

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
	// Handlers are the metrics of handlers that wait for something.
	Handlers *bulkhead.Metrics
}

// handlers are the keys of a rule that name who answers instead of a reply. Each function returns nil after
// a fault; without a Runtime what it makes is never asked.
func (r *reader) handlers() map[string]func(entry) route.Handler {
	return map[string]func(entry) route.Handler{
		"echo": r.echo,
	}
}

func (r *reader) echo(e entry) route.Handler {
	r.yes(e, "echo")
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

// limitKeys are the keys concurrency and timeout, which every handler that waits for something has.
func (r *reader) limitKeys(limits *bulkhead.Limits) map[string]func(entry) {
	return map[string]func(entry){
		"concurrency": func(e entry) { limits.Concurrency = int(r.number(e, "concurrency", 1, maxConcurrency)) },
		"timeout":     func(e entry) { limits.Timeout = r.duration(e, "timeout", 100*time.Millisecond, maxTimeout) },
	}
}

// yes reads a key that can only be true.
func (r *reader) yes(e entry, what string) {
	if yes, ok := r.resolve(e.value).(*ast.BoolNode); !ok || !yes.Value {
		r.faultf(e.key, "%s can only be true; remove it", what)
	}
}

// flag reads true or false.
func (r *reader) flag(e entry, what string) bool {
	flag, ok := r.resolve(e.value).(*ast.BoolNode)
	if !ok {
		r.faultf(e.value, "%s must be true or false, not %s", what, r.describe(e.value))

		return false
	}

	return flag.Value
}

// number reads a number between two others.
func (r *reader) number(e entry, what string, least, most float64) float64 {
	text, ok := r.scalar(e.value, what)
	if !ok {
		return least
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || number < least || number > most {
		r.faultf(e.value, "%s must be a number from %v to %v, not %q", what, least, most, text)

		return least
	}

	return number
}

// duration reads a duration such as 30s between two others.
func (r *reader) duration(e entry, what string, least, most time.Duration) time.Duration {
	text, ok := r.scalar(e.value, what)
	if !ok {
		return least
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		r.faultf(e.value, "%s must be a duration from %v to %v, such as 500ms, 30s or 10m, not %q", what, least, most, text)

		return least
	}

	return d
}

// oneOf reads one of a few words.
func (r *reader) oneOf(e entry, what string, words ...string) string {
	text, ok := r.text(e, what)
	if ok && !slices.Contains(words, text) {
		r.faultf(e.value, "%s must be one of %s, not %q", what, strings.Join(words, ", "), text)
	}

	return text
}

// secret reads the file that a key names. Without a Runtime the file isn't looked at: whoever writes the rules
// need not have the secrets.
func (r *reader) secret(e entry, what string) config.Secret {
	path, ok := r.text(e, what)
	if !ok || r.runtime == nil {
		return config.Secret{}
	}
	secret, err := r.runtime.ReadSecret(what, path)
	if err != nil {
		r.faultf(e.value, "%v", err)
	}

	return secret
}
