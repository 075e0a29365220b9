// Package upstream sends one HTTP request to WeChat: to the first of several hosts that can be
// reached. Its errors tell whether the request can have arrived, which decides whether it may be
// sent again, and never quote an address with its query. A host that fails again and again is passed
// over for a while (circuit breaker, 熔断).
package upstream

import (
	"context"
	"crypto/tls"
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

	"github.com/wxstack/wxstack/chassis/egress"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
)

var (
	// ErrUnreachable says that no host could be connected to. The request was not sent.
	ErrUnreachable = errors.New("no host of WeChat's API can be reached")
	// ErrNoAnswer says that the request was sent and no answer came in time. What became of it is unknown.
	ErrNoAnswer = errors.New("WeChat's API did not answer in time")
	// ErrBroken says that the connection broke after the request was sent. What became of it is unknown.
	ErrBroken = errors.New("the connection to WeChat's API broke before the answer")
)

// Settings of a Client.
type Settings struct {
	// Bases are addresses such as https://api.weixin.qq.com; the first that works is used.
	Bases []string
	// ConnectTimeout bounds connecting to one host, TLS included.
	ConnectTimeout time.Duration
	// AnswerTimeout is how long the headers of the answer may take. Long bodies get extra time.
	AnswerTimeout time.Duration
	// Way is the way out, straight or by a forward proxy.
	Way egress.Way
}

// Body is what can be sent more than once.
type Body interface {
	Reader() io.Reader
	Size() int64
}

// Request is one request without its host.
type Request struct {
	Method string
	// RequestURI is path and query, already checked and with the token in it.
	RequestURI string
	Header     http.Header
	Body       Body
	// Repeat says that sending it twice does no harm.
	Repeat bool
}

// Client sends requests. It is safe for concurrent use.
type Client struct {
	transports transports
	hosts      *hosts
	timeout    time.Duration
}

const (
	// maxIdle keeps connections for bursts; the transport's default of 2 a host reconnects all the time.
	maxIdle = 64
	// idleLife is under the keepalive of common front ends (75 s with nginx), because a request on a
	// connection that the other side just closed has an unknown outcome.
	idleLife = 30 * time.Second
	// stall is how long the rest of an answer may stand still.
	stall = 30 * time.Second
	// slowestUpload is the rate, in bytes a second, that a body is given time for.
	slowestUpload = 512 << 10
	// maxAnswerHeader is beyond what WeChat sends and under what would hurt.
	maxAnswerHeader = 64 << 10
)

// New makes a client. It connects to nobody. The component "upstream" of tel is down while a host is out.
func New(s Settings, tel *telemetry.Telemetry) (*Client, error) {
	return newClient(s, tel, (&net.Dialer{Timeout: s.ConnectTimeout}).DialContext)
}

// dialer makes connections.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func newClient(s Settings, tel *telemetry.Telemetry, dial dialer) (*Client, error) {
	list, err := newHosts(s.Bases, newMonitor(tel))
	if err != nil {
		return nil, err
	}
	secured := &tls.Config{
		MinVersion: tls.VersionTLS12,
		// It outlives transports, so that a new connection to a known host is a short handshake.
		ClientSessionCache: tls.NewLRUClientSessionCache(maxIdle),
	}
	create := func() *http.Transport { return newTransport(s, dial, secured) }
	return &Client{timeout: s.AnswerTimeout, hosts: list, transports: transports{create: create}}, nil
}

// newTransport speaks HTTP/1.1 only: on one HTTP/2 connection a single reset would leave every call in
// flight with an unknown outcome. It asks for no compression, so that answers pass as they are and
// errcode can be read.
func newTransport(s Settings, dial dialer, secured *tls.Config) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	transport := &http.Transport{
		DialContext:            dial,
		TLSHandshakeTimeout:    s.ConnectTimeout,
		TLSClientConfig:        secured,
		Protocols:              &protocols,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleLife,
		MaxResponseHeaderBytes: maxAnswerHeader,
	}
	s.Way.Set(transport)
	return transport
}

// Close closes idle connections.
func (c *Client) Close() { c.transports.close() }

// Send sends the request and returns the answer, whatever its status. A host that is out or cannot be
// connected to is passed over; once a request was sent it goes nowhere else. The error wraps
// ErrUnreachable, ErrNoAnswer, ErrBroken or the context's; when all hosts are out it is a fault that tells
// when to try again. The caller closes the body of the answer.
func (c *Client) Send(ctx context.Context, r Request) (*http.Response, error) {
	var last error
	for _, h := range c.hosts.order(time.Now(), r.Repeat) {
		report, ok := c.hosts.admit(h)
		if !ok {
			continue
		}
		begun := time.Now()
		resp, sent, err := c.attempt(ctx, h, r)
		switch {
		case err == nil && brokenDown(resp):
			report(serverError)
			return resp, nil
		case err == nil:
			report(worked)
			return resp, nil
		case ctx.Err() != nil:
			report(departure(ctx.Err(), sent, time.Since(begun), c.patience(r.Body.Size())))
			return nil, ended(ctx, sent)
		}
		report(reasonOf(err, sent))
		if sent {
			return nil, fmt.Errorf("%s: %w", h.base.Host, err)
		}
		last = fmt.Errorf("%w: %s: %w", ErrUnreachable, h.base.Host, err)
	}
	if last == nil {
		last = fault.Wrap(fault.Unavailable, ErrUnreachable,
			"every host of WeChat's API has failed several times in a row, so the call was not sent; check the network, WX_API_BASE_URL and, if set, WX_EGRESS_PROXY").
			WithRetryAfter(c.hosts.wait(time.Now()))
	}
	return nil, last
}

