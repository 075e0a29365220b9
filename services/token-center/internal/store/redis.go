package store

import (
	"context"
	_ "embed" // for the scripts.
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

//go:embed next_generation.lua
var nextGenerationScript string

//go:embed save.lua
var saveScript string

// Redis is a store in Redis, shared by all replicas. It works on one server, Sentinel and Cluster.
type Redis struct {
	client         redis.UniversalClient
	seal           Sealer
	nextGeneration *redis.Script
	save           *redis.Script
}

// NewRedis returns a store on client that protects values with seal.
func NewRedis(client redis.UniversalClient, seal Sealer) *Redis {
	return &Redis{
		client: client, seal: seal,
		nextGeneration: redis.NewScript(nextGenerationScript),
		save:           redis.NewScript(saveScript),
	}
}

// The fields of a credential's hash.
const (
	fieldGeneration = "generation"
	fieldValue      = "value"
	fieldObtainedAt = "obtained_at"
	fieldExpiresAt  = "expires_at"
)

func counterKey(key credential.Key) string { return redisKey(key) + ":generation" }
func channel(key credential.Key) string    { return redisKey(key) + ":changes" }

// NextGeneration takes a number that nobody has and that is greater than above and than all that were
// taken before.
func (r *Redis) NextGeneration(ctx context.Context, key credential.Key, above credential.Generation) (credential.Generation, error) {
	n, err := r.nextGeneration.Run(ctx, r.client, []string{counterKey(key)}, uint64(above)).Uint64()
	if err != nil {
		return 0, fmt.Errorf("take the next generation of %s: %w", key.AppID, err)
	}
	return credential.Generation(n), nil
}

// Save stores c and tells every watcher, unless a newer generation is stored, which is ErrStale. The
// same generation again is an amendment of its end of life.
func (r *Redis) Save(ctx context.Context, c credential.Credential) error {
	saved, err := r.save.Run(ctx, r.client, []string{redisKey(c.Key), counterKey(c.Key)},
		uint64(c.Generation), r.seal.seal(c), c.ObtainedAt.UnixMilli(), c.ExpiresAt.UnixMilli(), channel(c.Key)).Bool()
	switch {
	case err != nil:
		return fmt.Errorf("save the token of %s: %w", c.AppID, err)
	case !saved:
		return fmt.Errorf("save generation %d of %s: %w", c.Generation, c.AppID, ErrStale)
	}
	return nil
}

// Load returns what is stored, the zero Credential when nothing is, and ErrUnreadable when it cannot be read.
func (r *Redis) Load(ctx context.Context, key credential.Key) (credential.Credential, error) {
	fields, err := r.client.HGetAll(ctx, redisKey(key)).Result()
	switch {
	case err != nil:
		return credential.Credential{}, fmt.Errorf("load the token of %s: %w", key.AppID, err)
	case len(fields) == 0:
		return credential.Credential{}, nil
	}
	return r.decode(key, fields)
}

func (r *Redis) decode(key credential.Key, fields map[string]string) (credential.Credential, error) {
	return decode(r.seal, key, fields)
}

// decode reads the stored fields of a credential.
func decode(seal Sealer, key credential.Key, fields map[string]string) (credential.Credential, error) {
	generation, err := strconv.ParseUint(fields[fieldGeneration], 10, 64)
	if err != nil || generation == 0 {
		return credential.Credential{}, fmt.Errorf("%w: field %s is not a positive number", ErrUnreadable, fieldGeneration)
	}
	obtained, err := parseMillis(fields, fieldObtainedAt)
	if err != nil {
		return credential.Credential{}, err
	}
	expires, err := parseMillis(fields, fieldExpiresAt)
	if err != nil {
		return credential.Credential{}, err
	}
	c := credential.Credential{Key: key, Generation: credential.Generation(generation), ObtainedAt: obtained, ExpiresAt: expires}
	c.Value, err = seal.open(c, fields[fieldValue])
	if err != nil {
		return credential.Credential{}, err
	}
	return c, nil
}

func parseMillis(fields map[string]string, name string) (time.Time, error) {
	ms, err := strconv.ParseInt(fields[name], 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: field %s is not a number", ErrUnreadable, name)
	}
	return time.UnixMilli(ms), nil
}

// Watch calls changed for every key once subscribed, and then whenever one of them was saved by any
// replica, until ctx is done. Notifications are lost while the connection is down: after each
// reconnection every key counts as changed, and a reader should re-read now and then as well.
func (r *Redis) Watch(ctx context.Context, keys []credential.Key, changed func(credential.Key)) error {
	byChannel := make(map[string]credential.Key, len(keys))
	channels := make([]string, 0, len(keys))
	for _, key := range keys {
		byChannel[channel(key)] = key
		channels = append(channels, channel(key))
	}
	sub := r.client.Subscribe(ctx, channels...)
	defer sub.Close() //nolint:errcheck // nothing was written.
	messages := sub.ChannelWithSubscriptions()
	for {
		select {
		case <-ctx.Done():
			return nil
		case message, ok := <-messages:
			if !ok {
				return errors.New("the subscription to token changes was closed")
			}
			switch message := message.(type) {
			case *redis.Message:
				changed(byChannel[message.Channel])
			case *redis.Subscription:
				changed(byChannel[message.Channel])
			}
		}
	}
}
