// Package redistest gives tests a Redis: a real server where redis-server is installed, and miniredis.
package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
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
	// ended is closed when the process has ended.
	ended chan struct{}
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
	server := new(Server)
	t.Cleanup(server.Stop)
	const attempts = 10
	for range attempts { // somebody else may take the port before the server has it.
		server.Addr = freeAddr(t)
		if server.start(t) {
			return open(t, server.Addr), server
		}
	}
	t.Fatalf("redis-server ended at once, %d times", attempts)
	return nil, nil
}

// Start starts the server again, empty, and waits until it answers.
func (s *Server) Start(t *testing.T) {
	t.Helper()
	if !s.start(t) {
		t.Fatalf("redis-server ended at once; somebody else may have taken %s", s.Addr)
	}
}

// start reports whether the server answers. Otherwise it has ended.
func (s *Server) start(t *testing.T) bool {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd, ended := exec.CommandContext(context.WithoutCancel(t.Context()), "redis-server", //nolint:gosec // arguments of our own.
		"--port", port, "--bind", host, "--save", "", "--dir", t.TempDir()), make(chan struct{})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.cmd, s.ended = cmd, ended
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer client.Close() //nolint:errcheck // only asked who it is.
	// It may be another server that answers.
	for own := fmt.Sprintf("process_id:%d\r", cmd.Process.Pid); !strings.Contains(client.Info(t.Context(), "server").Val(), own); {
		select {
		case <-ended:
			return false
		case <-t.Context().Done():
			t.Fatal("redis-server does not answer")
		case <-time.After(10 * time.Millisecond):
		}
	}
	return true
}

// Stop kills the server.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
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
