package upstream

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"
)

// cooldown is how long a host that failed is asked last. WeChat's hosts serve the same accounts and
// tokens, so nothing is lost by staying with another one for a while.
const cooldown = 30 * time.Second

// host is one base address and when it last failed.
type host struct {
	base     *url.URL
	failedAt time.Time // zero: it works, as far as known
}

// hosts is the list of addresses with their health.
type hosts struct {
	mu   sync.Mutex
	list []*host
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

// order returns the hosts in the order in which to try them at the time now: those that work as they
// were configured, then those that failed lately, the longest ago first.
func (h *hosts) order(now time.Time) []*host {
	h.mu.Lock()
	defer h.mu.Unlock()
	sorted := slices.Clone(h.list)
	slices.SortStableFunc(sorted, func(a, b *host) int {
		return a.penalty(now).Compare(b.penalty(now))
	})
	return sorted
}

// penalty is zero for a host that counts as working.
func (h *host) penalty(now time.Time) time.Time {
	if now.Sub(h.failedAt) >= cooldown {
		return time.Time{}
	}
	return h.failedAt
}

// report notes how an attempt at the time now ended.
func (h *hosts) report(which *host, now time.Time, failed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if failed {
		which.failedAt = now
	} else {
		which.failedAt = time.Time{}
	}
}
