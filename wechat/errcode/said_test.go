package errcode_test

import (
	"strings"
	"testing"

	"github.com/wxstack/wxstack/wechat/errcode"
)

func TestWhatAnErrmsgSays(t *testing.T) {
	t.Parallel()

	const rid = "61725984-6126f6f9-040f19c4"
	for _, tt := range []struct{ errmsg, address, rid string }{
		{"", "", ""},
		{"invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: " + rid, "203.0.113.9", rid},
		{"invalid ip 203.0.113.9, not in whitelist hint: [x]", "203.0.113.9", ""},
		{"invalid ip 2001:db8::1, not in whitelist", "2001:db8::1", ""},
		{"invalid ip ::ffff:203.0.113.9, not in whitelist", "203.0.113.9", ""},
		{"invalid ip ...., sorry", "", ""},
		{"invalid ip 203.0.113.999, not in whitelist", "", ""},
		{"invalid ip deadbeef rid: deadbeef", "", ""},
		{"invalid credential rid: " + rid + "0", "", ""},
	} {
		address, ok := errcode.Address(tt.errmsg)
		if ok != (tt.address != "") || (ok && address.String() != tt.address) {
			t.Errorf("Address(%q) = %v, %v, want %q", tt.errmsg, address, ok, tt.address)
		}
		if got := errcode.RequestID(tt.errmsg); got != tt.rid {
			t.Errorf("RequestID(%q) = %q, want %q", tt.errmsg, got, tt.rid)
		}
	}
}

// FuzzAddress: whatever an errmsg says, what comes out is an address and a rid.
func FuzzAddress(f *testing.F) {
	f.Add("invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 61725984-6126f6f9-040f19c4")
	f.Add("invalid ip fe80::1%eth0")
	f.Fuzz(func(t *testing.T, errmsg string) {
		if address, ok := errcode.Address(errmsg); ok != address.IsValid() || address.Zone() != "" {
			t.Errorf("Address = %v, %v", address, ok)
		}
		if rid := errcode.RequestID(errmsg); strings.Trim(rid, "0123456789abcdef-") != "" {
			t.Errorf("RequestID = %q", rid)
		}
	})
}
