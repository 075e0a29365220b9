// Package allowlist knows the addresses from which WeChat calls (微信callback IP), keeps the list of them
// fresh, and finds out where a request comes from, behind proxies too.
//
// It is a second lock on a door whose first one is the signature, and must never be the one that keeps
// WeChat out: without a list, and with one that is too old, everybody may knock.
package allowlist

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// maxAge is how long a list is good for. WeChat adds addresses without notice and asks for a fresh list
// every day; one that is older than this keeps out more of WeChat than of others.
const maxAge = 7 * 24 * time.Hour

// Why a list is not used.
var (
	errNone  = errors.New("there is no list yet")
	errEmpty = errors.New("the list is empty")
)

// List is the addresses from which WeChat calls, as of one moment. The zero value is no list.
type List struct {
	ranges   []netip.Prefix
	obtained time.Time
}

// NewList makes a list of what WeChat answered at the time obtained: addresses and CIDR ranges of IPv4 and
// IPv6. An entry that is neither makes it an error, because a list that was understood in part would keep
// out WeChat itself.
func NewList(entries []string, obtained time.Time) (List, error) {
	ranges, err := ParseRanges(entries)
	if err == nil && len(ranges) == 0 {
		err = errEmpty
	}
	return List{ranges: ranges, obtained: obtained}, err
}

// Usable returns nil if callers can be checked against the list at now, and otherwise why not.
func (l List) Usable(now time.Time) error {
	switch age := now.Sub(l.obtained); {
	case l.obtained.IsZero():
		return errNone
	case len(l.ranges) == 0:
		return errEmpty
	case age > maxAge:
		return fmt.Errorf("the list is of %s, older than %d days", l.obtained.UTC().Format(time.DateOnly), maxAge/(24*time.Hour))
	}
	return nil
}

// Admits reports whether a caller with that address may be WeChat. While the list is not usable every
// caller may be.
func (l List) Admits(caller netip.Addr, now time.Time) bool {
	return l.Usable(now) != nil || contain(l.ranges, caller)
}

// ParseRanges parses addresses and CIDR ranges of IPv4 and IPv6. A single address is a range of one.
func ParseRanges(entries []string) ([]netip.Prefix, error) {
	ranges := make([]netip.Prefix, 0, len(entries))
	for _, entry := range entries {
		one, err := parseRange(strings.TrimSpace(entry))
		if err != nil {
			return nil, fmt.Errorf("%.60q is neither an IP address nor a CIDR range such as 192.0.2.0/24", entry)
		}
		ranges = append(ranges, one)
	}
	return ranges, nil
}

// mappedBits is the length of the prefix that makes an IPv4 address one of IPv6 (RFC 4291, 2.5.5.2).
const mappedBits = 96

func parseRange(entry string) (netip.Prefix, error) {
	if !strings.Contains(entry, "/") {
		addr, err := netip.ParseAddr(entry)
		if err != nil {
			return netip.Prefix{}, err
		}
		return addr.Unmap().Prefix(addr.Unmap().BitLen())
	}
	parsed, err := netip.ParsePrefix(entry)
	if err != nil {
		return netip.Prefix{}, err
	}
	if addr := parsed.Addr(); addr.Is4In6() && parsed.Bits() >= mappedBits {
		return addr.Unmap().Prefix(parsed.Bits() - mappedBits)
	}
	return parsed.Masked(), nil
}

// contain reports whether one of the ranges contains the address. An invalid address is in none.
func contain(ranges []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(ranges, func(one netip.Prefix) bool { return one.Contains(addr) })
}
