package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator"
)

// Platform talks to a running simulator over its control API.
type Platform struct {
	t   testing.TB
	url string
	// Client is replaced by tests that reach the simulator some other way.
	Client *http.Client
}

// NewPlatform returns a client for the simulator at base, such as http://127.0.0.1:8090.
func NewPlatform(t testing.TB, base string) *Platform {
	return &Platform{t: t, url: base, Client: &http.Client{Timeout: controlTimeout}}
}

// controlTimeout is longer than any load that a test pushes.
const controlTimeout = 5 * time.Minute

// Push is the body of /sim/v1/push.
type Push struct {
	Account          string         `json:"account,omitempty"`
	From             string         `json:"from,omitempty"`
	Type             simulator.Type `json:"type,omitempty"`
	Content          string         `json:"content,omitempty"`
	Mode             simulator.Mode `json:"mode,omitempty"`
	Event            string         `json:"event,omitempty"`
	EventKey         string         `json:"event_key,omitempty"`
	Count            int            `json:"count,omitempty"`
	Concurrency      int            `json:"concurrency,omitempty"`
	Followers        int            `json:"followers,omitempty"`
	IntervalMS       int            `json:"interval_ms,omitempty"`
	ReuseConnections bool           `json:"reuse_connections,omitempty"`

	Format simulator.Format  `json:"format,omitempty"`
	Fields map[string]string `json:"fields,omitempty"`
}

// Push acts as a follower once.
func (p *Platform) Push(push Push) simulator.PushResult {
	p.t.Helper()
	var result simulator.PushResult
	p.post("push", push, &result)
	return result
}

// Types returns everything that can be pushed.
func (p *Platform) Types() []simulator.PushType {
	p.t.Helper()
	var answer struct {
		Types []simulator.PushType `json:"types"`
	}
	p.get("types", &answer)
	return answer.Types
}

// Load acts as many followers.
func (p *Platform) Load(push Push) simulator.LoadSummary {
	p.t.Helper()
	var summary simulator.LoadSummary
	p.post("push", push, &summary)
	return summary
}

// Verify asks the account's URL to prove itself, as the console does.
func (p *Platform) Verify(account string) simulator.VerifyResult {
	p.t.Helper()
	var result simulator.VerifyResult
	p.post("verify", map[string]string{"account": account}, &result)
	return result
}

// Chat returns a follower's chat once it has that many lines, or what there is after ten seconds.
func (p *Platform) Chat(openID string, atLeast int) []simulator.ChatEntry {
	p.t.Helper()
	var answer struct {
		Chat []simulator.ChatEntry `json:"chat"`
	}
	p.get("followers/"+url.PathEscape(openID)+"/chat?wait_ms=10000&at_least="+strconv.Itoa(atLeast), &answer)
	return answer.Chat
}

// Tokens returns what was fetched, with the tokens' values, of the account.
func (p *Platform) Tokens(account string) simulator.TokenReport {
	p.t.Helper()
	var answer struct {
		Accounts []simulator.TokenReport `json:"accounts"`
	}
	p.get("tokens?reveal=true&account="+url.QueryEscape(account), &answer)
	if len(answer.Accounts) != 1 {
		p.t.Fatalf("tokens of %q: %d accounts", account, len(answer.Accounts))
	}
	return answer.Accounts[0]
}

// Callback changes where the account's pushes go.
func (p *Platform) Callback(account, callbackURL string) {
	p.t.Helper()
	p.post("callback", map[string]string{"account": account, "url": callbackURL}, nil)
}

func (p *Platform) get(path string, into any) {
	p.t.Helper()
	p.do(http.MethodGet, path, http.NoBody, into)
}

func (p *Platform) post(path string, body, into any) {
	p.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	p.do(http.MethodPost, path, bytes.NewReader(encoded), into)
}

func (p *Platform) do(method, path string, body io.Reader, into any) {
	p.t.Helper()
	if err := p.try(method, path, body, into); err != nil {
		p.t.Fatal(err)
	}
}

func (p *Platform) try(method, path string, body io.Reader, into any) error {
	req, err := http.NewRequestWithContext(context.Background(), method, p.url+"/sim/v1/"+path, body)
	if err != nil {
		return err
	}
	resp, err := p.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

// Reset forgets what happened at the platform.
func (p *Platform) Reset() {
	p.t.Helper()
	p.post("reset", struct{}{}, nil)
}
