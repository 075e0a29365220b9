package dedupe_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/redisconn/redistest"
	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a store and a way to let time pass in it.
type world struct {
	dedupe.Store
	pass func(time.Duration)
}

var message = dedupe.Key{AppID: "wx1", Message: "m1"}

// suite is what every store has to do.
func suite() map[string]func(t *testing.T, w world) {
	return map[string]func(t *testing.T, w world){
		"one winner":             oneWinner,
		"the answer is kept":     answerIsKept,
		"take-over":              takeOver,
		"renewal":                renewal,
		"release":                release,
		"release of a renewed":   releaseOfRenewed,
		"many at once":           manyAtOnce,
		"keys are apart":         keysAreApart,
		"an answer without one":  answerOutOfNothing,
		"the first answer wins":  firstAnswerWins,
		"records end":            recordsEnd,
		"release of another's":   releaseOfAnothers,
		"answers are any bytes":  anyBytes,
		"late answer of the old": lateAnswer,
		"kept without waiting":   keptWithoutWaiting,
	}
}

func keptWithoutWaiting(t *testing.T, w world) {
	state(t, w, "a", dedupe.Won)
	done := make(chan error, 1)
	w.Keep(message, "a", []byte("answer"), func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := claim(t, w, message, "b"); got.State != dedupe.Answered || string(got.Answer) != "answer" {
		t.Errorf("claimed %+v", got)
	}
	if kept := finish(t, w, "b", "another"); kept != "answer" {
		t.Errorf("a later answer gives %q", kept)
	}
	w.pass(dedupe.Life)
	state(t, w, "b", dedupe.Won)
}

func claim(t *testing.T, w world, key dedupe.Key, owner string) dedupe.Claim {
	t.Helper()
	got, err := w.Claim(t.Context(), key, owner)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func finish(t *testing.T, w world, owner, answer string) string {
	t.Helper()
	kept, err := w.Finish(t.Context(), message, owner, []byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	return string(kept)
}

func state(t *testing.T, w world, owner string, want dedupe.State) {
	t.Helper()
	if got := claim(t, w, message, owner); got.State != want {
		t.Fatalf("claim of %s: state %d, want %d", owner, got.State, want)
	}
}

func oneWinner(t *testing.T, w world) {
	var won atomic.Int32
	var claims sync.WaitGroup
	for i := range 100 {
		claims.Go(func() {
			got, err := w.Claim(t.Context(), message, "owner"+strconv.Itoa(i))
			switch {
			case err != nil:
				t.Error(err)
			case got.State == dedupe.Won:
				won.Add(1)
			case got.State != dedupe.Pending:
				t.Errorf("state %d", got.State)
			}
		})
	}
	claims.Wait()
	if won.Load() != 1 {
		t.Errorf("%d winners", won.Load())
	}
}

func answerIsKept(t *testing.T, w world) {
	state(t, w, "a", dedupe.Won)
	state(t, w, "b", dedupe.Pending)
	finish(t, w, "a", "<xml/>")
	w.pass(dedupe.Life / 2)
	for _, owner := range []string{"a", "b", "c"} {
		got := claim(t, w, message, owner)
		if got.State != dedupe.Answered || string(got.Answer) != "<xml/>" {
			t.Errorf("%s got state %d, answer %q", owner, got.State, got.Answer)
		}
		if got.Age < dedupe.Life/2 || got.Age > dedupe.Life/2+time.Minute {
			t.Errorf("age %v, want %v", got.Age, dedupe.Life/2)
		}
	}
}

func takeOver(t *testing.T, w world) {
	state(t, w, "dead", dedupe.Won)
	w.pass(dedupe.Lease * 3 / 4)
	state(t, w, "b", dedupe.Pending)
	w.pass(dedupe.Lease / 2)
	got := claim(t, w, message, "b")
	if got.State != dedupe.Won {
		t.Fatalf("state %d after the lease", got.State)
	}
	if want := dedupe.Lease * 5 / 4; got.Age < want || got.Age > want+time.Second {
		t.Errorf("age %v, want %v: the budget began with the first claim", got.Age, want)
	}
	state(t, w, "c", dedupe.Pending)
}

func renewal(t *testing.T, w world) {
	for range 10 {
		state(t, w, "a", dedupe.Won)
		w.pass(dedupe.Lease * 3 / 4)
		state(t, w, "b", dedupe.Pending)
	}
}

func release(t *testing.T, w world) {
	state(t, w, "a", dedupe.Won)
	if err := w.Release(t.Context(), message, "a"); err != nil {
		t.Fatal(err)
	}
	state(t, w, "b", dedupe.Won)
}

func releaseOfRenewed(t *testing.T, w world) {
	state(t, w, "a", dedupe.Won)
	state(t, w, "a", dedupe.Won)
	if err := w.Release(t.Context(), message, "a"); err != nil {
		t.Fatal(err)
	}
	got := claim(t, w, message, "b")
	if got.State != dedupe.Won {
		t.Errorf("state %d", got.State)
	}
	state(t, w, "a", dedupe.Pending)
}

// manyAtOnce takes many messages through their lives side by side, each on its own.
func manyAtOnce(t *testing.T, w world) {
	var lives sync.WaitGroup
	for i := range 30 {
		lives.Go(func() {
			key, answer := dedupe.Key{AppID: "wx1", Message: strconv.Itoa(i)}, []byte("answer "+strconv.Itoa(i))
			if got, err := w.Claim(t.Context(), key, "a"); err != nil || got.State != dedupe.Won {
				t.Errorf("claim: state %d, %v", got.State, err)
			}
			if kept, err := w.Finish(t.Context(), key, "a", answer); err != nil || string(kept) != string(answer) {
				t.Errorf("finish: %q, %v", kept, err)
			}
			if got, err := w.Claim(t.Context(), key, "b"); err != nil || string(got.Answer) != string(answer) {
				t.Errorf("repeat: %q, %v", got.Answer, err)
			}
		})
	}
	lives.Wait()
}

func releaseOfAnothers(t *testing.T, w world) {
	state(t, w, "a", dedupe.Won)
	if err := w.Release(t.Context(), message, "b"); err != nil {
		t.Fatal(err)
	}
	state(t, w, "b", dedupe.Pending)
}

func keysAreApart(t *testing.T, w world) {
	for _, key := range []dedupe.Key{
		{AppID: "wx1", Message: "m1"}, {AppID: "wx1", Message: "m2"}, {AppID: "wx2", Message: "m1"},
		{AppID: "wx1", Message: "e5:a b{}*,你"},
	} {
		if got := claim(t, w, key, "a"); got.State != dedupe.Won {
			t.Errorf("%v: state %d", key, got.State)
		}
	}
}

func answerOutOfNothing(t *testing.T, w world) {
	// The store lost the claim, for example in a failover.
	if kept := finish(t, w, "a", "answer"); kept != "answer" {
		t.Errorf("kept %q", kept)
	}
	state(t, w, "b", dedupe.Answered)
}

func firstAnswerWins(t *testing.T, w world) {
	state(t, w, "a", dedupe.Won)
	finish(t, w, "a", "first")
	if kept := finish(t, w, "b", "second"); kept != "first" {
		t.Errorf("kept %q", kept)
	}
	if got := claim(t, w, message, "c"); string(got.Answer) != "first" {
		t.Errorf("answer %q", got.Answer)
	}
}

func lateAnswer(t *testing.T, w world) {
	state(t, w, "stalled", dedupe.Won)
	w.pass(dedupe.Lease + time.Second)
	state(t, w, "b", dedupe.Won)
	if kept := finish(t, w, "stalled", "late, but first"); kept != "late, but first" {
		t.Errorf("kept %q", kept)
	}
	if kept := finish(t, w, "b", "second"); kept != "late, but first" {
		t.Errorf("kept %q", kept)
	}
}

func recordsEnd(t *testing.T, w world) {
	state(t, w, "a", dedupe.Won)
	finish(t, w, "a", "answer")
	w.pass(dedupe.Life + time.Second)
	state(t, w, "b", dedupe.Won)
}

func anyBytes(t *testing.T, w world) {
	answer := "\x00\xff\r\n你好 %s {}"
	state(t, w, "a", dedupe.Won)
	finish(t, w, "a", answer)
	if diff := cmp.Diff(answer, string(claim(t, w, message, "b").Answer)); diff != "" {
		t.Error(diff)
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	for name, run := range suite() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { run(t, world{dedupe.NewMemory(), time.Sleep}) })
		})
	}
}

