// Package store keeps credentials where all replicas of token-center see them: in Redis, and in memory
// for tests. Both refuse to replace a newer value with an older one, tell about changes, and pass the
// same suite.
package store

import (
	"errors"

	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

var (
	// ErrStale is returned by Save when a newer generation is stored already. The value that was to be
	// saved must not be used.
	ErrStale = errors.New("a newer generation is stored already")
	// ErrUnreadable is returned by Load when something is stored that cannot be understood or unsealed,
	// such as after a change of the storage key. For the reader there is no credential then.
	ErrUnreadable = errors.New("the stored credential cannot be read")
)

// redisKey puts the AppID into braces, the hash tag of Redis Cluster, so that all keys of one account
// live on one node and a script may touch several.
func redisKey(key credential.Key) string {
	return "wx:{" + key.AppID + "}:token:" + string(key.Kind)
}
