package dedupe

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// batcher runs commands. While one pipeline is under way those that are asked for gather, and the next
// pipeline takes them all, so that under load a round trip serves many messages. A command asked for while
// none is under way goes out at once, by its caller.
//
// Every command is over CommandTimeout after it was asked for, also if it waited for others before. That is
// the deadline of the round trips, of which each ends with its oldest command, and not of a timer for each.
//
// The autopipelining of go-redis does the same, but holds a caller up until the round trip ends, whatever
// the caller's context says.
type batcher struct {
	client redis.UniversalClient

	mu      sync.Mutex
	sending bool
	waiting []*waiter
}

// command is a script with its keys, or without one a plain command in args.
type command struct {
	script *redis.Script
	keys   []string
	args   []any
}

// commander is a client or a pipeline.
type commander interface {
	redis.Scripter
	Do(ctx context.Context, args ...any) *redis.Cmd
}

// send runs the command by on: at once on a client, later on a pipeline.
func (c command) send(ctx context.Context, on commander) *redis.Cmd {
	if c.script == nil {
		return on.Do(ctx, c.args...)
	}
	return c.script.EvalSha(ctx, on, c.keys, c.args...)
}

// unknown reports whether the server asks for the source of a script.
func unknown(err error) bool { return redis.HasErrorPrefix(err, "NOSCRIPT") }

// waiter is a command whose caller waits.
type waiter struct {
	command

	asked time.Time
	// done is closed when answer and err are there.
	done   chan struct{}
	answer any
	err    error
	// then, if there is one, is called with them: nobody waits.
	then func(answer any, err error)
}

// run runs a command and returns its answer; redis.Nil is the error of none. When ctx ends before, the
// command may be run nevertheless.
func (b *batcher) run(ctx context.Context, c command) (any, error) {
	w, alone := b.join(c)
	if alone {
		defer b.next()
		bounded, cancel := context.WithTimeout(ctx, CommandTimeout)
		defer cancel()
		answer, err := c.send(bounded, b.client).Result()
		if unknown(err) {
			answer, err = c.script.Eval(bounded, b.client, c.keys, c.args...).Result()
		}
		return answer, err
	}
	if ctx.Done() == nil { // a select costs three times as much.
		<-w.done
		return w.answer, w.err
	}
	select {
	case <-w.done:
		return w.answer, w.err
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for a round trip to Redis: %w", ctx.Err())
	}
}

// post has a command run by and by, with others that wait, and then is told what came of it.
func (b *batcher) post(c command, then func(answer any, err error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, &waiter{command: c, asked: time.Now(), then: then})
	if !b.sending {
		b.sending = true
		go b.drain()
	}
}

// join puts the command with those that wait, unless it is alone: then its caller has to send it.
func (b *batcher) join(c command) (w *waiter, alone bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.sending {
		b.sending = true
		return nil, true
	}
	w = &waiter{command: c, asked: time.Now(), done: make(chan struct{})}
	b.waiting = append(b.waiting, w)
	return w, false
}

// next has what waits sent. The caller has been sending, so nobody else is.
func (b *batcher) next() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		b.sending = false
		return
	}
	go b.drain()
}

// drain sends what waits until nothing does. It ends by itself: each round trip is bounded.
func (b *batcher) drain() {
	for {
		// Whoever is about to ask, asks first: one round trip then serves them all.
		runtime.Gosched()
		b.mu.Lock()
		batch := b.waiting
		b.waiting = nil
		b.sending = len(batch) > 0
		b.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		b.send(batch)
	}
}

// send runs commands in one round trip; scripts that the server doesn't know yet need another one.
func (b *batcher) send(batch []*waiter) {
	ctx, cancel := context.WithDeadline(context.Background(), batch[0].asked.Add(CommandTimeout))
	defer cancel()
	b.pipeline(ctx, batch, command.send)
	var again []*waiter
	for _, w := range batch {
		if unknown(w.err) {
			again = append(again, w)
		}
	}
	if again != nil {
		b.pipeline(ctx, again, func(c command, ctx context.Context, on commander) *redis.Cmd {
			return c.script.Eval(ctx, on, c.keys, c.args...)
		})
	}
	for _, w := range batch {
		if w.then != nil {
			w.then(w.answer, w.err)
		} else {
			close(w.done)
		}
	}
}

// pipeline runs commands in one round trip.
func (b *batcher) pipeline(ctx context.Context, batch []*waiter, send func(command, context.Context, commander) *redis.Cmd) {
	answers := make([]*redis.Cmd, len(batch))
	// What goes wrong stands in each answer.
	_, _ = b.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, w := range batch {
			answers[i] = send(w.command, ctx, pipe)
		}
		return nil
	})
	for i, w := range batch {
		w.answer, w.err = answers[i].Result()
	}
}
