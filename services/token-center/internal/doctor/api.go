package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/egress"
	"github.com/wxstack/wxstack/wechat/errcode"
)

// API asks WeChat. Its hosts are tried in order.
type API struct {
	http  *http.Client
	hosts []string
}

const (
	// callTimeout bounds one question.
	callTimeout = 4 * time.Second
	// maxAnswer is far more than an answer that matters here has; a follower list of 10,000 OpenIDs fits.
	maxAnswer = 1 << 20
)

// NewAPI returns an API at hosts such as https://api.weixin.qq.com, which is asked by way.
func NewAPI(hosts []string, way egress.Way) *API {
	transport := &http.Transport{ForceAttemptHTTP2: true}
	way.Set(transport)
	return &API{hosts: hosts, http: &http.Client{
		Timeout:   callTimeout,
		Transport: transport,
		// The token must not follow a redirect to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close ends idle connections.
func (a *API) Close() { a.http.CloseIdleConnections() }

// answer is what became of a question. Its zero value is that of one that was not asked.
type answer struct {
	code errcode.Code
	body []byte
	// err is why there is no answer of WeChat's.
	err error
	// at is the time here when the answer came, and date the time that it says it was made.
	at, date time.Time
}

func (a answer) asked() bool { return !a.at.IsZero() || a.err != nil }
func (a answer) ok() bool    { return a.asked() && a.err == nil && a.code == errcode.Success }

func (a answer) failure() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprintf("errcode %d", a.code)
}

// get asks with GET, post with a JSON body. Neither token nor URL gets into an error.
func (a *API) get(ctx context.Context, path string, token config.Secret) answer {
	return a.ask(ctx, http.MethodGet, path, token, nil)
}

func (a *API) post(ctx context.Context, path string, token config.Secret, body any) answer {
	encoded, err := json.Marshal(body)
	if err != nil {
		return answer{err: errors.New("the question cannot be encoded")}
	}
	return a.ask(ctx, http.MethodPost, path, token, encoded)
}

func (a *API) ask(ctx context.Context, method, path string, token config.Secret, body []byte) answer {
	got := answer{err: errors.New("there is no host to ask")}
	for _, host := range a.hosts {
		if got = a.askHost(ctx, host, method, path, token, body); got.err == nil || ctx.Err() != nil {
			return got
		}
	}
	return got
}

func (a *API) askHost(ctx context.Context, host, method, path string, token config.Secret, body []byte) answer {
	target := host + path + "?" + url.Values{"access_token": {token.Reveal()}}.Encode()
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return answer{err: errors.New("the question cannot be made")} // err would quote the URL.
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.http.Do(req)
	if err != nil {
		if withURL, ok := errors.AsType[*url.Error](err); ok {
			err = withURL.Err
		}
		return answer{err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{err: err}
	}
	if resp.StatusCode != http.StatusOK {
		return answer{err: fmt.Errorf("HTTP status %d instead of 200", resp.StatusCode)}
	}
	code, _ := errcode.Parse(text)
	got := answer{code: code, body: text, at: time.Now()}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		got.date = date
	}
	return got
}

// parseQuota reads an answer of /cgi-bin/openapi/quota/get (查询API调用额度).
func parseQuota(path string, from answer) quota {
	var body struct {
		Quota struct {
			Limit  int64 `json:"daily_limit"`
			Remain int64 `json:"remain"`
		} `json:"quota"`
	}
	if from.ok() && json.Unmarshal(from.body, &body) != nil {
		from.err = errors.New("the answer is not the JSON it should be")
	}
	return quota{path: path, answer: from, limit: body.Quota.Limit, remain: body.Quota.Remain}
}

// parseCallback reads an answer of /cgi-bin/callback/check (网络检测). package_loss (sic) is 0% or 100%.
func parseCallback(from answer) callback {
	var body struct {
		DNS []struct {
			IP string `json:"ip"`
		} `json:"dns"`
		Ping []struct {
			Loss string `json:"package_loss"`
		} `json:"ping"`
	}
	if from.ok() && json.Unmarshal(from.body, &body) != nil {
		from.err = errors.New("the answer is not the JSON it should be")
	}
	c := callback{answer: from}
	for _, found := range body.DNS {
		if address, err := netip.ParseAddr(found.IP); err == nil {
			c.addresses = append(c.addresses, address)
		}
	}
	for _, ping := range body.Ping {
		if ping.Loss == "0%" {
			c.reached++
		} else {
			c.lost++
		}
	}
	return c
}

// clockOf compares the time here with that of an answer. A date has whole seconds, so the middle of its
// second is meant.
func clockOf(from answer) clock {
	if from.err != nil || from.date.IsZero() {
		return clock{}
	}
	return clock{known: true, ahead: from.at.Sub(from.date.Add(time.Second / 2))}
}
