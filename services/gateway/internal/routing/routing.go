// Package routing decides, by the routes file, which logic service answers a message, which others get a copy
// of it, and whether it is recorded.
package routing

import (
	"iter"
	"slices"

	"github.com/wxstack/wxstack/chassis/cohort"
)

// Table is what a routes file says. It never changes. The zero value leaves everything to the logic service
// of LOGIC_ADDR.
type Table struct {
	// Routes are asked in order: the first that fits decides.
	Routes []Target `yaml:"routes"`
	// Shadows get a copy of every message that fits.
	Shadows []Target `yaml:"shadows"`
	// Record is nil if nothing is recorded.
	Record *Record `yaml:"record"`
}

// Target is a logic service, and whose messages go there.
type Target struct {
	// Name is for logs and metrics, and decides whom Percent chooses.
	Name string `yaml:"name"`
	// Accounts are AppIDs. Empty: all.
	Accounts []string `yaml:"accounts"`
	// Followers are OpenIDs of those who are in, whatever Percent says.
	Followers []string `yaml:"followers"`
	// Percent of the followers are in, 0 to 100. Nil: all, or none but Followers if there are any.
	Percent *float64 `yaml:"percent"`
	// LogicAddr is the gRPC target of the LogicService.
	LogicAddr string `yaml:"logic_addr"`
}

// Record says what is recorded, and where.
type Record struct {
	// File gets one line for each message.
	File string `yaml:"file"`
	// Accounts are AppIDs. Empty: all.
	Accounts []string `yaml:"accounts"`
	// MaxBytes is how long the file may get before it is renamed to File.1, in place of an older one.
	MaxBytes int64 `yaml:"max_bytes"`
	// Texts says what is kept of what followers write.
	Texts Texts `yaml:"texts"`
}

// Texts is what a recording keeps of what followers write.
type Texts string

// The choices of Texts.
const (
	// TextsRedacted masks what may point to a person.
	TextsRedacted Texts = "redacted"
	// TextsFull keeps everything as it was written.
	TextsFull Texts = "full"
	// TextsNone keeps what kind of message it was.
	TextsNone Texts = "none"
)

// Route returns the route of a message, nil for the logic service of LOGIC_ADDR. The OpenID is empty where
// no follower is the sender.
func (t *Table) Route(appID, openID string) *Target {
	for i := range t.Routes {
		if t.Routes[i].fits(appID, openID) {
			return &t.Routes[i]
		}
	}
	return nil
}

// ShadowsOf yields the shadows that get a copy of a message.
func (t *Table) ShadowsOf(appID, openID string) iter.Seq[*Target] {
	return func(yield func(*Target) bool) {
		for i := range t.Shadows {
			if t.Shadows[i].fits(appID, openID) && !yield(&t.Shadows[i]) {
				return
			}
		}
	}
}

// Covers reports whether the messages of an account are recorded.
func (r *Record) Covers(appID string) bool {
	return r != nil && listed(r.Accounts, appID)
}

// fits depends on nothing but the target and its arguments, so that all replicas agree.
func (t *Target) fits(appID, openID string) bool {
	if !listed(t.Accounts, appID) {
		return false
	}
	if slices.Contains(t.Followers, openID) {
		return true
	}
	if t.Percent == nil {
		return len(t.Followers) == 0
	}
	return openID != "" && cohort.Includes(*t.Percent, t.Name, openID)
}

// listed reports whether an account is in a list, of which an empty one has all.
func listed(accounts []string, appID string) bool {
	return len(accounts) == 0 || slices.Contains(accounts, appID)
}
