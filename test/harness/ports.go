package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
)

// The ports that tests hand to programs. They lie under every range from which systems take the ports
// of outgoing connections: a port from within such a range, free a moment ago, may belong to some
// client's connection by the time the program binds it.
const (
	firstPort = 10000
	endPort   = 16000
	// blockSize is how many ports a test process takes at once.
	blockSize = 100
)

// ports hands out each port once. The process owns a block of them as long as it holds the block's
// first port, so that test processes that run side by side never get the same one.
var ports portBlock

type portBlock struct {
	mu sync.Mutex
	// guards are the listeners on the first ports of the blocks; an unreferenced listener would be closed.
	guards []net.Listener
	next   int
}

// FreeAddr returns a loopback address on which nothing listens, and which no other test gets.
func FreeAddr(t testing.TB) string {
	t.Helper()
	addr, err := ports.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func (b *portBlock) take(ctx context.Context) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if b.next%blockSize == 0 {
			if err := b.reserve(ctx); err != nil {
				return "", err
			}
		}
		addr := loopback(b.next)
		b.next++
		// Somebody who is no test of ours may listen there.
		if lis, err := listenTCP(ctx, addr); err == nil {
			return addr, lis.Close()
		}
	}
}

// reserve takes the first block that nobody holds. A block that was used up stays held: its ports may be in use.
func (b *portBlock) reserve(ctx context.Context) error {
	for first := firstPort; first < endPort; first += blockSize {
		// The guard lives as long as the process, not as long as the test that was the first to ask.
		guard, err := listenTCP(context.WithoutCancel(ctx), loopback(first))
		if err == nil {
			b.guards, b.next = append(b.guards, guard), first+1
			return nil
		}
	}
	return fmt.Errorf("ports %d to %d of loopback: %w", firstPort, endPort-1, errNoPorts)
}

var errNoPorts = errors.New("all blocks are taken by other test processes")

func listenTCP(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", addr)
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
