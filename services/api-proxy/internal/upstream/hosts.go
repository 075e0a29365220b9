package upstream

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	// cooldown is how long a host that failed is asked last. WeChat's hosts serve the same accounts and
	// tokens, so nothing is lost by staying with another one for a while.
	cooldown = 30 * time.Second
	// tripAfter is how many failures in a row open the circuit of a host. One is chance, and a few happen
	// when calls in flight share a fate.
	tripAfter = 5
	// openFor is how long a host with an open circuit is not asked at all; then one call at a time tries it.
	// It is short, because when no other host is left, calls fail for as long.
	openFor = 5 * time.Second
	// rarely is how long an open host waits for a call that is safe to repeat, before any call will do.
	rarely = 10 * cooldown
)

// reason is how an attempt ended: why it says that a host does not work, which is the label of a metric, or
// one of the other two.
type reason string

const (
	worked reason = ""
	// callerLeft says nothing about the host.
	callerLeft reason = "left"

	noConnection reason = "connect"
	noAnswer     reason = "no_answer"
	broken       reason = "broken"
	serverError  reason = "http_5xx"
)

// failures returns the reasons that speak against a host.
func failures() []reason { return []reason{noConnection, noAnswer, broken, serverError} }

// What a circuit breaker is told.
var (
	errFailed = errors.New("the attempt failed")
	errLeft   = errors.New("the caller left")
)

// host is one base address and what is known of it. All but base is guarded by hosts.mu.
type host struct {
	base     *url.URL
	breaker  *gobreaker.TwoStepCircuitBreaker[struct{}]
	failedAt time.Time // zero: it works, as far as known.
	failure  reason    // the last one.
	openedAt time.Time // zero: the circuit is closed. Otherwise it is open, or tried by a call.
}

// hosts is the list of addresses with their health. A circuit breaker is only touched under mu, so that
// what is told to watcher comes in order.
type hosts struct {
	mu      sync.Mutex
	list    []*host
	watcher watcher
}

// watcher is told what becomes of hosts. It is called under the lock of hosts.
type watcher interface {
	// failed counts one failure.
	failed(host string, why reason)
	// changed tells which hosts are out, with the reason, and which are not.
	changed(all []*host)
}

// ParseBase checks one base address such as https://api.weixin.qq.com.
func ParseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		if bad, ok := errors.AsType[*url.Error](err); ok {
			err = bad.Err // url.Error quotes the whole address, which may hold a password.
		}
		return nil, fmt.Errorf("base address: %w; it looks like https://api.weixin.qq.com", err)
	}
	plain := url.URL{Scheme: u.Scheme, Host: u.Host}
	u.Path = trimSlash(u.Path)
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || *u != plain {
		return nil, fmt.Errorf("base address of host %q: write scheme and host only, like https://api.weixin.qq.com", u.Host)
	}
	return u, nil
}

func trimSlash(path string) string {
	if path == "/" {
		return ""
	}
	return path
}

// newHosts makes the list. Every host counts as working.
func newHosts(bases []string, watcher watcher) (*hosts, error) {
	h := &hosts{watcher: watcher}
	for _, raw := range bases {
		base, err := ParseBase(raw)
		if err != nil {
			return nil, err
		}
		h.add(base)
	}
	if len(h.list) == 0 {
		return nil, errors.New("no base address is set; it looks like https://api.weixin.qq.com")
	}
	watcher.changed(h.list)
	return h, nil
}

func (h *hosts) add(base *url.URL) {
	one := &host{base: base}
	one.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        base.Host,
		Timeout:     openFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		IsExcluded:  func(err error) bool { return errors.Is(err, errLeft) },
		// It is called under h.mu, as the breaker is.
		OnStateChange: func(_ string, _, to gobreaker.State) {
			switch to {
			case gobreaker.StateOpen:
				one.openedAt = time.Now()
			case gobreaker.StateClosed:
				one.openedAt = time.Time{}
			case gobreaker.StateHalfOpen:
				return
			}
			h.watcher.changed(h.list)
		},
	})
	h.list = append(h.list, one)
}

// order returns the hosts in the order in which to try them at the time now: one that is out and due to
// be tried, those that work as they were configured, then those that failed lately, the longest ago first.
// repeatable says that the call may be sent again if it is lost with the host that it tries.
func (h *hosts) order(now time.Time, repeatable bool) []*host {
	h.mu.Lock()
	defer h.mu.Unlock()
	sorted := slices.Clone(h.list)
	slices.SortStableFunc(sorted, func(a, b *host) int {
		rankA, sinceA := a.rank(now, repeatable)
		rankB, sinceB := b.rank(now, repeatable)
		return cmp.Or(cmp.Compare(rankA, rankB), sinceA.Compare(sinceB))
	})
	return sorted
}

// The ranks of hosts, first to last.
const (
	due = iota
	working
	failing
)

// rank places a host, and tells since when it fails. A host that is out becomes due even while others
// work: otherwise the last of them would stay out for ever.
func (h *host) rank(now time.Time, repeatable bool) (int, time.Time) {
	quiet := now.Sub(h.failedAt)
	switch {
	case !h.openedAt.IsZero() && (quiet >= rarely || (quiet >= cooldown && repeatable)):
		return due, h.failedAt
	case quiet < cooldown || !h.openedAt.IsZero():
		return failing, h.failedAt
	}
	return working, time.Time{}
}

// admit asks whether a call may go to the host. If so, report must be told how that ended.
func (h *hosts) admit(which *host) (report func(reason), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	done, err := which.breaker.Allow()
	if err != nil {
		return nil, false
	}
	return func(end reason) {
		h.mu.Lock()
		defer h.mu.Unlock()
		switch end {
		case worked:
			which.failedAt = time.Time{}
			done(nil)
		case callerLeft:
			done(errLeft)
		case noConnection, noAnswer, broken, serverError:
			which.failedAt, which.failure = time.Now(), end
			h.watcher.failed(which.base.Host, end)
			done(errFailed)
		}
	}, true
}

// leastWait is told to a caller when a host is being tried: the answer may be there any moment.
const leastWait = time.Second

// wait returns how long it takes until a host may be tried, when all are out.
func (h *hosts) wait(now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	shortest := openFor
	for _, one := range h.list {
		shortest = min(shortest, one.openedAt.Add(openFor).Sub(now))
	}
	return max(shortest, leastWait)
}

// outage says which of the hosts are out and why; nil if none is.
func outage(all []*host) error {
	var out []string
	for _, h := range all {
		if !h.openedAt.IsZero() {
			out = append(out, fmt.Sprintf("%s (%s)", h.base.Host, h.failure))
		}
	}
	if out == nil {
		return nil
	}
	return fmt.Errorf("failed %d times in a row and is passed over: %s; check the network, and the proxy if WX_EGRESS_PROXY names one",
		tripAfter, strings.Join(out, ", "))
}
