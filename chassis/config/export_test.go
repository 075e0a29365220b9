package config

import (
	"context"
	"io"
	"log/slog"

	"github.com/alecthomas/kong"
)

// ParseTo is Parse that writes what --help prints to out, and goes on where kong would end the process.
func ParseTo(out io.Writer, args []string, target any, commands ...Command) (string, error) {
	return parse("test", "A test.", args, target, commands, kong.Writers(out, out), kong.Exit(func(int) {}))
}

// Follow is Run without the notices of the operating system, which do not reach into a bubble.
func (l *Live[T]) Follow(ctx context.Context, tell func(T, error)) {
	l.follow(ctx, &notices{log: slog.New(slog.DiscardHandler)}, tell)
}

// LookOnce is one step of Look.
func (l *Live[T]) LookOnce(tell func(T, error)) (settling bool) { return l.look(tell) }
