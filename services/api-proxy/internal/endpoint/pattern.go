package endpoint

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Pattern says which calls a permission is about: "*", a path, or all paths below one, each alone or after
// a method, such as "POST /cgi-bin/message/*".
type Pattern struct {
	method string // empty means any
	path   string // folded, without the final *
	below  bool
	all    bool
}

// ParsePattern reads a pattern. Its error tells how one looks.
func ParsePattern(text string) (Pattern, error) {
	var p Pattern
	method, path, two := strings.Cut(text, " ")
	if two {
		if !slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete}, method) {
			return Pattern{}, fmt.Errorf("%q begins with no method of HTTP; write it like %q", text, "POST /cgi-bin/message/*")
		}
		p.method = method
	} else {
		path = text
	}
	if path == "*" {
		p.all = true
		return p, nil
	}
	path, p.below = strings.CutSuffix(path, "/*")
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "*? #%") || strings.Contains(path, "//") {
		return Pattern{}, fmt.Errorf("%q is no path; write %q, %q or %q", text, "/cgi-bin/menu/get", "/cgi-bin/user/*", "*")
	}
	p.path = fold(path)
	return p, nil
}

// Covers reports whether the pattern is about a call of the endpoint to a canonical path. Paths that the
// table does not list, and guarded ones, have to be named: "*" is not enough. Case and a final slash make no
// difference, as in Find.
func (p Pattern) Covers(e Endpoint, method, path string) bool {
	if p.method != "" && p.method != method {
		return false
	}
	path = fold(path)
	switch {
	case p.all:
		return e.Listed() && !e.Guarded
	case p.below && e.Guarded:
		return false
	case p.below:
		return strings.HasPrefix(path, p.path+"/")
	}
	return path == p.path
}

// Bars reports whether the pattern, as an exception, is about the call: here a pattern for all is enough.
func (p Pattern) Bars(e Endpoint, method, path string) bool {
	e.Guarded, e.Path = false, path
	return p.Covers(e, method, path)
}
