// Package allowance notes how many customer-service messages (客服消息) a follower allows by what they do
// (下发条数), for whoever sends them: api-proxy counts them down.
//
// It is knowledge that nothing depends on, so that nobody ever waits for it: what Redis doesn't take in time is
// dropped.
package allowance

import (
	"context"
	_ "embed" // for the script.
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/wechat/custommessage"
)

//go:embed grant.lua
var grantSource string

const (
	// queueLength is how many grants may wait while a round trip is under way. At a thousand messages a second
	// a round trip has to take a second before one is dropped.
	queueLength = 1024
	// maxBatch is how many grants one round trip takes.
	maxBatch = 128
	// writeTimeout bounds a round trip, and with it how long a Redis that hangs delays the end of the process.
	writeTimeout = 300 * time.Millisecond
)

// Grant is what one follower did.
type Grant struct {
	AppID, OpenID string
	Trigger       custommessage.Trigger
	At            time.Time
}

// Book writes grants into Redis, in the order in which they come, those that wait together in one round trip.
type Book struct {
	client redis.UniversalClient
	queue  chan Grant

	written, failed, dropped prometheus.Counter
}

// NewBook returns a Book over client, which stays the caller's to close. Nothing is written until Run runs.
func NewBook(client redis.UniversalClient, registry *prometheus.Registry) *Book {
	grants := telemetry.Register(registry, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_allowance_grants_total",
		Help: "Followers' deeds that allow customer-service messages: written into Redis, failed because it is away, dropped because too many waited.",
	}, []string{"outcome"}))
	return &Book{
		client: client, queue: make(chan Grant, queueLength),
		written: grants.WithLabelValues("written"), failed: grants.WithLabelValues("failed"), dropped: grants.WithLabelValues("dropped"),
	}
}

// Grant has a grant written by and by. It never waits.
func (b *Book) Grant(g Grant) {
	select {
	case b.queue <- g:
	default:
		b.dropped.Inc()
	}
}

// Run writes until ctx is done, and then what still waits, unless Redis is away.
func (b *Book) Run(ctx context.Context) error {
	stopped := context.WithoutCancel(ctx)
	for {
		select {
		case first := <-b.queue:
			b.write(stopped, b.gather(first))
		case <-ctx.Done():
			b.finish(stopped)
			return nil
		}
	}
}

// gather returns a grant with those that wait behind it.
func (b *Book) gather(first Grant) []Grant {
	batch := []Grant{first}
	for len(batch) < maxBatch {
		select {
		case g := <-b.queue:
			batch = append(batch, g)
		default:
			return batch
		}
	}
	return batch
}

// finish writes what waits, and gives up when Redis doesn't take it.
func (b *Book) finish(ctx context.Context) {
	for working := true; len(b.queue) > 0; {
		batch := b.gather(<-b.queue)
		if working {
			working = b.write(ctx, batch)
		} else {
			b.dropped.Add(float64(len(batch)))
		}
	}
}

// write writes grants in one round trip and reports whether Redis took them all.
func (b *Book) write(ctx context.Context, batch []Grant) bool {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	// What goes wrong stands in each answer.
	answers, _ := b.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, g := range batch {
			// With its source the script needs no second round trip to a server that has forgotten it.
			pipe.Eval(ctx, grantSource, []string{custommessage.RecordKey(g.AppID, g.OpenID)}, g.args()...)
		}
		return nil
	})
	written := 0
	for _, answer := range answers {
		if answer.Err() == nil {
			written++
		}
	}
	b.written.Add(float64(written))
	b.failed.Add(float64(len(batch) - written))
	return written == len(batch)
}

// args are the script's.
func (g Grant) args() []any {
	record := custommessage.Record{}.Grant(g.At, g.Trigger)
	fields := record.Fields()
	args := slices.Grow([]any{record.End().Sub(g.At).Milliseconds()}, 2*len(fields))
	for name, value := range fields {
		args = append(args, name, value)
	}
	return args
}
