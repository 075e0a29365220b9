package shadow

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/gateway/internal/late"
	"github.com/wxstack/wxstack/wechat/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is a shadow with behaviour.
type service struct {
	reply message.Reply
	err   error
	// hangs lets it answer nobody.
	hangs  bool
	panics bool

	mu       sync.Mutex
	asked    int
	released int
	left     [2]time.Duration
}

func (s *service) Copy(ctx context.Context, _ string, _ message.Message, deliveryLeft, budgetLeft time.Duration) (message.Reply, string, error) {
	s.mu.Lock()
	s.asked++
	s.left = [2]time.Duration{deliveryLeft, budgetLeft}
	s.mu.Unlock()
	if s.panics {
		panic("oops")
	}
	if s.hangs {
		<-ctx.Done()
		return nil, "", ctx.Err()
	}
	return s.reply, "rule", s.err
}

func (s *service) target(name string) Target {
	return Target{Name: name, Service: s, Release: func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.released++
	}}
}

// counts returns gateway_shadow_replies_total by shadow and outcome.
func counts(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "gateway_shadow_replies_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			got[labels["shadow"]+" "+labels["outcome"]] = metric.GetCounter().GetValue()
		}
	}
	return got
}

// running runs do with a Copier in a bubble, and returns what was counted in the end.
func running(t *testing.T, targets []Target, do func(c *Copier)) map[string]float64 {
	t.Helper()
	tel := telemetry.ForTest(io.Discard)
	synctest.Test(t, func(t *testing.T) {
		c := New(func(string, string) []Target { return targets }, tel)
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- c.Run(ctx) }()
		synctest.Wait()
		do(c)
		synctest.Wait()
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	return counts(t, tel.Metrics)
}

func news(title string) message.Reply {
	return message.NewsReply{Articles: []message.Article{{Title: title}}}
}

func TestRepliesAreCompared(t *testing.T) {
	t.Parallel()
	failure := errors.New("it failed")
	tests := map[string]struct {
		given  late.Answer
		shadow *service
		want   string
	}{
		"the same text":      {late.Answer{Reply: message.TextReply{Content: "a"}}, &service{reply: message.TextReply{Content: "a"}}, "same"},
		"another rule":       {late.Answer{Reply: message.TextReply{Content: "a"}, Rule: "old"}, &service{reply: message.TextReply{Content: "a"}}, "same"},
		"another text":       {late.Answer{Reply: message.TextReply{Content: "a"}}, &service{reply: message.TextReply{Content: "b"}}, "different"},
		"another kind":       {late.Answer{Reply: message.TextReply{Content: "a"}}, &service{reply: message.ImageReply{MediaID: "a"}}, "different"},
		"the same articles":  {late.Answer{Reply: news("a")}, &service{reply: news("a")}, "same"},
		"other articles":     {late.Answer{Reply: news("a")}, &service{reply: news("b")}, "different"},
		"both nothing":       {late.Answer{}, &service{}, "same"},
		"nothing any more":   {late.Answer{Reply: news("a")}, &service{}, "different"},
		"it fails":           {late.Answer{Reply: news("a")}, &service{err: failure}, "failed"},
		"it does not fail":   {late.Answer{Err: failure}, &service{}, "different"},
		"both fail":          {late.Answer{Err: failure}, &service{err: failure}, "failed"},
		"it panics, so ours": {late.Answer{}, &service{panics: true}, "failed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tt.shadow
			began := time.Unix(0, 0)
			got := running(t, []Target{s.target("next")}, func(c *Copier) {
				c.Answered(late.Question{AppID: "wxA", DeliveryEnds: began.Add(5 * time.Second), BudgetEnds: began.Add(14500 * time.Millisecond)}, tt.given)
			})
			if diff := cmp.Diff(map[string]float64{"next " + tt.want: 1}, got); diff != "" {
				t.Error(diff)
			}
			if s.asked != 1 || s.released != 1 || s.left != [2]time.Duration{5 * time.Second, 14500 * time.Millisecond} {
				t.Errorf("asked %d times, released %d, times left %v", s.asked, s.released, s.left)
			}
		})
	}
}

func TestAShadowThatHangsGetsNoMoreThanItsPlaces(t *testing.T) {
	t.Parallel()
	hanging, working := &service{hangs: true}, &service{}
	got := running(t, []Target{hanging.target("hanging"), working.target("working")}, func(c *Copier) {
		for range maxUnderWay + 10 {
			c.Answered(late.Question{}, late.Answer{})
			synctest.Wait()
		}
		time.Sleep(timeout) // in the bubble's time: then the places are free again.
		synctest.Wait()
		c.Answered(late.Question{}, late.Answer{})
	})
	want := map[string]float64{
		"hanging failed": maxUnderWay + 1, "hanging dropped": 10, "working same": maxUnderWay + 11,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if hanging.released != maxUnderWay+11 {
		t.Errorf("released %d times", hanging.released)
	}
}

func TestNoticesAreNotCopied(t *testing.T) {
	t.Parallel()
	s := &service{}
	running(t, []Target{s.target("next")}, func(c *Copier) {
		c.Answered(late.Question{In: message.Message{Notice: &message.Notice{}}}, late.Answer{})
	})
	if s.asked != 0 {
		t.Error("a notice was copied")
	}
}

func TestNothingIsCopiedBeforeAndAfterRun(t *testing.T) {
	t.Parallel()
	s := &service{}
	var copier *Copier
	got := running(t, []Target{s.target("next")}, func(c *Copier) { copier = c })
	copier.Answered(late.Question{}, late.Answer{})
	if len(got) != 0 || s.asked != 0 || s.released != 1 {
		t.Errorf("counted %v, asked %d times, released %d", got, s.asked, s.released)
	}
}

func TestTheLogHasNoReply(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := &service{reply: message.TextReply{Content: "sentinel-b"}}
	synctest.Test(t, func(t *testing.T) {
		c := New(func(string, string) []Target { return []Target{s.target("next")} }, telemetry.ForTest(&log))
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- c.Run(ctx) }()
		synctest.Wait()
		c.Answered(late.Question{}, late.Answer{Reply: message.TextReply{Content: "sentinel-a"}})
		synctest.Wait()
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	if !strings.Contains(log.String(), "different") || strings.Contains(log.String(), "sentinel") {
		t.Errorf("log: %s", log.String())
	}
}
