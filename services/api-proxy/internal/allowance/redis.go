// Package allowance follows how many customer-service messages (客服消息) may still be sent to a follower
// (下发条数). Gateway opens allowances when a follower does something; here they are spent, as WeChat's verdicts
// tell. Nothing is ever refused by them: WeChat's own count is the truth.
package allowance

import (
	"context"
	_ "embed" // for the script.
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/wechat/custommessage"
)

//go:embed spend.lua
var spendSource string

// Follower is whom messages are sent to, by whichever account.
type Follower struct{ AppID, OpenID string }

// Redis keeps the records that all replicas share with gateway, under custommessage.KeysOf.
type Redis struct {
	client redis.UniversalClient
	spend  *redis.Script
}

// NewRedis returns a Redis over client, which stays the caller's to close.
func NewRedis(client redis.UniversalClient) *Redis {
	return &Redis{client: client, spend: redis.NewScript(spendSource)}
}

// Spend notes that a message was sent; see custommessage.Record.
func (r *Redis) Spend(ctx context.Context, f Follower, now time.Time) error {
	return r.take(ctx, f, now, "one")
}

// Close notes that nothing is left.
func (r *Redis) Close(ctx context.Context, f Follower) error {
	return r.take(ctx, f, time.Time{}, "all")
}

func (r *Redis) take(ctx context.Context, f Follower, now time.Time, how string) error {
	if err := r.spend.Run(ctx, r.client, []string{f.keys().Action, f.keys().Message}, now.UnixMilli(), how).Err(); err != nil {
		return fmt.Errorf("spend an allowance: %w", err)
	}
	return nil
}

// Forget deletes the record, because it is wrong.
func (r *Redis) Forget(ctx context.Context, f Follower) error {
	if err := r.client.Del(ctx, f.keys().Message, f.keys().Action).Err(); err != nil {
		return fmt.Errorf("forget an allowance: %w", err)
	}
	return nil
}

// Read returns the record; without one, or where it can't be read, the zero Record.
func (r *Redis) Read(ctx context.Context, f Follower) (custommessage.Record, error) {
	values, err := r.client.MGet(ctx, f.keys().Message, f.keys().Action).Result()
	if err != nil {
		return custommessage.Record{}, fmt.Errorf("read an allowance: %w", err)
	}
	message, _ := values[0].(string) // nil where there is none.
	action, _ := values[1].(string)
	record, err := custommessage.ParseRecord(message, action)
	if err != nil {
		return custommessage.Record{}, nil //nolint:nilerr // Redis works; what is no record tells nothing.
	}
	return record, nil
}

func (f Follower) keys() custommessage.Keys { return custommessage.KeysOf(f.AppID, f.OpenID) }
