package simulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/catalog"
)

const (
	// drainTimeout is how long Run lets requests in flight finish at its end.
	drainTimeout = 10 * time.Second
	// headerTimeout protects the listener from clients that never finish a header.
	headerTimeout = 10 * time.Second
	// maxIdlePerHost lets a load run keep one connection for each of its senders.
	maxIdlePerHost = 512
)

// Platform is a pretended WeChat platform. Make one with New or Start. All methods
// are safe for concurrent use.
type Platform struct {
	options  Options
	listener net.Listener
	server   *http.Server
	fresh    *http.Client // A new connection for every delivery, as WeChat does.
	reusing  *http.Client // Kept connections, for load runs.
	closing  chan struct{}
	once     sync.Once
	messages atomic.Int64 // The MsgId that was used last.
	entries  atomic.Int64 // The id of the last chat line or record.
	catalog  *catalog.Catalog
	started  time.Time

	ticketReceivers chan string // Third-party platforms that just asked for verify tickets.
	reports         chan report // Events that wait to be pushed.

	background sync.WaitGroup // What goes on beside Run's own work, until closing.

	mu    sync.Mutex
	state *state
	load  *backgroundLoad // The last one; nil if there was none.
	// observers see each line of a chat as it is said.
	observers map[int64]func(openID string, line ChatEntry)
}

// New checks the options and binds the listener, so that a taken port is an error
// here and not later. Nothing is served before Run.
func New(options Options) (*Platform, error) {
	options = options.withDefaults()
	known, err := catalog.Load()
	if err != nil {
		return nil, fmt.Errorf("load the catalogue of pushes: %w", err)
	}
	platform := &Platform{
		catalog: known, ticketReceivers: make(chan string, maxAccounts), reports: make(chan report, maxReports),
		options:   options,
		started:   time.Now(),
		closing:   make(chan struct{}),
		fresh:     newDeliveryClient(false),
		reusing:   newDeliveryClient(true),
		observers: make(map[int64]func(string, ChatEntry)),
		state:     &state{accounts: make(map[string]*accountState), hub: newHub()},
	}
	for _, account := range options.Accounts {
		opened, err := openAccount(account)
		if err != nil {
			return nil, err
		}
		if _, twice := platform.state.accounts[account.AppID]; twice {
			return nil, fmt.Errorf("%w: account %q is configured twice", ErrInvalid, account.AppID)
		}
		platform.state.add(opened)
	}
	platform.state.reset()
	// MsgIds go on from the time, so that a restarted simulator doesn't repeat
	// those which a gateway still remembers.
	platform.messages.Store(time.Now().UnixNano() / int64(100*time.Nanosecond))

	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", options.Addr)
	if err != nil {
		return nil, fmt.Errorf("simulator can't listen on %s, free the port or choose another: %w", options.Addr, err)
	}
	platform.listener = listener
	platform.server = &http.Server{Handler: platform.handler(), ReadHeaderTimeout: headerTimeout}

	return platform, nil
}

// Run serves until ctx is done, lets requests in flight finish, and returns nil.
// It is called once.
func (p *Platform) Run(ctx context.Context) error {
	defer p.fresh.CloseIdleConnections()
	defer p.reusing.CloseIdleConnections()
	work, stop := context.WithCancel(ctx)
	var working sync.WaitGroup
	defer working.Wait()
	defer stop()
	defer p.background.Wait()
	defer p.stopStreams()
	working.Go(func() {
		pushTickets(work, p.ticketReceivers, p.ticketPlatforms, func(appID string) { p.pushTicket(work, appID) })
	})
	working.Go(func() { p.pushReports(work) })
	served := make(chan error, 1)
	go func() { served <- p.server.Serve(p.listener) }()
	p.options.Logger.InfoContext(ctx, "simulator is up", "url", p.URL())

	select {
	case err := <-served:
		if errors.Is(err, http.ErrServerClosed) { // Closed by Close.
			return nil
		}

		return fmt.Errorf("simulator stopped serving: %w", err)
	case <-ctx.Done():
	}

	p.stopStreams()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := p.server.Shutdown(drain)
	if serving := <-served; !errors.Is(serving, http.ErrServerClosed) {
		err = errors.Join(err, serving)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("simulator did not end cleanly: %w", err), p.server.Close())
	}

	return nil
}

// Close ends the platform at once, also when Run was never called.
func (p *Platform) Close() error {
	p.stopStreams()
	if err := p.server.Close(); err != nil {
		return fmt.Errorf("close simulator: %w", err)
	}
	// The server knows the listener only once Run serves it.
	if err := p.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close simulator's listener: %w", err)
	}

	return nil
}

// Addr returns the address that the platform listens on, with the real port.
func (p *Platform) Addr() string { return p.listener.Addr().String() }

// URL returns the base URL of the platform, without a slash at its end. An
// address without a host is reached through the loopback interface.
func (p *Platform) URL() string {
	host, port, err := net.SplitHostPort(p.Addr())
	if err != nil {
		return "http://" + p.Addr()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}

	return "http://" + net.JoinHostPort(host, port)
}

// SetCallback changes an account's server configuration (服务器配置), as an
// operator does in the console. An empty URL or mode leaves that part alone.
func (p *Platform) SetCallback(appID, callbackURL string, mode Mode) error {
	if err := checkCallbackURL(callbackURL); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(appID)
	if err != nil {
		return err
	}
	if mode != "" {
		if mode, err = ParseMode(string(mode)); err != nil {
			return err
		}
		if mode.encrypts() && account.cipher == nil {
			return fmt.Errorf("%w: account %q has no EncodingAESKey, which %s mode needs", ErrInvalid, account.AppID, mode)
		}
		account.Mode = mode
	}
	if callbackURL != "" {
		account.CallbackURL = callbackURL
	}
	p.state.hub.publish(topicState)

	return nil
}

// Reset forgets everything that happened: chats, followers, tokens, calls, media,
// faults and the clock's offset. The accounts' configuration stays.
func (p *Platform) Reset() {
	p.StopLoad()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.reset()
	p.state.hub.publish(topicChat, topicPushes, topicCalls, topicState)
}

// stopStreams ends the event streams, which would otherwise outlive any drain.
func (p *Platform) stopStreams() { p.once.Do(func() { close(p.closing) }) }

// publicURL is the base of the addresses that the platform gives to others.
func (p *Platform) publicURL() string {
	if p.options.PublicURL != "" {
		return p.options.PublicURL
	}

	return p.URL()
}
