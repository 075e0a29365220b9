package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/wxstack/wxstack/chassis/telemetry"

	"github.com/wxstack/wxstack/services/api-proxy/internal/spool"
)

// network is the internet in memory, for clients in a bubble of synctest. A name leads to one server at a
// time; one that leads nowhere refuses connections.
type network struct {
	mu    sync.Mutex
	names map[string]*server
	dials int
}

// server is a machine with an address.
type server struct {
	http   *http.Server
	wrap   *tls.Config // nil: no TLS.
	conns  chan net.Conn
	closed chan struct{}
	mu     sync.Mutex
	alive  int // connections that are open.
}

func newNetwork() *network { return &network{names: map[string]*server{}} }

// point makes a name lead to a server; nil: nowhere.
func (n *network) point(name string, to *server) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names[name] = to
}

var errRefused = errors.New("connection refused")

func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	to := n.names[address]
	n.mu.Unlock()
	if to == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errRefused}
	}
	ours, theirs := net.Pipe()
	select {
	case to.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *network) dialled() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

// serve starts a server, which the test stops.
func (n *network) serve(t *testing.T, handler http.HandlerFunc) *server {
	t.Helper()
	s := &server{conns: make(chan net.Conn), closed: make(chan struct{})}
	s.http = &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler:           handler,
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				s.count(1)
			case http.StateClosed:
				s.count(-1)
			case http.StateActive, http.StateIdle, http.StateHijacked:
			}
		},
	}
	go func() { _ = s.http.Serve(s) }()
	t.Cleanup(func() { _ = s.http.Close() })
	return s
}

func (s *server) count(by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alive += by
}

func (s *server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alive
}

// Accept implements net.Listener.
func (s *server) Accept() (net.Conn, error) {
	select {
	case conn := <-s.conns:
		if s.wrap != nil {
			conn = tls.Server(conn, s.wrap)
		}
		return conn, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (s *server) Close() error {
	close(s.closed)
	return nil
}

// Addr implements net.Listener.
func (s *server) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// client makes one for the network.
func (n *network) client(t *testing.T, tel *telemetry.Telemetry, bases ...string) *Client {
	t.Helper()
	c, err := newClient(Settings{Bases: bases, AnswerTimeout: 10 * time.Second, ConnectTimeout: 3 * time.Second}, tel, n.dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func call() Request {
	return Request{Method: http.MethodPost, RequestURI: "/a?access_token=SECRET", Header: http.Header{}, Body: spool.Bytes([]byte("{}"))}
}

// text makes a call and returns the body of the answer, or the error.
func text(ctx context.Context, c *Client) (string, error) {
	resp, err := c.Send(ctx, call())
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func say(what string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, what) }
}
