package tokencenter_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

const (
	testAppID  = "wx00000000000000c1"
	testCorpID = "ww00000000000000c2"
	testSecret = "test-app-secret-do-not-log"
	tokenLife  = 7200
)

// platform is WeChat's token interfaces with the rules that matter here: the stable one repeats its
// token unless forced, the classic one issues a new one each time.
type platform struct {
	*httptest.Server

	mu      sync.Mutex
	fetches int
	forced  int
	serial  int
	stable  string
	refuse  int
	issued  []string
	tickets int
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	p := &platform{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cgi-bin/stable_token", p.stableToken)
	mux.HandleFunc("GET /cgi-bin/token", p.classicToken)
	mux.HandleFunc("GET /cgi-bin/ticket/getticket", p.getTicket)
	mux.HandleFunc("GET /cgi-bin/gettoken", p.workToken)
	mux.HandleFunc("GET /cgi-bin/get_jsapi_ticket", p.getTicket)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *platform) stableToken(w http.ResponseWriter, r *http.Request) {
	var req struct {
		GrantType    string `json:"grant_type"`
		AppID        string `json:"appid"`
		Secret       string `json:"secret"`
		ForceRefresh bool   `json:"force_refresh"`
	}
	err := json.NewDecoder(r.Body).Decode(&req)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetches++
	if req.ForceRefresh {
		p.forced++
	}
	if p.refused(w, err != nil || req.GrantType != "client_credential" || req.AppID != testAppID || req.Secret != testSecret) {
		return
	}
	if p.stable == "" || req.ForceRefresh {
		p.stable = p.next()
	}
	writeToken(w, p.stable)
}

func (p *platform) classicToken(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetches++
	if p.refused(w, q.Get("grant_type") != "client_credential" || q.Get("appid") != testAppID || q.Get("secret") != testSecret) {
		return
	}
	writeToken(w, p.next())
}

func (p *platform) workToken(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetches++
	if p.refused(w, q.Get("corpid") != testCorpID || q.Get("corpsecret") != testSecret) {
		return
	}
	if p.stable == "" {
		p.stable = p.next()
	}
	writeToken(w, p.stable)
}

func (p *platform) getTicket(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tickets++
	if len(p.issued) == 0 || q.Get("access_token") != p.issued[len(p.issued)-1] {
		_, _ = fmt.Fprintf(w, `{"errcode":40001,"errmsg":"invalid credential %s rid: 1-2-3"}`, q.Get("access_token"))
		return
	}
	_, _ = fmt.Fprintf(w, `{"errcode":0,"errmsg":"ok","ticket":"live-ticket-%s","expires_in":%d}`, q.Get("type"), tokenLife)
}

func (p *platform) next() string {
	p.serial++
	token := fmt.Sprintf("live-token-%d", p.serial)
	p.issued = append(p.issued, token)
	return token
}

func (p *platform) refused(w http.ResponseWriter, bad bool) bool {
	code := p.refuse
	if bad {
		code = 40125
	}
	if code != 0 {
		_, _ = fmt.Fprintf(w, `{"errcode":%d,"errmsg":"refused rid: 1-2-3"}`, code)
	}
	return code != 0
}

func writeToken(w http.ResponseWriter, token string) {
	_, _ = fmt.Fprintf(w, `{"access_token":%q,"expires_in":%d}`, token, tokenLife)
}

// rotate is somebody else's forced refresh.
func (p *platform) rotate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stable = p.next()
}

func (p *platform) refuseWith(code int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = code
}

func (p *platform) counts() (fetches, forced int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches, p.forced
}

func (p *platform) ticketRequests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tickets
}
