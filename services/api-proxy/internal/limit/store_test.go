package limit_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/redisconn/redistest"

	"github.com/wxstack/wxstack/services/api-proxy/internal/limit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a store and a way to let time pass in it.
type world struct {
	limit.Store

	pass func(time.Duration)
}

const (
	app  = "wx1"
	date = "20261125"
	path = "/cgi-bin/message/custom/send"
)

// ask is a call of nobody's that counts towards no bucket.
func ask(buckets ...limit.Bucket) limit.Ask {
	return limit.Ask{AppID: app, Buckets: buckets, Day: limit.Day{Date: date, Endpoint: path, Caller: "crm"}}
}

func bucket(name string, calls int, per time.Duration, burst int) limit.Bucket {
	return limit.Bucket{Name: name, Rate: limit.Rate{Calls: calls, Per: per, Burst: burst}}
}

// suite is what every store has to do.
func suite() map[string]func(t *testing.T, w world) {
	return map[string]func(t *testing.T, w world){
		"a burst, then the rate":             burstThenRate,
		"it says when":                       saysWhen,
		"all or nothing":                     allOrNothing,
		"what has to be left":                leaving,
		"accounts and names are apart":       apart,
		"the rate holds however one asks":    rateHolds,
		"a bucket never holds more":          neverMore,
		"callers' days":                      callersDays,
		"shares of what WeChat told":         shares,
		"what is kept for others":            keptForOthers,
		"the ledger":                         ledger,
		"WeChat counted more":                countedMore,
		"counters are reset":                 reset,
		"many at once take no more than one": manyAtOnce,
		"a refused call is not counted":      refusedIsNotCounted,
	}
}

