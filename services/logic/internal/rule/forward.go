package rule

import (
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"golang.org/x/net/http/httpguts"

	"github.com/wxstack/wxstack/services/logic/internal/bulkhead"
	"github.com/wxstack/wxstack/services/logic/internal/forward"
	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/yamlfile"
)

// The limits of a backend that the file names none for. The timeout leaves time to answer by another rule within
// the first delivery.
const (
	forwardTimeout     = 4 * time.Second
	forwardConcurrency = 64
	forwardRetries     = 1
	maxForwardRetries  = 10
)

// forward reads a backend that answers by HTTP.
func (r *reader) forward(e entry) route.Handler {
	handler, limits := r.backend(e)
	if handler == nil {
		return nil
	}

	return r.bounded(handler, limits)
}

// backend reads a backend and what it may cost. It returns nil after a fault.
func (r *reader) backend(e entry) (*forward.Handler, bulkhead.Limits) {
	cfg := forward.Config{Rule: r.rule, Retries: forwardRetries, Headers: map[string]string{}}
	limits := bulkhead.Limits{Concurrency: forwardConcurrency, Timeout: forwardTimeout}
	before := r.Faults()
	secretAt := e
	keys := map[string]func(entry){
		"url": func(e entry) { cfg.URL = r.webAddress(e, "url") },
		"secret_file": func(e entry) {
			cfg.Secret = r.secret(e, "secret_file")
			secretAt = e
		},
		"headers": func(e entry) { r.headers(e, cfg.Headers) },
		"retries": func(e entry) { cfg.Retries = r.Whole(e, "retries", 0, maxForwardRetries) },
	}
	maps.Copy(keys, r.limitKeys(&limits))
	found, ok := r.Mapping(e.Value, "forward", keys)
	if _, has := found["url"]; ok && !has {
		r.Faultf(e.Key, "forward has no url; it names the backend, such as https://shop.example.com/wechat")
	}
	if r.Faults() > before {
		return nil, limits
	}
	handler, err := forward.New(cfg, r.transport())
	if err != nil {
		r.Faultf(secretAt.Value, "secret_file: %v", err)

		return nil, limits
	}

	return handler, limits
}

func (r *reader) headers(e entry, headers map[string]string) {
	if _, isMapping := r.Resolve(e.Value).(ast.MapNode); !isMapping {
		r.Faultf(e.Value, "headers must be a mapping of names to texts, not %s", r.Describe(e.Value))
	}
	for name, value := range r.Pairs(e.Value) {
		text, ok := r.Text(entry{Key: value, Value: value}, "header "+name)
		switch canonical := textproto.CanonicalMIMEHeaderKey(name); {
		case !ok:
		case !httpguts.ValidHeaderFieldName(name):
			r.Faultf(value, "header %q: a name has letters, digits and hyphens only", name)
		case !httpguts.ValidHeaderFieldValue(text):
			r.Faultf(value, "header %s: the text has a line break or another control character", name)
		case canonical == "Authorization" || canonical == "Cookie":
			r.Faultf(value, "header %s would hold a secret, which a rule file must not; let the backend check the signature (secret_file)", name)
		case slices.Contains(ownHeaders, canonical) || strings.HasPrefix(canonical, "Webhook-"):
			r.Faultf(value, "header %s is set by the request itself; remove it", name)
		default:
			headers[name] = text
		}
	}
}

// ownHeaders are those that say how the request itself is to be read.
var ownHeaders = []string{"Accept", "Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Host", "Transfer-Encoding"}

// webAddress reads a fixed address of a service.
func (r *reader) webAddress(e entry, what string) string {
	text, ok := r.Text(e, what)
	if !ok {
		return ""
	}
	address, isWeb := yamlfile.WebAddress(text)
	switch {
	case !isWeb:
		r.Faultf(e.Value, "%s %q is not a web address; it begins with https:// or http://", what, text)
	case address.User != nil:
		r.Faultf(e.Value, "%s holds a user or password, which a rule file must not; sign with secret_file", what)
	}

	return text
}

// transport is how handlers reach services; without a runtime nothing is reached.
func (r *reader) transport() http.RoundTripper {
	if r.runtime == nil {
		return nil
	}

	return r.runtime.Transport
}
