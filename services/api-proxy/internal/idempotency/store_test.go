package idempotency_test

import (
	"slices"
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
	"github.com/wxstack/wxstack/services/api-proxy/internal/idempotency"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a store and a way to let time pass in it.
type world struct {
	idempotency.Store

	pass func(time.Duration)
}

var (
	key     = idempotency.Key{AppID: "wx1", Value: "k1"}
	request = idempotency.FingerprintOf([]byte("POST"), []byte("/a"), []byte("body"))
)

func by(owner string) idempotency.Claim { return idempotency.Claim{Owner: owner, Request: request} }

// suite is what every store has to do.
func suite() map[string]func(t *testing.T, w world) {
	return map[string]func(t *testing.T, w world){
		"one maker":                      oneMaker,
		"the verdict is kept":            verdictIsKept,
		"a lost maker is not replaced":   lostMaker,
		"a stalled maker still finishes": stalledMaker,
		"renewal":                        renewal,
		"abandoned":                      abandoned,
		"cleared":                        cleared,
		"another request":                anotherRequest,
		"keys are apart":                 keysAreApart,
		"a lost record":                  lostRecord,
		"the first verdict stands":       firstVerdictStands,
		"another's record":               anothersRecord,
		"records end":                    recordsEnd,
		"verdicts are any bytes":         anyBytes,
	}
}

func begin(t *testing.T, w world, owner string, want idempotency.State) idempotency.Record {
	t.Helper()
	got, err := w.Begin(t.Context(), key, by(owner))
	if err != nil {
		t.Fatal(err)
	}
	if got.State != want {
		t.Fatalf("%s begins: state %d, want %d", owner, got.State, want)
	}
	return got
}

func finish(t *testing.T, w world, owner, verdict string) {
	t.Helper()
	if err := w.Finish(t.Context(), key, by(owner), []byte(verdict)); err != nil {
		t.Fatal(err)
	}
}

func forget(t *testing.T, w world, owner string) {
	t.Helper()
	if err := w.Clear(t.Context(), key, by(owner)); err != nil {
		t.Fatal(err)
	}
}

func abandon(t *testing.T, w world, owner string) {
	t.Helper()
	if err := w.Abandon(t.Context(), key, by(owner)); err != nil {
		t.Fatal(err)
	}
}

func oneMaker(t *testing.T, w world) {
	var fresh atomic.Int32
	var asking sync.WaitGroup
	for i := range 100 {
		asking.Go(func() {
			got, err := w.Begin(t.Context(), key, by("owner"+strconv.Itoa(i)))
			switch {
			case err != nil:
				t.Error(err)
			case got.State == idempotency.Fresh:
				fresh.Add(1)
			case got.State != idempotency.Busy:
				t.Errorf("state %d", got.State)
			}
		})
	}
	asking.Wait()
	if fresh.Load() != 1 {
		t.Errorf("%d makers", fresh.Load())
	}
}

func verdictIsKept(t *testing.T, w world) {
	begin(t, w, "a", idempotency.Fresh)
	begin(t, w, "b", idempotency.Busy)
	finish(t, w, "a", "ok")
	w.pass(idempotency.Life / 2)
	for _, owner := range []string{"a", "b", "c"} {
		if got := begin(t, w, owner, idempotency.Done); string(got.Verdict) != "ok" {
			t.Errorf("%s got %q", owner, got.Verdict)
		}
	}
}

func lostMaker(t *testing.T, w world) {
	begin(t, w, "dead", idempotency.Fresh)
	w.pass(idempotency.Lease * 3 / 4)
	begin(t, w, "b", idempotency.Busy)
	w.pass(idempotency.Lease / 2)
	begin(t, w, "b", idempotency.Unknown)
	w.pass(idempotency.Life / 2)
	begin(t, w, "c", idempotency.Unknown)
}

func stalledMaker(t *testing.T, w world) {
	begin(t, w, "stalled", idempotency.Fresh)
	w.pass(idempotency.Lease * 2)
	begin(t, w, "b", idempotency.Unknown)
	begin(t, w, "stalled", idempotency.Fresh)
	begin(t, w, "b", idempotency.Busy)
	w.pass(idempotency.Lease * 2)
	finish(t, w, "stalled", "late")
	if got := begin(t, w, "b", idempotency.Done); string(got.Verdict) != "late" {
		t.Errorf("verdict %q", got.Verdict)
	}
}

func renewal(t *testing.T, w world) {
	for range 10 {
		begin(t, w, "a", idempotency.Fresh)
		w.pass(idempotency.Lease * 3 / 4)
		begin(t, w, "b", idempotency.Busy)
	}
}

func abandoned(t *testing.T, w world) {
	begin(t, w, "a", idempotency.Fresh)
	abandon(t, w, "a")
	begin(t, w, "b", idempotency.Unknown)
	begin(t, w, "a", idempotency.Unknown)
}

func cleared(t *testing.T, w world) {
	begin(t, w, "a", idempotency.Fresh)
	forget(t, w, "a")
	begin(t, w, "b", idempotency.Fresh)
	w.pass(idempotency.Lease * 2)
	forget(t, w, "b") // who stalled knows all the same that nothing was done.
	begin(t, w, "c", idempotency.Fresh)
}

func anotherRequest(t *testing.T, w world) {
	other := idempotency.Claim{Owner: "x", Request: idempotency.FingerprintOf([]byte("POST"), []byte("/a"), []byte("other"))}
	conflict := func(when string) {
		got, err := w.Begin(t.Context(), key, other)
		if err != nil || got.State != idempotency.Conflict {
			t.Errorf("%s: state %d, %v", when, got.State, err)
		}
	}
	begin(t, w, "a", idempotency.Fresh)
	conflict("while the call is made")
	w.pass(idempotency.Lease * 2)
	conflict("when its maker is lost")
	finish(t, w, "a", "ok")
	conflict("when it is made")
	begin(t, w, "b", idempotency.Done)
}

func keysAreApart(t *testing.T, w world) {
	for _, k := range []idempotency.Key{
		{AppID: "wx1", Value: "k1"}, {AppID: "wx1", Value: "k2"}, {AppID: "wx2", Value: "k1"},
		{AppID: "wx1", Value: "k1:lease"}, {AppID: "wx1", Value: "-lease:k1"}, {AppID: "wx1", Value: "{}*,:"},
	} {
		got, err := w.Begin(t.Context(), k, by("a"))
		if err != nil || got.State != idempotency.Fresh {
			t.Errorf("%v: state %d, %v", k, got.State, err)
		}
	}
}

func lostRecord(t *testing.T, w world) {
	finish(t, w, "a", "ok")
	if got := begin(t, w, "b", idempotency.Done); string(got.Verdict) != "ok" {
		t.Errorf("verdict %q", got.Verdict)
	}
}

func firstVerdictStands(t *testing.T, w world) {
	begin(t, w, "a", idempotency.Fresh)
	finish(t, w, "a", "first")
	for _, owner := range []string{"a", "b"} {
		finish(t, w, owner, "second")
		forget(t, w, owner)
		abandon(t, w, owner)
	}
	if got := begin(t, w, "c", idempotency.Done); string(got.Verdict) != "first" {
		t.Errorf("verdict %q", got.Verdict)
	}
}

func anothersRecord(t *testing.T, w world) {
	begin(t, w, "a", idempotency.Fresh)
	finish(t, w, "b", "not mine")
	forget(t, w, "b")
	abandon(t, w, "b")
	begin(t, w, "c", idempotency.Busy)
	finish(t, w, "a", "mine")
	if got := begin(t, w, "c", idempotency.Done); string(got.Verdict) != "mine" {
		t.Errorf("verdict %q", got.Verdict)
	}
}

func recordsEnd(t *testing.T, w world) {
	begin(t, w, "a", idempotency.Fresh)
	w.pass(idempotency.Life / 2)
	finish(t, w, "a", "ok")
	w.pass(idempotency.Life/2 + time.Second)
	begin(t, w, "b", idempotency.Fresh)
	w.pass(idempotency.Life + time.Second)
	finish(t, w, "c", "ok")
	w.pass(idempotency.Life + time.Second)
	begin(t, w, "d", idempotency.Fresh)
}

func anyBytes(t *testing.T, w world) {
	verdict := "\x00\xff\r\n你好 %s {}"
	begin(t, w, "a", idempotency.Fresh)
	finish(t, w, "a", verdict)
	if diff := cmp.Diff(verdict, string(begin(t, w, "b", idempotency.Done).Verdict)); diff != "" {
		t.Error(diff)
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	for name, run := range suite() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { run(t, world{idempotency.NewMemory(), time.Sleep}) })
		})
	}
}

