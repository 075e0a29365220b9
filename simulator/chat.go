package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Notice is what a follower reads when the account gave no valid answer. Source:
// 被动回复用户消息; newer clients are reported to word it differently.
const Notice = "该公众号暂时无法提供服务，请稍后再试"

// Side says who a chat line comes from.
type Side string

// The sides of a chat.
const (
	SideFollower Side = "follower" // What the follower sent.
	SideAccount  Side = "account"  // What the account answered.
	SideEvent    Side = "event"    // What the follower did: followed, clicked, scanned.
	SideNotice   Side = "notice"   // WeChat's error notice.
)

// Channel says how an account's line reached the follower.
type Channel string

// The channels of an account's lines.
const (
	ChannelReply  Channel = "reply"  // A passive reply (被动回复).
	ChannelCustom Channel = "custom" // A customer-service message (客服消息).
	// ChannelTemplate is a template message (模板消息).
	ChannelTemplate Channel = "template"
	ChannelMass     Channel = "mass" // A mass message (群发), or the preview of one.
)

// Article is one entry of a news message (图文消息).
type Article struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	PicURL      string `json:"pic_url,omitempty"`
	URL         string `json:"url,omitempty"`
}

// ChatEntry is one line of a chat as the follower sees it.
type ChatEntry struct {
	ID       int64     `json:"id"`
	Time     time.Time `json:"time"` // Real time, not that of the books.
	Side     Side      `json:"side"`
	Channel  Channel   `json:"channel,omitempty"` // Of an account's line.
	Type     string    `json:"type"`              // WeChat's MsgType, or the event's name.
	Text     string    `json:"text,omitempty"`
	MediaID  string    `json:"media_id,omitempty"`
	ThumbID  string    `json:"thumb_media_id,omitempty"` // Picture of a video or of music.
	Position *Position `json:"position,omitempty"`       // Of a location.
	Articles []Article `json:"articles,omitempty"`
	Choices  []Choice  `json:"choices,omitempty"` // Of a menu message (菜单消息).
}

// Position is a place on the map, in degrees.
type Position struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

// Choice is an entry of a menu message, which the follower can tap.
type Choice struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// Follower is a follower in a list.
type Follower struct {
	OpenID    string    `json:"openid"`
	Account   string    `json:"account"`
	Following bool      `json:"following"`
	Since     time.Time `json:"since"`
	Lines     int       `json:"lines"` // Chat lines that are remembered.
	// MessagesLeft is how many customer-service messages may be sent now.
	MessagesLeft int `json:"messages_left"`
	// TypingMS is for how many milliseconds the follower still sees that the
	// account is typing (对方正在输入), on the platform's clock.
	TypingMS int64 `json:"typing_ms,omitempty"`
}

// say adds a line to a chat and wakes the watchers. The caller holds the lock.
func (p *Platform) say(f *follower, entry ChatEntry) ChatEntry {
	entry.ID = p.entries.Add(1)
	entry.Time = time.Now()
	f.chat.add(entry)
	p.state.hub.publish(topicChat)
	for _, look := range p.observers {
		look(f.openID, entry)
	}

	return entry
}

// observe lets somebody see each line as it is said, with the platform's lock held, until the returned function is called.
func (p *Platform) observe(look func(openID string, line ChatEntry)) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := p.entries.Add(1)
	p.observers[id] = look

	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.observers, id)
	}
}

// Chat returns the lines of a follower's chat, oldest first, over all accounts
// that the follower talks to. An unknown follower has no lines.
func (p *Platform) Chat(openID string) []ChatEntry {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lines []ChatEntry
	for _, appID := range p.state.order {
		if known, ok := p.state.accounts[appID].followers[openID]; ok {
			lines = append(lines, known.chat.all()...)
		}
	}
	slices.SortFunc(lines, func(a, b ChatEntry) int { return cmp.Compare(a.ID, b.ID) })

	return lines
}

// ErrStopped is wrapped by what fails because the platform has ended.
var ErrStopped = errors.New("simulator stopped")

// WaitChat waits until the follower's chat has at least that many lines and
// returns it. When ctx ends first, it returns what is there and an error. Late
// answers (客服消息) are tested with it, without a sleep.
func (p *Platform) WaitChat(ctx context.Context, openID string, atLeast int) ([]ChatEntry, error) {
	watcher, stop := p.watch()
	defer stop()
	for {
		lines := p.Chat(openID)
		if len(lines) >= atLeast {
			return lines, nil
		}
		select {
		case <-watcher.wake:
		case <-p.closing:
			return lines, fmt.Errorf("wait for %d lines of chat, there are %d: %w", atLeast, len(lines), ErrStopped)
		case <-ctx.Done():
			return lines, fmt.Errorf("wait for %d lines of chat, there are %d: %w", atLeast, len(lines), ctx.Err())
		}
	}
}

// Followers returns all followers of all accounts, sorted by account and OpenID.
func (p *Platform) Followers() []Follower {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.state.clock.now()
	list := make([]Follower, 0, len(p.state.accounts))
	for _, account := range p.state.accounts {
		for _, known := range account.followers {
			list = append(list, Follower{
				OpenID: known.openID, Account: account.AppID, Following: known.following, Since: known.followedAt,
				Lines: len(known.chat.values), MessagesLeft: known.message.left(now) + known.action.left(now),
				TypingMS: max(known.typingUntil.Sub(now).Milliseconds(), 0),
			})
		}
	}
	slices.SortFunc(list, func(a, b Follower) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.OpenID, b.OpenID))
	})

	return list
}
