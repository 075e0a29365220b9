package teach

import (
	"context"
	_ "embed" // for the scripts.
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/services/logic/internal/route"
)

//go:embed learn.lua
var learnSource string

//go:embed judge.lua
var judgeSource string

//go:embed forget.lua
var forgetSource string

// Outcome is what became of a change.
type Outcome string

// The outcomes, as the scripts say them.
const (
	Learned   Outcome = "learned"
	Pending   Outcome = "pending"
	Taken     Outcome = "taken"
	Waiting   Outcome = "waiting"
	Full      Outcome = "full"
	Approved  Outcome = "approved"
	Rejected  Outcome = "rejected"
	Forgotten Outcome = "forgotten"
	Absent    Outcome = "absent"
)

// saidLife is how long the outcome of a change is remembered, for whoever asks for its message again: as long
// as a gateway may keep a message that waits for a late answer.
const saidLife = 10 * time.Minute

// Place is whose lessons are meant: those of one rule in one account.
type Place struct{ AppID, Rule string }

// prefix begins the names of all keys. The hash tag keeps them on one node of a cluster.
func (p Place) prefix() string { return "wx:{" + p.AppID + "}:teach:" + p.Rule }

func (p Place) pending() string                 { return p.prefix() + ":pending" }
func (p Place) lastID() string                  { return p.prefix() + ":id" }
func (p Place) waitingOf(openID string) string  { return p.prefix() + ":of:" + openID }
func (p Place) saidTo(messageKey string) string { return p.prefix() + ":said:" + messageKey }

// Store keeps lessons for all replicas:
//
//   - wx:{APPID}:teach:RULE, a hash of those that are known, by KeyOf their question;
//   - wx:{APPID}:teach:RULE:pending, a sorted set of those that wait for a moderator, by id;
//   - wx:{APPID}:teach:RULE:id, the last id;
//   - wx:{APPID}:teach:RULE:of:OPENID, a hash of what waits of one follower: from question to id;
//   - wx:{APPID}:teach:RULE:said:KEY, what a change came to, for minutes.
//
// A name of a rule has no colon. What is known does not lapse: it is there until somebody has it forgotten.
type Store struct {
	client redis.UniversalClient
	learn  *redis.Script
	judge  *redis.Script
	forget *redis.Script
}

// NewStore returns a Store over client, which stays the caller's to close.
func NewStore(client redis.UniversalClient) *Store {
	return &Store{
		client: client,
		learn:  redis.NewScript(learnSource), judge: redis.NewScript(judgeSource), forget: redis.NewScript(forgetSource),
	}
}

// Find returns the answer to a question that is known.
func (s *Store) Find(ctx context.Context, place Place, question string) (answer string, known bool, err error) {
	source, err := s.client.HGet(ctx, place.prefix(), KeyOf(question)).Result()
	if errors.Is(err, redis.Nil) {
		return "", false, nil
	}
	if err != nil {
		return "", false, failed("look up what was taught", err)
	}
	lesson := Lesson{}
	if err := json.Unmarshal([]byte(source), &lesson); err != nil {
		return "", false, failed("read what was taught", err)
	}
	return lesson.Answer, true, nil
}

// Mode says how a lesson is learned.
type Mode string

// The modes.
const (
	Wait Mode = "wait" // it waits for a moderator
	Own  Mode = "own"  // at once, unless somebody else has taught this question
	Any  Mode = "any"  // at once
)

// Learn learns a lesson. It returns Learned, Pending, Taken, Waiting or Full; with the key of a message that was
// learned from already, what it returned then.
func (s *Store) Learn(ctx context.Context, place Place, messageKey string, lesson Lesson, mode Mode, limit int) (Outcome, error) {
	source, err := json.Marshal(lesson)
	if err != nil {
		return "", fmt.Errorf("write down a lesson: %w", err)
	}
	keys := []string{place.prefix(), place.pending(), place.lastID(), place.waitingOf(lesson.By), place.saidTo(messageKey)}
	return outcome(s.learn.Run(ctx, s.client, keys,
		lifeOf(messageKey), string(mode), KeyOf(lesson.Question), source, lesson.By, limit, MaxWaitingEach, MaxWaiting))
}

// Approve lets what waits under an id through. It returns Approved, Absent or Full.
func (s *Store) Approve(ctx context.Context, place Place, messageKey string, id int64, limit int) (Outcome, error) {
	return s.decide(ctx, place, messageKey, "approve", id, limit)
}

// Reject drops what waits under an id. It returns Rejected or Absent.
func (s *Store) Reject(ctx context.Context, place Place, messageKey string, id int64) (Outcome, error) {
	return s.decide(ctx, place, messageKey, "reject", id, 0)
}

// decide reads whose lesson it is before the script judges it, since a script has to be told its keys. Nothing
// else is ever found under the same id.
func (s *Store) decide(ctx context.Context, place Place, messageKey, verdict string, id int64, limit int) (Outcome, error) {
	score := strconv.FormatInt(id, 10)
	found, err := s.client.ZRangeByScore(ctx, place.pending(), &redis.ZRangeBy{Min: score, Max: score}).Result()
	if err != nil {
		return "", failed("look for what waits for a moderator", err)
	}
	source, lesson := "", Lesson{}
	if len(found) > 0 {
		source = found[0]
		if err := json.Unmarshal([]byte(source), &lesson); err != nil {
			return "", failed("read what waits for a moderator", err)
		}
	}
	keys := []string{place.prefix(), place.pending(), place.waitingOf(lesson.By), place.saidTo(messageKey)}
	return outcome(s.judge.Run(ctx, s.client, keys, lifeOf(messageKey), verdict, score, KeyOf(lesson.Question), source, limit))
}

// Forget drops a question that is known. It returns Forgotten or Absent.
func (s *Store) Forget(ctx context.Context, place Place, messageKey, question string) (Outcome, error) {
	return outcome(s.forget.Run(ctx, s.client, []string{place.prefix(), place.saidTo(messageKey)}, lifeOf(messageKey), KeyOf(question)))
}

// Pending returns the oldest lessons that wait for a moderator, and how many wait in all.
func (s *Store) Pending(ctx context.Context, place Place, most int) (oldest []Entry, total int, err error) {
	found, err := s.client.ZRangeWithScores(ctx, place.pending(), 0, int64(most)-1).Result()
	if err != nil {
		return nil, 0, failed("list what waits for a moderator", err)
	}
	count, err := s.client.ZCard(ctx, place.pending()).Result()
	if err != nil {
		return nil, 0, failed("count what waits for a moderator", err)
	}
	for _, one := range found {
		entry := Entry{ID: int64(one.Score)}
		source, _ := one.Member.(string)
		if err := json.Unmarshal([]byte(source), &entry.Lesson); err != nil {
			return nil, 0, failed("read what waits for a moderator", err)
		}
		oldest = append(oldest, entry)
	}
	return oldest, int(count), nil
}

// lifeOf is how long the outcome is remembered. A message without a key cannot be asked for again.
func lifeOf(messageKey string) int64 {
	if messageKey == "" {
		return 0
	}
	return saidLife.Milliseconds()
}

func outcome(answer *redis.Cmd) (Outcome, error) {
	text, err := answer.Text()
	if err != nil {
		return "", failed("change what was taught", err)
	}
	return Outcome(text), nil
}

func failed(what string, err error) error {
	return route.Fail(route.ReasonState, fmt.Errorf("%s: %w", what, err))
}
