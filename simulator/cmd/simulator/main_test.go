package main

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/simulator"
)

// echoServer is an account's server that echoes texts in clear; other messages are answered with success.
func echoServer(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, r.URL.Query().Get("echostr"))

			return
		}
		var in struct{ ToUserName, FromUserName, Content string }
		if err := xml.NewDecoder(r.Body).Decode(&in); err != nil || in.Content == "" {
			_, _ = io.WriteString(w, "success")

			return
		}
		_, _ = fmt.Fprintf(w, "<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>1</CreateTime>"+
			"<MsgType>text</MsgType><Content>你说：%s</Content></xml>", in.FromUserName, in.ToUserName, in.Content)
	}))
	t.Cleanup(server.Close)

	return server.URL + "/wx"
}

// call runs a command line.
func call(t *testing.T, stdin string, arguments ...string) (code int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = execute(t.Context(), arguments, streams{strings.NewReader(stdin), &stdout, &stderr})

	return code, stdout.String(), stderr.String()
}

// Each line is a command with what it prints and how it ends.
func TestCommands(t *testing.T) {
	t.Parallel()
	url := echoServer(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}

		return path
	}
	cases := map[string]struct {
		line  string
		stdin string
		code  int
		out   string
		said  string
	}{
		"push":                 {"push --mode plain --content 你好 --url " + url, "", 0, "你说：你好", ""},
		"push, as expected":    {"push --mode plain --content 你好 --expect 你说：你好 --url " + url, "", 0, "HTTP 200", ""},
		"push, not expected":   {"push --mode plain --expect 再见 --url " + url, "", 1, "你说：你好", "✗"},
		"safe mode":            {"push --mode safe --url " + url, "", 0, "发送的内容 (sent):\n    <xml><ToUserName><![CDATA[gh_dev000000001]]></ToUserName><Encrypt>", ""},
		"nobody there":         {"push --attempts 2 --url http://127.0.0.1:1/", "", 1, "第 2 次推送", "没有有效应答"},
		"event":                {"push --mode plain --event CLICK --event-key K --url " + url, "", 0, "<Event><![CDATA[CLICK]]>", ""},
		"field":                {"push --mode plain --type location --field Label=北京 --url " + url, "", 0, "<Label><![CDATA[北京]]>", ""},
		"JSON format":          {"push --mode plain --format json --type link --url " + url, "", 0, `"MsgType":"link"`, ""},
		"own document":         {"push --mode plain --xml - --url " + url, "<xml><FromUserName>oOWN000</FromUserName><Content>自己</Content></xml>", 1, "自己", "✗"},
		"JSON result":          {"push --mode plain --json --url " + url, "", 0, `"outcome": "shown"`, ""},
		"unknown type":         {"push --type smell --url " + url, "", 2, "", `type "smell" is unknown`},
		"unknown field":        {"push --field Contnet=x --url " + url, "", 2, "", "it has Content"},
		"no URL":               {"push", "", 2, "", "missing flags: --url"},
		"not a URL":            {"push --url wx", "", 2, "", "must be like http://host/path"},
		"short key":            {"push --aes-key abc --url " + url, "", 2, "", "--aes-key has 3 characters, must have 43"},
		"unknown flag":         {"push --nonsense --url " + url, "", 2, "", "unknown flag --nonsense"},
		"verify":               {"verify --mode plain --url " + url, "", 1, "anybody can pretend to be WeChat", ""},
		"verify, JSON":         {"verify --get-only --json --url " + url, "", 1, `"check": "signature"`, ""},
		"verify, nobody there": {"verify --url http://127.0.0.1:1/", "", 1, "is the server running", ""},
		"verify, bad mode":     {"verify --modes x --url " + url, "", 2, "", "must be one of"},
		"load":                 {"load --mode plain --count 50 --expect echo --settle 1ms --url " + url, "", 0, "✓ 重复 (duplicates)      0", ""},
		"load that finds":      {"load --mode plain --count 9 --expect text:{content} --settle 1ms --url " + url, "", 1, "✗ 错误 (wrong)           9", ""},
		"load, mix":            {"load --mode plain --count 30 --mix text=1,event:CLICK=2 --url " + url, "", 0, "CLICK                sent 20", ""},
		"load, JSON":           {"load --mode plain --count 3 --json --url " + url, "", 0, `"sent": 3`, ""},
		"load, an event's key": {"load --mode plain --count 3 --mix event:CLICK:HELP --json --url " + url, "", 0, `"sent": 3`, ""},
		"no patience":          {"verify --timeout 0s --url " + url, "", 2, "", "--timeout is 0s"},
		"no attempts":          {"push --attempts=-1 --url " + url, "", 2, "", "--attempts is -1"},
		"load, bad weight":     {"load --mix text=x --url " + url, "", 2, "", `weight "x" of text`},
		"load, bad expect":     {"load --expect x --url " + url, "", 2, "", `expect is "x"`},
		"load, bad type":       {"load --count 1 --mix smell --url " + url, "", 2, "", `type "smell" is unknown`},
		"types":                {"types", "", 0, "event:scancode_waitmsg", ""},
		"types, one":           {"types event:scancode_push", "", 0, "ScanCodeInfo/ScanResult", ""},
		"types, unknown":       {"types smell", "", 2, "", `"smell" is no type`},
		"accounts file":        {"run --accounts " + write("a.yaml", "- {app_id: wx1, mode: x}"), "", 2, "", "use plain, compatible or safe"},
		"help":                 {"--help", "", 0, "simulator verify --url", ""},
		"healthcheck":          {"healthcheck --listen-addr 127.0.0.1:1", "", 1, "", "doesn't answer"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, said := call(t, test.stdin, strings.Fields(test.line)...)
			if code != test.code || !strings.Contains(out, test.out) || !strings.Contains(said, test.said) {
				t.Errorf("exit code %d\n%s\n%s", code, out, said)
			}
			if strings.Contains(test.line, "--json") && !json.Valid([]byte(out)) {
				t.Errorf("no JSON: %s", out)
			}
		})
	}
}

