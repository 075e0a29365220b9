package late

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	"github.com/wxstack/wxstack/wechat/message"
)

// platform is an api-proxy that makes each call once, whoever asks, and fails as it is told.
type platform struct {
	mu    sync.Mutex
	fail  []error
	made  map[string]bool
	sent  []string
	tried int
}

func (p *platform) Call(_ context.Context, in *apiproxyv1.CallRequest, _ ...grpc.CallOption) (*apiproxyv1.CallResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried++
	if len(p.fail) > 0 {
		err := p.fail[0]
		p.fail = p.fail[1:]
		return nil, err
	}
	if p.made == nil {
		p.made = map[string]bool{}
	}
	if !p.made[in.GetIdempotencyKey()] {
		p.made[in.GetIdempotencyKey()] = true
		p.sent = append(p.sent, string(in.GetBody()))
	}
	return &apiproxyv1.CallResponse{}, nil
}

func (p *platform) texts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.sent...)
}

// answers is a logic service that answers after a while.
type answers struct {
	delay time.Duration
	reply message.Reply
	err   error
	asked atomic.Int32
}

func (a *answers) Reply(ctx context.Context, _ string, _ message.Message, _, _ time.Time) (message.Reply, string, error) {
	a.asked.Add(1)
	select {
	case <-ctx.Done():
		return nil, "", fault.Wrap(fault.Deadline, ctx.Err(), "no answer in time")
	case <-time.After(a.delay):
		return a.reply, "rule", a.err
	}
}

// faulty is a store that can be away.
type faulty struct {
	Store

	away atomic.Bool
}

var errAway = errors.New("store is away")

func (f *faulty) Park(ctx context.Context, job Job, owner string) (string, bool, error) {
	if f.away.Load() {
		return "", false, errAway
	}
	return f.Store.Park(ctx, job, owner)
}

func (f *faulty) Keep(ctx context.Context, appID, owner string, ids []string) ([]string, error) {
	if f.away.Load() {
		return nil, errAway
	}
	return f.Store.Keep(ctx, appID, owner, ids)
}

func (f *faulty) Turn(ctx context.Context, job Job) (bool, error) {
	if f.away.Load() {
		return false, errAway
	}
	return f.Store.Turn(ctx, job)
}

func (f *faulty) Answer(ctx context.Context, job Job, owner string, parts [][]byte) error {
	if f.away.Load() {
		return errAway
	}
	return f.Store.Answer(ctx, job, owner, parts)
}

// lockedLog collects what is logged.
type lockedLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type running struct {
	*Courier

	log     *lockedLog
	metrics func() string
	drain   func(time.Duration)
}

func run(t *testing.T, owner string, store Store, replier Replier, proxy Proxy) *running {
	t.Helper()
	var log lockedLog
	tel := telemetry.ForTest(&log)
	courier := New(Options{
		Store: store, Asker: NewAsker(replier, tel.Log), Proxy: proxy, Owner: owner,
		Accounts: func() []string { return []string{"wx1"} }, ReportProxy: func(error) {}, Log: tel.Log, Metrics: tel.Metrics,
	})
	ran, ctx := make(chan error, 1), t.Context()
	go func() { ran <- courier.Run(ctx) }()
	r := &running{Courier: courier, log: &log}
	var once sync.Once
	r.drain = func(limit time.Duration) {
		once.Do(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
			defer cancel()
			courier.Drain(ctx)
			if err := <-ran; err != nil {
				t.Error(err)
			}
		})
	}
	r.metrics = func() string {
		families, err := tel.Metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, family := range families {
			all.WriteString(family.String() + "\n")
		}
		return all.String()
	}
	t.Cleanup(func() { r.drain(0) })
	return r
}

const pushed = "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><CreateTime>1700000000</CreateTime>" +
	"<MsgType>text</MsgType><Content>你好</Content><MsgId>1</MsgId></xml>"

