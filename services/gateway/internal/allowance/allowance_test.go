package allowance_test

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/redisconn/redistest"
	"github.com/wxstack/wxstack/services/gateway/internal/allowance"
	"github.com/wxstack/wxstack/wechat/custommessage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const app, follower = "wx1", "o1"

// servers are what a Book has to work with alike.
func servers(t *testing.T) map[string]*redis.Client {
	t.Helper()
	mini := miniredis.RunT(t)
	return map[string]*redis.Client{
		"miniredis": redistest.Connect(t, &redis.Options{Addr: mini.Addr()}), "redis": redistest.Start(t).Client(t),
	}
}

// write lets a Book write grants and end.
func write(t *testing.T, client redis.UniversalClient, grants ...allowance.Grant) *prometheus.Registry {
	t.Helper()
	registry := prometheus.NewRegistry()
	book := allowance.NewBook(client, registry)
	for _, g := range grants {
		book.Grant(g)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop() // what waits is written at the end as well.
	if err := book.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return registry
}

func grant(openID string, trigger custommessage.Trigger, at time.Time) allowance.Grant {
	return allowance.Grant{AppID: app, OpenID: openID, Trigger: trigger, At: at}
}

func record(t *testing.T, client *redis.Client, openID string) custommessage.Record {
	t.Helper()
	keys := custommessage.KeysOf(app, openID)
	r, err := custommessage.ParseRecord(client.Get(t.Context(), keys.Message).Val(), client.Get(t.Context(), keys.Action).Val())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Whoever reads a record finds what the rule says of all that the follower did.
func TestRecordsSayWhatTheRuleSays(t *testing.T) {
	t.Parallel()
	for name, client := range servers(t) {
		t.Run(name, func(t *testing.T) {
			now := time.Now().Truncate(time.Millisecond)
			var grants []allowance.Grant
			want := map[string]custommessage.Record{}
			for openID, did := range map[string][]custommessage.Trigger{
				"wrote":      {custommessage.Wrote},
				"both":       {custommessage.Wrote, custommessage.Acted},
				"twice":      {custommessage.Acted, custommessage.Wrote, custommessage.Acted},
				"unfollowed": {custommessage.Wrote, custommessage.Unfollowed},
				"came back":  {custommessage.Unfollowed, custommessage.Acted},
			} {
				for i, trigger := range did {
					at := now.Add(time.Duration(i) * time.Second)
					grants = append(grants, grant(openID, trigger, at))
					want[openID] = want[openID].Grant(at, trigger)
				}
			}
			write(t, client, grants...)
			for openID := range maps.Keys(want) {
				if diff := cmp.Diff(want[openID], record(t, client, openID)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", openID, diff)
				}
			}
		})
	}
}

func TestEachAllowanceIsThereUntilItEnds(t *testing.T) {
	t.Parallel()
	for name, client := range servers(t) {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			write(t, client, grant(follower, custommessage.Wrote, now), grant(follower, custommessage.Acted, now))
			keys := custommessage.KeysOf(app, follower)
			for key, want := range map[string]time.Duration{keys.Action: custommessage.ActionWindow, keys.Message: custommessage.MessageWindow} {
				if got := client.PTTL(t.Context(), key).Val(); got > want || got < want-time.Minute/2 {
					t.Errorf("%s lives for %v, want %v", key, got, want)
				}
			}
		})
	}
}

func wantOutcomes(t *testing.T, registry *prometheus.Registry, written, failed, dropped int) {
	t.Helper()
	for outcome, want := range map[string]int{"written": written, "failed": failed, "dropped": dropped} {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := 0.0
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				if metric.GetLabel()[0].GetValue() == outcome {
					got = metric.GetCounter().GetValue()
				}
			}
		}
		if int(got) != want {
			t.Errorf("%v grants are %s, want %d", got, outcome, want)
		}
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

func TestNobodyWaitsForARedisThatIsAway(t *testing.T) {
	t.Parallel()
	away := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	defer away.Close()
	grants := make([]allowance.Grant, 300)
	for i := range grants {
		grants[i] = grant(fmt.Sprint("o", i), custommessage.Wrote, time.Now())
	}
	// One round trip is tried, and what is left is not.
	wantOutcomes(t, write(t, away, grants...), 0, 256, 44)
}

func TestWhatIsTooMuchIsDroppedAndCounted(t *testing.T) {
	t.Parallel()
	mini := miniredis.RunT(t)
	client := redistest.Connect(t, &redis.Options{Addr: mini.Addr()})
	grants := make([]allowance.Grant, 8200)
	for i := range grants {
		grants[i] = grant(fmt.Sprint("o", i), custommessage.Wrote, time.Now())
	}
	wantOutcomes(t, write(t, client, grants...), 8192, 0, 8)
	if len(mini.Keys()) != 8192 {
		t.Errorf("%d records", len(mini.Keys()))
	}
}

func TestGrantsAreWrittenWhileItRuns(t *testing.T) {
	t.Parallel()
	client := redistest.Connect(t, &redis.Options{Addr: miniredis.RunT(t).Addr()})
	book := allowance.NewBook(client, prometheus.NewRegistry())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- book.Run(ctx) }()
	book.Grant(grant(follower, custommessage.Wrote, time.Now()))
	for record(t, client, follower).Message.Left == 0 {
		if t.Context().Err() != nil {
			t.Fatal("it was never written")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
