package allowlist

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestAdmits(t *testing.T) {
	t.Parallel()
	obtained := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	list, err := NewList([]string{"101.226.103.0/25", " 106.55.206.146", "240e:ff:f101::/48", "2001:db8::1", "::ffff:192.0.2.0/120", "203.0.113.77/24"}, obtained)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		list   List
		caller string // empty: no valid address
		age    time.Duration
		want   bool
	}{
		"first of a range":           {list, "101.226.103.0", 0, true},
		"last of a range":            {list, "101.226.103.127", 0, true},
		"behind a range":             {list, "101.226.103.128", 0, false},
		"single address":             {list, "106.55.206.146", 0, true},
		"its neighbour":              {list, "106.55.206.147", 0, false},
		"IPv6 range":                 {list, "240e:ff:f101:1::2", 0, true},
		"IPv6 elsewhere":             {list, "240e:ff:f102::", 0, false},
		"single IPv6":                {list, "2001:db8::1", 0, true},
		"IPv6 with a zone":           {list, "2001:db8::1%eth0", 0, true},
		"IPv4 in IPv6":               {list, "::ffff:106.55.206.146", 0, true},
		"range of IPv4 in IPv6":      {list, "192.0.2.200", 0, true},
		"range with host bits":       {list, "203.0.113.1", 0, true},
		"no address":                 {list, "", 0, false},
		"list of a week":             {list, "8.8.8.8", 7 * 24 * time.Hour, false},
		"list of more than a week":   {list, "8.8.8.8", 7*24*time.Hour + 1, true},
		"clock set back":             {list, "8.8.8.8", -time.Hour, false},
		"no list":                    {List{}, "8.8.8.8", 0, true},
		"empty list":                 {List{obtained: obtained}, "8.8.8.8", 0, true},
		"no address without a list":  {List{}, "", 0, true},
		"in the list, though no use": {list, "106.55.206.146", 1000 * time.Hour, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var caller netip.Addr
			if tt.caller != "" {
				caller = netip.MustParseAddr(tt.caller)
			}
			if got := tt.list.Admits(caller, obtained.Add(tt.age)); got != tt.want {
				t.Errorf("Admits = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestAListThatIsNotUnderstoodIsNone(t *testing.T) {
	t.Parallel()
	for _, entries := range [][]string{nil, {""}, {"1.2.3.4", "example.com"}, {"1.2.3.4/33"}, {"1.2.3.0-1.2.3.9"}, {"1.2.3.4:80"}} {
		if _, err := NewList(entries, time.Now()); err == nil {
			t.Errorf("%q is taken for a list", entries)
		}
	}
}

func TestUsableTellsWhyNot(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	for want, list := range map[string]List{
		"no list yet": {}, "empty": {obtained: now}, "2026-03-01, older than 7 days": {ranges: mustRanges(t, "1.2.3.4"), obtained: now.Add(-9 * 24 * time.Hour)},
	} {
		if err := list.Usable(now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Usable = %v, want %q", err, want)
		}
	}
}
