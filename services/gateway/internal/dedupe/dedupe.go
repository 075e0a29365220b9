// Package dedupe makes sure that a message is answered by one computation, however often WeChat
// delivers it (消息排重) and whichever replica a delivery reaches.
//
// For each message there is a record, which comes to hold the answer, and a lease, which says whose
// computation is under way. A lease lapses by itself when its holder dies, the record does not, so
// that whoever takes over knows how much of the time is gone. The records live in Redis, shared by
// all replicas; while Redis is away each replica goes on with records of its own. Window hides which
// of the two is at work.
package dedupe

import (
	"context"
	"time"
)

const (
	// Lease is how long a claim holds without renewal: how long a message waits when the replica that
	// worked on it dies. It has to be much shorter than the time between two deliveries (5 s).
	Lease = 2 * time.Second

	// Life is how long a record is kept, counted from the first delivery. WeChat's deliveries end
	// after 15 to 20 s; the rest is for repeats that somebody in between makes.
	Life = 10 * time.Minute
)

// Key names a message: Message is unique within the account AppID only.
type Key struct {
	AppID   string
	Message string
}

// State is what a claim found.
type State int

const (
	// Won says that the claimant holds the lease and has to compute the answer.
	Won State = iota + 1
	// Pending says that somebody else holds the lease: claim again a little later.
	Pending
	// Answered says that the answer is there.
	Answered
)

// Claim is the result of claiming a message.
type Claim struct {
	State State
	// Age is the time since the message was first claimed by anybody. It is a span and not a moment,
	// because the clocks of two replicas may differ.
	Age time.Duration
	// Answer is set when State is Answered.
	Answer []byte
	// Alone says that the store which all replicas share could not be asked. Age then counts from the first
	// delivery that this replica has seen.
	Alone bool
}

// CommandTimeout is how long a Store takes at most, within the way of a message, so that a server that just
// stopped answering costs a message this much once. It is long enough for the pauses of a busy machine.
const CommandTimeout = time.Second

// Store keeps records. Its implementations are Redis and Memory. Each method returns within CommandTimeout,
// or before when its context ends.
type Store interface {
	// Claim takes the lease of a message unless it is answered or another owner holds it. The owner who
	// holds it already renews it.
	Claim(ctx context.Context, key Key, owner string) (Claim, error)
	// Finish stores the answer, which must not be empty, and ends the owner's lease. The first answer
	// wins: it is what Finish returns, to the owner and to everyone who computed the same in vain.
	Finish(ctx context.Context, key Key, owner string, answer []byte) ([]byte, error)
	// Keep stores the answer of a message whose lease surely still holds, so that the answer is the first. It
	// doesn't wait: done is called by and by.
	Keep(key Key, owner string, answer []byte, done func(error))
	// Release ends the owner's lease without an answer, so that another takes over at once.
	Release(ctx context.Context, key Key, owner string) error
}
