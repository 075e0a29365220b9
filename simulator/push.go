package simulator

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Type is the kind of a push, WeChat's MsgType.
type Type string

// The pushes that the simulator sends.
const (
	TypeText  Type = "text"
	TypeImage Type = "image"
	TypeEvent Type = "event"
)

// The events that the simulator sends, spelled as on the wire (接收事件推送).
const (
	EventSubscribe   = "subscribe"
	EventUnsubscribe = "unsubscribe"
	EventScan        = "SCAN"
	EventClick       = "CLICK"
	EventView        = "VIEW"
	EventLocation    = "LOCATION"
)

// Push is what a follower does. Empty fields get what is most usual: the first
// account, DefaultFollower, a text, the account's mode.
type Push struct {
	Account string // Account is the AppID.
	From    string // From is the follower's OpenID; a new one follows at once.
	Type    Type   // Type is text, image or event.
	Content string // Content of a text.
	// MenuEntryID is the id of the entry (bizmsgmenuid) when the text is one that the follower tapped in a menu message
	// (菜单消息) or in a weixin://bizmsgmenu link.
	MenuEntryID string
	Media       []byte // Media is the picture of an image message; nil sends a sample.
	Mode        Mode   // Mode overrides the account's encryption for this push.

	Event    string // Event is one of the Event constants.
	EventKey string // EventKey is a menu key, a URL, or a scene (subscribe: with qrscene_).
	Ticket   string // Ticket of a scanned QR code; filled in for scans.

	Latitude, Longitude, Precision float64 // Of a LOCATION event.

	// ReuseConnections keeps connections between deliveries. WeChat opens a new one
	// for each; a load run may not be able to afford that.
	ReuseConnections bool

	createTime int64
	msgID      int64
	mediaID    string
	picURL     string
	menuID     int64 // Of the menu that the follower sees.
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
)

// PushResult tells everything about one push.
type PushResult struct {
	ID         int64            `json:"id"`
	Account    string           `json:"account"`
	From       string           `json:"from"`
	Type       Type             `json:"type"`
	Event      string           `json:"event,omitempty"`
	Mode       Mode             `json:"mode"`
	MsgID      int64            `json:"msg_id,string,omitempty"` // A string, because JavaScript's numbers are too short.
	Time       time.Time        `json:"time"`
	DurationMS float64          `json:"duration_ms"` // From the first delivery's start to the last one's end.
	Clear      string           `json:"clear"`       // The pushed document before sealing.
	Outcome    Outcome          `json:"outcome"`
	Deliveries []DeliveryResult `json:"deliveries"`
	Shown      []ChatEntry      `json:"shown"` // What the follower saw as an answer, the notice included.
}

// Noticed reports whether the follower read WeChat's error notice.
func (r PushResult) Noticed() bool {
	return len(r.Shown) > 0 && r.Shown[0].Side == SideNotice
}

var errNoCallback = errors.New("no callback URL")

// outgoing is a push ready for delivery.
type outgoing struct {
	push     Push
	clear    string
	url      string
	body     string
	expected expectation
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
	if account.CallbackURL == "" {
		return outgoing{}, fmt.Errorf("%w: account %q has %w, set it first", ErrInvalid, account.AppID, errNoCallback)
	}
	if push.Mode.encrypts() && account.cipher == nil {
		return outgoing{}, fmt.Errorf("%w: account %q has no EncodingAESKey, which %s mode needs",
			ErrInvalid, account.AppID, push.Mode)
	}
	now := p.state.clock.now()
	known, err := account.follower(push.From, now)
	if err != nil {
		return outgoing{}, err
	}
	push.createTime = time.Now().Unix()
	_, push.menuID = account.menus.of(known)
	if push.Type != TypeEvent {
		push.msgID = p.messages.Add(1)
	}
	if push.Type == TypeImage {
		if err := p.attachPicture(account, &push, now); err != nil {
			return outgoing{}, err
		}
	}
	known.act(push, now)
	known.allow(push, now)
	p.say(known, followerLine(push))

	return p.seal(push, account)
}

