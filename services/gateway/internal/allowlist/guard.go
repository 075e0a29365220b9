package allowlist

import (
	"fmt"
	"net/http"
	"net/netip"
	"time"
)

// Guard tells requests that may be WeChat's from those that cannot be, by where they come from.
type Guard struct {
	list    func() List
	trusted []netip.Prefix
}

// NewGuard makes a Guard that goes by the list in force and believes the X-Forwarded-For header of the
// trusted proxies.
func NewGuard(list func() List, trusted []netip.Prefix) *Guard {
	return &Guard{list: list, trusted: trusted}
}

// Check returns why the request cannot be WeChat's, or nil if it may be.
func (g *Guard) Check(r *http.Request) error {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // invalid, and thus in no list, on what is not an IP network.
	caller := Caller(peer.Addr(), r.Header[forwardedFor], g.trusted)
	switch {
	case g.list().Admits(caller, time.Now()):
		return nil
	case caller.IsPrivate() || caller.IsLoopback():
		return fmt.Errorf("%s is not an address that WeChat calls from; if it is your proxy's, name it in GATEWAY_TRUSTED_PROXIES", caller)
	default:
		return fmt.Errorf("%s is not an address that WeChat calls from", caller)
	}
}
