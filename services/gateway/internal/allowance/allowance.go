// Package allowance notes how many customer-service messages (客服消息) a follower allows by what they do
// (下发条数), for whoever sends them: api-proxy counts them down.
//
// It is knowledge that nothing depends on, so that nobody ever waits for it: what Redis doesn't take in time is
// dropped.
package allowance

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/wechat/custommessage"
)

const (
	// gatherTime is how long the first of several grants waits for others. A round trip for each would cost a
	// message more than all else that is done for it behind its reply.
	gatherTime = 50 * time.Millisecond
	// maxWaiting is how many grants may wait: those of a Redis that hangs while thousands of messages a second come.
	maxWaiting = 8192
	// maxBatch is how many grants one round trip takes.
	maxBatch = 256
	// writeTimeout bounds a round trip, and with it how long a Redis that hangs delays the end of the process.
	writeTimeout = 300 * time.Millisecond
)

// Grant is what one follower did.
type Grant struct {
	AppID, OpenID string
	Trigger       custommessage.Trigger
	At            time.Time
}

// Book writes grants into Redis, in the order in which they come, many in one round trip.
type Book struct {
	client redis.UniversalClient

	mu      sync.Mutex
	waiting []Grant
	// come has room for the word that grants wait.
	come chan struct{}

	written, failed, dropped prometheus.Counter
}

// NewBook returns a Book over client, which stays the caller's to close. Nothing is written until Run runs.
func NewBook(client redis.UniversalClient, registry *prometheus.Registry) *Book {
	grants := telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_allowance_grants_total",
		Help: "Followers' deeds that allow customer-service messages: written into Redis, failed because it is away, dropped because too many waited.",
	}, []string{"outcome"}))
	return &Book{
		client: client, come: make(chan struct{}, 1),
		written: grants.WithLabelValues("written"), failed: grants.WithLabelValues("failed"), dropped: grants.WithLabelValues("dropped"),
	}
}

// Grant has a grant written by and by. It never waits.
func (b *Book) Grant(g Grant) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) >= maxWaiting {
		b.dropped.Inc()
		return
	}
	b.waiting = append(b.waiting, g)
	if len(b.waiting) == 1 {
		select {
		case b.come <- struct{}{}:
		default: // it was told already.
		}
	}
}

// Run writes until ctx is done, and then what still waits, unless Redis is away.
func (b *Book) Run(ctx context.Context) error {
	stopped := context.WithoutCancel(ctx)
	for {
		select {
		case <-b.come:
			lifecycle.Sleep(ctx, gatherTime)
			b.writeAll(stopped)
		case <-ctx.Done():
			b.writeAll(stopped)
			return nil
		}
	}
}

// writeAll writes what waits, and gives up when Redis doesn't take it.
func (b *Book) writeAll(ctx context.Context) {
	b.mu.Lock()
	all := b.waiting
	b.waiting = nil
	b.mu.Unlock()
	for batch := range slices.Chunk(all, maxBatch) {
		if !b.write(ctx, batch) {
			b.failed.Add(float64(len(batch)))
			b.dropped.Add(float64(len(all) - len(batch)))
			return
		}
		b.written.Add(float64(len(batch)))
		all = all[len(batch):]
	}
}

// write writes grants in one round trip and reports whether Redis took them.
func (b *Book) write(ctx context.Context, batch []Grant) bool {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	_, err := b.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, g := range batch {
			record, keys := custommessage.Record{}.Grant(g.At, g.Trigger), custommessage.KeysOf(g.AppID, g.OpenID)
			if message := record.Message; !message.End.IsZero() {
				pipe.Set(ctx, keys.Message, message.Text(), message.End.Sub(g.At))
			}
			if action := record.Action; !action.End.IsZero() {
				pipe.Set(ctx, keys.Action, action.Text(), action.End.Sub(g.At))
			}
		}
		return nil
	})
	return err == nil
}