func TestRedisOnMiniredis(t *testing.T) {
	t.Parallel()
	for name, run := range suite() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := miniredis.RunT(t)
			run(t, world{dedupe.NewRedis(redistest.Connect(t, &redis.Options{Addr: server.Addr()})), server.FastForward})
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
			run(t, world{dedupe.NewRedis(client), func(d time.Duration) { redistest.Age(t, client, d) }})
		})
	}
}

func TestWindowDoesNotWaitForAFrozenRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	options := server.Options()
	options.ContextTimeoutEnabled = true
	client := redistest.Connect(t, options)
	reports := make(chan error, 1)
	w := dedupe.NewWindow(dedupe.NewRedis(client), nil, func(err error) { reports <- err })
	if got := w.Claim(t.Context(), message, "a"); got.State != dedupe.Won {
		t.Fatalf("state %d", got.State)
	}
	if err := server.Process().Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if kept := w.Finish(t.Context(), message, "a", []byte("answer")); string(kept) != "answer" {
		t.Errorf("kept %q", kept)
	}
	if err := <-reports; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reported %v", err)
	}
	if got := w.Claim(t.Context(), message, "b"); got.State != dedupe.Answered {
		t.Errorf("the repeat found state %d", got.State)
	}
}

// TestABatchedCommandEndsWithItsCaller: the first command hangs in a frozen Redis, the second waits behind it.
func TestABatchedCommandEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	options := server.Options()
	options.ContextTimeoutEnabled = true
	options.MaxRetries = -1
	client := redistest.Connect(t, options)
	store := dedupe.NewRedis(client)
	if _, err := store.Claim(t.Context(), message, "a"); err != nil {
		t.Fatal(err)
	}
	if err := server.Process().Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	hanging, release := context.WithTimeout(t.Context(), time.Second)
	defer release()
	first := make(chan error, 1)
	go func() { _, err := store.Claim(hanging, message, "a"); first <- err }()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Claim(ended, message, "b"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := server.Process().Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// TestABatchIsOverInTime: nobody's context bounds the commands that wait behind one that hangs.
func TestABatchIsOverInTime(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	options := server.Options()
	options.ContextTimeoutEnabled = true
	client := redistest.Connect(t, options)
	store := dedupe.NewRedis(client)
	if _, err := store.Claim(t.Context(), message, "a"); err != nil {
		t.Fatal(err)
	}
	if err := server.Process().Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var claims sync.WaitGroup
	for range 10 {
		claims.Go(func() {
			if got, err := store.Claim(context.WithoutCancel(t.Context()), message, "a"); err == nil {
				t.Errorf("state %d of a frozen Redis", got.State)
			}
		})
	}
	claims.Wait()
}

// TestScriptsAreLoadedAgain: a Redis that was restarted knows no scripts.
func TestScriptsAreLoadedAgain(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := redistest.Connect(t, &redis.Options{Addr: server.Addr()})
	w := world{Store: dedupe.NewRedis(client)}
	for range 2 {
		if err := client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		manyAtOnce(t, w)
	}
}

func TestRedisKeysCarryTheHashTag(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	w := world{Store: dedupe.NewRedis(redistest.Connect(t, &redis.Options{Addr: server.Addr()}))}
	state(t, w, "a", dedupe.Won)
	if diff := cmp.Diff([]string{"wx:{wx1}:msg:m1"}, server.Keys()); diff != "" {
		t.Error(diff)
	}
	state(t, w, "a", dedupe.Won) // renewed
	if diff := cmp.Diff([]string{"wx:{wx1}:msg:m1", "wx:{wx1}:msg:m1:lease"}, server.Keys()); diff != "" {
		t.Error(diff)
	}
	finish(t, w, "a", "answer")
	server.FastForward(dedupe.Lease)
	if diff := cmp.Diff([]string{"wx:{wx1}:msg:m1"}, server.Keys()); diff != "" {
		t.Error(diff)
	}
}

// switchable is a store that works, fails, or hangs as long as a store may.
type switchable struct {
	dedupe.Store
	mode  atomic.Int32
	calls atomic.Int32
}

const (
	works = iota
	fails
	hangs
)

var errDown = errors.New("connection refused")

func (s *switchable) Claim(ctx context.Context, key dedupe.Key, owner string) (dedupe.Claim, error) {
	if err := s.trouble(ctx); err != nil {
		return dedupe.Claim{}, err
	}
	return s.Store.Claim(ctx, key, owner)
}

func (s *switchable) Finish(ctx context.Context, key dedupe.Key, owner string, answer []byte) ([]byte, error) {
	if err := s.trouble(ctx); err != nil {
		return nil, err
	}
	return s.Store.Finish(ctx, key, owner, answer)
}

func (s *switchable) Keep(key dedupe.Key, owner string, answer []byte, done func(error)) {
	ctx, cancel := context.WithTimeout(context.Background(), dedupe.CommandTimeout)
	go func() {
		defer cancel()
		if err := s.trouble(ctx); err != nil {
			done(err)
			return
		}
		s.Store.Keep(key, owner, answer, done)
	}()
}

func (s *switchable) Release(ctx context.Context, key dedupe.Key, owner string) error {
	if err := s.trouble(ctx); err != nil {
		return err
	}
	return s.Store.Release(ctx, key, owner)
}

func (s *switchable) trouble(ctx context.Context) error {
	s.calls.Add(1)
	switch s.mode.Load() {
	case fails:
		return errDown
	case hangs:
		ctx, cancel := context.WithTimeout(ctx, dedupe.CommandTimeout)
		defer cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (s *switchable) ping(ctx context.Context) error { return s.trouble(ctx) }

func TestWindowPaysForADeadStoreOnce(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]int32{"refuses": fails, "hangs": hangs} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &switchable{Store: dedupe.NewMemory()}
				store.mode.Store(mode)
				var reports []bool
				w := dedupe.NewWindow(store, store.ping, func(err error) { reports = append(reports, err == nil) })
				start := time.Now()
				for i := range 1000 {
					key := dedupe.Key{AppID: "wx1", Message: strconv.Itoa(i)}
					if got := w.Claim(t.Context(), key, "a"); got.State != dedupe.Won {
						t.Fatalf("state %d", got.State)
					}
					w.Finish(t.Context(), key, "a", []byte("answer"))
					if got := w.Claim(t.Context(), key, "b"); got.State != dedupe.Answered {
						t.Fatalf("state %d of a repeat", got.State)
					}
				}
				if took := time.Since(start); took > time.Second || store.calls.Load() != 1 {
					t.Errorf("1000 messages took %v more and tried the store %d times", took, store.calls.Load())
				}
				if diff := cmp.Diff([]bool{false}, reports); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestWindowReturnsToTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := dedupe.NewMemory()
		store := &switchable{Store: shared}
		w := dedupe.NewWindow(store, store.ping, func(error) {})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- w.Run(ctx) }()
		store.mode.Store(fails)
		time.Sleep(3 * time.Second)
		w.Claim(t.Context(), message, "a")
		if _, ok := shared.Answer(message); ok || w.Claim(t.Context(), message, "a").State != dedupe.Won {
			t.Error("the claim is not this process's own")
		}
		store.mode.Store(works)
		time.Sleep(2 * time.Second)
		// The answer to a claim from the time without the store is shared all the same.
		w.Finish(t.Context(), message, "a", []byte("answer"))
		if got, ok := shared.Answer(message); !ok || string(got.Answer) != "answer" {
			t.Errorf("the shared store has %q", got.Answer)
		}
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

func TestWindowOfACallerThatGaveUpSaysNothingAboutTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &switchable{Store: dedupe.NewMemory()}
		store.mode.Store(hangs)
		w := dedupe.NewWindow(store, store.ping, func(err error) { t.Errorf("reported %v", err) })
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		w.Claim(ctx, message, "a")
	})
}

