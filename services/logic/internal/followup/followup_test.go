package followup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/followup"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// platform is api-proxy with behaviour: it takes a second per message and fails the next calls as told.
type platform struct {
	mu       sync.Mutex
	failures []error
	errcode  int32
	hang     bool
	calls    []string
	start    time.Time
}

func (p *platform) SendCustomerServiceMessage(ctx context.Context, req *apiproxyv1.SendCustomerServiceMessageRequest) (*apiproxyv1.SendCustomerServiceMessageResponse, error) {
	p.mu.Lock()
	p.calls = append(p.calls, fmt.Sprintf("%v %s %s", time.Since(p.start), req.GetToUser(), req.GetMessage().GetText().GetContent()))
	var failure error
	if len(p.failures) > 0 {
		failure, p.failures = p.failures[0], p.failures[1:]
	}
	hang, errcode := p.hang, p.errcode
	p.mu.Unlock()
	if hang {
		<-ctx.Done()

		return nil, fault.Wrap(fault.Deadline, ctx.Err(), "too late")
	}
	if failure != nil {
		return nil, failure
	}
	time.Sleep(time.Second)

	return &apiproxyv1.SendCustomerServiceMessageResponse{Errcode: errcode}, nil
}

// bench is a running Sender inside a bubble.
type bench struct {
	*followup.Sender

	platform *platform
	tel      *telemetry.Telemetry
	log      *bytes.Buffer
	stop     context.CancelFunc
	stopped  chan error
}

func run(t *testing.T) *bench {
	t.Helper()
	b := &bench{platform: &platform{start: time.Now()}, log: &bytes.Buffer{}, stopped: make(chan error, 1)}
	b.tel = telemetry.ForTest(b.log)
	b.Sender = followup.New(b.platform, b.tel)
	ctx, cancel := context.WithCancel(t.Context())
	b.stop = cancel
	go func() { b.stopped <- b.Run(ctx) }()

	return b
}

func (b *bench) end(t *testing.T) {
	t.Helper()
	b.stop()
	if err := <-b.stopped; err != nil {
		t.Error(err)
	}
}

func job(openID string, texts ...string) followup.Job {
	j := followup.Job{AppID: "wx1", OpenID: openID, Rule: "r"}
	for _, text := range texts {
		j.Messages = append(j.Messages, route.Message{Content: &messagev1.Reply{
			Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: text}},
		}})
	}

	return j
}

func counts(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "logic_followups_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			if value := metric.GetCounter().GetValue(); value > 0 {
				got[metric.GetLabel()[0].GetValue()] = value
			}
		}
	}

	return got
}

