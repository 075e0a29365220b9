package simulator

import (
	"fmt"
	"net/netip"
	"regexp"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/media"
	"github.com/wxstack/wxstack/simulator/internal/menu"
	"github.com/wxstack/wxstack/simulator/internal/quota"
	"github.com/wxstack/wxstack/simulator/internal/tag"
	"github.com/wxstack/wxstack/simulator/internal/token"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
)

// state is everything that the platform remembers. Platform.mu guards all of it;
// the small structs below have no locks of their own and are told the time.
type state struct {
	epoch    int // Counts resets, so that a push in flight doesn't write into a new world.
	clock    clock
	accounts map[string]*accountState
	order    []string // AppIDs in the order of the configuration; the first is the default.
	faults   faultTable
	pushes   *ring[PushResult]
	pending  map[int64]PushResult // Pushes whose deliveries go on, by their id.
	calls    *ring[Call]
	hub      *hub
}

// accountState is one account with all that happened to it.
type accountState struct {
	Account

	cipher     *msgcrypt.Cipher // nil in plain mode without a key.
	conditions []Condition
	allowedIPs []netip.Prefix // From which tokens may be fetched; none means from anywhere.

	followers map[string]*follower
	tokens    *token.Book
	calls     *quota.Calls
	menus     *menu.Book
	tickets   map[string]ticket // By type.
	// formerTickets are the last jsapi tickets that were replaced, by which a stale signature is recognised.
	formerTickets []string
	workTickets   quota.Counter
	component     *component // Of a third-party platform only; empty otherwise.
	agents        *agentBook
	drafts        *draftBook
	shortKeys     map[string]shortKey
	mass          *massBook
	options       map[string]string // That a third-party platform set (授权方选项).
	// ticketsPushed tells that a third-party platform asked for verify tickets.
	ticketsPushed bool
	tags          *tag.Book
	oauth         *oauthBook
	templates     *templateBook
	// sentTemplates are the template messages that bore a client_msg_id.
	sentTemplates sentTemplates
	qrCodes       *ring[qrCode]
	temporary     *media.Store // Temporary material (临时素材).
	library       *media.Store // Permanent material (永久素材).
	pictures      *media.Store // Pictures within articles, which have no media_id.
}

// follower is one WeChat user as this account sees them.
type follower struct {
	openID      string
	following   bool
	followedAt  time.Time
	remark      string        // That the account gave (备注名).
	refuses     bool          // Whether messages of the account are refused (拒收).
	blacklisted bool          // Whether the account has put the follower on its blacklist (黑名单).
	scene       string        // Of the QR code by which the follower came; empty if they came otherwise.
	textScene   bool          // Whether that is a text, digits or not.
	massSent    quota.Counter // Mass messages of this month.
	tags        []int         // Ids of tags, in the order in which they were given.
	chat        *ring[ChatEntry]
	message     allowance // Opened by a message: five within 48 hours.
	lastMessage time.Time // When the follower wrote last.
	typingUntil time.Time // Until when the follower sees 正在输入.
	action      allowance // Opened by a menu click, a follow or a scan: three within a minute.
}

// DefaultFollower is the follower who is there from the start.
const DefaultFollower = "oDEV000000000000000000000001"

// openIDPattern is loose: an OpenID has 28 characters in practice, but its form
// isn't promised.
var openIDPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{6,64}$`)

// forget returns the account to what it was when it was configured.
func (a *accountState) forget(now time.Time) {
	a.conditions, a.allowedIPs = nil, nil
	a.followers = make(map[string]*follower)
	a.calls = quota.NewCalls(a.Test)
	a.tokens = token.NewBook(a.AppID, a.calls)
	a.tokens.Life = a.TokenLife
	a.menus = menu.NewBook()
	a.tickets, a.formerTickets = make(map[string]ticket), nil
	a.workTickets = quota.Counter{}
	a.component = newComponent()
	a.agents, a.drafts, a.shortKeys = newAgentBook(), newDraftBook(), make(map[string]shortKey)
	a.mass = newMassBook()
	a.options, a.ticketsPushed = make(map[string]string), false
	a.tags = tag.NewBook()
	a.oauth = newOAuthBook()
	a.templates, a.sentTemplates = newTemplateBook(), make(sentTemplates)
	a.qrCodes = newRing[qrCode](maxQRCodes)
	a.temporary = media.NewStore(mediaShelfLife, maxMediaItems)
	a.library = newLibrary(now)
	a.pictures = media.NewStore(0, maxMediaItems)
	a.followers[DefaultFollower] = newFollower(DefaultFollower, now)
}

func newFollower(openID string, now time.Time) *follower {
	return &follower{openID: openID, following: true, followedAt: now, chat: newRing[ChatEntry](maxChatEntries)}
}

// follower returns the follower of that OpenID, who is created on first use.
func (a *accountState) follower(openID string, now time.Time) (*follower, error) {
	if known, ok := a.followers[openID]; ok {
		return known, nil
	}
	if !openIDPattern.MatchString(openID) {
		return nil, fmt.Errorf("%w: from %q isn't an OpenID, use 6 to 64 letters, digits, - or _", ErrInvalid, openID)
	}
	if len(a.followers) >= maxFollowers {
		return nil, fmt.Errorf("%w: account %q has %d followers, which is the simulator's limit; reset it",
			ErrInvalid, a.AppID, maxFollowers)
	}
	created := newFollower(openID, now)
	a.followers[openID] = created

	return created, nil
}

// account returns the account of that AppID, or the first one for an empty AppID.
func (s *state) account(appID string) (*accountState, error) {
	if appID == "" {
		appID = s.order[0]
	}
	if account, ok := s.accounts[appID]; ok {
		return account, nil
	}

	return nil, fmt.Errorf("%w: account %q is unknown, use one of %v", ErrInvalid, appID, s.order)
}

// reset forgets what happened. How the accounts are configured stays, and so does
// everybody who watches.
func (s *state) reset() {
	s.epoch++
	s.clock = clock{}
	s.faults = faultTable{}
	s.pushes = newRing[PushResult](maxPushRecords)
	s.pending = make(map[int64]PushResult)
	s.calls = newRing[Call](maxCalls)
	now := s.clock.now()
	for _, account := range s.accounts {
		account.forget(now)
	}
}
