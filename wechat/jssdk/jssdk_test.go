package jssdk_test

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/wechat/jssdk"
)

const (
	ticket = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
	nonce  = "Wm3WZYTPz0wzccnW"
	moment = 1414587457
)

func page(address string) jssdk.Page {
	return jssdk.Page{Ticket: ticket, NonceStr: nonce, Timestamp: moment, URL: address}
}

// TestSignVectors pins the package to the worked example of JS-SDK说明文档, 附录1.
func TestSignVectors(t *testing.T) {
	t.Parallel()

	tests := map[string]struct{ url, want string }{
		"example":              {"http://mp.weixin.qq.com?params=value", "0f9de62fce790f9a083d5c99e95740ceb90c27ed"},
		"without a query":      {"http://mp.weixin.qq.com", "f4d90daf4b3bca3078ab155816175ba34c443a7b"},
		"fragment":             {"http://mp.weixin.qq.com?params=value#wechat_redirect", "0f9de62fce790f9a083d5c99e95740ceb90c27ed"},
		"fragment with a path": {"http://mp.weixin.qq.com#/a?b=c#d", "f4d90daf4b3bca3078ab155816175ba34c443a7b"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := jssdk.Sign(page(test.url))
			if err != nil || got != test.want {
				t.Errorf("Sign = %s, %v, want %s", got, err, test.want)
			}
		})
	}
}

func TestSignedURLIsWhatTheBrowserHas(t *testing.T) {
	t.Parallel()

	for _, address := range []string{
		"https://example.com", "https://example.com/", "HTTPS://Example.COM:443/a/../b//c", "https://example.com/?a=%e4%bd%a0&b=a+b",
		"https://example.com/你好?q=你", "http://[::1]:8080/x?", "https://example.com/a?from=singlemessage&isappinstalled=0",
	} {
		if got, err := jssdk.SignedURL(address + "#x"); err != nil || got != address {
			t.Errorf("SignedURL(%s#x) = %q, %v", address, got, err)
		}
	}
}

func TestSignNamesTheField(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		change func(*jssdk.Page)
		field  string
	}{
		"no ticket":        {func(p *jssdk.Page) { p.Ticket = "" }, "ticket"},
		"no nonce":         {func(p *jssdk.Page) { p.NonceStr = "" }, "nonce_str"},
		"nonce injects":    {func(p *jssdk.Page) { p.NonceStr = "a&timestamp=1" }, "nonce_str"},
		"no timestamp":     {func(p *jssdk.Page) { p.Timestamp = 0 }, "timestamp"},
		"no url":           {func(p *jssdk.Page) { p.URL = "" }, "url"},
		"fragment only":    {func(p *jssdk.Page) { p.URL = "#secret" }, "url"},
		"no scheme":        {func(p *jssdk.Page) { p.URL = "example.com/secret" }, "url"},
		"no host":          {func(p *jssdk.Page) { p.URL = "https:///secret" }, "url"},
		"port alone":       {func(p *jssdk.Page) { p.URL = "https://:80/secret" }, "url"},
		"other scheme":     {func(p *jssdk.Page) { p.URL = "file://host/secret" }, "url"},
		"script":           {func(p *jssdk.Page) { p.URL = "javascript:secret" }, "url"},
		"space":            {func(p *jssdk.Page) { p.URL = "https://example.com/a secret" }, "url"},
		"line break":       {func(p *jssdk.Page) { p.URL = "https://example.com/secret\n" }, "url"},
		"not UTF-8":        {func(p *jssdk.Page) { p.URL = "https://example.com/secret\xff" }, "url"},
		"broken escape":    {func(p *jssdk.Page) { p.URL = "https://example.com/secret%zz" }, "url"},
		"longer than ever": {func(p *jssdk.Page) { p.URL = "https://example.com/secret" + strings.Repeat("a", 8192) }, "url"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spoilt := page("https://example.com/")
			test.change(&spoilt)
			got, err := jssdk.Sign(spoilt)
			if err == nil || !strings.HasPrefix(err.Error(), test.field+": ") || got != "" {
				t.Fatalf("Sign = %q, %v, want an error about %s", got, err, test.field)
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), ticket) {
				t.Errorf("error repeats what it was given: %v", err)
			}
		})
	}
}

// TestSignCard: the values alone, sorted as strings and joined, make the digest.
func TestSignCard(t *testing.T) {
	t.Parallel()

	got, err := jssdk.SignCard("ojZ8YtyVyr30HheH3CM73y7h4jJE", 1404896688, "1434008071", "pjZ8Yt1XGILfi-FUsewpnnolGgZk", "jonyqin")
	sum := sha1.Sum([]byte("1404896688" + "1434008071" + "jonyqin" + "ojZ8YtyVyr30HheH3CM73y7h4jJE" + "pjZ8Yt1XGILfi-FUsewpnnolGgZk"))
	if want := hex.EncodeToString(sum[:]); err != nil || got != want {
		t.Errorf("SignCard = %s, %v, want %s", got, err, want)
	}
	values := []string{"z", "a"}
	if _, err := jssdk.SignCard("t", 1, values...); err != nil || values[0] != "z" {
		t.Errorf("SignCard reordered the caller's slice: %v, %v", values, err)
	}
	if _, err := jssdk.SignCard("", 1); err == nil || !strings.HasPrefix(err.Error(), "ticket: ") {
		t.Errorf("no ticket: %v", err)
	}
	if _, err := jssdk.SignCard("t", 0); err == nil || !strings.HasPrefix(err.Error(), "timestamp: ") {
		t.Errorf("no timestamp: %v", err)
	}
}

// FuzzSignedURL: what is accepted is a beginning of what was given, has no
// fragment, and is accepted unchanged again.
func FuzzSignedURL(f *testing.F) {
	for _, seed := range []string{
		"http://mp.weixin.qq.com?params=value#x", "https://example.com/你好", "#", "https://a b", "https://[::1", "https://u:p@h/%zz", "//h/p",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		address, err := jssdk.SignedURL(raw)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "url: ") {
				t.Errorf("error = %v", err)
			}

			return
		}
		if !strings.HasPrefix(raw, address) || strings.ContainsAny(address, "# \r\n\x00") {
			t.Errorf("SignedURL(%q) = %q", raw, address)
		}
		if again, err := jssdk.SignedURL(address); err != nil || again != address {
			t.Errorf("SignedURL(%q) = %q, %v", address, again, err)
		}
	})
}
