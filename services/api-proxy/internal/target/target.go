// Package target reads the path and query of a call and puts the account's token into it.
//
// It is the gate against every trick with addresses: what passes Parse begins with one slash, holds
// no empty, dot or escaped segment, and can name neither a host nor a second header. The host that a
// call goes to is never part of it.
package target

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// ErrInvalid is what every error of Parse wraps.
var ErrInvalid = errors.New("invalid path or query")

const (
	// MaxPathBytes is far beyond WeChat's longest documented path (under 80 bytes).
	MaxPathBytes = 256
	// MaxQueryBytes leaves room for a token of 512 characters and long parameters; many servers
	// refuse request lines beyond 8 KiB.
	MaxQueryBytes = 6 << 10

	// AccountToken carries the token in the query, also on POST. Source: every page of WeChat's API
	// documentation.
	AccountToken = "access_token"
	// ComponentToken does so in calls of a third-party platform (第三方平台); newer pages call it access_token.
	ComponentToken = "component_access_token"
)

// Target is the checked address of a call without its host.
type Target struct {
	// Path is canonical: what it says is what WeChat reads.
	Path string
	// Query is as the caller sent it, without the question mark.
	Query string
}

// Parse checks the raw request target of a call, such as /cgi-bin/menu/get?a=b, exactly as it
// arrived. Errors wrap ErrInvalid and name what is wrong; they never quote the query, which may hold
// a token or a secret.
func Parse(raw string) (Target, error) {
	path, query, _ := strings.Cut(raw, "?")
	if err := checkPath(path); err != nil {
		return Target{}, err
	}
	if err := checkQuery(query); err != nil {
		return Target{}, err
	}
	return Target{Path: path, Query: query}, nil
}

// WithToken returns path and query with token as the only one, under that name. The other parameters keep
// their bytes and their order.
func (t Target) WithToken(name, token string) string {
	var b strings.Builder
	b.WriteString(t.Path)
	b.WriteString("?" + name + "=")
	b.WriteString(url.QueryEscape(token))
	for pair := range strings.SplitSeq(t.Query, "&") {
		if pair != "" && !names(pair, AccountToken) && !names(pair, name) {
			b.WriteByte('&')
			b.WriteString(pair)
		}
	}
	return b.String()
}

// Token returns the token that the caller sent under that name or as an access_token; empty if there is none, or one
// that cannot be read.
func (t Target) Token(name string) string {
	for pair := range strings.SplitSeq(t.Query, "&") {
		if _, value, _ := strings.Cut(pair, "="); value != "" && (names(pair, name) || names(pair, AccountToken)) {
			token, _ := url.QueryUnescape(value) // what cannot be read is no token of ours.
			return token
		}
	}
	return ""
}

// String returns path and query as the caller sent them.
func (t Target) String() string {
	if t.Query == "" {
		return t.Path
	}
	return t.Path + "?" + t.Query
}

// names reports whether a parameter has that name however it is written.
func names(pair, name string) bool {
	written, _, _ := strings.Cut(pair, "=")
	decoded, err := url.QueryUnescape(written)
	if err != nil {
		decoded = written
	}
	return strings.EqualFold(strings.TrimSpace(decoded), name)
}

func checkPath(path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return fmt.Errorf("%w: the path must begin with / and name no host, for example /cgi-bin/menu/get", ErrInvalid)
	case len(path) > MaxPathBytes:
		return fmt.Errorf("%w: the path is longer than %d bytes", ErrInvalid, MaxPathBytes)
	}
	for i := range len(path) {
		if !pathByte(path[i]) {
			return fmt.Errorf("%w: the path has the byte %#02x at position %d; write letters, digits and -_.~ unescaped", ErrInvalid, path[i], i)
		}
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(path[1:], "/"), "/") {
		if segment == "." || segment == ".." || (segment == "" && path != "/") {
			return fmt.Errorf("%w: the path has an empty or dot segment; write it in its shortest form", ErrInvalid)
		}
	}
	return nil
}

// pathByte allows what RFC 3986, section 2.3 calls unreserved: WeChat's paths hold nothing else, and
// with no escapes there is only one way to write each of them.
func pathByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("/-_.~", c) >= 0
}

func checkQuery(query string) error {
	if len(query) > MaxQueryBytes {
		return fmt.Errorf("%w: the query is longer than %d bytes; large values belong into the body", ErrInvalid, MaxQueryBytes)
	}
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return fmt.Errorf("%w: the query has the byte %#02x at position %d; percent-encode it", ErrInvalid, c, i)
		}
	}
	return nil
}
