package simulator

import (
	"slices"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// How many customer-service messages a trigger allows, and for how long. Source:
// 客服消息, the table of triggers in today's pages (until 2021 it was 20 after a
// message).
const (
	messageAllowance = 5
	messageWindow    = 48 * time.Hour
	actionAllowance  = 3
	actionWindow     = time.Minute
)

// allowance counts the customer-service messages (客服消息) that one trigger still
// permits.
type allowance struct {
	count int
	until time.Time
}

// left returns how many messages may be sent at that time.
func (a allowance) left(now time.Time) int {
	if !a.open(now) {
		return 0
	}

	return a.count
}

// open reports whether the window of time is open, however many messages are left.
func (a allowance) open(now time.Time) bool { return now.Before(a.until) }

// spend takes one message from whichever allowance ends first. It returns the
// refusal that WeChat gives, or 0.
func (f *follower) spend(now time.Time) errcode.Code {
	for _, allowed := range []*allowance{&f.action, &f.message} {
		if allowed.left(now) > 0 {
			allowed.count--

			return errcode.OK
		}
	}
	if f.action.open(now) || f.message.open(now) {
		return errcode.CountSpent
	}

	return errcode.WindowClosed
}

// allowingEvents are those after which an account may write: of the menu's these three only, a follow and a scan.
var allowingEvents = []string{EventClick, "scancode_push", "scancode_waitmsg", EventSubscribe, EventScan}

// allow opens the allowance that a push brings with it.
func (f *follower) allow(push Push, now time.Time) {
	switch {
	case push.MenuEntryID != "": // counts as a press on the menu.
		f.lastMessage = now
		f.action = allowance{count: actionAllowance, until: now.Add(actionWindow)}
	case push.Type != TypeEvent:
		f.lastMessage = now
		f.message = allowance{count: messageAllowance, until: now.Add(messageWindow)}
	case slices.Contains(allowingEvents, push.Event):
		f.action = allowance{count: actionAllowance, until: now.Add(actionWindow)}
	case push.Event == EventUnsubscribe:
		f.message, f.action = allowance{}, allowance{}
	}
}