func TestWindowReleases(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &switchable{Store: dedupe.NewMemory()}
		w := dedupe.NewWindow(store, store.ping, func(error) {})
		w.Claim(t.Context(), message, "a")
		w.Release(t.Context(), message, "a")
		if got := w.Claim(t.Context(), message, "b"); got.State != dedupe.Won {
			t.Errorf("state %d after release", got.State)
		}
		store.mode.Store(fails)
		w.Release(t.Context(), message, "b")
		if got := w.Claim(t.Context(), message, "c"); got.State != dedupe.Won {
			t.Errorf("state %d without the store", got.State)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := dedupe.NewMemory()
	const messages = 1<<16 + 10
	for i := range messages {
		key := dedupe.Key{AppID: "wx1", Message: strconv.Itoa(i)}
		if _, err := m.Finish(t.Context(), key, "a", []byte("answer")); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := m.Answer(dedupe.Key{AppID: "wx1", Message: "0"}); ok {
		t.Error("the oldest record is still there")
	}
	if _, ok := m.Answer(dedupe.Key{AppID: "wx1", Message: strconv.Itoa(messages - 1)}); !ok {
		t.Error("the newest record is gone")
	}
}

// TestAPauseOfTheSharedStoreTakesNothingOver is about a store that fails once, as one does that is paused:
// what another replica works on stays that one's for as long as its lease was seen to hold.
func TestAPauseOfTheSharedStoreTakesNothingOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &switchable{Store: dedupe.NewMemory()}
		w := dedupe.NewWindow(store, store.ping, func(error) {})
		if _, err := store.Claim(t.Context(), message, "other"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		claims := func(want dedupe.Claim) {
			t.Helper()
			if diff := cmp.Diff(want, w.Claim(t.Context(), message, "a")); diff != "" {
				t.Fatal(diff)
			}
		}
		claims(dedupe.Claim{State: dedupe.Pending, Age: time.Second})
		store.mode.Store(fails)
		time.Sleep(dedupe.Lease - time.Millisecond)
		claims(dedupe.Claim{State: dedupe.Pending, Age: time.Second + dedupe.Lease - time.Millisecond, Alone: true})
		time.Sleep(time.Millisecond)
		claims(dedupe.Claim{State: dedupe.Won, Age: time.Second + dedupe.Lease, Alone: true})
	})
}

