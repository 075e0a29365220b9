package lifecycle

import (
	"context"
	"time"
)

// Sleep pauses, and reports whether ctx has lasted as long.
func Sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
