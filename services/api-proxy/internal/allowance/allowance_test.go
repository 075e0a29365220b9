package allowance_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/redisconn/redistest"
	"github.com/wxstack/wxstack/wechat/custommessage"
	"github.com/wxstack/wxstack/wechat/errcode"

	"github.com/wxstack/wxstack/services/api-proxy/internal/allowance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var follower = allowance.Follower{AppID: "wx1", OpenID: "o1"}

// start is when the tests' followers do something: far in the future, so that no Redis forgets it.
var start = time.UnixMilli(4000000000000)

// world is a Redis and what gateway does in it.
type world struct {
	*allowance.Redis

	client *redis.Client
}

func (w world) put(t *testing.T, f allowance.Follower, r custommessage.Record) {
	t.Helper()
	keys := custommessage.KeysOf(f.AppID, f.OpenID)
	for key, a := range map[string]custommessage.Allowance{keys.Message: r.Message, keys.Action: r.Action} {
		if a.End.IsZero() {
			continue
		}
		if err := w.client.Set(t.Context(), key, a.Text(), time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func (w world) want(t *testing.T, f allowance.Follower, want custommessage.Record) {
	t.Helper()
	got, err := w.Read(t.Context(), f)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("record: %v (-want +got):\n%s", err, diff)
	}
}

// each runs a test with the Redis in memory and with a real one.
func each(t *testing.T, test func(t *testing.T, w world)) {
	t.Helper()
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		client := redistest.Connect(t, &redis.Options{Addr: miniredis.RunT(t).Addr()})
		test(t, world{allowance.NewRedis(client), client})
	})
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		client := redistest.Start(t).Client(t)
		test(t, world{allowance.NewRedis(client), client})
	})
}

// The script decides as the pure rule does, whatever the record and the time.
func TestTheScriptSpendsAsTheRuleDoes(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration, left int) custommessage.Allowance {
		return custommessage.Allowance{Left: left, End: start.Add(d)}
	}
	allowances := map[string]custommessage.Allowance{
		"never": {}, "over": at(0, 3), "ending": at(time.Millisecond, 2), "soon": at(time.Minute, 1), "none left": at(time.Minute, 0), "long": at(time.Hour, 5),
	}
	each(t, func(t *testing.T, w world) {
		for messageName, message := range allowances {
			for actionName, action := range allowances {
				f := allowance.Follower{AppID: "wx1", OpenID: strings.ReplaceAll(messageName+"-"+actionName, " ", "-")}
				record := custommessage.Record{Message: message, Action: action}
				if record != (custommessage.Record{}) {
					w.put(t, f, record)
				}
				for range 3 {
					record = record.Spend(start)
					if err := w.Spend(t.Context(), f, start); err != nil {
						t.Fatal(err)
					}
					w.want(t, f, record)
				}
				if err := w.Close(t.Context(), f); err != nil {
					t.Fatal(err)
				}
				w.want(t, f, record.Close())
			}
		}
	})
}

func TestARecordIsForgotten(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w world) {
		w.put(t, follower, custommessage.Record{}.Grant(start, custommessage.Wrote))
		if err := w.Forget(t.Context(), follower); err != nil {
			t.Error(err)
		}
		w.want(t, follower, custommessage.Record{})
	})
}

// Nothing that is done to a record makes it live longer, and none is made.
func TestRecordsEndByThemselves(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w world) {
		w.put(t, follower, custommessage.Record{}.Grant(start, custommessage.Wrote))
		stranger := allowance.Follower{AppID: "wx1", OpenID: "o2"}
		for _, f := range []allowance.Follower{follower, stranger} {
			if err := errors.Join(w.Spend(t.Context(), f, start), w.Close(t.Context(), f)); err != nil {
				t.Fatal(err)
			}
		}
		keys, err := w.client.Keys(t.Context(), "*").Result()
		if diff := cmp.Diff([]string{"wx:{wx1}:allowance:o1"}, keys); diff != "" || err != nil {
			t.Errorf("keys: %v (-want +got):\n%s", err, diff)
		}
		redistest.Age(t, w.client, 30*time.Minute) // fails for a key without an end.
	})
}

func TestWhatIsNoRecordTellsNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w world) {
		keys := custommessage.KeysOf(follower.AppID, follower.OpenID)
		if err := w.client.MSet(t.Context(), keys.Message, "five", keys.Action, "3").Err(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Spend(t.Context(), follower, start), w.Close(t.Context(), follower)); err != nil {
			t.Error(err)
		}
		w.want(t, follower, custommessage.Record{})
	})
}

// Two replicas that send at once spend two.
func TestSendersAtOnceSpendOneEach(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w world) {
		record := custommessage.Record{}.Grant(start, custommessage.Wrote).Grant(start, custommessage.Acted)
		w.put(t, follower, record)
		var sending sync.WaitGroup
		for range 6 {
			record = record.Spend(start)
			sending.Go(func() {
				if err := w.Spend(t.Context(), follower, start); err != nil {
					t.Error(err)
				}
			})
		}
		sending.Wait()
		w.want(t, follower, record)
	})
}

func TestVerdictsAreFollowed(t *testing.T) {
	t.Parallel()
	full := custommessage.Record{}.Grant(start, custommessage.Wrote)
	for name, tt := range map[string]struct {
		openID  string
		verdict errcode.Code
		want    custommessage.Record
	}{
		"sent":           {"o1", errcode.Success, full.Spend(start)},
		"none left":      {"o1", errcode.ReplyAllowanceSpent, full.Close()},
		"window closed":  {"o1", errcode.ReplyWindowClosed, custommessage.Record{}},
		"not following":  {"o1", errcode.FollowerUnsubscribed, full},
		"busy":           {"o1", errcode.SystemBusy, full},
		"somebody else":  {"o2", errcode.Success, full},
		"nobody":         {"", errcode.Success, full},
		"anything":       {strings.Repeat("o", 65), errcode.Success, full},
		"daily quota":    {"o1", errcode.DailyQuotaSpent, full},
		"invalid openid": {"o1", 40003, full},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := redistest.Connect(t, &redis.Options{Addr: miniredis.RunT(t).Addr()})
			w := world{allowance.NewRedis(client), client}
			tracker := allowance.NewTracker(w.Redis, redisconn.NewShared(time.Second, nil, func(err error) { t.Error(err) }))
			w.put(t, follower, full)
			tracker.Sent(t.Context(), "wx1", tt.openID, tt.verdict)
			w.want(t, follower, tt.want)
			if got, _ := tracker.Read(t.Context(), "wx1", "o1"); got != tt.want {
				t.Errorf("Read = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestWithoutRedisNothingIsKnown(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := redistest.Connect(t, &redis.Options{Addr: server.Addr(), MaxRetries: -1, DialerRetries: 1})
	w := world{allowance.NewRedis(client), client}
	w.put(t, follower, custommessage.Record{}.Grant(start, custommessage.Wrote))
	reports := 0
	tracker := allowance.NewTracker(w.Redis, redisconn.NewShared(time.Second, func(context.Context) error { return nil }, func(error) { reports++ }))
	server.Close()
	for range 3 {
		tracker.Sent(t.Context(), "wx1", "o1", errcode.Success)
		if got, _ := tracker.Read(t.Context(), "wx1", "o1"); got != (custommessage.Record{}) {
			t.Errorf("Read = %+v", got)
		}
	}
	if reports != 1 {
		t.Errorf("Redis was asked %d times, want once until it is seen to work again", reports)
	}
}
