package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/explain"
	"github.com/wxstack/wxstack/simulator/internal/verdict"
)

// Type is the kind of a push, WeChat's MsgType.
type Type string

// The types that a Push has constants for. Every other MsgType of Types does as well.
const (
	TypeText     Type = "text"
	TypeImage    Type = "image"
	TypeVoice    Type = "voice"
	TypeVideo    Type = "video"
	TypeLocation Type = "location"
	TypeLink     Type = "link"
	TypeEvent    Type = "event"
)

// The events that followers cause most often, spelled as on the wire (接收事件推送). Every other event of Types does as
// well.
const (
	EventSubscribe   = "subscribe"
	EventUnsubscribe = "unsubscribe"
	EventScan        = "SCAN"
	EventClick       = "CLICK"
	EventView        = "VIEW"
	EventLocation    = "LOCATION"
)

// Push is what a follower does, or what WeChat reports to the account. Empty fields get what is most usual: the first
// account, DefaultFollower, a text, the account's mode, and for the rest what WeChat's documents show.
type Push struct {
	Account string // Account is the AppID.
	From    string // From is the follower's OpenID; a new one follows at once.
	Type    Type   // Type is the MsgType, one of Types.
	Content string // Content of a text.
	// MenuEntryID is the id of the entry (bizmsgmenuid) when the text is one that the follower tapped in a menu message
	// (菜单消息) or in a weixin://bizmsgmenu link.
	MenuEntryID string
	Media       []byte // Media is the file of a picture, voice or video; nil sends a sample.
	Mode        Mode   // Mode overrides the account's encryption for this push.
	Format      Format // Format overrides the account's data format for this push.
	URL         string // URL overrides the account's callback URL for this push.

	Event    string // Event is one of Types, if Type is event.
	EventKey string // EventKey is a menu key, a URL, or a scene (subscribe: with qrscene_).
	Ticket   string // Ticket of a scanned QR code; filled in for scans.

	Latitude, Longitude, Precision float64 // Of a LOCATION event.

	// InfoType makes the push a notice (授权事件等通知) to a third-party platform, whose AppID Account is.
	InfoType string

	// Fields are values by their path in the document, such as Recognition or ScanCodeInfo/ScanResult; Types tells which
	// there are. They come before everything else.
	Fields map[string]string
	// XML is a document of the caller's own instead of all the above. It goes out as it is, signed, and sealed as the
	// mode asks; in compatible mode, which adds an element, it is written anew. One that begins with { is in the format
	// JSON, whatever Format says. Attributes, name spaces and DTDs are refused: WeChat sends none.
	XML string

	// ReuseConnections keeps connections between deliveries. WeChat opens a new one
	// for each; a load run may not be able to afford that.
	ReuseConnections bool

	unlisted bool // Whether it is not shown while it is under way: one of many.
}

// Outcome is what became of a push as a whole.
type Outcome string

// The outcomes.
const (
	// OutcomeShown means that the follower saw a reply.
	OutcomeShown Outcome = "shown"
	// OutcomeSilent means that the account answered and the follower saw nothing.
	OutcomeSilent Outcome = "silent"
	// OutcomeFailed means that no delivery got a valid answer.
	OutcomeFailed Outcome = "failed"
	// OutcomePending means that deliveries are still going on.
	OutcomePending Outcome = "pending"
)

// PushResult tells everything about one push.
type PushResult struct {
	ID         int64            `json:"id"`
	Account    string           `json:"account"`
	From       string           `json:"from"`
	Type       Type             `json:"type"`
	Event      string           `json:"event,omitempty"`
	InfoType   string           `json:"info_type,omitempty"` // Of a notice to a third-party platform.
	Mode       Mode             `json:"mode"`
	Format     Format           `json:"format"`
	MsgID      int64            `json:"msg_id,string,omitempty"` // A string, because JavaScript's numbers are too short.
	Time       time.Time        `json:"time"`
	DurationMS float64          `json:"duration_ms"` // From the first delivery's start to the last one's end.
	Clear      string           `json:"clear"`       // The pushed document before sealing.
	Outcome    Outcome          `json:"outcome"`
	Deliveries []DeliveryResult `json:"deliveries"`
	Shown      []ChatEntry      `json:"shown"` // What the follower saw as an answer, the notice included.

	secrets explain.Secrets // By which it was signed.
}

// Noticed reports whether the follower read WeChat's error notice.
func (r PushResult) Noticed() bool {
	return len(r.Shown) > 0 && r.Shown[0].Side == SideNotice
}

var errNoCallback = errors.New("no callback URL")

// outgoing is a push ready for delivery.
type outgoing struct {
	push     Push
	document pushed
	clear    string // The document before sealing.
	url      string
	body     string
	receiver receiver
	expected verdict.Expectation
	epoch    int
}

