package dedupe

import (
	"context"
	"runtime"
	"sync"

	"github.com/redis/go-redis/v9"
)

// pipeliner is what every client of go-redis can do.
type pipeliner interface {
	redis.Scripter
	Pipelined(ctx context.Context, fn func(redis.Pipeliner) error) ([]redis.Cmder, error)
}

// batcher runs scripts. While one pipeline is under way those that are asked for gather, and the next
// pipeline takes them all, so that under load a round trip serves many messages. A script asked for while
// none is under way goes out at once, by its caller.
//
// The autopipelining of go-redis does the same, but holds a caller up until the round trip ends, whatever
// the caller's context says.
type batcher struct {
	client pipeliner

	mu      sync.Mutex
	sending bool
	waiting []*command
}

// command is a script that is run once.
type command struct {
	script *redis.Script
	keys   []string
	args   []any
	// done is closed when answer and err are there.
	done   chan struct{}
	answer any
	err    error
}

// run runs a script and returns its answer. When ctx ends before, the script may run nevertheless.
func (b *batcher) run(ctx context.Context, script *redis.Script, keys []string, args ...any) (any, error) {
	c := &command{script: script, keys: keys, args: args}
	b.mu.Lock()
	if !b.sending {
		b.sending = true
		b.mu.Unlock()
		c.answer, c.err = script.Run(ctx, b.client, keys, args...).Result()
		b.next()
		return c.answer, c.err
	}
	c.done = make(chan struct{})
	b.waiting = append(b.waiting, c)
	b.mu.Unlock()
	select {
	case <-c.done:
		return c.answer, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
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

// send runs scripts in one round trip; those that the server doesn't know yet need another one.
func (b *batcher) send(batch []*command) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	unknown := b.pipeline(ctx, batch, (*redis.Script).EvalSha)
	if len(unknown) > 0 {
		b.pipeline(ctx, unknown, (*redis.Script).Eval)
	}
	for _, c := range batch {
		close(c.done)
	}
}

// pipeline runs scripts in one round trip and returns those whose source the server asks for.
func (b *batcher) pipeline(ctx context.Context, batch []*command,
	eval func(*redis.Script, context.Context, redis.Scripter, []string, ...any) *redis.Cmd,
) (unknown []*command) {
	answers := make([]*redis.Cmd, len(batch))
	// What goes wrong stands in each command.
	_, _ = b.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, c := range batch {
			answers[i] = eval(c.script, ctx, pipe, c.keys, c.args...)
		}
		return nil
	})
	for i, c := range batch {
		c.answer, c.err = answers[i].Result()
		if redis.HasErrorPrefix(c.err, "NOSCRIPT") {
			unknown = append(unknown, c)
		}
	}
	return unknown
}