func (r *running) adopt(t *testing.T, job Job) {
	t.Helper()
	job.Push = []byte(pushed)
	in, err := message.Parse(job.Push)
	if err != nil {
		t.Fatal(err)
	}
	r.Adopt(t.Context(), job, in, nil)
}

var hello = []string{`{"touser":"o1","msgtype":"text","text":{"content":"test"}}`}

func TestWhatCannotBeSentIsTriedAgain(t *testing.T) {
	t.Parallel()
	away := fault.New(fault.Unavailable, "api-proxy is away")
	unclear := fault.New(fault.Deadline, "no answer")
	tests := map[string]struct {
		fail    []error
		sent    []string
		outcome string
	}{
		"at once":                   {nil, hello, "sent"},
		"the proxy was away":        {[]error{away, away, away}, hello, "sent"},
		"nobody knew at first":      {[]error{unclear, unclear}, hello, "sent"},
		"nobody knows":              {[]error{unclear, unclear, unclear}, []string{}, "unknown"},
		"it will never be accepted": {[]error{fault.New(fault.Precondition, "AppSecret rejected")}, []string{}, "failed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &platform{fail: tt.fail}
				r := run(t, "a", NewMemory(), &answers{reply: message.TextReply{Content: "test"}}, p)
				r.adopt(t, newJob("m1"))
				time.Sleep(time.Minute)
				if diff := cmp.Diff(tt.sent, p.texts()); diff != "" {
					t.Error(diff)
				}
				if metrics := r.metrics(); !strings.Contains(metrics, `value:"`+tt.outcome+`"`) {
					t.Errorf("outcome %s is not counted in %s", tt.outcome, metrics)
				}
				if tt.outcome != "sent" && !strings.Contains(r.log.String(), `"m1"`) {
					t.Errorf("what was lost is not in the log: %s", r.log)
				}
				if jobs, err := r.store.Take(t.Context(), "wx1", "b"); err != nil || len(jobs) != 0 {
					t.Errorf("left in the store: %v, %v", jobs, err)
				}
			})
		})
	}
}

func TestAReplicaThatDiesIsSucceeded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, p := NewMemory(), &platform{}
		logic := &answers{delay: 8 * time.Second, reply: message.TextReply{Content: "test"}}
		// The dead one parked the job, and is silent from then on.
		job := newJob("m1")
		job.Push = []byte(pushed)
		if _, _, err := store.Park(t.Context(), job, "dead"); err != nil {
			t.Fatal(err)
		}
		run(t, "a", store, logic, p)
		run(t, "b", store, logic, p)
		time.Sleep(Lease + keepPause + 9*time.Second)
		if diff := cmp.Diff(hello, p.texts()); diff != "" || logic.asked.Load() != 1 {
			t.Errorf("logic was asked %d times: %s", logic.asked.Load(), diff)
		}
	})
}

// TestAReplicaThatStallsLosesItsJobs is about a process that is stopped (SIGSTOP) for longer than a lease and
// goes on as if nothing had been.
func TestAReplicaThatStallsLosesItsJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, p := &faulty{Store: NewMemory()}, &platform{}
		logic := &answers{delay: 30 * time.Second, reply: message.TextReply{Content: "test"}}
		stalled := run(t, "a", store, logic, p)
		stalled.adopt(t, newJob("m1"))
		store.away.Store(true) // for the one that stalls
		run(t, "b", store.Store, logic, p)
		time.Sleep(2 * Lease)
		store.away.Store(false)
		time.Sleep(time.Minute)
		if diff := cmp.Diff(hello, p.texts()); diff != "" || p.tried != 1 {
			t.Errorf("the proxy was asked %d times: %s", p.tried, diff)
		}
		if log := stalled.log.String(); strings.Contains(log, "did not reach") {
			t.Errorf("the stalled replica complains: %s", log)
		}
	})
}

