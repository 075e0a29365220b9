package apiproxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long the proxy may take to answer half a request; it would wait for the rest for a minute.
const patience = 20 * time.Millisecond

// Whatever a caller puts on the wire, WeChat is asked for nothing that the caller may not call, and no answer shows
// a token of WeChat's.
func FuzzRequests(f *testing.F) {
	g := startGuarded(f)
	token, _ := g.token(appID, crmKey)
	for _, seed := range []string{
		"GET /cgi-bin/menu/get?access_token=TOKEN HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /cgi-bin/menu/../getcallbackip?access_token=TOKEN HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /cgi-bin/message/custom/send?access_token=TOKEN HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}GET /cgi-bin/getcallbackip HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /cgi-bin/menu/create?access_token=TOKEN HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET /cgi-bin/getcallbackip HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://evil.example/cgi-bin/menu/get?access_token=TOKEN HTTP/1.1\r\nHost: evil.example\r\n\r\n",
		"GET /sns/userinfo?access_token=users&openid=o HTTP/1.0\r\n\r\n",
		"GET /cgi-bin/token?grant_type=client_credential&appid=wx0000000000000001&secret=KEY HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /cgi-bin/stable_token HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n{\"grant_type\":\"client_credential\",\"appid\":\"wx0000000000000001\",\"secret\":\"KEY\",\"force_refresh\":true}",
		"GET /cgi-bin/menu/get HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer KEY\r\nX-WX-AppID: wx0000000000000002\r\nIdempotency-Key: \t\r\n\r\n",
		"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		f.Add(seed)
	}
	allowed := []string{
		" /cgi-bin/menu/", "post /cgi-bin/message/custom/send", "get /sns/userinfo", " /cgi-bin/qrcode/create", " /cgi-bin/user/info", " /card/",
	}
	f.Fuzz(func(t *testing.T, wire string) {
		answers := exchange(t, g.HTTPAddr(), strings.NewReplacer("TOKEN", token, "KEY", crmKey).Replace(wire))
		if strings.Contains(answers, tokenMark) {
			t.Errorf("an answer shows a token of WeChat's:\n%s", answers)
		}
		for _, seen := range g.reached() {
			// Case and a final slash make no difference, here as in the table.
			call := strings.ToLower(strings.TrimSuffix(seen, "/"))
			if call == "get /cgi-bin/menu/delete" || !slices.ContainsFunc(allowed, func(a string) bool { return strings.Contains(call, a) }) {
				t.Errorf("WeChat was asked for %s by\n%q", seen, wire)
			}
		}
		g.forget()
	})
}

// forget forgets what has reached WeChat.
func (g *guarded) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen = nil
}

// exchange puts bytes on the wire and returns everything that comes back.
func exchange(t *testing.T, address, wire string) string {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(context.WithoutCancel(t.Context()), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, wire) // the proxy may close at any time.
	// No half-closed connection: it would pass for a caller who has left.
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // as far as it comes.
	return fmt.Sprint(resp.Header, string(body))
}
