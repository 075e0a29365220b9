package simulator

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/token"
)

// Call is one API call that the platform received. Tokens and secrets in it are
// masked.
type Call struct {
	ID           int64     `json:"id"`
	Time         time.Time `json:"time"`
	DurationMS   float64   `json:"duration_ms"`
	Method       string    `json:"method"`
	Path         string    `json:"path"`
	Query        string    `json:"query,omitempty"`
	Account      string    `json:"account,omitempty"`
	Generation   int       `json:"generation,omitempty"` // Of the token that was used or issued.
	Status       int       `json:"status"`               // 0 when a fault dropped the connection.
	ErrCode      int       `json:"errcode"`
	RID          string    `json:"rid,omitempty"`   // By which rid/get finds it; only refusals have one.
	Fault        bool      `json:"fault,omitempty"` // Whether SetFault had a hand in it.
	RequestBody  string    `json:"request_body,omitempty"`
	ResponseBody string    `json:"response_body,omitempty"`

	booked time.Time // On the books' clock.
}

// Calls returns the API calls that are remembered, oldest first.
func (p *Platform) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.state.calls.all()
}

// record remembers a call. The caller holds the lock.
func (p *Platform) record(r *apiRequest, given apiAnswer, took time.Duration) {
	body := describeBody(r.body)
	r.hideSecrets(body)
	p.state.calls.add(Call{
		ID: p.entries.Add(1), Time: time.Now().Add(-took), DurationMS: milliseconds(took),
		Method: r.method, Path: r.path, Query: r.masked(r.query.Encode()), Account: r.account,
		Generation: r.generation, Status: given.status, ErrCode: int(given.code), Fault: r.faulty,
		RequestBody: r.masked(body), ResponseBody: r.masked(given.describe()),
		RID: given.rid, booked: p.state.clock.now(),
	})
	p.state.hub.publish(topicCalls)
}

// ridLife is how long a rid is remembered (查询 rid 信息: seven days).
const ridLife = 7 * 24 * time.Hour

// getRID serves POST /cgi-bin/openapi/rid/get: what the account asked when it was refused. Secrets stay masked.
func (p *Platform) getRID(r *apiRequest) apiAnswer {
	var asked struct {
		RID string `json:"rid"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	for _, call := range p.state.calls.values {
		if call.RID == "" || call.RID != asked.RID {
			continue
		}
		switch {
		case call.Account != r.account:
			return refuse(errcode.RIDForbidden)
		case r.now.Sub(call.booked) >= ridLife:
			return refuse(errcode.RID)
		}

		return answerOK(map[string]any{"request": map[string]any{
			"invoke_time": call.Time.Unix(), "cost_in_ms": int(call.DurationMS), "request_url": call.Path + "?" + call.Query,
			"request_body": call.RequestBody, "response_body": call.ResponseBody,
		}})
	}

	return refuse(errcode.RID)
}

// describeBody keeps text and names what isn't.
func describeBody(body []byte) string {
	if kind := http.DetectContentType(body); len(body) > 0 && !strings.HasPrefix(kind, "text/") {
		return "(" + kind + ")"
	}

	return capture(body)
}

// masked hides the secrets that the call carried.
func (r *apiRequest) masked(text string) string { return maskAll(text, r.secrets) }

// maskAll hides secrets, also where they stand in a query.
func maskAll(text string, secrets []string) string {
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, token.Mask(secret))
		text = strings.ReplaceAll(text, url.QueryEscape(secret), token.Mask(secret))
	}

	return text
}

// secretParameters are the names of what a query carries and nobody may read in a record.
var secretParameters = []string{"access_token", "component_access_token", "secret", "corpsecret", "code", "js_code", "refresh_token"} //nolint:gochecknoglobals // A constant.

// secretField finds the same in a JSON body, even one that is cut off or malformed, or that a fault left unread.
var secretField = regexp.MustCompile(`"(?:\w*secret|\w*refresh_token|component_verify_ticket|authorization_code)"\s*:\s*"([^"]+)`)

// hideSecrets marks what the request carries in its query and in as much of its body as is recorded.
func (r *apiRequest) hideSecrets(body string) {
	for _, name := range secretParameters {
		r.hide(r.query.Get(name))
	}
	for _, match := range secretField.FindAllStringSubmatch(body, -1) {
		r.hide(match[1])
	}
}

// hide marks a value as secret for the record.
func (r *apiRequest) hide(secret string) {
	if secret != "" {
		r.secrets = append(r.secrets, secret)
	}
}
