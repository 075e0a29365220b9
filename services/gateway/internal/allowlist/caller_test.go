package allowlist

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCaller(t *testing.T) {
	t.Parallel()
	const edge, stranger, wechat, forged = "10.0.0.1", "198.51.100.9", "101.226.103.1", "106.55.206.146"
	tests := map[string]struct {
		peer    string
		headers []string
		want    string
	}{
		"direct":                                   {wechat, nil, wechat},
		"direct, with a forged header":             {stranger, []string{forged}, stranger},
		"through the edge":                         {edge, []string{wechat}, wechat},
		"through the edge, which appends":          {edge, []string{forged + ", " + stranger}, stranger},
		"and the forgery names a trusted one":      {edge, []string{edge + ", " + stranger}, stranger},
		"forged header beside the edge's":          {edge, []string{forged, stranger}, stranger},
		"forged list beside the edge's":            {edge, []string{forged + "," + edge, stranger}, stranger},
		"two trusted hops":                         {edge, []string{forged + ", " + wechat + ", 10.0.0.2"}, wechat},
		"two trusted hops in two headers":          {edge, []string{forged + ", " + wechat, "10.0.0.2"}, wechat},
		"an untrusted proxy between":               {edge, []string{wechat + ", " + stranger + ", 10.0.0.2"}, stranger},
		"trusted hops only":                        {edge, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"no header":                                {edge, nil, edge},
		"empty header":                             {edge, []string{""}, edge},
		"blank header":                             {edge, []string{" \t"}, edge},
		"garbage":                                  {edge, []string{"unknown"}, edge},
		"garbage behind the answer":                {edge, []string{"<script>, " + wechat}, wechat},
		"garbage before the answer":                {edge, []string{wechat + ", x"}, edge},
		"garbage behind a trusted hop":             {edge, []string{wechat + ", , 10.0.0.2"}, edge},
		"comma at the end":                         {edge, []string{wechat + ","}, edge},
		"with a port":                              {edge, []string{wechat + ":1234"}, edge},
		"IPv6":                                     {"fd00::1", []string{"2001:db8::1"}, "2001:db8::1"},
		"IPv4 in IPv6 as the peer":                 {"::ffff:10.0.0.1", []string{wechat}, wechat},
		"IPv4 in IPv6 as a hop":                    {edge, []string{wechat + ", ::ffff:10.0.0.2"}, wechat},
		"IPv4 in IPv6 as the answer":               {edge, []string{"::ffff:" + wechat}, wechat},
		"a peer that is only nearly a trusted one": {"11.0.0.1", []string{wechat}, "11.0.0.1"},
	}
	trusted := mustRanges(t, "10.0.0.0/8", "fd00::/8")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Caller(netip.MustParseAddr(tt.peer), tt.headers, trusted); got.String() != tt.want {
				t.Errorf("Caller = %s, want %s", got, tt.want)
			}
			if got := Caller(netip.MustParseAddr(tt.peer), tt.headers, nil); got.String() != tt.peer {
				t.Errorf("Caller = %s though nobody is trusted", got)
			}
		})
	}
}

func FuzzCaller(f *testing.F) {
	f.Add("10.0.0.1", "101.226.103.1, 10.0.0.2", "")
	f.Add("10.0.0.1", ",,", "::ffff:10.0.0.1%1")
	f.Add("8.8.8.8", "10.0.0.1", "x")
	trusted := mustRanges(f, "10.0.0.0/8", "fd00::/8")
	f.Fuzz(func(t *testing.T, from, first, second string) {
		peer, err := netip.ParseAddr(from)
		if err != nil {
			return
		}
		got := Caller(peer, []string{first, second}, trusted)
		if got == peer {
			return
		}
		if !contain(trusted, peer) {
			t.Fatalf("%s may say that %s called", peer, got)
		}
		// What was found stands in the header, and behind it stands nobody but trusted proxies.
		hops := strings.Split(first+","+second, ",")
		for _, hop := range slices.Backward(hops) {
			addr, err := netip.ParseAddr(strings.TrimSpace(hop))
			if err != nil {
				t.Fatalf("%s was found behind %q", got, hop)
			}
			if addr.Unmap() == got {
				return
			}
			if !contain(trusted, addr) {
				t.Fatalf("%s was found behind %s, which is not trusted", got, addr)
			}
		}
		t.Fatalf("%s stands nowhere in %q, %q", got, first, second)
	})
}

func TestGuard(t *testing.T) {
	t.Parallel()
	list, err := NewList([]string{"101.226.103.0/25"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		list      List
		peer      string
		forwarded string
		want      string // part of the reason; empty: admitted
	}{
		"WeChat":                    {list, "101.226.103.1:443", "", ""},
		"WeChat through the edge":   {list, "10.0.0.1:443", "101.226.103.1", ""},
		"stranger":                  {list, "198.51.100.9:443", "101.226.103.1", "198.51.100.9 is not"},
		"stranger through the edge": {list, "10.0.0.1:443", "198.51.100.9", "198.51.100.9 is not"},
		"proxy that nobody named":   {list, "192.168.0.1:443", "101.226.103.1", "GATEWAY_TRUSTED_PROXIES"},
		"no network":                {list, "@", "", "is not an address"},
		"anybody without a list":    {List{}, "198.51.100.9:443", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/wx", http.NoBody)
			r.RemoteAddr = tt.peer
			if tt.forwarded != "" {
				r.Header.Set("X-Forwarded-For", tt.forwarded)
			}
			err := NewGuard(func() List { return tt.list }, mustRanges(t, "10.0.0.0/8")).Check(r)
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Check = %v, want %q", err, tt.want)
			}
		})
	}
}
