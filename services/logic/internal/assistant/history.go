package assistant

import (
	"context"
	_ "embed" // for the script.
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed remember.lua
var rememberSource string

// Turn is a question and its answer.
type Turn struct {
	// Key is the message key of the question, under which the same question is recognised.
	Key      string `json:"key"`
	Question string `json:"question"`
	// Answer is what the follower read.
	Answer string `json:"answer"`
}

// History keeps the last turns of each follower in Redis: of each conversation a list, the oldest turn first.
type History struct {
	client   redis.UniversalClient
	limits   Limits
	remember *redis.Script
}

// Limits say how much of a conversation is remembered.
type Limits struct {
	// Turns is how many; with none nothing is.
	Turns int
	// TTL is how long after the last one.
	TTL time.Duration
	// MaxBytes is how much of them the assistant is shown, the newest first.
	MaxBytes int
}

// NewHistory makes a History over client, which stays the caller's to close.
func NewHistory(client redis.UniversalClient, limits Limits) *History {
	return &History{client: client, limits: limits, remember: redis.NewScript(rememberSource)}
}

// errForeign says that the key holds what this package did not write.
var errForeign = errors.New("read the history: an entry is no turn; somebody else wrote the key")

// redisTimeout bounds a look into Redis: a follower waits for the answer, and gets one without it as well.
const redisTimeout = time.Second

// Turns returns the turns of a conversation, the oldest first.
func (h *History) Turns(ctx context.Context, conversation string) ([]Turn, error) {
	if h.limits.Turns == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	entries, err := h.client.LRange(ctx, conversation, int64(-h.limits.Turns), -1).Result()
	if err != nil {
		return nil, fmt.Errorf("read the history: %w", err)
	}
	turns := make([]Turn, len(entries))
	for i, entry := range entries {
		if err := json.Unmarshal([]byte(entry), &turns[i]); err != nil {
			return nil, errForeign // the error of JSON may quote it
		}
	}

	return turns, nil
}

// Add appends a turn. It returns the answer that counts: an earlier one, if the same message was answered before.
func (h *History) Add(ctx context.Context, conversation string, turn Turn) (string, error) {
	if h.limits.Turns == 0 {
		return turn.Answer, nil
	}
	entry, err := json.Marshal(turn)
	if err != nil {
		return turn.Answer, fmt.Errorf("add to the history: %w", err)
	}
	// The answer is there: whoever waits for it no longer will ask for it again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	earlier, err := h.remember.Run(ctx, h.client, []string{conversation}, entry, turn.Key, h.limits.Turns, h.limits.TTL.Milliseconds()).Text()
	switch {
	case errors.Is(err, redis.Nil):
		return turn.Answer, nil
	case err != nil:
		return turn.Answer, fmt.Errorf("add to the history: %w", err)
	}

	return earlier, nil
}

// Forget deletes a conversation.
func (h *History) Forget(ctx context.Context, conversation string) error {
	if h.limits.Turns == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	if err := h.client.Del(ctx, conversation).Err(); err != nil {
		return fmt.Errorf("forget the history: %w", err)
	}

	return nil
}
