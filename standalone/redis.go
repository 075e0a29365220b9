package main

import (
	"context"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// embeddedRedis is a Redis inside this process, for development only: it keeps nothing over a restart.
type embeddedRedis struct {
	server *miniredis.Miniredis
}

func newEmbeddedRedis() (*embeddedRedis, error) {
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("embedded Redis: %w", err)
	}
	return &embeddedRedis{server: server}, nil
}

func (r *embeddedRedis) url() string { return "redis://" + r.server.Addr() }

// tick is how exactly the embedded Redis expires keys.
const tick = 50 * time.Millisecond

// Run moves the server's clock, which does not move by itself, until ctx is done.
func (r *embeddedRedis) Run(ctx context.Context) error {
	defer r.server.Close()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			r.server.FastForward(now.Sub(last))
			last = now
		}
	}
}
