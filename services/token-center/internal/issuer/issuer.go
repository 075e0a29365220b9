// Package issuer asks WeChat for credentials: one Issuer for each interface that has some, all over one
// Client.
//
// It is the only place that sends an AppSecret, and its errors never show one, nor a credential: neither
// the request's URL nor its body gets into them.
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
	"github.com/wxstack/wxstack/chassis/egress"
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
// made. A host is a scheme with a name, such as https://api.weixin.qq.com. Requests leave by way.
func NewClient(hosts []string, way egress.Way) (*Client, error) {
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout: connectTimeout,
		IdleConnTimeout:     idleTimeout,
		ForceAttemptHTTP2:   true,
	}
	way.Set(transport)
	c := &Client{http: &http.Client{
		Timeout:   answerTimeout,
		Transport: transport,
		// The secret must not follow a redirect to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, host := range hosts {
		u, err := url.Parse(strings.TrimSpace(host))
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			return nil, fmt.Errorf("%q is not like https://api.weixin.qq.com", host)
		}
		c.hosts = append(c.hosts, u)
	}
	if len(c.hosts) == 0 {
		return nil, errors.New("not set; it names the hosts of WeChat's API, for example https://api.weixin.qq.com")
	}
	return c, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call is one request to WeChat.
type call struct {
	// name is what is asked for, as it stands in errors.
	name   string
	method string
	path   string
	query  url.Values
	// body is sent as JSON by POST.
	body any
	// hidden are the secrets in query and body, which no error may show.
	hidden []config.Secret
}

// send makes the call and returns the answer's body.
//
// Failures are faults whose kind says whether trying again helps. One that is credential.ErrUncertain
// was sent, and its answer got lost; one that is credential.ErrNotSent cost nothing.
func (c *Client) send(ctx context.Context, call call) ([]byte, error) {
	for i, host := range c.hosts {
		body, sent, err := c.sendTo(ctx, host, call)
		last := i == len(c.hosts)-1
		if err == nil || sent || last || ctx.Err() != nil {
			return body, err
		}
	}
	return nil, fault.New(fault.Internal, "no host to ask")
}

// sendTo tells whether the request may have reached the host.
func (c *Client) sendTo(ctx context.Context, host *url.URL, call call) (body []byte, sent bool, err error) {
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	req, err := call.request(httptrace.WithClientTrace(ctx, trace), host)
	if err != nil {
		return nil, false, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, connected.Load(), call.unreachable(host, err, connected.Load())
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, true, call.unreachable(host, err, true)
	case len(body) > maxAnswer:
		return nil, true, call.malformed("is longer than %d bytes", maxAnswer)
	case resp.StatusCode != http.StatusOK:
		return nil, true, call.malformed("has HTTP status %d instead of 200", resp.StatusCode)
	}
	return body, true, nil
}

func (c call) request(ctx context.Context, host *url.URL) (*http.Request, error) {
	target := host.JoinPath(c.path)
	target.RawQuery = c.query.Encode()
	var body []byte
	if c.body != nil {
		var err error
		if body, err = json.Marshal(c.body); err != nil {
			return nil, fault.New(fault.Internal, "the request for the %s cannot be encoded", c.name)
		}
	}
	req, err := http.NewRequestWithContext(ctx, c.method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fault.New(fault.Internal, "the request for the %s cannot be made", c.name) // err would quote the URL.
	}
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// unreachable makes a fault of a transport error, without the URL that net/http puts into it.
func (c call) unreachable(host *url.URL, err error, sent bool) error {
	if withURL, ok := errors.AsType[*url.Error](err); ok {
		err = withURL.Err
	}
	if !sent {
		return fault.Wrap(fault.Unavailable, fmt.Errorf("%w: %w", credential.ErrNotSent, err), "WeChat (%s) cannot be reached; check the API base URL in the settings, DNS, the firewall, and the proxy if WX_EGRESS_PROXY names one", host.Host)
	}
	return fault.Wrap(fault.Unavailable, fmt.Errorf("%w: %w", credential.ErrUncertain, err), "WeChat (%s) did not answer the request for the %s", host.Host, c.name)
}
