package redisconn_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOpenChoosesTheTopologyByScheme(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		url     string
		cluster bool
		tls     bool
	}{
		"single":       {url: "redis://:pw@h:6379/2"},
		"single TLS":   {url: "rediss://h:6379", tls: true},
		"sentinel":     {url: "redis+sentinel://h1:26379?addr=h2:26379&master_name=mymaster"},
		"sentinel TLS": {url: "rediss+sentinel://h1:26379?master_name=mymaster", tls: true},
		"cluster":      {url: "redis+cluster://h1:6379?addr=h2:6379", cluster: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := redisconn.Open(redisconn.Config{URL: tt.url})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			switch c := client.(type) {
			case *redis.ClusterClient:
				o := c.Options()
				if !tt.cluster || !o.ContextTimeoutEnabled || o.ClusterStateReloadInterval > time.Second {
					t.Errorf("cluster options %+v", o)
				}
			case *redis.Client:
				o := c.Options()
				if tt.cluster || !o.ContextTimeoutEnabled || (o.TLSConfig != nil) != tt.tls {
					t.Errorf("options %+v", o)
				}
			default:
				t.Errorf("client is %T", client)
			}
		})
	}
}

func TestBadSettingsAreNamedWithoutShowingThePassword(t *testing.T) {
	t.Parallel()
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		cfg  redisconn.Config
		want string
	}{
		"scheme":           {redisconn.Config{URL: "http://:hunter2@h"}, "rediss+sentinel"},
		"no master name":   {redisconn.Config{URL: "redis+sentinel://:hunter2@h:1"}, "master_name"},
		"not a URL":        {redisconn.Config{URL: "redis://:hunter2@h:port"}, "REDIS_URL"},
		"bad database":     {redisconn.Config{URL: "redis://:hunter2@h:1/x"}, "REDIS_URL"},
		"no password file": {redisconn.Config{URL: "redis://h:1", PasswordFile: "/none"}, "REDIS_PASSWORD_FILE"},
		"bad CA":           {redisconn.Config{URL: "rediss://h:1", CAFile: notPEM}, "REDIS_CA_FILE"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.cfg.Check()
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error = %v, want one with %q and no password", err, tt.want)
			}
		})
	}
}

func TestThePasswordFileWins(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	server.RequireAuth("right")
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := redisconn.Open(redisconn.Config{URL: "redis://:wrong@" + server.Addr(), PasswordFile: file})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestADeadlineIsKeptWhileRedisHangs(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	silent, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	client, err := redisconn.Open(redisconn.Config{URL: "redis://" + silent.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := client.Get(ctx, "k").Err(); err == nil || ctx.Err() == nil {
		t.Errorf("error %v, context %v: want the context's deadline to end the command", err, ctx.Err())
	}
}

func TestWatchReportsBothWays(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client, err := redisconn.Open(redisconn.Config{URL: "redis://" + server.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	health := telemetry.Discard().Health
	component := health.Component("redis")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- redisconn.Watch(ctx, redisconn.Ping(client), component.Report) }()
	server.SetError("LOADING")
	waitFor(t, func() bool { r, _ := health.Report(); return len(r.Down()) == 1 })
	server.SetError("")
	waitFor(t, func() bool { r, _ := health.Report(); return len(r.Down()) == 0 })
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for range 500 {
		if condition() {
			return
		}
		<-ticker.C
	}
	t.Fatal("condition did not come true")
}
