// Package redistest gives tests a Redis: a real server where redis-server is installed, and miniredis.
package redistest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// Mini returns a client of a new miniredis, and the server for its levers.
func Mini(t *testing.T) (redis.UniversalClient, *miniredis.Miniredis) {
	t.Helper()
	server := miniredis.RunT(t)
	return open(t, server.Addr()), server
}

// Server is a real redis-server that a test may stop and start.
type Server struct {
	Addr string
	cmd  *exec.Cmd
}

// URL returns the address in the form of REDIS_URL.
func (s *Server) URL() string { return "redis://" + s.Addr + "/0" }

// Real returns a client of a new redis-server without persistence. The test is skipped where none is
// installed, except in CI, where that is a failure.
func Real(t *testing.T) (redis.UniversalClient, *Server) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed")
	}
	server := &Server{Addr: freeAddr(t)}
	server.Start(t)
	t.Cleanup(server.Stop)
	return open(t, server.Addr), server
}

// Start starts the server, empty, and waits until it answers.
func (s *Server) Start(t *testing.T) {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), "redis-server", //nolint:gosec // arguments of our own.
		"--port", port, "--bind", host, "--save", "", "--dir", t.TempDir())
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer client.Close() //nolint:errcheck // only pinged.
	for client.Ping(t.Context()).Err() != nil {
		if t.Context().Err() != nil {
			t.Fatal("redis-server does not answer")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Stop kills the server.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func open(t *testing.T, addr string) redis.UniversalClient {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func freeAddr(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	lis, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close() //nolint:errcheck // only its port was wanted.
	return lis.Addr().String()
}
