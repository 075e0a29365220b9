package route

import (
	"slices"

	"github.com/wxstack/wxstack/chassis/cohort"
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

// Includes reports whether a follower is in. It depends on nothing but its arguments, so that every replica
// says the same.
func (r *Rollout) Includes(openID string) bool {
	if slices.Contains(r.Followers, openID) {
		return true
	}

	return cohort.Includes(r.Percent, r.Seed, openID)
}
