package config_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tryReceive waits long enough for a change to settle and be reported.
func tryReceive(c <-chan string) (string, bool) {
	select {
	case s := <-c:
		return s, true
	case <-time.After(time.Second):
		return "", false
	}
}
