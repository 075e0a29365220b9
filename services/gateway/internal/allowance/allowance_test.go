package allowance_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
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
	r, err := custommessage.ParseRecord(client.HGetAll(t.Context(), custommessage.RecordKey(app, openID)).Val())
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

// The records of several accounts come one account after the other: in a cluster they are on different nodes.
func TestEachScriptIsAboutOneAccount(t *testing.T) {
	t.Parallel()
	client := redistest.Connect(t, &redis.Options{Addr: miniredis.RunT(t).Addr()})
	client.AddHook(oneAccount{t})
	now := time.Now()
	registry := write(t, client, grant(follower, custommessage.Wrote, now), allowance.Grant{AppID: "wx2", OpenID: follower, Trigger: custommessage.Wrote, At: now},
		grant("o2", custommessage.Acted, now))
	wantOutcomes(t, registry, 3, 0, 0)
}

// oneAccount looks at every command.
type oneAccount struct{ t *testing.T }

func (oneAccount) DialHook(next redis.DialHook) redis.DialHook { return next }

func (oneAccount) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (o oneAccount) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if text := fmt.Sprint(cmd.Args()...); strings.Contains(text, "{wx1}") && strings.Contains(text, "{wx2}") {
			o.t.Errorf("one command for two accounts: %s", text)
		}
		return next(ctx, cmd)
	}
}

func TestARecordIsThereUntilTheLastAllowanceEnds(t *testing.T) {
	t.Parallel()
	for name, client := range servers(t) {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			write(t, client, grant("acted", custommessage.Acted, now), grant("both", custommessage.Wrote, now), grant("both", custommessage.Acted, now))
			for openID, want := range map[string]time.Duration{"acted": custommessage.ActionWindow, "both": custommessage.MessageWindow} {
				if got := client.PTTL(t.Context(), custommessage.RecordKey(app, openID)).Val(); got > want || got < want-time.Minute/2 {
					t.Errorf("%s lives for %v, want %v", openID, got, want)
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
