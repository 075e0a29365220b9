package errcode

import (
	"net/netip"
	"regexp"
	"strings"
)

// addressPattern is in the errmsg of 40164: "invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist".
var addressPattern = regexp.MustCompile(`invalid ip ([0-9a-fA-F.:]+)`)

// Address returns the address that, as an errmsg says, WeChat saw the call come
// from, which is the one to put on the IP whitelist (IP白名单). An errmsg may hold
// a secret and must not be shown; an address may.
func Address(errmsg string) (netip.Addr, bool) {
	found := addressPattern.FindStringSubmatch(errmsg)
	if found == nil {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(strings.TrimRight(found[1], ".:"))

	return address.Unmap(), err == nil
}

// ridPattern is how WeChat ends an errmsg.
var ridPattern = regexp.MustCompile(`\brid: ([0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8})\b`)

// RequestID returns the rid of an errmsg, by which /cgi-bin/openapi/rid/get finds
// the request again. It is empty if there is none. It may be shown, as Address may.
func RequestID(errmsg string) string {
	if found := ridPattern.FindStringSubmatch(errmsg); found != nil {
		return found[1]
	}

	return ""
}