// take takes and reports what refused.
func (w world) take(t *testing.T, a limit.Ask) limit.Decision {
	t.Helper()
	d, err := w.Take(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// allowed takes n times and returns how often it was allowed.
func (w world) allowed(t *testing.T, n int, a limit.Ask) int {
	t.Helper()
	count := 0
	for range n {
		if w.take(t, a).Allowed() {
			count++
		}
	}
	return count
}

func (w world) wantAllowed(t *testing.T, a limit.Ask, asked, want int) {
	t.Helper()
	if got := w.allowed(t, asked, a); got != want {
		t.Errorf("%d of %d calls were allowed, want %d", got, asked, want)
	}
}

func burstThenRate(t *testing.T, w world) {
	a := ask(bucket("b", 1, time.Minute, 3))
	w.wantAllowed(t, a, 5, 3)
	w.pass(time.Minute)
	w.wantAllowed(t, a, 5, 1)
	w.pass(2 * time.Minute)
	w.wantAllowed(t, a, 5, 2)
}

func saysWhen(t *testing.T, w world) {
	a := ask(bucket("b", 6, time.Minute, 1))
	w.wantAllowed(t, a, 1, 1)
	d := w.take(t, a)
	// A real Redis has its own clock, which goes on meanwhile.
	if d.By != 0 || d.RetryAfter <= 8*time.Second || d.RetryAfter > 10*time.Second {
		t.Errorf("decision %+v, want bucket 0 in 10 s", d)
	}
	w.pass(d.RetryAfter)
	w.wantAllowed(t, a, 1, 1)
}

func allOrNothing(t *testing.T, w world) {
	wide, narrow := bucket("wide", 1, time.Hour, 10), bucket("narrow", 1, time.Hour, 1)
	w.wantAllowed(t, ask(wide, narrow), 5, 1)
	if d := w.take(t, ask(wide, narrow)); d.By != 1 {
		t.Errorf("refused by %d, want 1", d.By)
	}
	w.wantAllowed(t, ask(wide), 12, 9)
}

func leaving(t *testing.T, w world) {
	batch := bucket("all", 1, time.Hour, 10)
	batch.Leave = 4
	w.wantAllowed(t, ask(batch), 10, 6)
	w.wantAllowed(t, ask(bucket("all", 1, time.Hour, 10)), 10, 4)
}

func apart(t *testing.T, w world) {
	one := ask(bucket("b", 1, time.Hour, 1))
	other := one
	other.AppID = "wx2"
	w.wantAllowed(t, one, 2, 1)
	w.wantAllowed(t, other, 2, 1)
	w.wantAllowed(t, ask(bucket("c", 1, time.Hour, 1)), 2, 1)
}

func rateHolds(t *testing.T, w world) {
	a := ask(bucket("b", 50, time.Minute, 2)) // one more would be lost when a call comes late
	count := 0
	const span, step = 20 * time.Minute, 700 * time.Millisecond
	for passed := time.Duration(0); passed < span; passed += step {
		count += w.allowed(t, 1, a)
		w.pass(step)
	}
	if count < 990 || count > 1010 {
		t.Errorf("%d calls in 20 minutes at 50 a minute", count)
	}
}

func neverMore(t *testing.T, w world) {
	a := ask(bucket("b", 100, time.Minute, 2))
	w.wantAllowed(t, a, 1, 1)
	w.pass(10 * time.Minute)
	w.wantAllowed(t, a, 3, 2)
}

func callersDays(t *testing.T, w world) {
	mine := ask()
	mine.Day.Max = 3
	other := mine
	other.Day.Caller = "shop"
	w.wantAllowed(t, mine, 5, 3)
	if d := w.take(t, mine); d.By != limit.CallersDay || d.UsedByCaller != 3 {
		t.Errorf("decision %+v", d)
	}
	w.wantAllowed(t, other, 2, 2)
	mine.Day.Date = "20261126"
	w.wantAllowed(t, mine, 5, 3)
}

func shares(t *testing.T, w world) {
	a := ask()
	a.Day.Share, a.Day.Known = 300, 10
	w.wantAllowed(t, a, 5, 3)
	if err := w.Tell(t.Context(), app, date, path, 20, 0); err != nil {
		t.Fatal(err)
	}
	w.wantAllowed(t, a, 5, 3)
	a.Day.Max = 7 // whichever is less.
	w.wantAllowed(t, a, 5, 0)
	nobodyKnows := ask()
	nobodyKnows.Day.Share, nobodyKnows.Day.Endpoint = 1, "other"
	w.wantAllowed(t, nobodyKnows, 5, 5)
	tiny := ask()
	tiny.Day.Share, tiny.Day.Known, tiny.Day.Endpoint = 10, 50, "/tiny"
	w.wantAllowed(t, tiny, 1, 0)
}

func keptForOthers(t *testing.T, w world) {
	batch, interactive := ask(), ask()
	batch.Day.Known, batch.Day.Leave, interactive.Day.Known = 10, 400, 10
	w.wantAllowed(t, batch, 10, 6)
	if d := w.take(t, batch); d.By != limit.OthersDay || d.Limit != 10 {
		t.Errorf("decision %+v", d)
	}
	// WeChat alone knows when its limit is over.
	w.wantAllowed(t, interactive, 10, 10)
}

func ledger(t *testing.T, w world) {
	shop := ask()
	shop.Day.Caller = "shop"
	w.wantAllowed(t, ask(), 3, 3)
	w.wantAllowed(t, shop, 2, 2)
	elsewhere := ask()
	elsewhere.Day.Endpoint = "/cgi-bin/menu/get"
	d := w.take(t, elsewhere)
	if d.Used != 1 || d.UsedByCaller != 1 || d.Limit != 0 {
		t.Errorf("decision %+v", d)
	}
	w.wantEntry(t, limit.Entry{Used: 5, ByCaller: map[string]int64{"crm": 3, "shop": 2}})
}

func (w world) wantEntry(t *testing.T, want limit.Entry) {
	t.Helper()
	got, err := w.Read(t.Context(), app, date, path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
}

func countedMore(t *testing.T, w world) {
	w.wantAllowed(t, ask(), 3, 3)
	for _, used := range []int64{40, 10} { // the ledger never goes back.
		if err := w.Tell(t.Context(), app, date, path, 100, used); err != nil {
			t.Fatal(err)
		}
	}
	if d := w.take(t, ask()); d.Used != 41 || d.Limit != 100 {
		t.Errorf("decision %+v", d)
	}
	w.wantEntry(t, limit.Entry{Used: 41, ByCaller: map[string]int64{"crm": 4}, Told: 100})
}

func reset(t *testing.T, w world) {
	mine := ask()
	mine.Day.Max = 1
	w.wantAllowed(t, mine, 2, 1)
	if err := w.Forget(t.Context(), app, date); err != nil {
		t.Fatal(err)
	}
	w.wantEntry(t, limit.Entry{ByCaller: map[string]int64{}})
	w.wantAllowed(t, mine, 2, 1)
}

func manyAtOnce(t *testing.T, w world) {
	var count atomic.Int64
	var asking sync.WaitGroup
	for i := range 100 {
		a := ask(bucket("b", 1, time.Hour, 20))
		a.Day.Caller = "caller" + strconv.Itoa(i%3)
		asking.Go(func() {
			d, err := w.Take(context.WithoutCancel(t.Context()), a)
			if err != nil {
				t.Error(err)
			}
			if d.Allowed() {
				count.Add(1)
			}
		})
	}
	asking.Wait()
	if count.Load() != 20 {
		t.Errorf("%d calls were allowed, want 20", count.Load())
	}
}

func refusedIsNotCounted(t *testing.T, w world) {
	w.wantAllowed(t, ask(bucket("b", 1, time.Hour, 2)), 9, 2)
	w.wantEntry(t, limit.Entry{Used: 2, ByCaller: map[string]int64{"crm": 2}})
}

func TestMemory(t *testing.T) {
	t.Parallel()
	for name, test := range suite() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, world{limit.NewMemory(), time.Sleep}) })
		})
	}
}

