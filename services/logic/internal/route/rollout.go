package route

import (
	"hash/fnv"
	"io"
	"slices"
)

// Rollout narrows a rule to some of the followers (灰度发布): those who are named, and a share of the others.
// Who is in stays in when the share grows.
type Rollout struct {
	// Percent of the followers, 0 to 100.
	Percent float64
	// Followers are OpenIDs of those who are in anyway.
	Followers []string
	// Seed decides who is chosen: rules of one seed choose the same followers.
	Seed string
}

// shares is how finely followers are divided: a hundredth of a percent.
const shares = 10_000

// Includes reports whether a follower is in. It depends on nothing but its arguments, so that every replica
// says the same.
func (r *Rollout) Includes(openID string) bool {
	if slices.Contains(r.Followers, openID) {
		return true
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, r.Seed+"/"+openID) // a hash never fails to be written to.
	return float64(mix(h.Sum64())%shares) < r.Percent*shares/100
}

// mix spreads a hash over all bits: those of FNV that a remainder looks at hang too much on the last letters.
// The constants are those of MurmurHash3's finalizer.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