func TestWithoutItsStoreAReplicaGoesOnAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, p := &faulty{Store: NewMemory()}, &platform{}
		store.away.Store(true)
		logic := &answers{delay: 20 * time.Second, reply: message.TextReply{Content: "test"}}
		r := run(t, "a", store, logic, p)
		r.adopt(t, newJob("m1"))
		time.Sleep(30 * time.Second)
		if diff := cmp.Diff(hello, p.texts()); diff != "" {
			t.Error(diff)
		}

		// Once the store is back, it gets what this replica alone had, at the latest when that stops.
		r.adopt(t, newJob("m2"))
		store.away.Store(false)
		r.drain(0)
		if jobs, err := store.Take(t.Context(), "wx1", "b"); err != nil || len(jobs) != 1 || jobs[0].Key != "m2" {
			t.Errorf("took %v, %v", jobs, err)
		}
	})
}

func (m *Memory) loseAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.jobs)
	clear(m.queues)
}

// TestAStoreThatForgetsIsReminded is about a Redis that comes back empty.
func TestAStoreThatForgetsIsReminded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, p := NewMemory(), &platform{}
		logic := &answers{delay: 20 * time.Second, reply: message.TextReply{Content: "test"}}
		r := run(t, "a", store, logic, p)
		r.adopt(t, newJob("m1"))
		store.loseAll()
		time.Sleep(keepPause)
		synctest.Wait()
		if _, parked, err := store.Park(t.Context(), newJob("m1"), "b"); parked || err != nil {
			t.Errorf("the store has not got the job again: %v", err)
		}
		time.Sleep(30 * time.Second)
		if diff := cmp.Diff(hello, p.texts()); diff != "" || logic.asked.Load() != 1 {
			t.Errorf("logic was asked %d times: %s", logic.asked.Load(), diff)
		}
	})
}

func TestALateAnswerHasItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &platform{}
		r := run(t, "a", NewMemory(), &answers{delay: time.Hour, reply: message.TextReply{Content: "test"}}, p)
		r.adopt(t, newJob("m1"))
		time.Sleep(11 * time.Minute)
		if metrics := r.metrics(); !strings.Contains(metrics, `value:"expired"`) || len(p.texts()) != 0 {
			t.Errorf("sent %v; %s", p.texts(), metrics)
		}
		if !strings.Contains(r.log.String(), `"m1"`) {
			t.Errorf("what expired is not in the log: %s", r.log)
		}
	})
}

func TestAPanicOfLogicsIsAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := run(t, "a", NewMemory(), panicking{}, &platform{})
		r.adopt(t, newJob("m1"))
		synctest.Wait()
		if metrics := r.metrics(); !strings.Contains(metrics, `value:"failed"`) {
			t.Errorf("not counted: %s", metrics)
		}
	})
}

type panicking struct{}

func (panicking) Reply(context.Context, string, message.Message, time.Time, time.Time) (message.Reply, string, error) {
	panic("bug")
}

// Begin is never possible, so that Reply is always asked.
func (*answers) Begin(string, message.Message, time.Time, time.Time, time.Time, func(message.Reply, string, bool, error)) func() {
	return nil
}

// Begin is never possible, so that Reply is always asked.
func (panicking) Begin(string, message.Message, time.Time, time.Time, time.Time, func(message.Reply, string, bool, error)) func() {
	return nil
}

func TestAPanicOfOursIsAFailureOfOneAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := run(t, "a", NewMemory(), &answers{reply: message.TextReply{Content: "test"}}, broken{})
		r.adopt(t, newJob("m1"))
		synctest.Wait()
		if metrics := r.metrics(); !strings.Contains(metrics, `value:"failed"`) {
			t.Errorf("not counted: %s", metrics)
		}
		if log := r.log.String(); !strings.Contains(log, `"m1"`) || !strings.Contains(log, "bug") {
			t.Errorf("the panic is not in the log: %s", log)
		}
	})
}

// broken is an api-proxy's client with a bug.
type broken struct{}

func (broken) Call(context.Context, *apiproxyv1.CallRequest, ...grpc.CallOption) (*apiproxyv1.CallResponse, error) {
	panic("bug")
}
