package late

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/redisconn/redistest"
	"github.com/wxstack/wxstack/wechat/account"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a store and a way to let time pass in it.
type world struct {
	Store

	pass func(time.Duration)
}

// suite is what every store has to do.
func suite() map[string]func(t *testing.T, w world) {
	return map[string]func(t *testing.T, w world){
		"parked once":                      parkedOnce,
		"an owner keeps its jobs":          ownerKeeps,
		"a silent owner loses its jobs":    silentOwner,
		"a released job is taken at once":  releasedJob,
		"an answer outlives its owner":     answerOutlives,
		"a stranger cannot answer":         strangerCannotAnswer,
		"jobs of a follower take turns":    turns,
		"a job that ended makes room":      endedMakesRoom,
		"a text picks one part":            textPicksOnePart,
		"a text waits for logic":           textWaits,
		"what was picked is over":          pickedIsOver,
		"accounts and followers are apart": apart,
		"a job that ended is told":         endedIsTold,
		"a lost job can be parked again":   parkedAgain,
		"hundreds of jobs":                 hundreds,
	}
}

func newJob(key string, parts ...string) Job {
	job := Job{
		AppID: "wx1", Key: key, OpenID: "o1", Push: []byte("<xml>" + key + "</xml>"),
		Policy: account.LateAnswerCustomerService, Left: 10 * time.Minute,
	}
	for _, part := range parts {
		job.Parts = append(job.Parts, []byte(part))
	}
	return job
}

// park stores a job and returns it as its owner has it.
func park(t *testing.T, w world, job Job, owner string) Job {
	t.Helper()
	id, parked, err := w.Park(t.Context(), job, owner)
	if err != nil || !parked || id == "" {
		t.Fatalf("park %s: %q, %v, %v", job.Key, id, parked, err)
	}
	job.id = id
	return job
}

func take(t *testing.T, w world, owner string) []Job {
	t.Helper()
	jobs, err := w.Take(t.Context(), "wx1", owner)
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

func lost(t *testing.T, w world, owner string, jobs ...Job) []string {
	t.Helper()
	ids := make([]string, 0, len(jobs))
	for _, job := range jobs {
		ids = append(ids, job.id)
	}
	gone, err := w.Keep(t.Context(), "wx1", owner, ids)
	if err != nil {
		t.Fatal(err)
	}
	return gone
}

func turn(t *testing.T, w world, job Job, want bool) {
	t.Helper()
	if got, err := w.Turn(t.Context(), job); err != nil || got != want {
		t.Fatalf("turn of %s: %v, %v; want %v", job.Key, got, err, want)
	}
}

func pick(t *testing.T, w world, by string, want Pickup) {
	t.Helper()
	got, err := w.Pick(t.Context(), "wx1", "o1", by)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("pick by %s: %s", by, diff)
	}
}

func done(t *testing.T, w world, job Job, wantPicked bool) {
	t.Helper()
	if picked, err := w.Done(t.Context(), job); err != nil || picked != wantPicked {
		t.Fatalf("done %s: picked %v, %v; want %v", job.Key, picked, err, wantPicked)
	}
}

func parkedOnce(t *testing.T, w world) {
	job := park(t, w, newJob("m1"), "a")
	if id, parked, err := w.Park(t.Context(), newJob("m1"), "b"); id != "" || parked || err != nil {
		t.Errorf("parked again: %q, %v, %v", id, parked, err)
	}
	if gone := lost(t, w, "a", job); len(gone) != 0 {
		t.Errorf("the first owner lost %v", gone)
	}
}

func ownerKeeps(t *testing.T, w world) {
	job := park(t, w, newJob("m1"), "a")
	for range 5 {
		w.pass(Lease - time.Second)
		if jobs := take(t, w, "b"); len(jobs) != 0 {
			t.Fatalf("taken from a living owner: %v", jobs)
		}
		if gone := lost(t, w, "a", job); len(gone) != 0 {
			t.Fatalf("lost %v", gone)
		}
	}
	if gone := lost(t, w, "b", job); !cmp.Equal(gone, []string{job.id}) {
		t.Errorf("a stranger renewed the lease: lost %v", gone)
	}
}

func silentOwner(t *testing.T, w world) {
	job := park(t, w, newJob("m1"), "a")
	w.pass(Lease + time.Second)
	jobs := take(t, w, "b")
	want := newJob("m1")
	want.Left -= Lease + time.Second
	near := cmp.Comparer(func(x, y time.Duration) bool { return (x - y).Abs() < time.Second })
	if diff := cmp.Diff([]Job{want}, jobs, cmpopts.IgnoreUnexported(Job{}), near); diff != "" {
		t.Fatal(diff)
	}
	if gone := lost(t, w, "a", job); len(gone) != 1 {
		t.Error("the silent owner still has it")
	}
	if gone := lost(t, w, "b", jobs...); len(gone) != 0 {
		t.Error("the new owner has not got it")
	}
	if again := take(t, w, "c"); len(again) != 0 {
		t.Errorf("taken at once from the new owner: %v", again)
	}
}

