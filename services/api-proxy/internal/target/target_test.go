package target_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
)

func TestWithToken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, raw, want string }{
		{"absent", "/cgi-bin/menu/get", "/cgi-bin/menu/get?access_token=T"},
		{"empty query", "/cgi-bin/menu/get?", "/cgi-bin/menu/get?access_token=T"},
		{"empty value", "/a?access_token=", "/a?access_token=T"},
		{"no value", "/a?access_token", "/a?access_token=T"},
		{"virtual", "/a?access_token=mine&openid=o1&lang=zh_CN", "/a?access_token=T&openid=o1&lang=zh_CN"},
		{"in the middle", "/a?x=1&access_token=mine&y=2", "/a?access_token=T&x=1&y=2"},
		{"twice", "/a?access_token=1&access_token=2", "/a?access_token=T"},
		{"escaped name", "/a?access%5Ftoken=1&%61ccess_token=2&z=3", "/a?access_token=T&z=3"},
		{"other case", "/a?ACCESS_TOKEN=1", "/a?access_token=T"},
		{"bytes of others are kept", "/a?b=%E4%bd&b=+&=&c", "/a?access_token=T&b=%E4%bd&b=+&=&c"},
		{"component token is not ours", "/a?component_access_token=c", "/a?access_token=T&component_access_token=c"},
		{"value that looks like the name", "/a?q=access_token", "/a?access_token=T&q=access_token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			parsed, err := target.Parse(tt.raw)
			if err != nil {
				t.Fatalf("Parse(%q): %v", tt.raw, err)
			}
			if diff := cmp.Diff(tt.want, parsed.WithToken(target.AccountToken, "T")); diff != "" {
				t.Errorf("WithToken (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWithTokenEscapesTheToken(t *testing.T) {
	t.Parallel()
	got := target.Target{Path: "/a"}.WithToken(target.AccountToken, "x&y=1 +#\r\n")
	if want := "/a?access_token=x%26y%3D1+%2B%23%0D%0A"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"empty":             "",
		"no slash":          "cgi-bin/menu/get",
		"absolute URL":      "http://evil.example/cgi-bin/menu/get",
		"other host":        "//evil.example/cgi-bin/menu/get",
		"asterisk":          "*",
		"authority":         "evil.example:443",
		"empty segment":     "/cgi-bin//token",
		"two final slashes": "/cgi-bin/token//",
		"dot":               "/cgi-bin/./token",
		"dot dot":           "/cgi-bin/menu/../token",
		"dot dot at end":    "/cgi-bin/..",
		"escaped letter":    "/cgi-bin/%74oken",
		"escaped slash":     "/cgi-bin%2ftoken",
		"escaped dots":      "/cgi-bin/%2e%2e/token",
		"CRLF":              "/cgi-bin/menu\r\nX-Evil: 1",
		"space":             "/cgi-bin/menu get",
		"backslash":         `/cgi-bin\token`,
		"semicolon":         "/cgi-bin/token;a=b",
		"at":                "/@evil.example",
		"fragment":          "/cgi-bin/menu#x",
		"NUL":               "/cgi-bin/\x00token",
		"not ASCII":         "/cgi-bin/tøken",
		"long path":         "/" + strings.Repeat("a", target.MaxPathBytes),
		"CRLF in query":     "/a?b=\r\nX: 1",
		"space in query":    "/a?b=1 HTTP/1.1",
		"fragment in query": "/a?b=1#c",
		"not ASCII query":   "/a?b=é",
		"long query":        "/a?" + strings.Repeat("a", target.MaxQueryBytes+1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := target.Parse(raw)
			if !errors.Is(err, target.ErrInvalid) {
				t.Fatalf("Parse(%q) = %+v, %v; want ErrInvalid", raw, got, err)
			}
		})
	}
}

func TestParseErrorDoesNotQuoteTheQuery(t *testing.T) {
	t.Parallel()
	_, err := target.Parse("/a?secret=hunter2 ")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v must exist and hide the query", err)
	}
}

func FuzzWithToken(f *testing.F) {
	for _, seed := range []string{
		"/cgi-bin/menu/get?access_token=a&b=c", "//evil/..", "/a?%61ccess_token=1", "/a?access_token", "/a?=&&x", "/a/?b=%zz",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		parsed, err := target.Parse(raw)
		if err != nil {
			return
		}
		const token = "the&token=#1"
		uri := parsed.WithToken(target.AccountToken, token)
		u, err := url.ParseRequestURI(uri)
		if err != nil {
			t.Fatalf("WithToken(%q) = %q does not parse: %v", raw, uri, err)
		}
		if u.Host != "" || u.Scheme != "" || u.User != nil || u.EscapedPath() != parsed.Path || u.Path != parsed.Path {
			t.Fatalf("WithToken(%q) = %q leaves its path", raw, uri)
		}
		var found []string
		for pair := range strings.SplitSeq(u.RawQuery, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if decoded, err := url.QueryUnescape(name); err == nil && strings.EqualFold(decoded, "access_token") {
				found = append(found, value)
			}
		}
		if diff := cmp.Diff([]string{url.QueryEscape(token)}, found); diff != "" {
			t.Fatalf("access_token in %q (-want +got):\n%s", uri, diff)
		}
	})
}
