package simulator

import "slices"

// The simulator's memory is bounded, so that a load run of millions of messages
// can't eat the machine. What exceeds these numbers is forgotten, oldest first.
const (
	maxPushRecords  = 500      // Pushes that the inspector remembers.
	maxCalls        = 1000     // API calls that the inspector remembers.
	maxChatEntries  = 200      // Lines of one follower's chat.
	maxFollowers    = 4000     // Followers of one account.
	maxQRCodes      = 1000     // QR codes with parameters of one account.
	maxGrants       = 1000     // Codes of OAuth2 of one account, and users' authorisations.
	maxMassIDs      = 1000     // Ids by which mass messages are recognised.
	maxMediaItems   = 500      // Files of one account that are kept for a while, and pictures.
	maxDrafts       = 500      // Drafts of one account, and publications.
	maxCapturedBody = 16 << 10 // Bytes kept of one recorded request or response body.
)

// ring keeps the last values that were added.
type ring[T any] struct {
	limit  int
	next   int
	values []T
}

func newRing[T any](limit int) *ring[T] { return &ring[T]{limit: limit} }

func (r *ring[T]) add(value T) {
	if len(r.values) < r.limit {
		r.values = append(r.values, value)

		return
	}
	r.values[r.next] = value
	r.next = (r.next + 1) % r.limit
}

// all returns a copy of the values, oldest first.
func (r *ring[T]) all() []T {
	values := make([]T, 0, len(r.values))
	values = append(values, r.values[r.next:]...)

	return append(values, r.values[:r.next]...)
}

// newest returns a copy of at most n values, newest first.
func (r *ring[T]) newest(n int) []T {
	values := r.all()
	if n > len(values) {
		n = len(values)
	}
	newest := make([]T, 0, n)
	for i := range n {
		newest = append(newest, values[len(values)-1-i])
	}

	return newest
}

// appendNewest appends a value to a list from which others are taken out as well, and drops the oldest above the limit.
func appendNewest[T any](list []T, value T, limit int) []T {
	list = append(list, value)

	return slices.Delete(list, 0, max(len(list)-limit, 0))
}

// firstOf returns the first value that is meant, nil if there is none.
func firstOf[T any](list []*T, meant func(*T) bool) *T {
	position := slices.IndexFunc(list, meant)
	if position < 0 {
		return nil
	}

	return list[position]
}
