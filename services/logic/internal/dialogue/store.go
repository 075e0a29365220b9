package dialogue

import (
	"context"
	_ "embed" // for the script.
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/proto"

	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/route"
)

//go:embed swap.lua
var swapSource string

// Store keeps the dialogues of all followers for all replicas: that of a follower under
// wx:{APPID}:dialogue:OPENID, as JSON that lapses with the dialogue.
type Store struct {
	client redis.UniversalClient
	swap   *redis.Script
}

// NewStore returns a Store over client, which stays the caller's to close.
func NewStore(client redis.UniversalClient) *Store {
	return &Store{client: client, swap: redis.NewScript(swapSource)}
}

// follower is whom a dialogue is held with.
type follower struct{ appID, openID string }

func followerOf(msg *messagev1.Message) follower {
	return follower{appID: msg.GetAppId(), openID: msg.GetFromUserName()}
}

func (f follower) key() string { return "wx:{" + f.appID + "}:dialogue:" + f.openID }

// record is what is kept of a dialogue. The zero record is none.
type record struct {
	State

	Rule string `json:"rule"`
	// MessageKey is that of the last message, and Reply what was said to it, a wxstack.message.v1.Reply: whoever
	// asks for the same message again is told the same.
	MessageKey string `json:"message_key,omitempty"`
	Reply      []byte `json:"reply,omitempty"`

	// source is the text that was read, empty for none.
	source string
}

// parse reads a record. One that cannot be read, such as one that a later version wrote, is as good as none.
func parse(source string) record {
	r := record{}
	if json.Unmarshal([]byte(source), &r) != nil {
		r = record{}
	}
	r.source = source
	return r
}

// said is what was said last.
func (r *record) said() (route.Answer, error) {
	if r.Reply == nil {
		return route.Answer{}, nil
	}
	reply := &messagev1.Reply{}
	if err := proto.Unmarshal(r.Reply, reply); err != nil {
		return route.Answer{}, route.Fail(route.ReasonState, fmt.Errorf("read the reply in the record of a dialogue: %w", err))
	}
	return route.Answer{Reply: reply}, nil
}

// Holder returns the name of the rule that holds the follower, empty if none does. It is also that of a
// dialogue that ended lately, whose last message may be asked for again.
func (s *Store) Holder(ctx context.Context, appID, openID string) (string, error) {
	r, err := s.load(ctx, follower{appID: appID, openID: openID})
	return r.Rule, err
}

func (s *Store) load(ctx context.Context, who follower) (record, error) {
	source, err := s.client.Get(ctx, who.key()).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return record{}, route.Fail(route.ReasonState, fmt.Errorf("read the dialogue of a follower: %w", err))
	}
	return parse(source), nil
}

// errScript says that the script answered what it never answers: somebody changed it or the server.
var errScript = errors.New("unexpected answer of a Redis script")

// replace puts next in the place of before. It returns the record that is there instead if another message
// was faster.
func (s *Store) replace(ctx context.Context, who follower, before, next *record, life time.Duration) (faster *record, err error) {
	source, err := json.Marshal(next)
	if err != nil {
		return nil, fmt.Errorf("write down a dialogue: %w", err)
	}
	got, err := s.swap.Run(ctx, s.client, []string{who.key()}, before.source, source, life.Milliseconds()).Slice()
	if err != nil {
		return nil, route.Fail(route.ReasonState, fmt.Errorf("store the dialogue of a follower: %w", err))
	}
	const values = 2
	if len(got) != values {
		return nil, route.Fail(route.ReasonState, fmt.Errorf("store the dialogue of a follower: %w", errScript))
	}
	if won, _ := got[0].(int64); won == 1 {
		return nil, nil //nolint:nilnil // nobody was faster.
	}
	there, _ := got[1].(string)
	r := parse(there)
	return &r, nil
}