func TestRedisOnMiniredis(t *testing.T) {
	t.Parallel()
	for name, run := range suite() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := miniredis.RunT(t)
			run(t, world{idempotency.NewRedis(redistest.Connect(t, &redis.Options{Addr: server.Addr()})), server.FastForward})
		})
	}
}

func TestRedisOnRedis(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	for name, run := range suite() {
		t.Run(name, func(t *testing.T) {
			if err := client.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			run(t, world{idempotency.NewRedis(client), func(d time.Duration) { redistest.Age(t, client, d) }})
		})
	}
}

func TestRedisKeysCarryTheHashTag(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	w := world{Store: idempotency.NewRedis(redistest.Connect(t, &redis.Options{Addr: server.Addr()}))}
	begin(t, w, "a", idempotency.Fresh)
	if diff := cmp.Diff([]string{"wx:{wx1}:once-lease:k1", "wx:{wx1}:once:k1"}, server.Keys()); diff != "" {
		t.Error(diff)
	}
	finish(t, w, "a", "ok")
	if diff := cmp.Diff([]string{"wx:{wx1}:once:k1"}, server.Keys()); diff != "" {
		t.Error(diff)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := idempotency.NewMemory()
	const calls = 600 // of 64 KiB each, which together are more than 32 MiB
	verdict := make([]byte, 64<<10)
	of := func(i int) idempotency.Key { return idempotency.Key{AppID: "wx1", Value: strconv.Itoa(i)} }
	state := func(i int) idempotency.State {
		got, err := m.Begin(t.Context(), of(i), by("b"))
		if err != nil {
			t.Fatal(err)
		}
		return got.State
	}
	for i := range calls {
		if err := m.Finish(t.Context(), of(i), by("a"), verdict); err != nil {
			t.Fatal(err)
		}
	}
	if got := state(calls - 1); got != idempotency.Done {
		t.Errorf("the newest record is in state %d", got)
	}
	if got := state(0); got != idempotency.Fresh {
		t.Errorf("the oldest record is in state %d", got)
	}
}

func TestFingerprintsTellPartsApart(t *testing.T) {
	t.Parallel()
	seen := map[idempotency.Fingerprint]string{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}} {
		var raw [][]byte
		for _, part := range parts {
			raw = append(raw, []byte(part))
		}
		name := strings.Join(parts, "|")
		sum := idempotency.FingerprintOf(raw...)
		if other, ok := seen[sum]; ok {
			t.Errorf("%q and %q have the same fingerprint", name, other)
		}
		seen[sum] = name
		if again := idempotency.FingerprintOf(slices.Clone(raw)...); again != sum {
			t.Errorf("%q has two fingerprints", name)
		}
	}
}