// Push acts as a follower: it sends one message or event and delivers it until
// the account answers or the attempts are used up, which can take three times the
// timeout. The error is about the request itself, or ctx; a callback URL that
// fails is a result, not an error.
func (p *Platform) Push(ctx context.Context, push Push) (PushResult, error) {
	prepared, err := p.prepare(push)
	if err != nil {
		return PushResult{}, err
	}
	result := p.deliverAll(ctx, prepared)
	if err := ctx.Err(); err != nil && result.Outcome == OutcomeFailed {
		p.forgetPending(result)

		return result, fmt.Errorf("push was given up: %w", err)
	}
	p.conclude(prepared, &result)

	return result, nil
}

// prepare checks a push, writes down what the follower did, and seals it.
func (p *Platform) prepare(push Push) (outgoing, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(push.Account)
	if err != nil {
		return outgoing{}, err
	}
	if push, err = complete(push, account.Account); err != nil {
		return outgoing{}, err
	}
	target, err := p.state.receiver(account, push)
	if err != nil {
		return outgoing{}, err
	}
	document, err := p.compose(account, &push)
	if err != nil {
		return outgoing{}, err
	}
	if document.byFollower {
		now := p.state.clock.now()
		known, err := account.follower(push.From, now)
		if err != nil {
			return outgoing{}, err
		}
		account.act(known, push, now)
		known.allow(push, now)
		p.say(known, document.line)
	}
	sent, err := seal(push, document, target)
	if err != nil {
		return outgoing{}, err
	}
	sent.epoch = p.state.epoch
	sent.expected.HasMaterial = p.hasMedia(account)

	return sent, nil
}

// complete fills in what the caller left out and refuses what can't be sent.
func complete(push Push, account Account) (Push, error) {
	push.Account = account.AppID
	push.From = cmp.Or(push.From, DefaultFollower)
	push.Mode, push.Format = cmp.Or(push.Mode, account.Mode), cmp.Or(push.Format, account.Format)
	if _, err := ParseMode(string(push.Mode)); err != nil {
		return push, err
	}
	format, err := ParseFormat(string(push.Format))
	if err != nil {
		return push, err
	}
	push.Format = format
	switch {
	case push.InfoType != "":
		push.From = "" // WeChat itself.

		return push, checkCallbackURL(push.URL)
	case push.XML != "":
		return push, checkCallbackURL(push.URL)
	}
	push.Type = cmp.Or(push.Type, TypeText)
	switch {
	case push.MenuEntryID != "" && push.Type != TypeText:
		return push, fmt.Errorf("%w: menu_entry_id is for a text, which the tapped entry sends", ErrInvalid)
	case push.Type == TypeText && push.Content == "" && push.Fields["Content"] == "":
		return push, fmt.Errorf("%w: content of a text must not be empty", ErrInvalid)
	case push.Type == TypeEvent:
		push, err = completeEvent(push)
	}
	if err != nil {
		return push, err
	}

	return push, checkCallbackURL(push.URL)
}

func completeEvent(push Push) (Push, error) {
	push.EventKey = cmp.Or(push.Fields["EventKey"], push.EventKey)
	switch push.Event {
	case EventScan, EventClick, EventView:
		if push.EventKey == "" {
			return push, fmt.Errorf("%w: event_key of %s must not be empty", ErrInvalid, push.Event)
		}
	}
	if push.Ticket == "" && (push.Event == EventScan || (push.Event == EventSubscribe && push.EventKey != "")) {
		push.Ticket = "TICKET_" + push.EventKey
	}

	return push, nil
}

// act notes whether the follower follows now. Whoever sends anything follows.
func (a *accountState) act(f *follower, push Push, now time.Time) {
	follows := push.Event != EventUnsubscribe
	if follows && (!f.following || push.Event == EventSubscribe) {
		f.followedAt, f.scene = now, ""
		if scene, byCode := strings.CutPrefix(push.EventKey, scenePrefix); byCode && push.Event == EventSubscribe {
			f.scene, f.textScene = scene, a.saysText(push.Ticket, scene)
		}
	}
	f.following = follows
}

// conclude decides what the follower saw and records the push.
func (p *Platform) conclude(sent outgoing, result *PushResult) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sent.epoch != p.state.epoch {
		return // The platform was reset meanwhile.
	}
	delete(p.state.pending, result.ID)
	last := result.Deliveries[len(result.Deliveries)-1]
	known := p.state.accounts[sent.push.Account].followers[sent.push.From]
	switch {
	case known == nil: // WeChat's own report: nobody sees anything.
	case last.line != nil:
		result.Shown = append(result.Shown, p.say(known, *last.line))
	case result.Outcome == OutcomeFailed && sent.expected.Answerable:
		result.Shown = append(result.Shown, p.say(known, ChatEntry{Side: SideNotice, Type: "notice", Text: Notice}))
	}
	p.state.pushes.add(*result)
	p.state.hub.publish(topicPushes)
}

// Pushes returns the last pushes, newest first, at most n of them.
func (p *Platform) Pushes(n int) []PushResult {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.state.pushes.newest(n)
}

// newID returns a number that is unique within this platform, as text.
func (p *Platform) newID() string { return strconv.FormatInt(p.entries.Add(1), 10) }
