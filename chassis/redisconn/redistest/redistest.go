// Package redistest gives tests a real Redis.
package redistest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a redis-server of a test's own, without persistence. It listens on a socket in a folder of its
// own: a port that is free now may be somebody else's when the server binds it.
type Server struct {
	socket  string
	process *os.Process
}

// Start starts a server and waits until it answers; it ends with the test. Where redis-server is not
// installed the test is skipped, except in CI, where that is a failure.
func Start(t *testing.T) *Server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		const missing = "redis-server is not installed: apt-get install redis-server"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip("SKIPPED, not tested here: " + missing)
	}
	// The path of a socket has to be shorter than those of t.TempDir may be.
	dir, err := os.MkdirTemp("", "redis-") //nolint:usetesting // see above.
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{socket: filepath.Join(dir, "socket")}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, "--port", "0", "--unixsocket", s.socket, "--save", "", "--dir", dir) //nolint:gosec // arguments of our own.
	if err := cmd.Start(); err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	s.process = cmd.Process
	t.Cleanup(func() {
		_ = s.process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	options := s.Options()
	options.MaxRetries, options.MinRetryBackoff = 100, 10*time.Millisecond // until it listens
	client := redis.NewClient(options)
	defer client.Close() //nolint:errcheck // only pinged.
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return s
}

// Options are those of a client of the server.
func (s *Server) Options() *redis.Options { return &redis.Options{Network: "unix", Addr: s.socket} }

// Client returns a client of the server that is closed when the test ends.
func (s *Server) Client(t *testing.T) *redis.Client { t.Helper(); return Connect(t, s.Options()) }

// Connect returns a client that is closed when the test ends.
func Connect(t *testing.T, options *redis.Options) *redis.Client {
	t.Helper()
	client := redis.NewClient(options)
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// Age lets d pass for every key of a real Redis, whose clock nobody can turn. A key without an end fails the test.
func Age(t *testing.T, client *redis.Client, d time.Duration) {
	t.Helper()
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		left, err := client.PTTL(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if left <= 0 {
			t.Fatalf("key %s has no end", key)
		}
		if err := client.PExpire(t.Context(), key, left-d).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// Process is the server's, to be killed or paused.
func (s *Server) Process() *os.Process { return s.process }
