// Package redisconn opens the connection to Redis: one server, Sentinel or Cluster, plain or TLS, all
// chosen by one URL, with the time-outs that a caller with a deadline needs.
package redisconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/chassis/config"
)

// Config says where Redis is.
type Config struct {
	URL          string `name:"redis-url" env:"REDIS_URL" default:"redis://localhost:6379/0" help:"redis://HOST:PORT/DB; rediss:// for TLS; redis+sentinel://H1:P1?addr=H2:P2&master_name=NAME; redis+cluster://H1:P1?addr=H2:P2."`
	PasswordFile string `name:"redis-password-file" env:"REDIS_PASSWORD_FILE" help:"File with the Redis password; it wins over one in the URL."`
	CAFile       string `name:"redis-ca-file" env:"REDIS_CA_FILE" help:"Certificates (PEM) to trust for rediss:// instead of the system's."`
}

// The time-outs are well under WeChat's 5 s, so that a dead Redis leaves time to answer without it.
const (
	dialTimeout = time.Second
	ioTimeout   = time.Second
	// dialAttempts is one because the callers try again themselves; the driver's five would turn
	// «connection refused» into a time-out.
	dialAttempts = 1
	// clusterReload bounds how long a killed master stays in use; the library's default of a minute
	// was measured to lose more than 25 s of writes.
	clusterReload = time.Second
)

// Check reads the files and parses the URL without connecting.
func (c Config) Check() error {
	client, err := Open(c)
	if err != nil {
		return err
	}
	return client.Close()
}

// Open returns a client. It does not connect: a Redis that is down shows at the first command, and in
// Watch.
func Open(c Config) (redis.UniversalClient, error) {
	silence()
	password, err := c.password()
	if err != nil {
		return nil, err
	}
	roots, err := c.roots()
	if err != nil {
		return nil, err
	}
	topology, plain, err := split(c.URL)
	if err != nil {
		return nil, err
	}
	switch topology {
	case "cluster":
		return openCluster(plain, password, roots)
	case "sentinel":
		return openSentinel(plain, password, roots)
	default:
		return openSingle(plain, password, roots)
	}
}

// silence stops the driver from writing lines of its own to standard error, twice a second while Redis
// is down: Watch reports that once.
var silence = sync.OnceFunc(func() { redis.SetLogger(silent{}) })

type silent struct{}

// Printf drops a line of the driver's.
func (silent) Printf(context.Context, string, ...any) {}

func openSingle(plain, password string, roots *x509.CertPool) (redis.UniversalClient, error) {
	o, err := redis.ParseURL(plain)
	if err != nil {
		return nil, invalid(err)
	}
	o.ContextTimeoutEnabled, o.DialerRetries = true, dialAttempts
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	o.Password = prefer(password, o.Password)
	trust(o.TLSConfig, roots)
	return redis.NewClient(o), nil
}

func openSentinel(plain, password string, roots *x509.CertPool) (redis.UniversalClient, error) {
	o, err := redis.ParseFailoverURL(plain)
	if err != nil {
		return nil, invalid(err)
	}
	o.ContextTimeoutEnabled, o.DialerRetries = true, dialAttempts
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	o.Password = prefer(password, o.Password)
	trust(o.TLSConfig, roots)
	return redis.NewFailoverClient(o), nil
}

func openCluster(plain, password string, roots *x509.CertPool) (redis.UniversalClient, error) {
	o, err := redis.ParseClusterURL(plain)
	if err != nil {
		return nil, invalid(err)
	}
	o.ContextTimeoutEnabled, o.DialerRetries = true, dialAttempts
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	o.ClusterStateReloadInterval = clusterReload
	o.Password = prefer(password, o.Password)
	trust(o.TLSConfig, roots)
	return redis.NewClusterClient(o), nil
}

// split takes the topology out of the scheme and leaves a URL that go-redis parses.
func split(raw string) (topology, plain string, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", "", invalid(err)
	}
	scheme, topology, _ := strings.Cut(u.Scheme, "+")
	known := scheme == "redis" || scheme == "rediss"
	if !known || (topology != "" && topology != "sentinel" && topology != "cluster") {
		return "", "", fmt.Errorf("REDIS_URL: scheme %q is none of redis, rediss, redis+sentinel, rediss+sentinel, redis+cluster, rediss+cluster", u.Scheme)
	}
	if topology == "sentinel" && u.Query().Get("master_name") == "" {
		return "", "", errors.New("REDIS_URL: redis+sentinel needs ?master_name=NAME")
	}
	u.Scheme = scheme
	return topology, u.String(), nil
}

// invalid hides the URL that the parsers quote, because it may hold a password.
func invalid(err error) error {
	if bad, ok := errors.AsType[*url.Error](err); ok {
		err = bad.Err
	}
	return fmt.Errorf("REDIS_URL: %w; it looks like redis://HOST:6379/0", err)
}

func (c Config) password() (string, error) {
	if c.PasswordFile == "" {
		return "", nil
	}
	secret, err := config.ReadSecret("REDIS_PASSWORD_FILE", c.PasswordFile)
	return secret.Reveal(), err
}

func (c Config) roots() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil //nolint:nilnil // nil is crypto/tls's word for the system's certificates.
	}
	pem, err := config.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("REDIS_CA_FILE: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("REDIS_CA_FILE: %s holds no certificate in PEM form", c.CAFile)
	}
	return pool, nil
}

func trust(t *tls.Config, roots *x509.CertPool) {
	if t != nil && roots != nil {
		t.RootCAs = roots
	}
}

func prefer(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

const (
	watchInterval = time.Second
	watchTimeout  = 800 * time.Millisecond
)

// Ping returns the function that asks client whether Redis works.
func Ping(client redis.UniversalClient) func(context.Context) error {
	return func(ctx context.Context) error { return client.Ping(ctx).Err() }
}

// Watch asks every second whether Redis works, and tells report each answer, until ctx is done. The
// Report of a telemetry.Component is such a report.
func Watch(ctx context.Context, ping func(context.Context) error, report func(error)) error {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		bounded, cancel := context.WithTimeout(ctx, watchTimeout)
		err := ping(bounded)
		cancel()
		if ctx.Err() != nil {
			return nil // the process is stopping; that says nothing about Redis.
		}
		report(err)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