// TestWhatTheSharedStoreMissedItGetsLater is about an answer that was ready while the store was away, and
// that another replica waits for.
func TestWhatTheSharedStoreMissedItGetsLater(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]func(t *testing.T, w *dedupe.Window){
		"waited for":     func(t *testing.T, w *dedupe.Window) { w.Finish(t.Context(), message, "a", []byte("answer")) },
		"not waited for": func(_ *testing.T, w *dedupe.Window) { w.Keep(message, "a", []byte("answer")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whatTheSharedStoreMissed(t, store)
		})
	}
}

func whatTheSharedStoreMissed(t *testing.T, give func(*testing.T, *dedupe.Window)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := &switchable{Store: dedupe.NewMemory()}
		w := dedupe.NewWindow(store, store.ping, func(error) {})
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- w.Run(ctx) }()
		if got := w.Claim(t.Context(), message, "a"); got.State != dedupe.Won {
			t.Fatalf("state %d", got.State)
		}
		store.mode.Store(fails)
		give(t, w)
		time.Sleep(5 * time.Second) // some looks at a dead store
		store.mode.Store(works)
		time.Sleep(time.Second)
		synctest.Wait()
		if got, err := store.Claim(t.Context(), message, "b"); err != nil || string(got.Answer) != "answer" {
			t.Errorf("the store has %+v, %v", got, err)
		}
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
}
