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
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/wechat/custommessage"
)

//go:embed grant.lua
var grantSource string

const (
	// gatherTime is how long the first of several grants waits for others. A round trip for each would cost a
	// message more than all else that is done for it behind its reply.
	gatherTime = 50 * time.Millisecond
	// maxWaiting is how many grants may wait: those of a Redis that hangs while thousands of messages a second come.
	maxWaiting = 8192
	// maxBatch is how many grants one script takes, so that it holds nobody else up for long.
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
	script *redis.Script

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
		client: client, script: redis.NewScript(grantSource), come: make(chan struct{}, 1),
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
	// The keys of one script have to be on one node of a cluster, where all of an account's are.
	slices.SortStableFunc(all, func(a, b Grant) int { return strings.Compare(a.AppID, b.AppID) })
	for len(all) > 0 {
		n := 1
		for n < len(all) && n < maxBatch && all[n].AppID == all[0].AppID {
			n++
		}
		if !b.write(ctx, all[:n]) {
			b.failed.Add(float64(n))
			b.dropped.Add(float64(len(all) - n))
			return
		}
		b.written.Add(float64(n))
		all = all[n:]
	}
}

// write writes grants of one account in one round trip and reports whether Redis took them.
func (b *Book) write(ctx context.Context, batch []Grant) bool {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	keys, args := make([]string, 0, len(batch)), make([]any, 0, argsEach*len(batch))
	for i, g := range batch {
		if i == 0 || g.Trigger != batch[i-1].Trigger || g.At.UnixMilli() != batch[i-1].At.UnixMilli() {
			args = append(args, g.args()...)
		} else { // as in many messages of one moment.
			args = append(args, args[len(args)-argsEach:]...)
		}
		keys = append(keys, custommessage.RecordKey(g.AppID, g.OpenID))
	}
	return b.script.Run(ctx, b.client, keys, args...).Err() == nil
}

// argsEach is how many arguments of the script a grant has.
const argsEach = 3

func (g Grant) args() []any {
	record := custommessage.Record{}.Grant(g.At, g.Trigger)
	return []any{record.Message.Field(), record.Action.Field(), record.End().Sub(g.At).Milliseconds()}
}
