package idempotency

import (
	"context"
	_ "embed" // for the scripts.
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

//go:embed begin.lua
var beginSource string

//go:embed finish.lua
var finishSource string

//go:embed clear.lua
var clearSource string

//go:embed abandon.lua
var abandonSource string

// Redis keeps records for all replicas: the record of a key under wx:{APPID}:once:KEY and its lease under
// wx:{APPID}:once-lease:KEY, so that no caller's key can name the lease of another. The hash tag keeps
// both on one node of a cluster.
type Redis struct {
	client  redis.Scripter
	begin   *redis.Script
	finish  *redis.Script
	clear   *redis.Script
	abandon *redis.Script
}

// NewRedis returns a Redis over client, which stays the caller's to close.
func NewRedis(client redis.Scripter) *Redis {
	return &Redis{
		client:  client,
		begin:   redis.NewScript(beginSource),
		finish:  redis.NewScript(finishSource),
		clear:   redis.NewScript(clearSource),
		abandon: redis.NewScript(abandonSource),
	}
}

// errScript says that a script answered what it never answers: somebody changed it or the server.
var errScript = errors.New("unexpected answer of a Redis script")

// Begin is Store's.
func (r *Redis) Begin(ctx context.Context, key Key, claim Claim) (Record, error) {
	got, err := r.begin.Run(ctx, r.client, key.redis(), claim.Owner, claim.Request[:], Lease.Milliseconds(), Life.Milliseconds()).Slice()
	if err != nil {
		return Record{}, fmt.Errorf("begin call: %w", err)
	}
	if len(got) != 2 {
		return Record{}, fmt.Errorf("begin call: %w: %d values", errScript, len(got))
	}
	state, okState := got[0].(int64)
	verdict, okVerdict := got[1].(string)
	if !okState || !okVerdict {
		return Record{}, fmt.Errorf("begin call: %w: %T, %T", errScript, got[0], got[1])
	}
	record := Record{State: State(state)}
	if record.State == Done {
		record.Verdict = []byte(verdict)
	}
	return record, nil
}

// Finish is Store's.
func (r *Redis) Finish(ctx context.Context, key Key, claim Claim, verdict []byte) error {
	if err := r.finish.Run(ctx, r.client, key.redis(), claim.Owner, claim.Request[:], verdict, Life.Milliseconds()).Err(); err != nil {
		return fmt.Errorf("store the verdict of a call: %w", err)
	}
	return nil
}

// Clear is Store's.
func (r *Redis) Clear(ctx context.Context, key Key, claim Claim) error {
	if err := r.clear.Run(ctx, r.client, key.redis(), claim.Owner).Err(); err != nil {
		return fmt.Errorf("forget a call: %w", err)
	}
	return nil
}

// Abandon is Store's.
func (r *Redis) Abandon(ctx context.Context, key Key, claim Claim) error {
	if err := r.abandon.Run(ctx, r.client, key.redis(), claim.Owner).Err(); err != nil {
		return fmt.Errorf("abandon a call: %w", err)
	}
	return nil
}

// redis returns the names of record and lease.
func (k Key) redis() []string {
	account := "wx:{" + k.AppID + "}:"
	return []string{account + "once:" + k.Value, account + "once-lease:" + k.Value}
}
