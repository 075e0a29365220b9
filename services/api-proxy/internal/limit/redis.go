package limit

import (
	"context"
	_ "embed" // for the scripts.
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed take.lua
var takeSource string

//go:embed tell.lua
var tellSource string

// Redis keeps buckets and ledgers for all replicas, whose clock is that of Redis: buckets are
// wx:{APPID}:limit:NAME, the ledger of a day is wx:{APPID}:calls:DATE, and what WeChat told is
// wx:{APPID}:daily-limits. The hash tag keeps them on one node of a cluster.
type Redis struct {
	client redis.UniversalClient
	take   *redis.Script
	tell   *redis.Script
}

// NewRedis returns a Redis over client, which stays the caller's to close.
func NewRedis(client redis.UniversalClient) *Redis {
	return &Redis{client: client, take: redis.NewScript(takeSource), tell: redis.NewScript(tellSource)}
}

// errScript says that a script answered what it never answers: somebody changed it or the server.
var errScript = errors.New("unexpected answer of a Redis script")

func ledgerKey(appID, date string) string { return "wx:{" + appID + "}:calls:" + date }
func toldKey(appID string) string         { return "wx:{" + appID + "}:daily-limits" }

// field names the calls of one caller in a ledger. A path holds no space.
func field(endpoint, caller string) string { return endpoint + " " + caller }

// Take is Store's.
func (r *Redis) Take(ctx context.Context, a Ask) (Decision, error) {
	keys := slices.Grow([]string{ledgerKey(a.AppID, a.Day.Date), toldKey(a.AppID)}, len(a.Buckets))
	args := slices.Grow([]any{
		a.Day.Endpoint, field(a.Day.Endpoint, a.Day.Caller), a.Day.Known, a.Day.Max, int(a.Day.Share), int(a.Day.Leave), keep.Milliseconds(),
	}, 3*len(a.Buckets))
	for _, b := range a.Buckets {
		keys = append(keys, "wx:{"+a.AppID+"}:limit:"+b.Name)
		perMicro := float64(b.Rate.Calls) / float64(b.Rate.Per.Microseconds())
		args = append(args, strconv.FormatFloat(perMicro, 'f', -1, 64), b.Rate.Burst, b.Leave)
	}
	got, err := r.take.Run(ctx, r.client, keys, args...).Int64Slice()
	if err != nil {
		return Decision{}, fmt.Errorf("count a call: %w", err)
	}
	const values = 5
	if len(got) != values {
		return Decision{}, fmt.Errorf("count a call: %w: %d values", errScript, len(got))
	}
	return Decision{
		By: int(got[0]), RetryAfter: time.Duration(got[1]) * time.Microsecond, Used: got[2], UsedByCaller: got[3], Limit: got[4],
	}, nil
}

// Read is Store's.
func (r *Redis) Read(ctx context.Context, appID, date, endpoint string) (Entry, error) {
	var ledger *redis.MapStringStringCmd
	var limit *redis.StringCmd
	_, err := r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		ledger = pipe.HGetAll(ctx, ledgerKey(appID, date))
		limit = pipe.HGet(ctx, toldKey(appID), endpoint)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return Entry{}, fmt.Errorf("read the calls of a day: %w", err)
	}
	e := Entry{ByCaller: map[string]int64{}}
	for name, value := range ledger.Val() {
		count, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return Entry{}, fmt.Errorf("read the calls of a day: %w", err)
		}
		if path, caller, of := strings.Cut(name, " "); path == endpoint && of {
			e.ByCaller[caller] = count
		} else if path == endpoint {
			e.Used = count
		}
	}
	if e.Told, err = limit.Int64(); err != nil && !errors.Is(err, redis.Nil) {
		return Entry{}, fmt.Errorf("read a daily limit: %w", err)
	}
	return e, nil
}

// Tell is Store's.
func (r *Redis) Tell(ctx context.Context, appID, date, endpoint string, limit, used int64) error {
	keys := []string{ledgerKey(appID, date), toldKey(appID)}
	if err := r.tell.Run(ctx, r.client, keys, endpoint, limit, used, keep.Milliseconds(), told.Milliseconds()).Err(); err != nil {
		return fmt.Errorf("note a daily limit: %w", err)
	}
	return nil
}

// Forget is Store's.
func (r *Redis) Forget(ctx context.Context, appID, date string) error {
	if err := r.client.Del(ctx, ledgerKey(appID, date)).Err(); err != nil {
		return fmt.Errorf("forget the calls of a day: %w", err)
	}
	return nil
}
