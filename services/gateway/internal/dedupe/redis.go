package dedupe

import (
	"context"
	_ "embed" // for the scripts.
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed claim.lua
var claimSource string

//go:embed finish.lua
var finishSource string

//go:embed release.lua
var releaseSource string

// Redis keeps records for all replicas: the record of a message under wx:{APPID}:msg:KEY and its lease
// beside it. The hash tag keeps both on one node of a cluster.
type Redis struct {
	client  redis.Scripter
	claim   *redis.Script
	finish  *redis.Script
	release *redis.Script
}

// NewRedis returns a Redis over client, which stays the caller's to close.
func NewRedis(client redis.Scripter) *Redis {
	return &Redis{
		client:  client,
		claim:   redis.NewScript(claimSource),
		finish:  redis.NewScript(finishSource),
		release: redis.NewScript(releaseSource),
	}
}

// errScript says that a script answered what it never answers: somebody changed it or the server.
var errScript = errors.New("unexpected answer of a Redis script")

// Claim is Store's.
func (r *Redis) Claim(ctx context.Context, key Key, owner string) (Claim, error) {
	got, err := r.claim.Run(ctx, r.client, key.redis(), owner, Lease.Milliseconds(), Life.Milliseconds()).Slice()
	if err != nil {
		return Claim{}, fmt.Errorf("claim message %s: %w", key.Message, err)
	}
	if len(got) != 3 {
		return Claim{}, fmt.Errorf("claim message %s: %w: %d values", key.Message, errScript, len(got))
	}
	state, okState := got[0].(int64)
	age, okAge := got[1].(int64)
	answer, okAnswer := got[2].(string)
	if !okState || !okAge || !okAnswer {
		return Claim{}, fmt.Errorf("claim message %s: %w: %T, %T, %T", key.Message, errScript, got[0], got[1], got[2])
	}
	claim := Claim{State: State(state), Age: time.Duration(age) * time.Millisecond}
	if claim.State == Answered {
		claim.Answer = []byte(answer)
	}
	return claim, nil
}

// Finish is Store's.
func (r *Redis) Finish(ctx context.Context, key Key, owner string, answer []byte) ([]byte, error) {
	kept, err := r.finish.Run(ctx, r.client, key.redis(), owner, answer, Life.Milliseconds()).Text()
	if err != nil {
		return nil, fmt.Errorf("store the answer of message %s: %w", key.Message, err)
	}
	return []byte(kept), nil
}

// Release is Store's.
func (r *Redis) Release(ctx context.Context, key Key, owner string) error {
	if err := r.release.Run(ctx, r.client, key.redis()[1:], owner).Err(); err != nil {
		return fmt.Errorf("release message %s: %w", key.Message, err)
	}
	return nil
}

// redis returns the names of record and lease.
func (k Key) redis() []string {
	name := "wx:{" + k.AppID + "}:msg:" + k.Message
	return []string{name, name + ":lease"}
}
