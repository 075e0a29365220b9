package endpoint_test

import (
	"strings"
	"testing"

	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
)

func TestPatternsCoverWhatTheySay(t *testing.T) {
	t.Parallel()
	table := builtIn(t)
	for _, tt := range []struct {
		pattern, call string
		covers, bars  bool
	}{
		{"*", "GET /cgi-bin/menu/get", true, true},
		{"*", "POST /cgi-bin/unheard/of", false, true},
		{"*", "POST /cgi-bin/clear_quota", false, true},
		{"GET *", "GET /cgi-bin/menu/get", true, true},
		{"GET *", "POST /cgi-bin/menu/create", false, false},
		{"/cgi-bin/menu/get", "GET /cgi-bin/menu/get", true, true},
		{"/cgi-bin/menu/get", "POST /cgi-bin/menu/get", true, true},
		{"/cgi-bin/menu/get", "GET /CGI-BIN/Menu/Get/", true, true},
		{"/cgi-bin/Menu/get/", "GET /cgi-bin/menu/get", true, true},
		{"/cgi-bin/menu/get", "GET /cgi-bin/menu/getall", false, false},
		{"POST /cgi-bin/message/*", "POST /cgi-bin/message/custom/send", true, true},
		{"POST /cgi-bin/message/*", "GET /cgi-bin/message/custom/send", false, false},
		{"/cgi-bin/message/*", "POST /cgi-bin/messages", false, false},
		{"/cgi-bin/message/*", "POST /cgi-bin/message", false, false},
		{"/card/*", "POST /card/create", true, true},
		{"/cgi-bin/*", "POST /cgi-bin/clear_quota", false, true},
		{"/cgi-bin/clear_quota", "POST /cgi-bin/clear_quota", true, true},
		{"/datacube/*", "POST /datacube/getusersummary", true, true},
	} {
		p, err := endpoint.ParsePattern(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		method, path, _ := strings.Cut(tt.call, " ")
		e := table.Find(method, path)
		if got := p.Covers(e, method, path); got != tt.covers {
			t.Errorf("%q covers %q: %v, want %v", tt.pattern, tt.call, got, tt.covers)
		}
		if got := p.Bars(e, method, path); got != tt.bars {
			t.Errorf("%q bars %q: %v, want %v", tt.pattern, tt.call, got, tt.bars)
		}
	}
}

func TestAPatternThatCanMatchNothingIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "cgi-bin/menu/get", "FETCH /cgi-bin/menu/get", "post /cgi-bin/menu/get", "/cgi-bin/*/get", "/cgi-bin/menu*", "/a?b=c",
		"https://api.weixin.qq.com/cgi-bin/menu/get", "POST  /cgi-bin/menu/get", "/a b", "//a", "**",
	} {
		if _, err := endpoint.ParsePattern(text); err == nil {
			t.Errorf("%q was taken for a pattern", text)
		}
	}
}
