package callback_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/message"
)

// WeChat's rules, as the platform plays them.
const (
	patience   = 5 * time.Second
	deliveries = 3
)

// told is what became of a message: what the follower saw, and what each delivery got.
type told struct {
	// body is the first answer that reached WeChat; empty: none did, and the follower saw the notice.
	body string
	// after is when it did.
	after time.Duration
	got   []answer
}

// tell delivers a message as WeChat does: to the handlers in turn, each delivery for 5 s, at most three.
func tell(t *testing.T, plaintext string, handlers ...http.Handler) told {
	t.Helper()
	var result told
	start := time.Now()
	for i := range deliveries {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		got := serve(handlers[i%len(handlers)], push(t, account.EncryptionPlain, "/wx", plaintext).WithContext(ctx))
		lapsed := ctx.Err() != nil
		cancel()
		result.got = append(result.got, got)
		if !lapsed && !got.closed {
			result.body, result.after = got.body, time.Since(start)
			break
		}
	}
	synctest.Wait()
	return result
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func TestSlowLogicAnswersWithWhicheverDeliveryIsThere(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		delay      time.Duration
		after      time.Duration
		deliveries int
		answered   bool
	}{
		"at once":       {0, 0, 1, true},
		"first":         {seconds(4), seconds(4), 1, true},
		"second":        {seconds(7), seconds(7), 2, true},
		"third":         {seconds(12), seconds(12), 3, true},
		"just in time":  {seconds(14.4), seconds(14.4), 3, true},
		"too late":      {seconds(14.6), seconds(14.5), 3, false},
		"much too late": {seconds(20), seconds(14.5), 3, false},
	}
	for name, tt := range tests {
		for _, replicas := range []int{1, 2, 3} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d := directory(t, account.EncryptionPlain)
				synctest.Test(t, func(t *testing.T) {
					store, l := dedupe.NewMemory(), &logic{delay: tt.delay, reply: message.TextReply{Content: "test"}}
					handlers, all := make([]http.Handler, 0, replicas), make([]*replica, 0, replicas)
					for range replicas {
						r := newReplica(t, d, store, l)
						handlers, all = append(handlers, r), append(all, r)
					}
					got := tell(t, text(1, "你好"), handlers...)
					if strings.Contains(got.body, "test") != tt.answered || (!tt.answered && got.body != message.Success) {
						t.Errorf("WeChat got %q", got.body)
					}
					// A delivery on another replica looks every 200 ms whether the answer is there.
					if slack := got.after - tt.after; slack < 0 || slack > 200*time.Millisecond || (replicas == 1 && slack != 0) {
						t.Errorf("answered after %v, want %v", got.after, tt.after)
					}
					if len(got.got) != tt.deliveries || l.times("m1") != 1 {
						t.Errorf("%d deliveries, logic asked %d times; want %d and once", len(got.got), l.times("m1"), tt.deliveries)
					}
					for _, lapsed := range got.got[:len(got.got)-1] {
						if !lapsed.closed {
							t.Errorf("a delivery that lapsed was answered: %+v", lapsed)
						}
					}
					var timeouts float64
					for _, r := range all {
						timeouts += r.count(t, "gateway_reply_timeouts_total")
					}
					if want := map[bool]float64{true: 0, false: 1}[tt.answered]; timeouts != want {
						t.Errorf("gateway_reply_timeouts_total = %v, want %v", timeouts, want)
					}
				})
			})
		}
	}
}

