package allowlist

import (
	"net/netip"
	"strings"
)

// forwardedFor is the header in which a proxy tells whose request it passes on.
const forwardedFor = "X-Forwarded-For"

// Caller returns the address that a request comes from: that of the peer of the connection, unless the peer
// is one of the trusted proxies. Then it is the last address of the X-Forwarded-For headers that is not a
// trusted proxy's itself. What stands before that was written by whoever called, who may have written
// anything; so may a proxy that merely appends, but then its own entry is the last.
//
// When nothing but trusted proxies passed the request on it comes from the first of them. A header that
// cannot be understood down to the answer counts for nothing.
func Caller(peer netip.Addr, headers []string, trusted []netip.Prefix) netip.Addr {
	if !contain(trusted, peer) {
		return peer
	}
	caller := peer
	list := strings.Join(headers, ",")
	for more := strings.TrimSpace(list) != ""; more; {
		var hop string
		list, hop, more = cutLast(list)
		addr, err := netip.ParseAddr(hop)
		if err != nil {
			return peer
		}
		if caller = addr.Unmap(); !contain(trusted, caller) {
			return caller
		}
	}
	return caller
}

// cutLast takes the last element off a list that is separated by commas, and tells whether there are more.
func cutLast(list string) (rest, last string, more bool) {
	i := strings.LastIndexByte(list, ',')
	return list[:max(i, 0)], strings.TrimSpace(list[i+1:]), i >= 0
}