func releasedJob(t *testing.T, w world) {
	kept, released := park(t, w, newJob("m1"), "a"), park(t, w, newJob("m2"), "a")
	if err := w.Release(t.Context(), "wx1", "a", []string{released.id}); err != nil {
		t.Fatal(err)
	}
	if jobs := take(t, w, "b"); len(jobs) != 1 || jobs[0].Key != "m2" {
		t.Errorf("took %v", jobs)
	}
	if gone := lost(t, w, "a", kept, released); !cmp.Equal(gone, []string{released.id}) {
		t.Errorf("lost %v", gone)
	}
}

func answerOutlives(t *testing.T, w world) {
	job := park(t, w, newJob("m1"), "a")
	if err := w.Answer(t.Context(), job, "a", [][]byte{[]byte("one"), {0, 255, '\n'}}); err != nil {
		t.Fatal(err)
	}
	w.pass(Lease)
	jobs := take(t, w, "b")
	if len(jobs) != 1 {
		t.Fatalf("took %v", jobs)
	}
	if diff := cmp.Diff([][]byte{[]byte("one"), {0, 255, '\n'}}, jobs[0].Parts); diff != "" {
		t.Error(diff)
	}
}

func strangerCannotAnswer(t *testing.T, w world) {
	job := park(t, w, newJob("m1"), "a")
	w.pass(Lease)
	take(t, w, "b")
	if err := w.Answer(t.Context(), job, "a", [][]byte{[]byte("stale")}); !errors.Is(err, ErrLost) {
		t.Errorf("error %v, want ErrLost", err)
	}
	pick(t, w, "t1", Pickup{State: Waiting})
}

func turns(t *testing.T, w world) {
	first, second := park(t, w, newJob("m1"), "a"), park(t, w, newJob("m2"), "b")
	turn(t, w, first, true)
	turn(t, w, second, false)
	done(t, w, first, false)
	turn(t, w, second, true)
	done(t, w, second, false)
	turn(t, w, second, true)
}

func endedMakesRoom(t *testing.T, w world) {
	short := newJob("m1")
	short.Left = time.Second
	park(t, w, short, "a")
	second := park(t, w, newJob("m2"), "a")
	turn(t, w, second, false)
	w.pass(2*time.Second + grace)
	turn(t, w, second, true)
}

func textPicksOnePart(t *testing.T, w world) {
	park(t, w, newJob("m1", "one", "two"), "a")
	second := park(t, w, newJob("m2"), "a")
	pick(t, w, "t1", Pickup{State: Found, Part: []byte("one")})
	pick(t, w, "t1", Pickup{State: Found, Part: []byte("one")}) // delivered again
	pick(t, w, "t2", Pickup{State: Found, Part: []byte("two"), Last: true})
	pick(t, w, "t2", Pickup{State: Found, Part: []byte("two")})
	pick(t, w, "t3", Pickup{State: Waiting})
	if err := w.Answer(t.Context(), second, "a", [][]byte{[]byte("three")}); err != nil {
		t.Fatal(err)
	}
	pick(t, w, "t4", Pickup{State: Found, Part: []byte("three"), Last: true})
	pick(t, w, "t5", Pickup{})
}

func textWaits(t *testing.T, w world) {
	pick(t, w, "t1", Pickup{})
	job := park(t, w, newJob("m1"), "a")
	pick(t, w, "t1", Pickup{State: Waiting})
	if err := w.Answer(t.Context(), job, "a", [][]byte{[]byte("one")}); err != nil {
		t.Fatal(err)
	}
	pick(t, w, "t1", Pickup{State: Found, Part: []byte("one"), Last: true})
}

func pickedIsOver(t *testing.T, w world) {
	first := park(t, w, newJob("m1", "one"), "a")
	pick(t, w, "t1", Pickup{State: Found, Part: []byte("one"), Last: true})
	done(t, w, first, true)

	second := park(t, w, newJob("m2", "two"), "a")
	pick(t, w, "t2", Pickup{State: Found, Part: []byte("two"), Last: true})
	pick(t, w, "t3", Pickup{})
	if gone := lost(t, w, "a", second); len(gone) != 1 {
		t.Error("the owner still has a job that was picked and followed by another text")
	}
	if _, parked, err := w.Park(t.Context(), newJob("m2", "two"), "a"); parked || err != nil {
		t.Errorf("a job that was picked could be parked again: %v, %v", parked, err)
	}
	pick(t, w, "t4", Pickup{})
	w.pass(Lease)
	if jobs := take(t, w, "b"); len(jobs) != 0 {
		t.Errorf("took %v", jobs)
	}
}