func TestEveryDeliveryGetsTheIdenticalAnswer(t *testing.T) {
	t.Parallel()
	for _, mode := range []account.Encryption{account.EncryptionPlain, account.EncryptionCompatible, account.EncryptionSafe} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			d := directory(t, mode)
			synctest.Test(t, func(t *testing.T) {
				store, l := dedupe.NewMemory(), &logic{delay: time.Second, reply: message.TextReply{Content: "test"}}
				a, b := newReplica(t, d, store, l), newReplica(t, d, store, l)
				const overlapping = 4
				answers := make(chan answer, 2*overlapping)
				for _, h := range []http.Handler{a, b} {
					for range overlapping {
						go func() { answers <- serve(h, push(t, mode, "/wx", text(7, "你好"))) }()
					}
				}
				seen, raw := map[string]int{}, map[string]int{}
				note := func(got answer) {
					raw[got.body]++
					if mode != account.EncryptionPlain {
						got.body = unseal(t, got.body)
					}
					seen[got.body]++
				}
				for range 2 * overlapping {
					note(<-answers)
				}
				// A repeat much later gets the answer that was kept, with the time of then in it.
				time.Sleep(time.Minute)
				note(serve(a, push(t, mode, "/wx", text(7, "你好"))))
				note(serve(b, push(t, mode, "/wx", text(7, "你好"))))
				if len(seen) != 1 {
					t.Errorf("different answers to one message: %v", seen)
				}
				if mode != account.EncryptionPlain && len(raw) != 2*overlapping+2 {
					t.Errorf("%d envelopes for %d deliveries: each has to be sealed by itself", len(raw), 2*overlapping+2)
				}
				if l.times("m7") != 1 {
					t.Errorf("logic was asked %d times", l.times("m7"))
				}
				if got := a.count(t, "gateway_duplicates_total") + b.count(t, "gateway_duplicates_total"); got != 2*overlapping+1 {
					t.Errorf("gateway_duplicates_total = %v, want %v", got, 2*overlapping+1)
				}
			})
		})
	}
}

func TestDifferentMessagesAreNeverMerged(t *testing.T) {
	t.Parallel()
	d := directory(t, account.EncryptionPlain)
	synctest.Test(t, func(t *testing.T) {
		l := &logic{delay: time.Second, reply: message.TextReply{Content: "test"}}
		r := newReplica(t, d, dedupe.NewMemory(), l)
		const messages = 50
		done := make(chan answer, messages)
		for id := 1; id <= messages; id++ {
			go func() { done <- serve(r, push(t, account.EncryptionPlain, "/wx", text(id, "同样的话"))) }()
		}
		for range messages {
			if got := <-done; !strings.Contains(got.body, "test") {
				t.Errorf("got %+v", got)
			}
		}
		if len(l.asked) != messages {
			t.Errorf("logic was asked about %d messages, want %d", len(l.asked), messages)
		}
	})
}

func TestTheNextDeliveryTakesOverFromAReplicaThatDied(t *testing.T) {
	t.Parallel()
	d := directory(t, account.EncryptionPlain)
	synctest.Test(t, func(t *testing.T) {
		store := dedupe.NewMemory()
		// What is left of a replica that claimed the message and died at once.
		key := dedupe.Key{AppID: testAppID, Message: "m3"}
		if _, err := store.Claim(t.Context(), key, "dead"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		l := &logic{delay: seconds(11), reply: message.TextReply{Content: "test"}}
		got := tell(t, text(3, "你好"), newReplica(t, d, store, l))
		// The lease ends 2 s after its claim, 1 s from here; the answer comes 11 s later, within a budget that
		// began a second before.
		if want := seconds(12); got.after < want || got.after > want+200*time.Millisecond || !strings.Contains(got.body, "test") {
			t.Errorf("answered %q after %v, want %v", got.body, got.after, want)
		}
	})
}

func TestTheBudgetSurvivesATakeOver(t *testing.T) {
	t.Parallel()
	d := directory(t, account.EncryptionPlain)
	synctest.Test(t, func(t *testing.T) {
		store := dedupe.NewMemory()
		if _, err := store.Claim(t.Context(), dedupe.Key{AppID: testAppID, Message: "m3"}, "dead"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(seconds(10))
		r := newReplica(t, d, store, &logic{delay: time.Hour})
		got := tell(t, text(3, "你好"), r)
		if got.body != message.Success || got.after != seconds(4.5) || len(got.got) != 1 {
			t.Errorf("the last delivery got %q after %v, want success after 4.5 s", got.body, got.after)
		}
	})
}

// brittle is a store that works or doesn't.
type brittle struct {
	dedupe.Store
	broken atomic.Bool
}

var errGone = errors.New("connection refused")

func (b *brittle) Claim(ctx context.Context, key dedupe.Key, owner string) (dedupe.Claim, error) {
	if b.broken.Load() {
		return dedupe.Claim{}, errGone
	}
	return b.Store.Claim(ctx, key, owner)
}

func (b *brittle) Finish(ctx context.Context, key dedupe.Key, owner string, answer []byte) ([]byte, error) {
	if b.broken.Load() {
		return nil, errGone
	}
	return b.Store.Finish(ctx, key, owner, answer)
}

func TestWithoutRedisAReplicaGoesOnByItself(t *testing.T) {
	t.Parallel()
	for name, breaksAfter := range map[string]time.Duration{"from the start": 0, "midway": seconds(6)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := directory(t, account.EncryptionPlain)
			synctest.Test(t, func(t *testing.T) {
				store := &brittle{Store: dedupe.NewMemory()}
				time.AfterFunc(breaksAfter, func() { store.broken.Store(true) })
				synctest.Wait()
				l := &logic{delay: seconds(12), reply: message.TextReply{Content: "test"}}
				r := newReplica(t, d, store, l)
				got := tell(t, text(5, "你好"), r)
				if !strings.Contains(got.body, "test") || l.times("m5") != 1 {
					t.Errorf("WeChat got %q, logic was asked %d times", got.body, l.times("m5"))
				}
				again := serve(r, push(t, account.EncryptionPlain, "/wx", text(5, "你好")))
				if again.body != got.body || l.times("m5") != 1 {
					t.Errorf("the repeat got %q, logic was asked %d times", again.body, l.times("m5"))
				}
			})
		})
	}
}

