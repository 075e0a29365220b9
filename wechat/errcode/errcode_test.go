package errcode_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/wxstack/wxstack/wechat/errcode"
)

func TestClass(t *testing.T) {
	t.Parallel()

	tests := map[errcode.Class][]errcode.Code{
		errcode.OK:             {0},
		errcode.Busy:           {-1, 61450, 9001002},
		errcode.TokenRejected:  {40001, 40014, 42001},
		errcode.SecretRejected: {40013, 40125, 40243},
		errcode.IPNotAllowed:   {40164, 61004, 89501, 89503, 89506, 89507},
		errcode.RateLimited:    {45011, 45066, 53501},
		errcode.QuotaExhausted: {45009, 45018, 45028, 45047, 48006, 40251},
		errcode.WindowClosed:   {45015, 43004, 43005, 43019, 48002, 50005},
		errcode.Unauthorized:   {48001, 48003, 48004, 48008, 50001, 50002, 50004, 50007, 61007, 61023, 61024},
		errcode.InvalidRequest: {
			40002, 40003, 40007, 40008, 40029, 40033, 40035, 40037, 40163, 40201, 40249, 40250, 40252,
			41001, 41002, 41004, 41005, 42002, 42003, 42007, 43001, 43002, 43003, 43116, 44002,
			45001, 45002, 45008, 45056, 45157, 46003, 47001, 47003, 61005, 61006, 61009, 61010, 61500, 65303, 76003, 9410010,
		},
		errcode.Unknown: {1, -2, 99999, 40000, 40300, 60000},
	}
	for want, codes := range tests {
		for _, code := range codes {
			if got := code.Class(); got != want {
				t.Errorf("Code(%d).Class() = %v, want %v", code, got, want)
			}
		}
	}
}

func TestFromTokenEndpoint(t *testing.T) {
	t.Parallel()

	tests := map[errcode.Code]errcode.Class{
		0:     errcode.OK,
		-1:    errcode.Busy,
		40001: errcode.SecretRejected,
		40013: errcode.SecretRejected,
		40125: errcode.SecretRejected,
		40164: errcode.IPNotAllowed,
		40243: errcode.SecretRejected,
		41002: errcode.InvalidRequest,
		45009: errcode.QuotaExhausted,
		45011: errcode.RateLimited,
		50004: errcode.Unauthorized,
		50007: errcode.Unauthorized,
		89503: errcode.IPNotAllowed,
		12345: errcode.Unknown,
	}
	for code, want := range tests {
		if got := errcode.FromTokenEndpoint(code); got != want {
			t.Errorf("FromTokenEndpoint(%d) = %v, want %v", code, got, want)
		}
	}
}

// TestRemedy: every code has advice of one line, and codes that only a person
// can cure name the Chinese term they will look for in the console.
func TestRemedy(t *testing.T) {
	t.Parallel()

	for code := errcode.Code(-2); code < 100_000; code++ {
		remedy := code.Remedy()
		if remedy == "" || strings.Contains(remedy, "\n") {
			t.Fatalf("Code(%d).Remedy() = %q, want one line", code, remedy)
		}
		switch code.Class() {
		case errcode.SecretRejected, errcode.IPNotAllowed, errcode.Unauthorized, errcode.QuotaExhausted:
			if !strings.ContainsFunc(remedy, func(r rune) bool { return unicode.Is(unicode.Han, r) }) &&
				code != errcode.ClearQuotaSpent && code != errcode.ReplyAllowanceSpent {
				t.Errorf("Code(%d).Remedy() = %q names nothing in the console", code, remedy)
			}
		default:
		}
	}
	if got := errcode.IPNotOnAllowList.Remedy(); !strings.Contains(got, "IP白名单") {
		t.Errorf("remedy of 40164 = %q, want the IP白名单", got)
	}
}

func TestClassString(t *testing.T) {
	t.Parallel()

	seen := map[string]bool{}
	for class := errcode.Unknown; class <= errcode.InvalidRequest; class++ {
		name := class.String()
		if seen[name] || strings.HasPrefix(name, "class(") {
			t.Errorf("class %d has the name %q", int(class), name)
		}
		seen[name] = true
	}
	if got := errcode.Class(99).String(); got != "class(99)" {
		t.Errorf("Class(99) = %q", got)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		body    string
		code    errcode.Code
		message string
	}{
		"success":           {`{"errcode":0,"errmsg":"ok"}`, 0, "ok"},
		"failure":           {`{"errcode":40013,"errmsg":"invalid appid rid: 61725984-6126f6f9-040f19c4"}`, 40013, "invalid appid rid: 61725984-6126f6f9-040f19c4"},
		"negative":          {` {"errmsg":"system error","errcode":-1}`, -1, "system error"},
		"absent":            {`{"access_token":"x","expires_in":7200}`, 0, ""},
		"after other parts": {`{"a":[1,{"errcode":5}],"b":{"errcode":6,"c":[[]]},"errcode":45009,"errmsg":"m"}`, 45009, "m"},
		"only inside":       {`{"list":[{"errcode":5,"errmsg":"m"}]}`, 0, ""},
		"in quotes":         {`{"errcode":"40001"}`, 40001, ""},
		"cut after":         {`{"errcode":40001,"errmsg":"inval`, 40001, ""},
		"cut in a list":     {`{"errcode":40001,"errmsg":"m","list":[1,2,{"a`, 40001, "m"},
		"not whole":         {`{"errcode":1.5}`, 0, ""},
		"too great":         {`{"errcode":123456789012345678901234567890}`, 0, ""},
		"null":              {`{"errcode":null,"errmsg":null}`, 0, ""},
		"message no text":   {`{"errcode":40001,"errmsg":{"a":"b"}}`, 40001, ""},
		"array":             {`[{"errcode":40001}]`, 0, ""},
		"picture":           {"\xff\xd8\xff\xe0\x00\x10JFIF", 0, ""},
		"HTML":              {"<html>502 Bad Gateway</html>", 0, ""},
		"nothing":           {"", 0, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, message := errcode.Parse([]byte(test.body))
			if code != test.code || message != test.message {
				t.Errorf("Parse = %d, %q, want %d, %q", code, message, test.code, test.message)
			}
		})
	}
}

// FuzzParse: no answer may panic, and what stands first in an answer is found
// however the rest is cut.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"errcode":40013,"errmsg":"invalid appid"}`))
	f.Add([]byte(`{"list":[{"errcode":5}],"errcode":"-1"}`))
	f.Add([]byte(`{"errcode":1e400,"a":[`))
	f.Add([]byte(`]}{"errcode":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		code, message := errcode.Parse(body)
		if !strings.Contains(string(body), "err") && !strings.Contains(string(body), `\u`) && (code != 0 || message != "") {
			t.Errorf("Parse(%q) = %d, %q out of nothing", body, code, message)
		}
		list := append([]byte(`{"errcode":45009,"errmsg":"m","list":[`), body...)
		if code, message := errcode.Parse(list[:min(len(list), 64)]); !strings.Contains(string(body), "err") &&
			!strings.Contains(string(body), `\u`) && (code != 45009 || message != "m") {
			t.Errorf("Parse of the cut %q = %d, %q, want 45009, m", list, code, message)
		}
	})
}
