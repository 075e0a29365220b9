package proxies

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wxstack/wxstack/test/harness"
)

// The service configs of docs/callers.md: one for calls that are safe to repeat, or carry a key, and one for all
// others, which only a caller who looks first may send again.
const (
	balanced = `{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}`
	once     = balanced + `}`
	repeated = balanced + `, "methodConfig": [{"name": [{}], "waitForReady": true, "retryPolicy": {
		"maxAttempts": 4, "initialBackoff": "0.05s", "maxBackoff": "1s", "backoffMultiplier": 3, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`
)

const unlimited = `
callers:
  - {name: crm, accounts: "*", apis: "*"}
`

// load is clients that go on calling until it is stopped.
type load struct {
	t       *testing.T
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	results map[string][]settled // by the kind of client
}

// settled is a call with what became of it.
type settled struct {
	call

	result
}

func newLoad(t *testing.T) *load {
	l := &load{t: t, results: map[string][]settled{}}
	l.ctx, l.stop = context.WithCancel(t.Context())
	return l
}

// add starts so many clients of a kind. Each call is given by its number, which no other of the load has, and is
// made by make once or until it is settled.
func (l *load) add(kind string, count int, cl client, next func(id string) call, do func(context.Context, client, call) result) {
	for i := range count {
		l.running.Go(func() {
			for n := 0; l.ctx.Err() == nil; n++ {
				c := next(strings.ReplaceAll(kind, " ", "-") + "-" + strconv.Itoa(i) + "-" + strconv.Itoa(n))
				// A call that has begun is settled before the load ends.
				r := do(context.WithoutCancel(l.ctx), cl, c)
				l.mu.Lock()
				l.results[kind] = append(l.results[kind], settled{c, r})
				l.mu.Unlock()
				_ = pause(l.ctx, 5*time.Millisecond)
			}
		})
	}
}

// end stops the clients and returns what became of their calls.
func (l *load) end() map[string][]settled {
	l.stop()
	l.running.Wait()
	return l.results
}

func reading(string) call                                  { return read("crm") }
func writing(id string) call                               { return send("crm", id) }
func keyed(id string) call                                 { c := send("crm", id); c.key = id; return c }
func single(ctx context.Context, cl client, c call) result { return cl.do(ctx, c) }

func persistent(ctx context.Context, cl client, c call) result {
	r, _, _ := persist(ctx, cl, c)
	return r
}

// Who may repeat a call repeats it, and sees no failure; who may not makes it once, and WeChat gets it once at most.
func TestReplicasDieAndCallersDoNotNotice(t *testing.T) {
	w := newWorld(t, unlimited)
	edge := harness.StartAPIEdge(t, w.proxies)
	behindEdge := newHTTP(t, edge.URL)
	var addrs []string
	for _, r := range w.proxies {
		addrs = append(addrs, r.GRPCAddr)
	}
	l := newLoad(t)
	const each = 4
	l.add("HTTP read", each, behindEdge, reading, persistent)
	l.add("HTTP keyed", each, behindEdge, keyed, persistent)
	l.add("HTTP write", each, behindEdge, writing, single)
	l.add("gRPC read", each, newGRPC(t, repeated, addrs...), reading, persistent)
	l.add("gRPC keyed", each, newGRPC(t, repeated, addrs...), keyed, persistent)
	l.add("gRPC write", each, newGRPC(t, once, addrs...), writing, single)
	const deaths = 8
	for i := range deaths {
		_ = pause(t.Context(), time.Second/2)
		victim := w.proxies[i%len(w.proxies)]
		victim.Stop(t, syscall.SIGKILL)
		_ = pause(t.Context(), time.Second/2)
		victim.Start(t)
		victim.WaitReady(t)
	}
	for kind, all := range l.end() {
		w.judge(t, kind, all)
	}
}

// judge checks what became of the calls of a kind of clients.
func (w *world) judge(t *testing.T, kind string, all []settled) {
	t.Helper()
	counts := map[outcome]int{}
	for _, s := range all {
		counts[s.outcome]++
		times := 0
		if s.says != "" {
			times = w.wechat.times(s.says)
		}
		switch {
		case times > 1:
			t.Errorf("%s: WeChat got %q %d times", kind, s.says, times)
		case s.outcome == done && s.says != "" && times != 1:
			t.Errorf("%s: %q is said to be done and WeChat never got it", kind, s.says)
		case s.outcome == done, s.outcome == unknown && s.key != "":
		case s.key == "" && s.says != "": // who may not repeat has to live with it.
		default:
			t.Errorf("%s: a caller who may repeat saw %v", kind, s.result)
		}
	}
	t.Logf("%s: %v", kind, counts)
	if counts[done] < 50 {
		t.Errorf("%s: %v is too little to judge", kind, counts)
	}
}

// A replica that is asked to stop finishes what it has and gets nothing new: not even callers who never repeat lose a
// call.
func TestReplicasDrainWithoutALoss(t *testing.T) {
	w := newWorld(t, unlimited)
	edge := harness.StartAPIEdge(t, w.proxies)
	var addrs []string
	for _, r := range w.proxies {
		addrs = append(addrs, r.GRPCAddr)
	}
	l := newLoad(t)
	const each = 4
	l.add("HTTP write", each, newHTTP(t, edge.URL), writing, single)
	l.add("gRPC write", each, newGRPC(t, once, addrs...), writing, single)
	for _, r := range w.proxies {
		_ = pause(t.Context(), time.Second/2)
		r.Stop(t, syscall.SIGTERM)
		r.Start(t)
		r.WaitReady(t)
		// The edge and the clients have to find it again before the next one goes.
		harness.Eventually(t, "the edge sees all replicas", func() error { return harness.Ready(t.Context(), edge.StatusURL+"/healthz") })
		_ = pause(t.Context(), 2*time.Second)
	}
	for kind, all := range l.end() {
		for _, s := range all {
			if s.outcome != done || w.wechat.times(s.says) != 1 {
				t.Errorf("%s: %q: %v; WeChat got it %d times", kind, s.says, s.result, w.wechat.times(s.says))
			}
		}
		if len(all) < 50 {
			t.Errorf("%s: %d calls are too little to judge", kind, len(all))
		}
		t.Logf("%s: %d calls", kind, len(all))
	}
}
