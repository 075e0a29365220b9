package chaos

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

const (
	shots = 10_000
	// gunners is how many connections fire at once.
	gunners = 8
	// maxGrowth is how much more memory a gateway may hold afterwards. It keeps the answers of the last
	// ten minutes, about ten thousand here.
	maxGrowth = 30 << 20
)

// Whatever reaches the callback URL, the gateway answers it as its class demands, stays alive, and stays small.
//
// It isn't parallel, because it takes all the processor it can get: the other tests would see replicas that
// stall and take each other for dead.
func TestHostileRequests(t *testing.T) {
	l := serveLogic(t)
	redisURL, _ := harness.Redis(t)
	gateway := harness.StartGateways(t, 1, "WX_ACCOUNTS_FILE="+harness.WriteAccounts(t, accountsUnderAttack()...),
		"REDIS_URL="+redisURL, "LOGIC_ADDR="+l.addr)[0]
	t.Logf("seed %d", seed)
	before := heapInUse(t, gateway)
	fire(t, gateway.Addr, shots)
	after := heapInUse(t, gateway)
	t.Logf("heap in use: %.1f MiB before, %.1f MiB after", before/(1<<20), after/(1<<20))
	if after-before > maxGrowth {
		t.Errorf("heap in use grew from %.0f to %.0f bytes", before, after)
	}
	c := &connection{addr: gateway.Addr}
	defer c.close()
	f := &forge{Rand: rand.New(rand.NewPCG(seed, shots)), number: shots, now: time.Now()}
	if err := c.expect(t.Context(), f.push(f.message("still there?")).shot(), answered); err != nil {
		t.Errorf("a good message afterwards: %v", err)
	}
	output := gateway.Output()
	if strings.Contains(output, "panic") || strings.Contains(output, "goroutine ") {
		t.Error("the gateway's log tells of a panic")
	}
	if err := harness.CheckLog(output, account.DevelopmentCallbackToken, account.DevelopmentEncodingAESKey, "你好", "still there?"); err != nil {
		t.Error(err)
	}
}

// fire makes the requests of numbers 0 to count, each connection one after the other.
func fire(t *testing.T, addr string, count int) {
	t.Helper()
	var next atomic.Int64
	var missed atomic.Int64
	var all sync.WaitGroup
	for range gunners {
		all.Go(func() {
			c := &connection{addr: addr}
			defer c.close()
			for {
				number := int(next.Add(1)) - 1
				if number >= count {
					return
				}
				f := &forge{Rand: rand.New(rand.NewPCG(seed, uint64(number))), number: number, now: time.Now()}
				a := attacks[number%len(attacks)]
				s, expected := a.make(f)
				if err := c.expect(t.Context(), s, expected); err != nil && missed.Add(1) <= maxStories {
					t.Errorf("request %d, %s: %v\n%q", number, a.name, err, s.raw[:min(len(s.raw), 2000)])
				}
			}
		})
	}
	all.Wait()
	if n := missed.Load(); n > maxStories {
		t.Errorf("%d of %d requests were not answered as they should be", n, count)
	}
}

// connection keeps a connection alive as long as the server does.
type connection struct {
	addr   string
	conn   net.Conn
	reader *bufio.Reader
}

const exchangeTimeout = 20 * time.Second

func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *connection) open(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	c.conn, c.reader = conn, bufio.NewReader(conn)
	return nil
}

// expect sends a request and compares the answer.
func (c *connection) expect(ctx context.Context, s shot, expected want) error {
	status, body, err := c.exchange(ctx, s)
	switch {
	case err != nil:
		return err
	case !slices.Contains(expected.statuses, status):
		return fmt.Errorf("status %d, want %v; body %.200q", status, expected.statuses, body)
	case expected.body != nil && !expected.body(body):
		return fmt.Errorf("status %d as it should be, body %.200q", status, body)
	}
	return nil
}

func (c *connection) exchange(ctx context.Context, s shot) (status int, body string, err error) {
	if err := c.open(ctx); err != nil {
		return 0, "", err
	}
	if err := c.conn.SetDeadline(time.Now().Add(exchangeTimeout)); err != nil {
		return 0, "", err
	}
	if _, err := io.Copy(c.conn, bytes.NewReader(s.raw)); err != nil {
		c.close()
		return 0, "", err
	}
	if s.last {
		if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
			return 0, "", err
		}
		defer c.close()
	}
	resp, err := http.ReadResponse(c.reader, &http.Request{Method: s.method})
	if err != nil {
		c.close()
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.Close {
		c.close()
	}
	return resp.StatusCode, string(answer), err
}

// heapInUse returns the bytes of the gateway's heap after a collection.
func heapInUse(t *testing.T, gateway *harness.Replica) float64 {
	t.Helper()
	if _, err := get(t, gateway.DebugURL+"/debug/pprof/heap?gc=1"); err != nil {
		t.Fatal(err)
	}
	metrics, err := get(t, gateway.DebugURL+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(metrics, "\n") {
		if value, ok := strings.CutPrefix(line, "go_memstats_heap_inuse_bytes "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no go_memstats_heap_inuse_bytes among the metrics")
	return 0
}
