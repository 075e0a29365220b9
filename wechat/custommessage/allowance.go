package custommessage

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxstack/wxstack/wechat/message"
)

// How many customer-service messages a follower allows by what they do, and for how
// long (下发条数, 下发时限). Source: 微信公众平台 “客服消息”, the table of triggers as it
// is today; until 2021 it was 20 after a message.
const (
	// MaxPerMessage is also the most that any trigger allows.
	MaxPerMessage = 5
	MessageWindow = 48 * time.Hour
	MaxPerAction  = 3
	ActionWindow  = time.Minute
)

// Trigger is what a follower did, so far as it matters to customer-service messages.
type Trigger int

// The triggers. A payment (支付成功) is one too, but no push tells of it.
const (
	// NoTrigger allows nothing.
	NoTrigger Trigger = iota
	// Wrote is a message (用户发送消息): MaxPerMessage within MessageWindow.
	Wrote
	// Acted is a press on the menu (点击自定义菜单), a follow (关注) or a scanned QR code
	// (扫描二维码): MaxPerAction within ActionWindow.
	Acted
	// Unfollowed is the end of a follow (取消关注), after which nothing may be sent.
	Unfollowed
)

// TriggerOf returns what a push allows. Of the menu only the buttons click,
// scancode_push and scancode_waitmsg count, and so does a tap on a choice of a Menu,
// although it comes as a text.
func TriggerOf(in message.Message) Trigger {
	switch {
	case in.FromUserName == "" || in.Notice != nil:
		return NoTrigger
	case in.Event != nil:
		return triggerOfEvent(*in.Event)
	case in.MsgID == 0: // no message of a follower's; WeChat numbers them all.
		return NoTrigger
	case in.Text != nil && in.Text.MenuEntryID != "":
		return Acted
	}

	return Wrote
}

func triggerOfEvent(e message.Event) Trigger {
	if e.Is(message.EventUnsubscribe) {
		return Unfollowed
	}
	actions := []string{message.EventClick, "scancode_push", "scancode_waitmsg", message.EventSubscribe, message.EventScan}
	if slices.ContainsFunc(actions, e.Is) {
		return Acted
	}

	return NoTrigger
}

// Allowance is what one trigger still allows. The zero value is that of a trigger
// that wasn't seen.
type Allowance struct {
	Left int
	// End is when it is over, exact to the millisecond.
	End time.Time
}

// open reports whether the time is not over, however many messages are left.
func (a Allowance) open(now time.Time) bool { return now.Before(a.End) }

// left returns how many messages may be sent.
func (a Allowance) left(now time.Time) int {
	if !a.open(now) {
		return 0
	}

	return a.Left
}

// Record is what is known of one follower's allowances towards one account. It is
// bookkeeping: WeChat's verdict is the truth. Its methods are pure, and change nothing
// but the copy that they return.
type Record struct {
	Message, Action Allowance
}

// Grant returns the record after a trigger. A new trigger opens a new allowance in
// place of the last one of its kind.
func (r Record) Grant(now time.Time, t Trigger) Record {
	switch t {
	case Wrote:
		r.Message = Allowance{MaxPerMessage, now.Add(MessageWindow)}
	case Acted:
		r.Action = Allowance{MaxPerAction, now.Add(ActionWindow)}
	case Unfollowed:
		// Not nothing at all, which would mean that nobody knows.
		r.Message, r.Action = Allowance{0, now.Add(MessageWindow)}, Allowance{0, now.Add(ActionWindow)}
	case NoTrigger:
	}

	return r
}

// Spend returns the record after a message was sent. It counts towards the allowance
// that ends first, so that as much as possible is left. Where nothing is left WeChat
// knows of an allowance that we don't, and nothing changes.
func (r Record) Spend(now time.Time) Record {
	first := &r.Message
	if r.Action.left(now) > 0 && (r.Message.left(now) == 0 || !r.Action.End.After(r.Message.End)) {
		first = &r.Action
	}
	if first.left(now) > 0 {
		first.Left--
	}

	return r
}

// Close returns the record after WeChat has said that nothing is left (45047).
func (r Record) Close() Record {
	r.Message.Left, r.Action.Left = 0, 0

	return r
}

// Known reports whether the record says anything: a trigger was seen whose time is
// not over.
func (r Record) Known(now time.Time) bool { return r.Message.open(now) || r.Action.open(now) }

// Left returns how many messages may be sent.
func (r Record) Left(now time.Time) int { return r.Message.left(now) + r.Action.left(now) }

// LeftUntil returns when the last of what is left ends; the zero time if nothing is.
func (r Record) LeftUntil(now time.Time) time.Time {
	var last time.Time
	for _, a := range []Allowance{r.Message, r.Action} {
		if a.left(now) > 0 && a.End.After(last) {
			last = a.End
		}
	}

	return last
}

// Keys are the names under which Redis keeps a follower's record, a text for each kind
// of trigger, since each ends at a time of its own. The hash tag keeps all of an
// account's on one node of a cluster.
type Keys struct{ Message, Action string }

// KeysOf returns the names for a follower of an account.
func KeysOf(appID, openID string) Keys {
	stem := "wx:{" + appID + "}:allowance:" + openID

	return Keys{Message: stem, Action: stem + ":action"}
}

// Text is what Redis keeps of an allowance: how many messages are left and when it ends,
// in Unix milliseconds, such as "5 1700000000000". It is empty for one that was never
// granted.
func (a Allowance) Text() string {
	if a.End.IsZero() {
		return ""
	}

	return strconv.Itoa(a.Left) + " " + strconv.FormatInt(a.End.UnixMilli(), 10)
}

// ParseRecord reads the texts of a record; empty ones give the zero Allowance.
func ParseRecord(message, action string) (Record, error) {
	var r Record
	var errMessage, errAction error
	r.Message, errMessage = parseAllowance(message)
	r.Action, errAction = parseAllowance(action)
	if err := errors.Join(errMessage, errAction); err != nil {
		return Record{}, err
	}

	return r, nil
}

func parseAllowance(text string) (Allowance, error) {
	if text == "" {
		return Allowance{}, nil
	}
	count, end, _ := strings.Cut(text, " ")
	left, errLeft := strconv.ParseUint(count, 10, 16)
	millis, errEnd := strconv.ParseUint(end, 10, 53)
	if errLeft != nil || errEnd != nil {
		return Allowance{}, fmt.Errorf("allowance: %.40q is not a number of messages and an end in Unix milliseconds", text)
	}

	return Allowance{int(left), time.UnixMilli(int64(millis))}, nil
}
