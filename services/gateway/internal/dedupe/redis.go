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

// Redis keeps records for all replicas. The record of a message, under wx:{APPID}:msg:KEY, holds "?" and
// the name of who claimed it first, which gives that one the first lease, and then "=" and the answer. A
// lease that was renewed or taken over stands beside it. The hash tag keeps both on one node of a cluster.
//
// Most messages are claimed once and answered soon. They cost one SET, which is a quarter of what a script
// costs the server, and one script.
type Redis struct {
	commands batcher
	claim    *redis.Script
	finish   *redis.Script
	release  *redis.Script
}

// NewRedis returns a Redis over client, which stays the caller's to close.
func NewRedis(client redis.UniversalClient) *Redis {
	return &Redis{
		commands: batcher{client: client},
		claim:    redis.NewScript(claimSource),
		finish:   redis.NewScript(finishSource),
		release:  redis.NewScript(releaseSource),
	}
}

// What a record begins with, as the scripts know it.
const (
	pendingMark = "?" // the name of the first owner follows
	answerMark  = "=" // the answer follows
)

// errScript says that a script answered what it never answers: somebody changed it or the server.
var errScript = errors.New("unexpected answer of a Redis script")

// Claim is Store's.
func (r *Redis) Claim(ctx context.Context, key Key, owner string) (Claim, error) {
	keys, asked := key.redis(), time.Now()
	_, err := r.commands.run(ctx, command{args: []any{"SET", keys[0], pendingMark + owner, "NX", "PX", Life.Milliseconds()}})
	if err == nil {
		return Claim{State: Won}, nil
	}
	var answer any
	if errors.Is(err, redis.Nil) { // the record is there already.
		bounded, cancel := context.WithDeadline(ctx, asked.Add(CommandTimeout))
		defer cancel()
		answer, err = r.commands.run(bounded, command{script: r.claim, keys: keys, args: []any{owner, Lease.Milliseconds(), Life.Milliseconds()}})
	}
	if err != nil {
		return Claim{}, fmt.Errorf("claim message %s: %w", key.Message, err)
	}
	claim, err := claimOf(answer)
	if err != nil {
		return Claim{}, fmt.Errorf("claim message %s: %w", key.Message, err)
	}
	return claim, nil
}

// claimOf reads what the claim script answers.
func claimOf(answer any) (Claim, error) {
	got, _ := answer.([]any)
	if len(got) != 3 {
		return Claim{}, fmt.Errorf("%w: %T of length %d", errScript, answer, len(got))
	}
	state, okState := got[0].(int64)
	age, okAge := got[1].(int64)
	kept, okAnswer := got[2].(string)
	if !okState || !okAge || !okAnswer {
		return Claim{}, fmt.Errorf("%w: %T, %T, %T", errScript, got[0], got[1], got[2])
	}
	claim := Claim{State: State(state), Age: time.Duration(age) * time.Millisecond}
	if claim.State == Answered {
		claim.Answer = []byte(kept)
	}
	return claim, nil
}

// Finish is Store's.
func (r *Redis) Finish(ctx context.Context, key Key, _ string, answer []byte) ([]byte, error) {
	got, err := r.commands.run(ctx, command{script: r.finish, keys: key.redis()[:1], args: []any{answer, Life.Milliseconds()}})
	if err != nil {
		return nil, fmt.Errorf("store the answer of message %s: %w", key.Message, err)
	}
	switch kept := got.(type) {
	case int64:
		return answer, nil
	case string:
		return []byte(kept), nil
	default:
		return nil, fmt.Errorf("store the answer of message %s: %w: %T", key.Message, errScript, got)
	}
}

// Keep is Store's. A plain SET costs the server a fraction of what a script does.
func (r *Redis) Keep(key Key, _ string, answer []byte, done func(error)) {
	set := command{args: []any{"SET", key.redis()[0], answerMark + string(answer), "PX", Life.Milliseconds()}}
	r.commands.post(set, func(_ any, err error) {
		if err != nil {
			err = fmt.Errorf("store the answer of message %s: %w", key.Message, err)
		}
		done(err)
	})
}

// Release is Store's.
func (r *Redis) Release(ctx context.Context, key Key, owner string) error {
	if _, err := r.commands.run(ctx, command{script: r.release, keys: key.redis(), args: []any{owner}}); err != nil {
		return fmt.Errorf("release message %s: %w", key.Message, err)
	}
	return nil
}

// redis returns the names of record and lease.
func (k Key) redis() []string {
	name := "wx:{" + k.AppID + "}:msg:" + k.Message
	return []string{name, name + ":lease"}
}
