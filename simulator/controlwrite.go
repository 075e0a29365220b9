package simulator

import (
	"fmt"
	"math"
	"net/http"
	"time"
)

// pushRequest is the body of POST /sim/v1/push.
type pushRequest struct {
	Account  string `json:"account"`
	From     string `json:"from"`
	Type     Type   `json:"type"`
	Content  string `json:"content"`
	Media    *file  `json:"media"`
	Mode     Mode   `json:"mode"`
	Event    string `json:"event"`
	EventKey string `json:"event_key"`
	Ticket   string `json:"ticket"`
	Format   Format `json:"format"`
	URL      string `json:"url"`
	InfoType string `json:"info_type"`
	XML      string `json:"xml"`

	MenuEntryID string            `json:"menu_entry_id"`
	Fields      map[string]string `json:"fields"`

	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Precision float64 `json:"precision"`

	Count            int  `json:"count"`
	Concurrency      int  `json:"concurrency"`
	Followers        int  `json:"followers"`
	IntervalMS       int  `json:"interval_ms"`
	ReuseConnections bool `json:"reuse_connections"`
}

type file struct {
	Data []byte `json:"data"` // Base64 in JSON.
}

// push is the one push that a request describes.
func (r pushRequest) push() Push {
	push := Push{
		Account: r.Account, From: r.From, Type: r.Type, Content: r.Content, Mode: r.Mode, Format: r.Format, URL: r.URL,
		Event: r.Event, EventKey: r.EventKey, Ticket: r.Ticket, InfoType: r.InfoType, MenuEntryID: r.MenuEntryID,
		Latitude: r.Latitude, Longitude: r.Longitude, Precision: r.Precision, Fields: r.Fields, XML: r.XML,
		ReuseConnections: r.ReuseConnections,
	}
	if r.Media != nil {
		push.Media = r.Media.Data
	}

	return push
}

func (p *Platform) controlPush(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked pushRequest
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}
	push := asked.push()
	if asked.Count < 0 || asked.IntervalMS < 0 {
		return nil, fmt.Errorf("%w: count and interval_ms must not be negative", ErrInvalid)
	}
	if asked.Count > 1 {
		return p.PushMany(r.Context(), Load{
			Push: push, Count: asked.Count, Concurrency: asked.Concurrency, Followers: asked.Followers,
			Interval: time.Duration(asked.IntervalMS) * time.Millisecond,
		})
	}

	return p.Push(r.Context(), push)
}

// controlAccount adds an account or changes one: what is missing is left as it was.
func (p *Platform) controlAccount(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked accountSettings
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}

	return done{OK: true}, p.SetAccount(asked.over(p.accountOf(asked.AppID)))
}

// accountRequest names an account and what else a lever needs.
type accountRequest struct {
	Account string    `json:"account"`
	Kind    TokenKind `json:"kind"`
}

func (p *Platform) controlVerify(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked struct {
		Account string `json:"account"`
	}
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}

	return p.Verify(r.Context(), asked.Account)
}

func (p *Platform) controlCallback(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked struct {
		Account string `json:"account"`
		URL     string `json:"url"`
		Mode    Mode   `json:"mode"`
	}
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}

	return done{OK: true}, p.SetCallback(asked.Account, asked.URL, asked.Mode)
}

func (p *Platform) controlRotate(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked accountRequest
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}
	if err := p.RotateToken(asked.Account, asked.Kind); err != nil {
		return nil, err
	}

	return p.Tokens(asked.Account)
}

func (p *Platform) controlExpire(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked accountRequest
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}
	if err := p.ExpireToken(asked.Account, asked.Kind); err != nil {
		return nil, err
	}

	return p.Tokens(asked.Account)
}

// faultRequest is the body of POST /sim/v1/faults.
type faultRequest struct {
	Path        string  `json:"path"`
	LatencyMS   int     `json:"latency_ms"`
	ErrCode     int     `json:"errcode"`
	ErrMsg      string  `json:"errmsg,omitempty"`
	HTTPStatus  int     `json:"http_status,omitempty"`
	Drop        Drop    `json:"drop,omitempty"`
	ContentType string  `json:"content_type,omitempty"`
	Partial     bool    `json:"partial,omitempty"`
	Busy        bool    `json:"busy,omitempty"`
	Count       int     `json:"count"`
	Probability float64 `json:"probability,omitempty"`
}

func describeFault(fault Fault) faultRequest {
	return faultRequest{
		Path: fault.Path, LatencyMS: int(fault.Latency.Milliseconds()), ErrCode: fault.ErrCode, ErrMsg: fault.ErrMsg,
		HTTPStatus: fault.HTTPStatus, Drop: fault.Drop, ContentType: fault.ContentType, Partial: fault.Partial, Busy: fault.Busy, Count: fault.Count, Probability: fault.Probability,
	}
}

func (p *Platform) controlFault(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked faultRequest
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}

	return done{OK: true}, p.SetFault(Fault{
		Path: asked.Path, Latency: time.Duration(asked.LatencyMS) * time.Millisecond, ErrCode: asked.ErrCode,
		ErrMsg: asked.ErrMsg, HTTPStatus: asked.HTTPStatus, Drop: asked.Drop, ContentType: asked.ContentType, Partial: asked.Partial, Busy: asked.Busy, Count: asked.Count,
		Probability: asked.Probability,
	})
}

func (p *Platform) controlClock(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked struct {
		Seconds float64 `json:"seconds"`
	}
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}
	const tenYears = 10 * 365 * 24 * 60 * 60
	if math.IsNaN(asked.Seconds) || asked.Seconds > tenYears {
		return nil, fmt.Errorf("%w: seconds must be at most %d", ErrInvalid, tenYears)
	}
	if err := p.AdvanceClock(time.Duration(asked.Seconds * float64(time.Second))); err != nil {
		return nil, err
	}

	return map[string]any{"now": p.Now()}, nil
}

func (p *Platform) controlReset(w http.ResponseWriter, r *http.Request) (any, error) {
	if err := readControl(w, r, &struct{}{}); err != nil {
		return nil, err
	}
	p.Reset()

	return done{OK: true}, nil
}

func (p *Platform) controlMedia(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked struct {
		Account string `json:"account"`
		Kind    string `json:"kind"`
		Bytes   int64  `json:"bytes"`
	}
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}

	return p.AddSyntheticMedia(asked.Account, asked.Kind, asked.Bytes)
}

func (p *Platform) controlOAuthCode(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked struct {
		Account string `json:"account"`
		OpenID  string `json:"openid"`
		Scope   string `json:"scope"`
	}
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}
	code, err := p.IssueOAuthCode(asked.Account, asked.OpenID, asked.Scope)

	return map[string]string{"code": code}, err
}

func (p *Platform) controlOAuthRevoke(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked struct {
		Account string `json:"account"`
		OpenID  string `json:"openid"`
	}
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}

	return done{OK: true}, p.RevokeOAuth(asked.Account, asked.OpenID)
}

func (p *Platform) controlQuota(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked struct {
		Account    string `json:"account"`
		Path       string `json:"path"`
		DailyLimit *int   `json:"daily_limit"`
	}
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}
	if asked.DailyLimit == nil {
		return nil, fmt.Errorf("%w: daily_limit is missing, 0 lets no call pass", ErrInvalid)
	}

	return done{OK: true}, p.SetQuota(asked.Account, asked.Path, *asked.DailyLimit)
}