func TestACallerThatIsNotBoundByWeChatsRuleGetsSuccess(t *testing.T) {
	t.Parallel()
	d := directory(t, account.EncryptionPlain)
	synctest.Test(t, func(t *testing.T) {
		r := newReplica(t, d, dedupe.NewMemory(), &logic{delay: seconds(8), reply: message.TextReply{Content: "test"}})
		start := time.Now()
		got := serve(r, push(t, account.EncryptionPlain, "/wx", text(9, "你好")))
		if got.body != message.Success || time.Since(start) != seconds(6) {
			t.Errorf("got %q after %v, want success after 6 s", got.body, time.Since(start))
		}
		r.Drain(t.Context())
	})
}

func TestAFailureOfLogicIsNeverShownToTheFollower(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		replier  *logic
		outcome  string
		logged   string
		timeouts float64
	}{
		"invalid":  {&logic{err: fault.New(fault.Invalid, "no such field")}, "failed", "no such field", 0},
		"internal": {&logic{err: errors.New("boom")}, "failed", "boom", 0},
		"deadline": {&logic{err: fault.New(fault.Deadline, "too slow")}, "timed_out", "m4", 1},
		"refused reply": {
			&logic{reply: message.ImageReply{}}, "invalid_reply", `"rule":"rule"`, 0,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReplica(t, directory(t, account.EncryptionPlain), dedupe.NewMemory(), tt.replier)
			got := serve(r, push(t, account.EncryptionPlain, "/wx", text(4, "机密的话")))
			if got.status != http.StatusOK || got.body != message.Success {
				t.Errorf("got %d %q", got.status, got.body)
			}
			if n := r.count(t, "gateway_callbacks_total", tt.outcome, "text"); n != 1 {
				t.Errorf("outcome %s counted %v times", tt.outcome, n)
			}
			if n := r.count(t, "gateway_reply_timeouts_total"); n != tt.timeouts {
				t.Errorf("gateway_reply_timeouts_total = %v, want %v", n, tt.timeouts)
			}
			if log := r.log.String(); !strings.Contains(log, tt.logged) || !strings.Contains(log, "m4") || strings.Contains(log, "机密") {
				t.Errorf("the log must name key and reason, and nothing of the message:\n%s", log)
			}
		})
	}
}

// panicking is a replier with a bug.
type panicking struct{}

func (panicking) Reply(context.Context, string, message.Message, time.Time, time.Time) (message.Reply, string, error) {
	panic("bug")
}

func TestAPanicIsSuccess(t *testing.T) {
	t.Parallel()
	r := newReplica(t, directory(t, account.EncryptionPlain), dedupe.NewMemory(), panicking{})
	if got := serve(r, push(t, account.EncryptionPlain, "/wx", text(4, "你好"))); got.body != message.Success {
		t.Errorf("got %+v", got)
	}
	if !strings.Contains(r.log.String(), "bug") {
		t.Error("the panic is not in the log")
	}
}

