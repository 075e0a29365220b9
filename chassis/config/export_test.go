package config

import (
	"context"
	"log/slog"
)

// Follow is Run without the notices of the operating system, which do not reach into a bubble.
func (l *Live[T]) Follow(ctx context.Context, tell func(T, error)) {
	l.follow(ctx, &notices{log: slog.New(slog.DiscardHandler)}, tell)
}

// LookOnce is one step of Look.
func (l *Live[T]) LookOnce(tell func(T, error)) (settling bool) { return l.look(tell) }