// complete fills in what the caller left out and refuses what can't be sent.
func complete(push Push, account Account) (Push, error) {
	push.Account = account.AppID
	if push.From == "" {
		push.From = DefaultFollower
	}
	if push.Mode == "" {
		push.Mode = account.Mode
	}
	if _, err := ParseMode(string(push.Mode)); err != nil {
		return push, err
	}
	if push.Type == "" {
		push.Type = TypeText
	}
	if push.MenuEntryID != "" && push.Type != TypeText {
		return push, fmt.Errorf("%w: menu_entry_id is for a text, which the tapped entry sends", ErrInvalid)
	}
	switch push.Type {
	case TypeText:
		if push.Content == "" {
			return push, fmt.Errorf("%w: content of a text must not be empty", ErrInvalid)
		}
	case TypeImage:
	case TypeEvent:
		return completeEvent(push)
	default:
		return push, fmt.Errorf("%w: type %q is unknown, use text, image or event", ErrInvalid, push.Type)
	}

	return push, nil
}

func completeEvent(push Push) (Push, error) {
	switch push.Event {
	case EventSubscribe, EventUnsubscribe, EventLocation:
	case EventScan, EventClick, EventView:
		if push.EventKey == "" {
			return push, fmt.Errorf("%w: event_key of %s must not be empty", ErrInvalid, push.Event)
		}
	default:
		return push, fmt.Errorf("%w: event %q is unknown, use subscribe, unsubscribe, SCAN, CLICK, VIEW or LOCATION",
			ErrInvalid, push.Event)
	}
	if push.Ticket == "" && (push.Event == EventScan || (push.Event == EventSubscribe && push.EventKey != "")) {
		push.Ticket = "TICKET_" + push.EventKey
	}

	return push, nil
}

// act notes whether the follower follows now. Whoever sends anything follows.
func (f *follower) act(push Push, now time.Time) {
	follows := push.Event != EventUnsubscribe
	if follows && !f.following {
		f.followedAt = now
	}
	f.following = follows
}

// followerLine is the chat line of what the follower did.
func followerLine(push Push) ChatEntry {
	if push.Type == TypeEvent {
		return ChatEntry{Side: SideEvent, Type: push.Event, Text: push.EventKey}
	}

	return ChatEntry{Side: SideFollower, Type: string(push.Type), Text: push.Content, MediaID: push.mediaID}
}

// seal renders the push, signs it, and encrypts it where the mode asks for that.
func (p *Platform) seal(push Push, account *accountState) (outgoing, error) {
	elements := renderPush(push, account.OriginalID)
	clearText := elements.document()
	query := newSignedQuery(account.CallbackToken)
	query.values.Set("openid", push.From)
	body := clearText
	if push.Mode.encrypts() {
		envelope, err := account.cipher.Seal([]byte(clearText), query.timestamp, query.nonce)
		if err != nil {
			return outgoing{}, fmt.Errorf("seal push: %w", err)
		}
		query.values.Set("encrypt_type", "aes")
		query.values.Set("msg_signature", envelope.MsgSignature)
		body = renderSealed(push.Mode, elements, account.OriginalID, envelope.Encrypt)
	}
	target, err := query.url(account.CallbackURL)
	if err != nil {
		return outgoing{}, err
	}

	return outgoing{
		push: push, clear: clearText, url: target, body: body, epoch: p.state.epoch,
		expected: expectation{
			mode: push.Mode, cipher: account.cipher, follower: push.From, originalID: account.OriginalID,
			isEvent: push.Type == TypeEvent, answerable: push.answerable(), hasMedia: p.hasMedia(account),
		},
	}, nil
}

// answerable reports whether WeChat shows a reply to the push: to all messages,
// and of the events to those which the follower triggered knowingly
// (community knowledge; the documents only say "some events").
func (push Push) answerable() bool {
	return push.Type != TypeEvent || push.Event == EventSubscribe || push.Event == EventScan || push.Event == EventClick
}

// conclude decides what the follower saw and records the push.
func (p *Platform) conclude(sent outgoing, result *PushResult) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sent.epoch != p.state.epoch {
		return // The platform was reset meanwhile.
	}
	last := result.Deliveries[len(result.Deliveries)-1]
	known := p.state.accounts[sent.push.Account].followers[sent.push.From]
	switch {
	case last.line != nil:
		result.Shown = append(result.Shown, p.say(known, *last.line))
	case result.Outcome == OutcomeFailed && sent.push.answerable():
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
