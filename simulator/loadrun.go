package simulator

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/load"
)

// loadRun is a load on its way.
type loadRun struct {
	platform *Platform
	load     Load
	mix      *load.Mix
	tally    *loadTally
	started  time.Time
}

// task is one message of a load.
type task struct {
	number int
	share  int
	due    time.Duration // After the start; 0 in a closed loop.
}

func (p *Platform) newLoadRun(asked Load) (*loadRun, error) {
	complete, err := asked.complete()
	if err != nil {
		return nil, err
	}
	var weights []int
	for _, share := range complete.Mix {
		if err := p.knows(share.Push); err != nil {
			return nil, err
		}
		weights = append(weights, share.Weight)
	}

	return &loadRun{platform: p, load: complete, mix: load.NewMix(weights), tally: newLoadTally()}, nil
}

// knows returns what is wrong with the kind of a push, so that a load that can't begin says so at once.
func (p *Platform) knows(push Push) error {
	if push.XML != "" {
		return nil
	}
	if _, err := p.catalog.Select(string(cmp.Or(push.Type, TypeText)), push.Event, push.InfoType, push.Fields); err != nil {
		return invalidDocument(err)
	}

	return nil
}

// run sends everything, waits for late answers, and sums up.
func (r *loadRun) run(ctx context.Context) (LoadSummary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := r.platform.observe(r.tally.observe)
	defer stop()
	r.started = time.Now()
	r.tally.start(r.started)
	tasks := make(chan task)
	var senders sync.WaitGroup
	for range r.load.Concurrency {
		senders.Go(func() {
			for next := range tasks {
				if err := r.send(ctx, next); err != nil {
					r.tally.abort(err)
					cancel()
				}
				pause(ctx, r.load.Interval)
			}
		})
	}
	r.hand(ctx, tasks)
	close(tasks)
	senders.Wait()
	took := time.Since(r.started)
	pause(ctx, r.load.Settle)

	return r.tally.conclude(took, ctx.Err() != nil)
}

// hand gives the messages to the senders: each when it is due, or as soon as one is free.
func (r *loadRun) hand(ctx context.Context, tasks chan<- task) {
	whole := ctx
	if r.load.Duration > 0 {
		limited, cancel := context.WithTimeout(ctx, r.load.Duration)
		defer cancel()
		ctx = limited
	}
	handed := 0
	for number := 0; number < r.load.Count && ctx.Err() == nil; number++ {
		next := task{number: number, share: r.mix.Next()}
		if r.load.Rate > 0 {
			next.due = load.Due(number, r.load.Rate)
			pause(ctx, next.due-time.Since(r.started))
		}
		select {
		case tasks <- next:
			handed++
		case <-ctx.Done():
		}
	}
	if r.load.Rate > 0 && r.load.Duration > 0 && whole.Err() == nil {
		r.tally.notSent(min(load.DueBefore(r.load.Duration-lateStart, r.load.Rate), r.load.Count) - handed)
	}
}

// send pushes one message, and once more if it is one of those to be repeated.
func (r *loadRun) send(ctx context.Context, next task) error {
	share := r.load.Mix[next.share]
	push := share.Push
	if r.load.Followers > 0 {
		push.From = loadFollower(next.number % r.load.Followers)
	}
	if push.XML == "" && (push.Type == TypeText || push.Type == "") {
		push.Content += " " + load.Marker(next.number)
	}
	if late := time.Since(r.started) - next.due; r.load.Rate > 0 && late > lateStart {
		r.tally.startedLate()
	}
	sent, err := r.platform.prepare(push)
	if err != nil {
		return err
	}
	kind := string(sent.push.Type)
	if sent.push.Event != "" {
		kind = sent.push.Event
	}
	r.tally.sent(kind, load.Message{
		Number: next.number, Follower: sent.push.From, Content: sent.document.line.content(), MediaID: sent.document.line.MediaID, Expect: string(share.Expect),
	})
	result := r.platform.deliverAll(ctx, sent)
	took := result.DurationMS
	if r.load.Rate > 0 {
		took = milliseconds(time.Since(r.started) - next.due)
	}
	if err := ctx.Err(); err != nil && result.Outcome == OutcomeFailed {
		return fmt.Errorf("push was given up: %w", err)
	}
	r.platform.conclude(sent, &result)
	r.tally.add(next.number, kind, result, took)
	if result.Outcome != OutcomeFailed && load.Repeats(next.number, r.load.Repeat) {
		again := r.platform.deliver(ctx, sent, len(result.Deliveries)+1)
		if ctx.Err() == nil { // Else nobody waited for the answer.
			r.tally.repeat(next.number, result.Deliveries[len(result.Deliveries)-1], again)
		}
	}

	return nil
}

// lateStart is how late a message may be sent without being counted: timers are no more exact on a busy machine.
const lateStart = 20 * time.Millisecond

// content is the text of a follower's line, if it is one.
func (e ChatEntry) content() string {
	if e.Side == SideFollower && e.Type == string(TypeText) {
		return e.Text
	}

	return ""
}

// loadFollower names the followers of load runs apart from the default one.
func loadFollower(number int) string { return fmt.Sprintf("oLOAD%023d", number+1) }

func pause(ctx context.Context, interval time.Duration) {
	if interval <= 0 {
		return
	}
	timer := time.NewTimer(interval)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