// departure judges an attempt that its caller's context ended after some time. Most callers have less time
// than we have patience; if none of them counted, a silent host would never be found out. So one whose time
// ran out after half of our patience speaks against the host. One that left by itself does not.
func departure(err error, sent bool, waited, patience time.Duration) reason {
	switch {
	case !errors.Is(err, context.DeadlineExceeded) || waited < patience/2:
		return callerLeft
	case sent:
		return noAnswer
	}
	return noConnection
}

// reasonOf names the failure of an attempt.
func reasonOf(err error, sent bool) reason {
	switch {
	case !sent:
		return noConnection
	case errors.Is(err, ErrNoAnswer):
		return noAnswer
	}
	return broken
}

// ended tells a deadline that passed while WeChat had the request from every other end of ctx.
func ended(ctx context.Context, sent bool) error {
	if sent && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrNoAnswer, ctx.Err())
	}
	return ctx.Err()
}

// errPatience is the cause of a context that was cancelled because no answer came.
var errPatience = errors.New("out of patience")

// attempt sends the request to one host. sent reports whether the host can have received any of it.
func (c *Client) attempt(ctx context.Context, h *host, r Request) (resp *http.Response, sent bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	patience := time.AfterFunc(c.patience(r.Body.Size()), func() { cancel(errPatience) })
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	req := newRequest(httptrace.WithClientTrace(ctx, trace), h.base, r)
	transport := c.transports.at(time.Now())
	resp, err = transport.RoundTrip(req)
	patience.Stop()
	switch {
	case err == nil:
		resp.Body = newWatched(resp.Body, cancel, func() { c.transports.release(transport) })
		return resp, true, nil
	case !connected.Load():
		err = describe(err)
	case errors.Is(context.Cause(ctx), errPatience):
		err = ErrNoAnswer
	default:
		err = fmt.Errorf("%w: %w", ErrBroken, describe(err))
	}
	cancel(nil)
	c.transports.release(transport)
	return nil, connected.Load(), err
}

// patience is how long to wait for the headers of an answer to a body of size bytes.
func (c *Client) patience(size int64) time.Duration {
	return c.timeout + time.Duration(size)*time.Second/slowestUpload
}

// newRequest builds the request. The host is the configured one; nothing a caller sends can change it.
func newRequest(ctx context.Context, base *url.URL, r Request) *http.Request {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	req := &http.Request{
		Method: r.Method,
		URL:    &url.URL{Scheme: base.Scheme, Host: base.Host, Path: path, RawQuery: query},
		Host:   base.Host,
		Header: r.Header.Clone(),
		// The length is always known: WeChat has answered 41005 to chunked uploads.
		ContentLength: r.Body.Size(),
	}
	// The transport takes these headers for leave to send a request twice; WeChat does not know them.
	req.Header.Del("Idempotency-Key")
	req.Header.Del("X-Idempotency-Key")
	setBody(req, r)
	return req.WithContext(ctx)
}

// setBody lets the transport repeat a request by itself only where that is right. It repeats what was
// never written to a connection, which is always right, and a GET on a reused connection that broke,
// which is right only for calls marked so. Both need a body that it can get again.
func setBody(req *http.Request, r Request) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	fresh := func() (io.ReadCloser, error) { return io.NopCloser(r.Body.Reader()), nil }
	switch {
	case reads && !r.Repeat:
		req.Body = io.NopCloser(r.Body.Reader())
	case r.Body.Size() == 0:
		req.Body = http.NoBody
	default:
		req.Body, req.GetBody = io.NopCloser(r.Body.Reader()), fresh
	}
}

// describe keeps of an error what is known to hold no address with a query and no byte of an answer.
func describe(err error) error {
	var (
		network *net.OpError
		lookup  *net.DNSError
		tlsBad  *tls.CertificateVerificationError
		refused *egress.RefusedError
	)
	switch {
	case errors.As(err, &lookup):
		return lookup
	case errors.As(err, &network):
		return network
	case errors.As(err, &tlsBad):
		return tlsBad
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	}
	return errNotHTTP
}

// errNotHTTP stands for every error of the transport whose text might quote the other side.
var errNotHTTP = errors.New("connection or answer is not usable")
