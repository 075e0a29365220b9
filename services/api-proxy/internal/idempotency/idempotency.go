// Package idempotency makes a call that carries an idempotency key once, however often it is asked for
// and whichever replica is asked.
//
// For each key there is a record, which comes to hold the call's verdict, and a lease, which says that
// the call is being made. A lease lapses by itself when its maker dies; the record stays behind and says
// that the call may have been made, so that nobody makes it again. The records live in Redis, shared by
// all replicas; while Redis is away each replica goes on with records of its own. Ledger hides which of
// the two is at work, and Guard makes the calls.
package idempotency

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

const (
	// Lease is how long a maker's claim holds without renewal. It is long, because a maker that only
	// stalled and is taken for dead costs a verdict, and nobody waits at the other end of a message.
	Lease = 10 * time.Second

	// Life is how long a record is kept, counted from the first call.
	Life = time.Hour

	// MaxKeyBytes bounds a caller's key: it becomes part of a name in Redis.
	MaxKeyBytes = 256
)

// Key names a call: Value is the caller's key, unique within the account AppID only.
type Key struct {
	AppID string
	Value string
}

// Fingerprint tells two requests apart without keeping them.
type Fingerprint [sha256.Size]byte

// FingerprintOf returns the fingerprint of a request that consists of the given parts.
func FingerprintOf(parts ...[]byte) Fingerprint {
	hash := sha256.New()
	for _, part := range parts {
		// With its length in front, no part can pass for the end of the one before.
		_ = binary.Write(hash, binary.BigEndian, uint64(len(part))) // a hash never fails.
		_, _ = hash.Write(part)
	}
	return Fingerprint(hash.Sum(nil))
}

// State is what asking for a key found.
type State int

const (
	// Fresh says that the asker holds the lease and has to make the call.
	Fresh State = iota + 1
	// Busy says that somebody else is making the call: ask again a little later.
	Busy
	// Done says that the verdict is there.
	Done
	// Unknown says that a maker was lost or got no verdict: the call may have been carried out.
	Unknown
	// Conflict says that the key belongs to another request.
	Conflict
)

// Claim is who asks, and for what.
type Claim struct {
	Owner   string
	Request Fingerprint
}

// Record is what a store knows of a key.
type Record struct {
	State State
	// Verdict is set when State is Done.
	Verdict []byte
}

// Store keeps records. Its implementations are Redis and Memory.
type Store interface {
	// Begin takes the lease of a key that nobody has used. The owner who began already renews it.
	Begin(ctx context.Context, key Key, claim Claim) (Record, error)
	// Finish stores the verdict and ends the lease, also when the lease has lapsed or the store lost the
	// record. It leaves alone what another owner has begun or anybody has finished.
	Finish(ctx context.Context, key Key, claim Claim, verdict []byte) error
	// Clear forgets a key that its owner began and has not finished, because the call was not made.
	Clear(ctx context.Context, key Key, claim Claim) error
	// Abandon ends the owner's lease without a verdict: from now on the state is Unknown.
	Abandon(ctx context.Context, key Key, claim Claim) error
}
