package dedupe

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wxstack/wxstack/chassis/redisconn"
)

// Window claims messages in the store that all replicas share, and in this process's own while the
// shared one fails. It therefore always has an answer.
//
// After a failure the shared store is left alone until Run has seen it work again, so that messages
// don't queue up behind a dead server one time-out each.
type Window struct {
	shared Store
	local  *Memory
	ping   func(context.Context) error
	report func(error)
	down   atomic.Bool

	// owed are the answers that the shared store could not take.
	mu   sync.Mutex
	owed map[Key]debt

	// keeping are the answers that the shared store is about to take.
	keeping sync.WaitGroup
}

// debt is an answer that other replicas may be waiting for.
type debt struct {
	owner  string
	answer []byte
	since  time.Time
}

// NewWindow returns a Window over the shared store. The function ping says whether the store works;
// report is told whenever that is found out, with nil for yes.
func NewWindow(shared Store, ping func(context.Context) error, report func(error)) *Window {
	return &Window{shared: shared, local: NewMemory(), ping: ping, report: report, owed: map[Key]debt{}}
}

// Claim takes, renews or joins, as Store describes.
func (w *Window) Claim(ctx context.Context, key Key, owner string) Claim {
	// What this process has answered it knows, even if Redis has gone meanwhile.
	if claim, ok := w.local.Answer(key); ok {
		return claim
	}
	if !w.down.Load() {
		claim, err := w.shared.Claim(ctx, key, owner)
		if err == nil {
			if claim.State == Pending {
				w.local.see(key, claim.Age)
			}
			return claim
		}
		w.failed(ctx, err)
	}
	claim, _ := w.local.Claim(ctx, key, owner) // Memory never fails.
	claim.Alone = true
	return claim
}

// Finish stores the answer and returns the one that counts, as Store describes.
func (w *Window) Finish(ctx context.Context, key Key, owner string, answer []byte) []byte {
	if !w.down.Load() {
		kept, err := w.shared.Finish(ctx, key, owner, answer)
		if err == nil {
			kept, _ = w.local.Finish(ctx, key, owner, kept) // Memory never fails.
			return kept
		}
		w.failed(ctx, err)
	}
	kept, _ := w.local.Finish(ctx, key, owner, answer)
	w.owe(key, debt{owner, kept, time.Now()})
	return kept
}

// Keep stores the answer of a message whose claim surely still holds, without waiting: repeats of the message
// find it here at once, and at other replicas when the shared store has it.
func (w *Window) Keep(key Key, owner string, answer []byte) {
	kept, _ := w.local.Finish(context.Background(), key, owner, answer) // Memory never fails.
	d := debt{owner, kept, time.Now()}
	if w.down.Load() {
		w.owe(key, d)
		return
	}
	w.keeping.Add(1)
	w.shared.Keep(key, owner, kept, func(err error) {
		defer w.keeping.Done()
		if err != nil {
			w.failed(context.Background(), err)
			w.owe(key, d)
		}
	})
}

// owe remembers an answer for the shared store. What is too much is left to the replicas that wait for it:
// they compute it themselves when the claim has lapsed.
func (w *Window) owe(key Key, d debt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.owed) < maxRecords {
		w.owed[key] = d
	}
}

// settle gives the shared store what it is owed.
func (w *Window) settle(ctx context.Context) {
	w.mu.Lock()
	owed := w.owed
	w.owed = map[Key]debt{}
	w.mu.Unlock()
	for key, d := range owed {
		if time.Since(d.since) >= Life {
			continue
		}
		if _, err := w.shared.Finish(ctx, key, d.owner, d.answer); err != nil {
			w.failed(ctx, err)
			w.owe(key, d)
		}
	}
}

// Release gives a claim back, as Store describes. If that fails the lease lapses by itself.
func (w *Window) Release(ctx context.Context, key Key, owner string) {
	if !w.down.Load() {
		if err := w.shared.Release(ctx, key, owner); err != nil {
			w.failed(ctx, err)
		}
	}
	_ = w.local.Release(ctx, key, owner) // Memory never fails.
}

// Run watches the shared store until ctx is done, and gives it what it has missed when it works again. It
// returns when the shared store has taken, or refused, what was kept last.
func (w *Window) Run(ctx context.Context) error {
	defer w.keeping.Wait()
	return redisconn.Watch(ctx, w.ping, func(err error) {
		w.down.Store(err != nil)
		w.report(err)
		if err == nil {
			w.settle(ctx)
		}
	})
}

// failed notes that a command failed, unless the caller's own time was over.
func (w *Window) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	w.down.Store(true)
	w.report(err)
}
