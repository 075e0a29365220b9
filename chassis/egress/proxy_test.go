package egress_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// forwardProxy is a real proxy on loopback. It serves those who bring its user and password, if it has any.
type forwardProxy struct {
	url            string
	user, password string
	served         atomic.Int32
	t              *testing.T
}

func startProxy(t *testing.T, scheme, user, password string) *forwardProxy {
	t.Helper()
	p := &forwardProxy{user: user, password: password, t: t}
	if scheme == "socks5" {
		p.startSOCKS()
		return p
	}
	server := httptest.NewUnstartedServer(p)
	if scheme == "https" {
		server.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// ServeHTTP tunnels (CONNECT) and forwards plain requests.
func (p *forwardProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.user != "" {
		asBasic := &http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
		if user, password, ok := asBasic.BasicAuth(); !ok || user != p.user || password != p.password {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
	}
	p.served.Add(1)
	if r.Method == http.MethodConnect {
		p.tunnel(w, r.Host)
		return
	}
	r.RequestURI = ""
	r.Header.Del("Proxy-Authorization")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

func (p *forwardProxy) tunnel(w http.ResponseWriter, address string) {
	target, err := dial(address)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.t.Error(err)
		return
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	splice(struct {
		io.Reader
		io.WriteCloser
	}{buffered, client}, target)
}

func dial(address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
}

// splice carries bytes both ways until one side ends, which ends the other.
func splice(a, b io.ReadWriteCloser) {
	var both sync.WaitGroup
	for _, way := range [][2]io.ReadWriteCloser{{a, b}, {b, a}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_, _ = a.Close(), b.Close()
		})
	}
	both.Wait()
}

func (p *forwardProxy) startSOCKS() {
	var lc net.ListenConfig
	lis, err := lc.Listen(p.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				_ = p.serveSOCKS(conn)
			})
		}
	})
	p.t.Cleanup(func() { _ = lis.Close(); conns.Wait() })
	p.url = "socks5://" + lis.Addr().String()
}

// serveSOCKS speaks SOCKS5 (RFC 1928) with CONNECT, and user and password (RFC 1929).
func (p *forwardProxy) serveSOCKS(conn net.Conn) error {
	methods, err := counted(conn, 1)
	if err != nil {
		return err
	}
	method := byte(0)
	if p.user != "" {
		method = 2
	}
	if !strings.ContainsRune(methods, rune(method)) {
		_, err := conn.Write([]byte{5, 0xff})
		return err
	}
	if _, err := conn.Write([]byte{5, method}); err != nil {
		return err
	}
	if p.user != "" {
		if err := p.login(conn); err != nil {
			return err
		}
	}
	address, err := destination(conn)
	if err != nil {
		return err
	}
	p.served.Add(1)
	target, err := dial(address)
	if err != nil {
		_, err := conn.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		return err
	}
	if _, err := conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}); err != nil {
		return err
	}
	splice(conn, target)
	return nil
}

// login reads user and password.
func (p *forwardProxy) login(conn net.Conn) error {
	user, err := counted(conn, 1)
	if err != nil {
		return err
	}
	password, err := counted(conn, 0)
	if err != nil {
		return err
	}
	if user != p.user || password != p.password {
		_, _ = conn.Write([]byte{1, 1})
		return errors.New("wrong password")
	}
	_, err = conn.Write([]byte{1, 0})
	return err
}

// destination reads the request to connect.
func destination(conn net.Conn) (string, error) {
	head := make([]byte, 4) // version, command, reserved, type of the address.
	if _, err := io.ReadFull(conn, head); err != nil {
		return "", err
	}
	var host string
	if head[3] == 3 {
		name, err := counted(conn, 0)
		if err != nil {
			return "", err
		}
		host = name
	} else {
		ip := make(net.IP, map[byte]int{1: net.IPv4len, 4: net.IPv6len}[head[3]])
		if _, err := io.ReadFull(conn, ip); err != nil {
			return "", err
		}
		host = ip.String()
	}
	port := make([]byte, 2)
	if _, err := io.ReadFull(conn, port); err != nil {
		return "", err
	}
	return net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(port)))), nil
}

// counted skips bytes, and reads a text after the byte that counts it.
func counted(conn net.Conn, skip int) (string, error) {
	head := make([]byte, skip+1)
	if _, err := io.ReadFull(conn, head); err != nil {
		return "", err
	}
	text := make([]byte, head[skip])
	_, err := io.ReadFull(conn, text)
	return string(text), err
}