func TestDrainFinishesWhatWasBegun(t *testing.T) {
	t.Parallel()
	d := directory(t, account.EncryptionPlain)
	synctest.Test(t, func(t *testing.T) {
		store, l := dedupe.NewMemory(), &logic{delay: seconds(9), reply: message.TextReply{Content: "test"}}
		leaving, staying := newReplica(t, d, store, l), newReplica(t, d, store, l)
		// The first delivery lapses, and its replica is asked to stop.
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		serve(leaving, push(t, account.EncryptionPlain, "/wx", text(6, "你好")).WithContext(ctx))
		drained := make(chan struct{})
		go func() { leaving.Drain(t.Context()); close(drained) }()
		synctest.Wait()
		if got := serve(leaving, push(t, account.EncryptionPlain, "/wx", text(8, "新来的"))); !got.closed {
			t.Errorf("a new message was taken while draining: %+v", got)
		}
		got := serve(staying, push(t, account.EncryptionPlain, "/wx", text(6, "你好")))
		<-drained
		if !strings.Contains(got.body, "test") || l.times("m6") != 1 {
			t.Errorf("the next delivery got %q, logic was asked %d times", got.body, l.times("m6"))
		}
	})
}

func TestACutDrainHandsOverAtOnce(t *testing.T) {
	t.Parallel()
	d := directory(t, account.EncryptionPlain)
	synctest.Test(t, func(t *testing.T) {
		store := dedupe.NewMemory()
		leaving := newReplica(t, d, store, &logic{delay: time.Hour})
		staying := newReplica(t, d, store, &logic{reply: message.TextReply{Content: "test"}})
		waiting := make(chan answer, 1)
		go func() { waiting <- serve(leaving, push(t, account.EncryptionPlain, "/wx", text(6, "你好"))) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		leaving.Drain(ctx)
		if got := <-waiting; !got.closed {
			t.Errorf("the delivery that was cut off got %+v", got)
		}
		start := time.Now()
		got := serve(staying, push(t, account.EncryptionPlain, "/wx", text(6, "你好")))
		if diff := cmp.Diff(time.Duration(0), time.Since(start)); diff != "" || !strings.Contains(got.body, "test") {
			t.Errorf("the other replica answered %q, later by %s", got.body, diff)
		}
	})
}

// Begin is never possible, so that Reply is always asked.
func (panicking) Begin(string, message.Message, time.Time, time.Time, time.Time, func(message.Reply, string, bool, error)) func() {
	return nil
}

// buggy is a store that panics from a moment on.
type buggy struct {
	dedupe.Store

	after time.Time
}

func (b *buggy) Claim(ctx context.Context, key dedupe.Key, owner string) (dedupe.Claim, error) {
	if time.Now().After(b.after) {
		panic("bug")
	}
	return b.Store.Claim(ctx, key, owner)
}

// TestAPanicWithoutADeliveryEndsNothingElse is about a computation that has outlived the delivery that began it.
func TestAPanicWithoutADeliveryEndsNothingElse(t *testing.T) {
	t.Parallel()
	d := directory(t, account.EncryptionPlain)
	synctest.Test(t, func(t *testing.T) {
		store := &buggy{Store: dedupe.NewMemory(), after: time.Now().Add(patience + time.Second)}
		r := newReplica(t, d, store, &logic{delay: seconds(12), reply: message.TextReply{Content: "test"}})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if got := serve(r, push(t, account.EncryptionPlain, "/wx", text(4, "你好")).WithContext(ctx)); !got.closed {
			t.Errorf("the delivery that lapsed got %+v", got)
		}
		if got := serve(r, push(t, account.EncryptionPlain, "/wx", text(4, "你好"))); got.body != message.Success {
			t.Errorf("the next delivery got %+v", got)
		}
		if log := r.log.String(); !strings.Contains(log, "bug") || !strings.Contains(log, `"m4"`) {
			t.Errorf("the panic is not in the log: %s", log)
		}
	})
}