// What a push prints, word for word.
func TestPushIsPrinted(t *testing.T) {
	t.Parallel()
	_, out, _ := call(t, "", "push", "--mode", "plain", "--content", "你好", "--url", echoServer(t))
	for pattern, with := range map[string]string{
		`127\.0\.0\.1:\d+`: "HOST", `nonce=\d+`: "nonce=N", `signature=[0-9a-f]{40}`: "signature=S", `timestamp=\d+`: "timestamp=T",
		`<CreateTime>\d{10}`: "<CreateTime>T", `<MsgId>\d+`: "<MsgId>M", `\d+ of 5000 ms`: "D of 5000 ms",
	} {
		out = regexp.MustCompile(pattern).ReplaceAllString(out, with)
	}
	want := `text, plain, xml（API: http://HOST）

明文 (document):
    <xml><ToUserName><![CDATA[gh_dev000000001]]></ToUserName><FromUserName><![CDATA[oDEV000000000000000000000001]]></FromUserName><CreateTime>T</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好]]></Content><MsgId>M</MsgId></xml>

请求 (request):
    POST http://HOST/wx?nonce=N&openid=oDEV000000000000000000000001&signature=S&timestamp=T

第 1 次推送 (delivery): HTTP 200, D of 5000 ms: shown, 有效的 text 回复 (a valid text reply)

应答 (answer):
    <xml><ToUserName>oDEV000000000000000000000001</ToUserName><FromUserName>gh_dev000000001</FromUserName><CreateTime>1</CreateTime><MsgType>text</MsgType><Content>你说：你好</Content></xml>

粉丝看到 (the follower sees):
    你说：你好
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The platform runs until it is told to stop, with the accounts of a file.
func TestRun(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "accounts.yaml")
	if err := os.WriteFile(file, []byte("- {app_id: wx0000000000000007}"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	output, input := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- execute(ctx, []string{"run", "--listen-addr", "127.0.0.1:0", "--accounts", file, "--log-level", "error"}, streams{strings.NewReader(""), input, io.Discard})
	}()
	line := make([]byte, 200)
	count, err := output.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	page := regexp.MustCompile(`http://\S+/`).FindString(string(line[:count]))
	response, err := http.Get(page + "sim/v1/accounts")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil || !strings.Contains(string(body), "wx0000000000000007") || strings.Contains(string(body), simulator.DefaultAppID) {
		t.Errorf("accounts %s, error %v", body, err)
	}
	if code, _, said := call(t, "", "healthcheck", "--listen-addr", strings.TrimSuffix(strings.TrimPrefix(page, "http://"), "/")); code != 0 {
		t.Errorf("health: %d %s", code, said)
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// The binary is one file that needs nothing of the system: others' CI copies it and runs it.
func TestTheBinaryIsStatic(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("ELF is Linux's")
	}
	path := filepath.Join(t.TempDir(), "simulator")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, program := range file.Progs {
		if program.Type == elf.PT_INTERP || program.Type == elf.PT_DYNAMIC {
			t.Errorf("it has a %s", program.Type)
		}
	}
}
