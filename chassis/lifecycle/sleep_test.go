package lifecycle_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxstack/wxstack/chassis/lifecycle"
)

func TestSleep(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		life, pause, slept time.Duration
		lasted             bool
	}{
		"ctx lasts":          {time.Hour, time.Minute, time.Minute, true},
		"ctx ends before":    {time.Second, time.Minute, time.Second, false},
		"nothing to wait":    {time.Hour, 0, 0, true},
		"it was due already": {time.Hour, -time.Minute, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.life)
				defer cancel()
				start := time.Now()
				if lasted := lifecycle.Sleep(ctx, tt.pause); lasted != tt.lasted || time.Since(start) != tt.slept {
					t.Errorf("lasted %v after %v, want %v after %v", lasted, time.Since(start), tt.lasted, tt.slept)
				}
			})
		})
	}
}
