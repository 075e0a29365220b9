package allowance

import (
	"context"
	"time"

	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/wechat/custommessage"
	"github.com/wxstack/wxstack/wechat/errcode"
)

// maxOpenIDBytes bounds what becomes part of a name in Redis. WeChat's OpenIDs have 28 bytes.
const maxOpenIDBytes = 64

// Tracker follows WeChat's verdicts. While Redis is away it knows nothing, and keeps nobody waiting.
type Tracker struct {
	store  *Redis
	shared *redisconn.Shared
}

// NewTracker returns a Tracker over the store that shared is the way to.
func NewTracker(store *Redis, shared *redisconn.Shared) *Tracker { return &Tracker{store, shared} }

// Sent notes the verdict on a message that was sent to a follower. Success spends one. What contradicts the
// record mends it: 45047 says that nothing is left, 45015 that there is no allowance at all. Other refusals
// cost nothing.
func (t *Tracker) Sent(ctx context.Context, appID, openID string, verdict errcode.Code) {
	f := Follower{appID, openID}
	if !f.plausible() {
		return
	}
	switch verdict { //nolint:exhaustive // there are hundreds.
	case errcode.Success:
		t.shared.Try(ctx, func(ctx context.Context) error { return t.store.Spend(ctx, f, time.Now()) })
	case errcode.ReplyAllowanceSpent:
		t.shared.Try(ctx, func(ctx context.Context) error { return t.store.Close(ctx, f) })
	case errcode.ReplyWindowClosed:
		t.shared.Try(ctx, func(ctx context.Context) error { return t.store.Forget(ctx, f) })
	}
}

// Read returns what is known of a follower's allowances, and the time that it was read at. Where nothing is
// known, or Redis is away, that is the zero Record.
func (t *Tracker) Read(ctx context.Context, appID, openID string) (custommessage.Record, time.Time) {
	f, now := Follower{appID, openID}, time.Now()
	var r custommessage.Record
	if !f.plausible() || !t.shared.Try(ctx, func(ctx context.Context) (err error) {
		r, err = t.store.Read(ctx, f)
		return err
	}) {
		return custommessage.Record{}, now
	}
	return r, now
}

func (f Follower) plausible() bool { return f.OpenID != "" && len(f.OpenID) <= maxOpenIDBytes }