func apart(t *testing.T, w world) {
	park(t, w, newJob("m1", "one"), "a")
	for _, other := range []Job{{AppID: "wx2", OpenID: "o1"}, {AppID: "wx1", OpenID: "o2"}} {
		if got, err := w.Pick(t.Context(), other.AppID, other.OpenID, "t1"); err != nil || got.State != Nothing {
			t.Errorf("%s of %s found %v, %v", other.OpenID, other.AppID, got, err)
		}
		other.Key, other.Left = "m1x", time.Minute
		turn(t, w, other, true)
	}
	w.pass(Lease)
	if jobs, err := w.Take(t.Context(), "wx2", "b"); err != nil || len(jobs) != 0 {
		t.Errorf("another account took %v, %v", jobs, err)
	}
}

// endedIsTold is about a job whose time is over while nobody is alive: whoever comes then can say so.
func endedIsTold(t *testing.T, w world) {
	short := newJob("m1")
	short.Left = time.Second
	park(t, w, short, "a")
	w.pass(30 * time.Second)
	jobs := take(t, w, "b")
	if len(jobs) != 1 || jobs[0].Key != "m1" || jobs[0].Left > 0 {
		t.Fatalf("took %+v", jobs)
	}
	done(t, w, jobs[0], false)
	if again := take(t, w, "b"); len(again) != 0 {
		t.Errorf("took %v", again)
	}
}

func hundreds(t *testing.T, w world) {
	const many = 450
	all := make([]Job, 0, many)
	for i := range many {
		all = append(all, park(t, w, newJob("m"+strconv.Itoa(i)), "dead"))
	}
	if gone := lost(t, w, "dead", all...); len(gone) != 0 {
		t.Fatalf("lost %d", len(gone))
	}
	w.pass(Lease)
	taken := map[string]bool{}
	for range many {
		jobs := take(t, w, "b")
		if len(jobs) == 0 {
			break
		}
		for _, job := range jobs {
			taken[job.Key] = true
		}
	}
	if len(taken) != many {
		t.Errorf("took %d of %d", len(taken), many)
	}
	if gone := lost(t, w, "dead", all...); len(gone) != many {
		t.Errorf("the dead one lost %d of %d", len(gone), many)
	}
}

func parkedAgain(t *testing.T, w world) {
	job := park(t, w, newJob("m1", "one"), "a")
	done(t, w, job, false)
	if gone := lost(t, w, "a", job); len(gone) != 1 {
		t.Fatal("a job that is gone counts as kept")
	}
	again := park(t, w, job, "a")
	if gone := lost(t, w, "a", again); len(gone) != 0 {
		t.Error("the job is not the owner's")
	}
	turn(t, w, again, true)
}

func TestMemory(t *testing.T) {
	t.Parallel()
	for name, test := range suite() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, world{NewMemory(), time.Sleep}) })
		})
	}
}

func TestRedisEmbedded(t *testing.T) {
	t.Parallel()
	for name, test := range suite() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, over(t, &redis.Options{Addr: miniredis.RunT(t).Addr()}))
		})
	}
}

func TestRedisReal(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	// Accounts and databases keep the cases apart.
	db := 0
	for name, test := range suite() {
		options := server.Options()
		options.DB = db
		db++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, over(t, options))
		})
	}
}

// over is a Redis whose time passes by commands, since a real one's does not pass any other way.
func over(t *testing.T, options *redis.Options) world {
	t.Helper()
	client := redistest.Connect(t, options)
	return world{NewRedis(client), func(d time.Duration) { age(t, client, d) }}
}

// age lets all keys and all pending entries be older by d.
func age(t *testing.T, client *redis.Client, d time.Duration) {
	t.Helper()
	ctx := t.Context()
	keys, err := client.Keys(ctx, "*").Result()
	for _, key := range keys {
		var left time.Duration
		if left, err = client.PTTL(ctx, key).Result(); err != nil {
			break
		}
		if left > 0 {
			err = errors.Join(err, client.PExpire(ctx, key, left-d).Err())
		}
		if strings.HasSuffix(key, ":late") {
			err = errors.Join(err, ageEntries(ctx, client, key, d))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func ageEntries(ctx context.Context, client *redis.Client, stream string, d time.Duration) error {
	pending, err := client.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: stream, Group: "gateway", Start: "-", End: "+", Count: 1000}).Result()
	for _, entry := range pending {
		idle := strconv.FormatInt((entry.Idle + d).Milliseconds(), 10)
		err = errors.Join(err, client.Do(ctx, "XCLAIM", stream, "gateway", entry.Consumer, "0", entry.ID, "IDLE", idle, "JUSTID").Err())
	}
	return err
}
