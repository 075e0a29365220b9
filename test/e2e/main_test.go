// Package e2e tests the whole of wxstack as its users meet it: real binaries, real sockets, a real
// Redis and a real browser; only WeChat is simulated.
package e2e

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
