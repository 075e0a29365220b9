package ha

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

const redisRemedy = "apt-get install redis-server redis-sentinel"

// node is one redis-server or redis-sentinel.
type node struct {
	*harness.Process

	addr, port string
}

func startRedis(t *testing.T, flags ...string) node {
	t.Helper()
	harness.Require(t, "redis-server", redisRemedy)
	n := newNode(t)
	n.Process = harness.Start(t, "redis-server", nil, append([]string{
		"--port", n.port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir(), "--repl-diskless-sync-delay", "0",
	}, flags...)...)
	n.answers(t)
	return n
}

func startSentinel(t *testing.T, master node) node {
	t.Helper()
	harness.Require(t, "redis-sentinel", redisRemedy)
	n := newNode(t)
	config := writeFile(t, "sentinel.conf", fmt.Sprintf(`port %s
bind 127.0.0.1
dir %s
sentinel monitor mymaster 127.0.0.1 %s 2
sentinel down-after-milliseconds mymaster 1000
sentinel failover-timeout mymaster 5000
`, n.port, t.TempDir(), master.port))
	n.Process = harness.Start(t, "redis-sentinel", nil, config)
	n.answers(t)
	return n
}

func newNode(t *testing.T) node {
	t.Helper()
	n := node{addr: harness.FreeAddr(t)}
	_, n.port, _ = net.SplitHostPort(n.addr)
	return n
}

func (n node) answers(t *testing.T) {
	t.Helper()
	n.says(t, "PONG", "PING")
}

// cli runs a command.
func (n node) cli(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "redis-cli", append([]string{"-h", "127.0.0.1", "-p", n.port}, args...)...).CombinedOutput()
	return string(out), err
}

// says waits until the answer to a command has a text in it.
func (n node) says(t *testing.T, want string, args ...string) {
	t.Helper()
	harness.Eventually(t, strings.Join(args, " ")+" on "+n.addr, func() error {
		out, err := n.cli(t, args...)
		if err != nil || !strings.Contains(out, want) {
			return notYet(err, out)
		}
		return nil
	})
}

// notYet is the error of a condition that has not come true.
func notYet(err error, answer string) error {
	if err != nil {
		return fmt.Errorf("%w: %s", err, answer)
	}
	return errors.New("not yet: " + answer)
}

