package idempotency

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/lifecycle"
)

const (
	// callTimeout bounds a call whose caller may be gone already: several hosts, and a token that has to
	// be renewed in between.
	callTimeout = 3 * time.Minute
	// renewPause is how often the lease is renewed: it survives two renewals that fail.
	renewPause = Lease * 3 / 10
	// firstPoll and maxPoll are the pauses between two looks at a call that another one makes.
	firstPoll = 25 * time.Millisecond
	maxPoll   = 500 * time.Millisecond
	// askAgain is how long a caller whose time ended meanwhile should wait before asking again.
	askAgain = time.Second
)

// Outcome is what became of a call.
type Outcome int

const (
	// Uncertain says that the call may have been carried out, and that nobody can tell.
	Uncertain Outcome = iota
	// Undone says that nothing was done, and that the same call may go well another time.
	Undone
	// Kept says that the verdict is the call's last.
	Kept
)

// Call makes a call and returns its verdict, which is kept when the outcome is Kept. Its context does not
// end when the caller leaves.
type Call func(ctx context.Context) (verdict []byte, outcome Outcome, err error)

// Guard makes calls once. It is safe for concurrent use.
type Guard struct {
	ledger  *Ledger
	metrics *Metrics
	log     *slog.Logger
}

// NewGuard returns a Guard over ledger, which somebody else runs.
func NewGuard(ledger *Ledger, metrics *Metrics, log *slog.Logger) *Guard {
	return &Guard{ledger: ledger, metrics: metrics, log: log}
}

// Do makes the call unless it was made already, and returns its verdict: what call returned, or what an
// earlier call with the same key did. While another caller makes it Do waits, until ctx is done. A call
// that has begun is finished even if its caller leaves, so that the verdict is there for whoever asks
// next.
//
// Beside the errors of call there are: fault.Invalid, the key belongs to another request; fault.Deadline
// with a retry-after, the call is still being made; fault.Deadline without, an earlier call may have been
// carried out, and it is not made again.
func (g *Guard) Do(ctx context.Context, key Key, request Fingerprint, call Call) ([]byte, error) {
	claim := Claim{Owner: rand.Text(), Request: request}
	for pause := firstPoll; ; pause = min(2*pause, maxPoll) {
		record := g.ledger.Begin(ctx, key, claim)
		switch record.State {
		case Fresh:
			return g.perform(ctx, key, claim, call)
		case Done:
			g.metrics.count(outcomeRepeated)
			return record.Verdict, nil
		case Conflict:
			g.metrics.count(outcomeConflict)
			return nil, fault.New(fault.Invalid,
				"field idempotency_key: the key was used for another request; take a new key for every message or call, and the same one only to repeat it unchanged")
		case Busy:
		case Unknown:
			g.metrics.count(outcomeUnknown)
			return nil, fault.New(fault.Deadline,
				"it is unknown whether an earlier call with this idempotency_key was carried out (the message sent), so it is not made again; look before using a new key")
		}
		if !lifecycle.Sleep(ctx, pause) {
			g.metrics.count(outcomePending)
			return nil, fault.Wrap(fault.Deadline, ctx.Err(),
				"a call with this idempotency_key is still being made; ask again with the same key").WithRetryAfter(askAgain)
		}
	}
}

// perform makes the call under its lease and notes what became of it. A call that panics is uncertain.
func (g *Guard) perform(ctx context.Context, key Key, claim Claim, call Call) (verdict []byte, err error) {
	ctx = context.WithoutCancel(ctx)
	outcome := Uncertain
	stop := g.renew(ctx, key, claim)
	defer func() {
		stop()
		g.settle(ctx, key, claim, outcome, verdict)
	}()
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	verdict, outcome, err = call(bounded)
	return verdict, err
}

func (g *Guard) settle(ctx context.Context, key Key, claim Claim, outcome Outcome, verdict []byte) {
	switch outcome {
	case Kept:
		g.metrics.count(outcomeMade)
		g.ledger.Finish(ctx, key, claim, verdict)
	case Undone:
		g.metrics.count(outcomeUndone)
		g.ledger.Clear(ctx, key, claim)
	case Uncertain:
		g.metrics.count(outcomeUncertain)
		g.log.WarnContext(ctx, "a call with an idempotency key has no verdict, it is not made again", "app_id", key.AppID, "idempotency_key", key.Value)
		g.ledger.Abandon(ctx, key, claim)
	}
}

// renew keeps the lease until the returned function is called, which waits for a renewal under way.
func (g *Guard) renew(ctx context.Context, key Key, claim Claim) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() {
		ticker := time.NewTicker(renewPause)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				g.ledger.Renew(ctx, key, claim)
			}
		}
	})
	return func() {
		cancel()
		work.Wait()
	}
}
