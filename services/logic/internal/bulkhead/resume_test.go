package bulkhead_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"

	"github.com/wxstack/wxstack/services/logic/internal/bulkhead"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// answering is a handler that can only begin.
type answering func(ctx context.Context) (route.Answer, error)

func (a answering) Answer(ctx context.Context, _ *logicv1.ReplyRequest) (route.Answer, error) {
	return a(ctx)
}

// holding is a handler that can go on as well. Both are the same to it.
type holding struct{ answering }

func (h holding) Resume(ctx context.Context, _ *logicv1.ReplyRequest) (route.Answer, error) {
	return h.answering(ctx)
}

func TestOnlyAResumerResumes(t *testing.T) {
	t.Parallel()
	metrics := bulkhead.NewMetrics(telemetry.Discard().Metrics)
	limits := bulkhead.Limits{Concurrency: 1, Timeout: time.Second}
	passes := answering(func(context.Context) (route.Answer, error) { return route.Answer{}, route.ErrPass })
	if _, ok := bulkhead.New(passes, "a", limits, metrics).(route.Resumer); ok {
		t.Error("a handler that holds nobody became one that does")
	}
	resumer, ok := bulkhead.New(holding{passes}, "b", limits, metrics).(route.Resumer)
	if !ok {
		t.Fatal("the limits hide that the handler holds followers")
	}
	if _, err := resumer.Resume(t.Context(), nil); !errors.Is(err, route.ErrPass) {
		t.Errorf("want what the handler says, got %v", err)
	}
}

// TestResumeSharesTheLimits: who begins and who goes on wait for the same places.
func TestResumeSharesTheLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		metrics := bulkhead.NewMetrics(telemetry.Discard().Metrics)
		waits := holding{func(ctx context.Context) (route.Answer, error) {
			<-ctx.Done()
			return route.Answer{}, ctx.Err()
		}}
		subject := bulkhead.New(waits, "a", bulkhead.Limits{Concurrency: 1, Timeout: time.Minute}, metrics)
		resumer, _ := subject.(route.Resumer)
		const places = 5 // one is worked on, four wait.
		reasons := make(chan route.Reason, places)
		for range places {
			go func() {
				_, err := subject.Answer(t.Context(), nil)
				reasons <- route.ReasonOf(err)
			}()
		}
		synctest.Wait()
		if _, err := resumer.Resume(t.Context(), nil); route.ReasonOf(err) != route.ReasonBusy {
			t.Errorf("want no room, got %v", err)
		}
		for range places {
			if reason := <-reasons; reason != route.ReasonTimeout {
				t.Errorf("want a timeout, got %s", reason)
			}
		}
		if _, err := resumer.Resume(t.Context(), nil); route.ReasonOf(err) != route.ReasonTimeout {
			t.Errorf("want a timeout, got %v", err)
		}
	})
}
