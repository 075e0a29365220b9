// Package spend guards what WeChat counts: fetches of a token per account and day. All replicas share
// one ledger, so that neither a bug in one caller nor many replicas can use up an account's quota.
package spend

import (
	"context"
	_ "embed" // for the script.
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

// Limit is an allowance: so many at once within a span of time, and so many a day.
type Limit struct {
	// Name tells one allowance of a credential from another.
	Name string
	// Burst are allowed within Span, which begins with the first.
	Burst int
	Span  time.Duration
	// PerDay are allowed within a calendar day in Beijing, where WeChat's counters start anew.
	PerDay int
}

// beijingOffset is fixed: China has had no summer time since 1991.
const beijingOffset = 8 * 60 * 60

// day returns the calendar day in Beijing and when the next begins.
func day(now time.Time) (name string, end time.Time) {
	local := now.In(time.FixedZone("CST", beijingOffset))
	midnight := time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, local.Location())
	return local.Format("20060102"), midnight
}

//go:embed take.lua
var takeScript string

//go:embed give_back.lua
var giveBackScript string

// Redis is the ledger of all replicas.
type Redis struct {
	client   client
	take     *redis.Script
	giveBack *redis.Script
}

// client is what a ledger needs of Redis.
type client interface {
	redis.Scripter
	Get(ctx context.Context, key string) *redis.StringCmd
}

// NewRedis returns a ledger on client.
func NewRedis(client client) *Redis {
	return &Redis{client: client, take: redis.NewScript(takeScript), giveBack: redis.NewScript(giveBackScript)}
}

// Take uses one of limit for the credential and returns zero, or, when nothing is left, uses nothing
// and returns how long to wait.
func (r *Redis) Take(ctx context.Context, key credential.Key, limit Limit, now time.Time) (time.Duration, error) {
	_, end := day(now)
	wait, err := r.take.Run(ctx, r.client, redisKeys(key, limit, now),
		limit.Burst, limit.Span.Milliseconds(), limit.PerDay, end.Sub(now).Milliseconds()).Int64()
	if err != nil {
		return 0, fmt.Errorf("count the fetches of %s: %w", key.AppID, err)
	}
	return time.Duration(wait) * time.Millisecond, nil
}

// GiveBack returns what was taken at the time now for something that cost nothing in the end.
func (r *Redis) GiveBack(ctx context.Context, key credential.Key, limit Limit, now time.Time) error {
	if err := r.giveBack.Run(ctx, r.client, redisKeys(key, limit, now)).Err(); err != nil {
		return fmt.Errorf("count the fetches of %s: %w", key.AppID, err)
	}
	return nil
}

// Spent returns how much of limit was used today, as of now.
func (r *Redis) Spent(ctx context.Context, key credential.Key, limit Limit, now time.Time) (int, error) {
	daily := redisKeys(key, limit, now)[1]
	spent, err := r.client.Get(ctx, daily).Int()
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, fmt.Errorf("read how much %s has used: %w", key.AppID, err)
	}
	return spent, nil
}

// redisKeys returns the count of the running span and that of the day.
func redisKeys(key credential.Key, limit Limit, now time.Time) []string {
	today, _ := day(now)
	name := "wx:{" + key.AppID + "}:token:" + string(key.Kind) + ":spent:" + limit.Name
	return []string{name, name + ":" + today}
}

// Memory is a ledger within one process, for tests.
type Memory struct {
	mu     sync.Mutex
	counts map[string]count
}

type count struct {
	spent int
	end   time.Time
}

// NewMemory returns an empty ledger.
func NewMemory() *Memory { return &Memory{counts: map[string]count{}} }

// Take is as Redis.Take.
func (m *Memory) Take(_ context.Context, key credential.Key, limit Limit, now time.Time) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	today, end := day(now)
	name := key.AppID + "|" + string(key.Kind) + "|" + limit.Name
	burst, daily := m.at(name, now, now.Add(limit.Span)), m.at(name+today, now, end)
	if daily.spent >= limit.PerDay {
		return daily.end.Sub(now), nil
	}
	if burst.spent >= limit.Burst {
		return burst.end.Sub(now), nil
	}
	burst.spent++
	daily.spent++
	m.counts[name], m.counts[name+today] = burst, daily
	return 0, nil
}

// GiveBack is as Redis.GiveBack.
func (m *Memory) GiveBack(_ context.Context, key credential.Key, limit Limit, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	today, _ := day(now)
	name := key.AppID + "|" + string(key.Kind) + "|" + limit.Name
	for _, k := range []string{name, name + today} {
		if c := m.counts[k]; c.spent > 0 {
			c.spent--
			m.counts[k] = c
		}
	}
	return nil
}

// Spent is as Redis.Spent.
func (m *Memory) Spent(_ context.Context, key credential.Key, limit Limit, now time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	today, end := day(now)
	return m.at(key.AppID+"|"+string(key.Kind)+"|"+limit.Name+today, now, end).spent, nil
}

func (m *Memory) at(name string, now, end time.Time) count {
	if c, ok := m.counts[name]; ok && now.Before(c.end) {
		return c
	}
	return count{end: end}
}
