package allowlist

import (
	"net/netip"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustRanges(tb testing.TB, entries ...string) []netip.Prefix {
	tb.Helper()
	ranges, err := ParseRanges(entries)
	if err != nil {
		tb.Fatal(err)
	}
	return ranges
}
