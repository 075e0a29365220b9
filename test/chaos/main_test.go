// Package chaos judges the gateway's promise, "each message is answered exactly once, over three
// deliveries of 5 seconds, on any replica", while things are going wrong: replicas die, Redis comes back
// empty, deliveries overlap, and the requests are hostile. The gateways, Redis and the edge are real
// processes; the test itself is WeChat (the simulator) and logic, so that it sees what both sides saw.
package chaos

import (
	"os"
	"testing"

	"github.com/wxstack/wxstack/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.RemoveBuilds()
	os.Exit(code)
}
