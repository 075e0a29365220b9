// Package proxies judges replicas of api-proxy together: limits hold over all of them and without Redis, and a
// replica that dies or drains costs its callers no call. The replicas, token-center, Redis and the edge are real
// processes; WeChat is the simulator, in this process, behind a witness of every call that reached it.
package proxies

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
