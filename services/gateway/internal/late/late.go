// Package late sees to it that an answer which comes after the last delivery of a message still reaches
// the follower, by the account's policy: as a customer-service message (客服消息) or with the follower's
// next text.
//
// A message without an answer becomes a Job. Jobs are stored with the push they stem from, so that they
// outlive every replica: whoever owns a job renews its lease, and when an owner dies another replica takes
// the job over and asks logic again. Store keeps jobs, in Redis for all replicas or in Memory for one;
// Courier works on those that this replica owns.
package late

import (
	"context"
	"errors"
	"time"

	"github.com/wxstack/wxstack/wechat/account"
)

const (
	// Lease is how long an owner may be silent before its jobs are another's for the taking.
	Lease = 5 * time.Second

	// grace is how long a job's record outlives the job, so that its owner can still see and tell how it ended.
	grace = time.Minute
)

// ErrLost says that a job is another's now, or gone.
var ErrLost = errors.New("the late answer belongs to another replica now")

// Job is a message whose answer, or a part of it, the follower still waits for.
type Job struct {
	AppID string
	// Key is the message's (message.Message.Key): it names the job within the account.
	Key string
	// OpenID is the follower's.
	OpenID string
	// Push is what WeChat delivered, in clear.
	Push []byte
	// Policy says how the answer reaches the follower; it is not LateAnswerDrop.
	Policy account.LateAnswerPolicy
	// Parts is the answer in the order in which the follower is to get it, ready to be sent: bodies of
	// customer-service messages, or passive replies. It is empty while logic has not answered.
	Parts [][]byte
	// Left is the time until the answer is of no use any more.
	Left time.Duration

	// id is the job's entry in the stream, empty while it isn't stored.
	id string
}

// State is what a follower's text found.
type State int

// What a follower's text can find.
const (
	// Nothing says that no answer is due to the follower.
	Nothing State = iota
	// Waiting says that one is, but logic has not given it yet.
	Waiting
	// Found says that here is one.
	Found
)

// Pickup is what a follower's text gets.
type Pickup struct {
	State State
	// Part is the reply to the text, if one was found.
	Part []byte
	// Last says that Part completes an answer and that no text has got it before.
	Last bool
}

// Store keeps jobs. Its implementations are Redis and Memory.
//
// A job has one owner at a time. An owner that is silent for Lease may lose it.
type Store interface {
	// Park stores a job, owned by owner, and returns the id of its entry. A job with the same key that is
	// there already stays as it is, which the second result tells.
	Park(ctx context.Context, job Job, owner string) (id string, parked bool, err error)
	// Keep renews the lease of jobs of one account and returns the ids that are not owner's any more. Of
	// these, Park tells whether they are somebody's or the store has lost them.
	Keep(ctx context.Context, appID, owner string, ids []string) (lost []string, err error)
	// Take makes owner the owner of jobs whose owners have been silent, and returns them. It may leave some
	// for the next call.
	Take(ctx context.Context, appID, owner string) ([]Job, error)
	// Answer stores the answer of a job; it returns ErrLost to whoever isn't its owner.
	Answer(ctx context.Context, job Job, owner string, parts [][]byte) error
	// Turn reports whether a job is the oldest of its follower: answers keep the order of their messages.
	Turn(ctx context.Context, job Job) (bool, error)
	// Pick gives the follower's text by the next part of the oldest answer. The same text gets the same
	// part again.
	Pick(ctx context.Context, appID, openID, by string) (Pickup, error)
	// Done forgets a job. It reports whether all its parts were picked.
	Done(ctx context.Context, job Job) (picked bool, err error)
	// Release lets others take jobs of one account at once.
	Release(ctx context.Context, appID, owner string, ids []string) error
}