func TestMiniredis(t *testing.T) {
	t.Parallel()
	for name, test := range suite() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := miniredis.RunT(t)
			client := redis.NewClient(&redis.Options{Addr: server.Addr()})
			defer client.Close()
			now := time.Unix(1_795_500_000, 0)
			server.SetTime(now)
			test(t, world{limit.NewRedis(client), func(d time.Duration) {
				now = now.Add(d)
				server.SetTime(now)
				server.FastForward(d)
			}})
		})
	}
}

// The clock of a real Redis cannot be moved, so the buckets are made older.
func TestRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for name, test := range suite() {
		t.Run(name, func(t *testing.T) {
			client := redistest.Connect(t, server.Options())
			client.FlushAll(t.Context())
			test(t, world{limit.NewRedis(client), func(d time.Duration) { age(t, client, d) }})
		})
	}
}

func age(t *testing.T, client *redis.Client, d time.Duration) {
	t.Helper()
	for _, key := range client.Keys(t.Context(), "*:limit:*").Val() {
		at, err := client.HGet(t.Context(), key, "at").Int64()
		if err == nil {
			err = client.HSet(t.Context(), key, "at", at-d.Microseconds()).Err()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatIsInRedisEndsByItself(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	w := world{Store: limit.NewRedis(client)}
	w.wantAllowed(t, ask(bucket("b", 1, time.Minute, 3)), 1, 1)
	if err := w.Tell(t.Context(), app, date, path, 100, 1); err != nil {
		t.Fatal(err)
	}
	for _, key := range server.Keys() {
		if !strings.HasPrefix(key, "wx:{"+app+"}:") || server.TTL(key) <= 0 {
			t.Errorf("%s has a life of %v", key, server.TTL(key))
		}
	}
}

func TestDaysAreThoseOfBeijing(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{"2026-11-25T15:59:59Z": "20261125", "2026-11-25T16:00:00Z": "20261126", "2026-11-26T00:00:00+08:00": "20261126"} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := limit.DateOf(now); got != want {
			t.Errorf("%s is on %s, want %s", at, got, want)
		}
		if left := limit.UntilMidnight(now); limit.DateOf(now.Add(left-time.Nanosecond)) != want || limit.DateOf(now.Add(left)) == want {
			t.Errorf("%s: %v until midnight", at, left)
		}
	}
}