func TestAFailoverBySentinelIsNotNoticedByCallers(t *testing.T) {
	t.Parallel()
	master := startRedis(t)
	var all []node
	for range 2 {
		all = append(all, startRedis(t, "--replicaof", "127.0.0.1", master.port))
	}
	for _, n := range all {
		n.inSync(t)
	}
	var sentinels []node
	for range 3 {
		sentinels = append(sentinels, startSentinel(t, master))
	}
	for _, s := range sentinels {
		s.says(t, "num-slaves\n2\n", "SENTINEL", "MASTER", "mymaster")
		s.says(t, "num-other-sentinels\n2\n", "SENTINEL", "MASTER", "mymaster")
	}
	url := fmt.Sprintf("redis+sentinel://%s?addr=%s&addr=%s&master_name=mymaster", sentinels[0].addr, sentinels[1].addr, sentinels[2].addr)
	failover(t, url, func() []node {
		master.Kill()
		for _, s := range sentinels {
			harness.Eventually(t, "a replica is the master", func() error {
				out, err := s.cli(t, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")
				if err != nil || strings.Contains(out, master.port) {
					return notYet(err, out)
				}
				return nil
			})
		}
		return all
	})
}

func TestAFailoverInAClusterIsNotNoticedByCallers(t *testing.T) {
	t.Parallel()
	var all []node
	create := []string{"--cluster", "create"}
	for range 6 {
		bus := newNode(t)
		n := startRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", bus.port)
		all, create = append(all, n), append(create, n.addr)
	}
	harness.Eventually(t, "the cluster is made", func() error {
		if out, err := all[0].cli(t, append(create, "--cluster-replicas", "1", "--cluster-yes")...); err != nil && !strings.Contains(out, "is not empty") {
			return notYet(err, out)
		}
		return nil
	})
	for _, n := range all {
		n.says(t, "cluster_state:ok", "CLUSTER", "INFO")
		n.inSync(t)
	}
	failover(t, "redis+cluster://"+all[0].addr+"?addr="+all[1].addr+"&addr="+all[2].addr, func() []node {
		owner := ownerOfTheAccount(t, all)
		owner.Kill()
		var rest []node
		for _, n := range all {
			if n.port != owner.port {
				rest = append(rest, n)
			}
		}
		for _, n := range rest {
			n.says(t, "master,fail", "CLUSTER", "NODES")
			n.says(t, "cluster_state:ok", "CLUSTER", "INFO")
		}
		return rest
	})
}

// inSync waits until a replica has what its master has, and a master its replica.
func (n node) inSync(t *testing.T) {
	t.Helper()
	harness.Eventually(t, n.addr+" is in sync", func() error {
		out, err := n.cli(t, "INFO", "replication")
		if err != nil || (!strings.Contains(out, "master_link_status:up") && !strings.Contains(out, "state=online")) {
			return notYet(err, out)
		}
		return nil
	})
}

// ownerOfTheAccount returns the master that has the account's keys.
func ownerOfTheAccount(t *testing.T, all []node) node {
	t.Helper()
	for _, n := range all {
		role, err := n.cli(t, "ROLE")
		keys, keysErr := n.cli(t, "KEYS", "wx:{"+account.DevelopmentAppID+"}:*")
		if err == nil && keysErr == nil && strings.HasPrefix(role, "master") && strings.Contains(keys, "token") {
			return n
		}
	}
	t.Fatal("no master has the account's keys")
	return node{}
}

// failover makes the master die under two replicas of token-center with watchers and callers: a working token
// is served throughout, nobody fetches, no watcher sees an older one, and renewals work afterwards. In the end
// no node of Redis shows a token.
func failover(t *testing.T, redisURL string, kill func() (rest []node)) {
	t.Helper()
	c := startCenters(t, startPlatform(t, 0), redisURL, "stable", 2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var running sync.WaitGroup
	var newest atomic.Uint64
	for i := range 20 {
		running.Go(func() {
			c.watch(ctx, i, t.Errorf, func(got *tokenv1.Token) { newest.Store(max(newest.Load(), got.GetGeneration())) })
		})
	}
	for i := range 2 {
		running.Go(func() {
			for ctx.Err() == nil {
				token, err := c.get(ctx, i)
				if err == nil {
					err = c.accepted(ctx, token)
				}
				// Between a foreign refresh and its report the old one is rejected: only the kill comes before that.
				if err != nil && ctx.Err() == nil {
					t.Errorf("replica %d: %v", i, err)
				}
				time.Sleep(10 * time.Millisecond) // the pace of the callers.
			}
		})
	}
	rest := kill()
	for i := range 2 {
		harness.Eventually(t, "token-center is well again", func() error { return harness.Ready(t.Context(), "http://"+c.replicas[i].debug+"/readyz") })
	}
	cancel()
	running.Wait()
	if got := c.fetches(t).Stable; got > 2 {
		t.Errorf("%d fetches, want at most one because of the failover", got)
	}
	before := newest.Load()
	if fresh := c.rotated(t, 0); fresh.GetGeneration() <= before {
		t.Errorf("generation %d after %d", fresh.GetGeneration(), before)
	}
	for _, n := range rest {
		n.showsNone(t, c.secrets(t))
	}
}

// showsNone searches everything that a node has.
func (n node) showsNone(t *testing.T, secrets []string) {
	t.Helper()
	dump := filepath.Join(t.TempDir(), "dump.rdb")
	if out, err := n.cli(t, "--rdb", dump); err != nil {
		t.Fatalf("dump of %s: %v: %s", n.addr, err, out)
	}
	// A dump may hold values compressed, so the keys are read as well.
	keys, err := n.cli(t, "--scan")
	if err != nil {
		t.Fatal(err)
	}
	var everything strings.Builder
	everything.WriteString(keys + readFile(t, dump))
	for key := range strings.FieldsSeq(keys) {
		for _, command := range []string{"GET", "HGETALL"} {
			out, _ := n.cli(t, command, key) // one of the two fits its type.
			everything.WriteString(out)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(everything.String(), secret) {
			t.Errorf("Redis at %s shows a token or a secret", n.addr)
		}
	}
}
