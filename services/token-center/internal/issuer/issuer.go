// Package issuer asks WeChat for access tokens: /cgi-bin/stable_token and the classic /cgi-bin/token.
//
// It is the only place that sends an AppSecret, and its errors never show one: neither the request's
// URL nor its body gets into them.
package issuer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

const (
	connectTimeout = 3 * time.Second
	// answerTimeout bounds one attempt from dialling to the last byte.
	answerTimeout = 5 * time.Second
	idleTimeout   = 90 * time.Second
	// maxAnswer is far more than a token of 512 characters (the least room WeChat asks for) needs.
	maxAnswer = 64 << 10
)

// Client is the HTTP connection to WeChat, shared by all accounts.
type Client struct {
	http  *http.Client
	hosts []*url.URL
}

// NewClient returns a client that asks the first of hosts, and the next where no connection can be
// made. A host is a scheme with a name, such as https://api.weixin.qq.com.
func NewClient(hosts []string) (*Client, error) {
	c := &Client{http: &http.Client{
		Timeout: answerTimeout,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
			TLSHandshakeTimeout: connectTimeout,
			IdleConnTimeout:     idleTimeout,
			ForceAttemptHTTP2:   true,
		},
		// The secret must not follow a redirect to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, host := range hosts {
		u, err := url.Parse(strings.TrimSpace(host))
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			return nil, fmt.Errorf("WX_API_BASE_URL: %q is not like https://api.weixin.qq.com", host)
		}
		c.hosts = append(c.hosts, u)
	}
	if len(c.hosts) == 0 {
		return nil, errors.New("WX_API_BASE_URL: not set; it names the hosts of WeChat's API, for example https://api.weixin.qq.com")
	}
	return c, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Account asks for the tokens of one account.
type Account struct {
	client *Client
	api    credential.API
	appID  string
	secret config.Secret
}

// Account returns the issuer of an account's tokens from api.
func (c *Client) Account(api credential.API, appID string, secret config.Secret) *Account {
	return &Account{client: c, api: api, appID: appID, secret: secret}
}

// Issue asks for a token. With force, the stable interface makes a new one and the present one dies at
// once; it allows that 20 times a day, 30 s apart. The classic interface always makes a new one.
//
// Failures are faults whose kind says whether trying again helps. One that is credential.ErrUncertain
// was sent, and its answer got lost; one that is credential.ErrNotSent cost nothing.
func (a *Account) Issue(ctx context.Context, force bool) (credential.Issued, error) {
	for i, host := range a.client.hosts {
		issued, sent, err := a.ask(ctx, host, force)
		last := i == len(a.client.hosts)-1
		if err == nil || sent || last || ctx.Err() != nil {
			return issued, err
		}
	}
	return credential.Issued{}, fault.New(fault.Internal, "no host to ask")
}

// ask tells whether the request may have reached the host.
func (a *Account) ask(ctx context.Context, host *url.URL, force bool) (issued credential.Issued, sent bool, err error) {
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	req, err := a.request(httptrace.WithClientTrace(ctx, trace), host, force)
	if err != nil {
		return credential.Issued{}, false, err
	}
	resp, err := a.client.http.Do(req)
	if err != nil {
		return credential.Issued{}, connected.Load(), unreachable(host, err, connected.Load())
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return credential.Issued{}, true, unreachable(host, err, true)
	case len(body) > maxAnswer:
		return credential.Issued{}, true, malformed("is longer than %d bytes", maxAnswer)
	case resp.StatusCode != http.StatusOK:
		return credential.Issued{}, true, malformed("has HTTP status %d instead of 200", resp.StatusCode)
	}
	issued, err = parse(body, a.secret)
	return issued, true, err
}

func (a *Account) request(ctx context.Context, host *url.URL, force bool) (*http.Request, error) {
	method, target, body := http.MethodPost, host.JoinPath("/cgi-bin/stable_token"), []byte(nil)
	if a.api == credential.Classic {
		method, target = http.MethodGet, host.JoinPath("/cgi-bin/token")
		target.RawQuery = url.Values{
			"grant_type": {"client_credential"}, "appid": {a.appID}, "secret": {a.secret.Reveal()},
		}.Encode()
	} else {
		var err error
		body, err = json.Marshal(map[string]any{
			"grant_type": "client_credential", "appid": a.appID, "secret": a.secret.Reveal(), "force_refresh": force,
		})
		if err != nil {
			return nil, fault.New(fault.Internal, "the token request of %s cannot be encoded", a.appID)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fault.New(fault.Internal, "the token request of %s cannot be made", a.appID) // err would quote the URL.
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// unreachable makes a fault of a transport error, without the URL that net/http puts into it.
func unreachable(host *url.URL, err error, sent bool) error {
	if withURL, ok := errors.AsType[*url.Error](err); ok {
		err = withURL.Err
	}
	if !sent {
		return fault.Wrap(fault.Unavailable, fmt.Errorf("%w: %w", credential.ErrNotSent, err), "WeChat (%s) cannot be reached; check WX_API_BASE_URL, DNS and the firewall", host.Host)
	}
	return fault.Wrap(fault.Unavailable, fmt.Errorf("%w: %w", credential.ErrUncertain, err), "WeChat (%s) did not answer the token request", host.Host)
}
