// Package ha tests that tokens stay available and right while things die: replicas of token-center,
// masters of Redis, and the process that holds the lease. The binaries and Redis are real; WeChat is
// the simulator, in this process, with tokens that live for seconds.
package ha

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
