package harness

import (
	"net"
	"strconv"
	"testing"
)

// A port from the range of outgoing connections was once taken by a connection before the program
// that it was meant for had bound it.
func TestEachPortIsHandedOutOnceAndNoConnectionCanTakeIt(t *testing.T) {
	t.Parallel()
	var one, other portBlock // as two test processes have them
	seen := map[string]bool{}
	for range blockSize + 2 { // more than one block holds
		for _, block := range []*portBlock{&one, &other} {
			addr, err := block.take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := strconv.Atoi(port); err != nil || n < firstPort || n >= endPort {
				t.Errorf("port %s is not from %d to %d", port, firstPort, endPort-1)
			}
			if seen[addr] {
				t.Errorf("%s was handed out twice", addr)
			}
			seen[addr] = true
		}
	}
	for _, block := range []*portBlock{&one, &other} {
		for _, guard := range block.guards {
			if err := guard.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