func (b *bench) expect(t *testing.T, calls []string, outcomes map[string]float64) {
	t.Helper()
	b.platform.mu.Lock()
	defer b.platform.mu.Unlock()
	if diff := cmp.Diff(calls, b.platform.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(outcomes, counts(t, b.tel.Metrics)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	for _, private := range []string{"秘密", "oFOLLOWER"} {
		if strings.Contains(b.log.String(), private) {
			t.Errorf("the log shows %q:\n%s", private, b.log)
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		b.Enqueue(job("oFOLLOWER", "1", "2"))
		b.Enqueue(job("oFOLLOWER", "3"))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		b.expect(t, []string{"500ms oFOLLOWER 1", "1.5s oFOLLOWER 2", "2.5s oFOLLOWER 3"}, map[string]float64{"sent": 3})
		b.end(t)
	})
}

func TestFailures(t *testing.T) {
	t.Parallel()
	busy := fault.New(fault.Throttled, "slow down").WithRetryAfter(2 * time.Second)
	lost := fault.New(fault.Unavailable, "connection lost")
	tests := map[string]struct {
		failures []error
		errcode  int32
		calls    []string
		outcomes map[string]float64
		logged   string
	}{
		"comes back when told when": {
			failures: []error{busy, busy},
			calls:    []string{"500ms oFOLLOWER 秘密1", "2.5s oFOLLOWER 秘密1", "4.5s oFOLLOWER 秘密1", "5.5s oFOLLOWER 秘密2"},
			outcomes: map[string]float64{"sent": 2},
		},
		"not for ever": {
			failures: []error{busy, busy, busy, busy},
			calls:    []string{"500ms oFOLLOWER 秘密1", "2.5s oFOLLOWER 秘密1", "4.5s oFOLLOWER 秘密1", "6.5s oFOLLOWER 秘密1"},
			outcomes: map[string]float64{"failed": 1, "skipped": 1},
			logged:   "slow down",
		},
		"may have been sent": {
			failures: []error{lost},
			calls:    []string{"500ms oFOLLOWER 秘密1"},
			outcomes: map[string]float64{"failed": 1, "skipped": 1},
			logged:   "connection lost",
		},
		"refused by WeChat": {
			errcode:  45015, // out of the 48 hours
			calls:    []string{"500ms oFOLLOWER 秘密1"},
			outcomes: map[string]float64{"refused": 1, "skipped": 1},
			logged:   `"errcode":45015`,
		},
		"told to come back too late": {
			failures: []error{fault.New(fault.Throttled, "tomorrow").WithRetryAfter(24 * time.Hour)},
			calls:    []string{"500ms oFOLLOWER 秘密1"},
			outcomes: map[string]float64{"expired": 1, "skipped": 1},
			logged:   `"outcome":"expired"`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := run(t)
				b.platform.failures, b.platform.errcode = test.failures, test.errcode
				b.Enqueue(job("oFOLLOWER", "秘密1", "秘密2"))
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				b.expect(t, test.calls, test.outcomes)
				if !strings.Contains(b.log.String(), test.logged) {
					t.Errorf("the log lacks %q:\n%s", test.logged, b.log)
				}
				b.end(t)
			})
		})
	}
}

// TestProxyDown: what cannot be delivered in its time is given up, and nobody waited for it.
func TestProxyDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		b.platform.hang = true
		for range 3 {
			b.Enqueue(job("oFOLLOWER", "秘密"))
		}
		if waited := time.Since(b.platform.start); waited != 0 {
			t.Errorf("Enqueue waited %v", waited)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		b.expect(t, []string{"500ms oFOLLOWER 秘密"}, map[string]float64{"expired": 3})
		b.end(t)
	})
}

func TestFullQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		b.Enqueue(job("oFOLLOWER", "秘密"))
		synctest.Wait() // the worker has taken it; the queue is empty.
		const capacity, over = 256, 5
		for range capacity + over {
			b.Enqueue(job("oFOLLOWER", "秘密"))
		}
		b.expect(t, nil, map[string]float64{"dropped": over})
		b.end(t)
	})
}

// TestDrain: stopping sends what waits without waiting for its time, but not for ever.
func TestDrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		b.Enqueue(job("oFOLLOWER", "1", "2"))
		b.end(t)
		b.expect(t, []string{"0s oFOLLOWER 1", "1s oFOLLOWER 2"}, map[string]float64{"sent": 2})
		b.Enqueue(job("oFOLLOWER", "秘密"))
		b.expect(t, []string{"0s oFOLLOWER 1", "1s oFOLLOWER 2"}, map[string]float64{"sent": 2, "dropped": 1})
	})
}

func TestDrainEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := run(t)
		b.platform.hang = true
		b.Enqueue(job("oFOLLOWER", "1"))
		b.Enqueue(job("oFOLLOWER", "2"))
		b.end(t)
		if took := time.Since(b.platform.start); took != 4*time.Second {
			t.Errorf("want 4 s for the drain, took %v", took)
		}
		b.expect(t, []string{"0s oFOLLOWER 1"}, map[string]float64{"dropped": 2})
	})
}

func TestPlatformFunc(t *testing.T) {
	t.Parallel()
	want := errors.New("x")
	f := followup.PlatformFunc(func(context.Context, *apiproxyv1.SendCustomerServiceMessageRequest) (*apiproxyv1.SendCustomerServiceMessageResponse, error) {
		return nil, want
	})
	if _, err := f.SendCustomerServiceMessage(t.Context(), nil); !errors.Is(err, want) {
		t.Errorf("want %v, got %v", want, err)
	}
}
