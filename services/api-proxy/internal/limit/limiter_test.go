package limit_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/telemetry"

	"github.com/wxstack/wxstack/services/api-proxy/internal/limit"
)

// broken is a store that can be away.
type broken struct {
	*limit.Memory

	away atomic.Bool
}

var errAway = errors.New("away")

func (b *broken) Take(ctx context.Context, a limit.Ask) (limit.Decision, error) {
	if b.away.Load() {
		return limit.Decision{}, errAway
	}
	return b.Memory.Take(ctx, a)
}

func (b *broken) ping(context.Context) error {
	if b.away.Load() {
		return errAway
	}
	return nil
}

// rig is a limiter over a store that can be away.
type rig struct {
	*limit.Limiter

	store  *broken
	shared *redisconn.Shared
	tel    *telemetry.Telemetry
	log    bytes.Buffer
}

func newRig() *rig {
	r := &rig{store: &broken{Memory: limit.NewMemory()}}
	r.tel = telemetry.ForTest(&r.log)
	r.shared = redisconn.NewShared(time.Second, r.store.ping, r.tel.Health.Component("redis").Report)
	r.Limiter = limit.New(r.store, r.shared, r.tel)
	return r
}

func TestWithoutRedisTheFallbackHolds(t *testing.T) {
	t.Parallel()
	for fallback, want := range map[limit.Fallback]struct {
		allowed int
		kind    fault.Kind
		free    int // of calls without a limit
	}{
		limit.Local:  {2, fault.Throttled, 5},
		limit.Open:   {5, "", 5},
		limit.Closed: {0, fault.Unavailable, 5},
	} {
		t.Run(fallback.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig()
				r.store.away.Store(true)
				limited, free := ask(bucket("b", 1, time.Hour, 2)), ask()
				got := 0
				for range 5 {
					err := r.Take(t.Context(), limited, fallback)
					if err == nil {
						got++
					} else if fault.KindOf(err) != want.kind || fault.RetryAfter(err) <= 0 {
						t.Errorf("error %v, retry after %v", err, fault.RetryAfter(err))
					}
				}
				if got != want.allowed {
					t.Errorf("%d of 5 calls were allowed, want %d", got, want.allowed)
				}
				for range want.free {
					if err := r.Take(t.Context(), free, fallback); err != nil {
						t.Error(err)
					}
				}
				if report, _ := r.tel.Health.Report(); report.Status != "degraded" {
					t.Errorf("health is %s", report.Status)
				}
				wantDecisions(t, r, `apiproxy_limit_decisions_total{by="`+fallback.String()+`"} 10`)
			})
		})
	}
}

func wantDecisions(t *testing.T, r *rig, lines ...string) {
	t.Helper()
	const help = "# HELP apiproxy_limit_decisions_total Calls by who decided whether the limits let them through: shared (Redis), or what holds without it: local, open, closed.\n# TYPE apiproxy_limit_decisions_total counter\n"
	if err := testutil.GatherAndCompare(r.tel.Metrics, strings.NewReader(help+strings.Join(lines, "\n")+"\n"), "apiproxy_limit_decisions_total"); err != nil {
		t.Error(err)
	}
}

func TestWhenRedisIsBackItDecidesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = r.shared.Run(ctx) }()
		one := ask(bucket("b", 1, time.Hour, 1))
		take := func() bool { return r.Take(ctx, one, limit.Local) == nil }
		if !take() || take() {
			t.Error("the shared bucket holds one")
		}
		r.store.away.Store(true)
		if !take() || take() {
			t.Error("the bucket of this process holds one as well")
		}
		r.store.away.Store(false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if take() {
			t.Error("the shared bucket is empty")
		}
		wantDecisions(t, r, `apiproxy_limit_decisions_total{by="local"} 2`, `apiproxy_limit_decisions_total{by="shared"} 3`)
	})
}

func TestRefusalsSayWhatAndWhen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		untilMidnight := limit.UntilMidnight(time.Now())
		share, batch, rate := ask(), ask(), ask(bucket("crm:custom_message", 6, time.Minute, 1))
		share.Day.Max = 1
		batch.Day.Known, batch.Day.Leave, batch.Day.Endpoint = 1, 500, "/cgi-bin/menu/create"
		for _, tt := range []struct {
			ask   limit.Ask
			words string
			after time.Duration
		}{
			{share, "daily allowance of the caller for " + path + " is used (1 calls today)", untilMidnight},
			{rate, "crm:custom_message (6/m, 1 at once)", 10 * time.Second},
			{batch, "/cgi-bin/menu/create (1 of 1 used) is kept for interactive callers", untilMidnight},
		} {
			_ = r.Take(t.Context(), tt.ask, limit.Local) // the first may pass.
			err := r.Take(t.Context(), tt.ask, limit.Local)
			if err == nil || fault.KindOf(err) != fault.Throttled || !strings.Contains(err.Error(), tt.words) || fault.RetryAfter(err) != tt.after {
				t.Errorf("error %v after %v, want %q after %v", err, fault.RetryAfter(err), tt.words, tt.after)
			}
		}
	})
}

func TestPeopleAreWarnedBeforeADailyLimitEnds(t *testing.T) {
	t.Parallel()
	r := newRig()
	a := ask()
	a.Day.Known = 50
	for range 50 {
		if err := r.Take(t.Context(), a, limit.Local); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(r.log.String(), "daily limit nearly used"); n != 2 ||
		!strings.Contains(r.log.String(), `"used":40`) || !strings.Contains(r.log.String(), `"used":48`) {
		t.Errorf("%d warnings, want them at 80 and 95 percent:\n%s", n, r.log.String())
	}
	const want = `# HELP apiproxy_daily_quota_used_ratio Part of the endpoint's daily limit that is used, as of the last call through this process.
# TYPE apiproxy_daily_quota_used_ratio gauge
apiproxy_daily_quota_used_ratio{app_id="wx1",endpoint="/cgi-bin/message/custom/send"} 1
`
	if err := testutil.GatherAndCompare(r.tel.Metrics, strings.NewReader(want), "apiproxy_daily_quota_used_ratio"); err != nil {
		t.Error(err)
	}
}
