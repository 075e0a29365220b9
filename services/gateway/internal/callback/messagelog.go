package callback

import (
	"context"
	"log/slog"

	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
)

// messageLog writes lines about one message. Its names are written with the lines, of which most messages
// have none; a Logger's With would write them beforehand.
type messageLog struct {
	log *slog.Logger
	key dedupe.Key
}

// DebugContext is slog.Logger's.
func (l messageLog) DebugContext(ctx context.Context, text string, args ...any) {
	l.write(ctx, slog.LevelDebug, text, args)
}

// ErrorContext is slog.Logger's.
func (l messageLog) ErrorContext(ctx context.Context, text string, args ...any) {
	l.write(ctx, slog.LevelError, text, args)
}

func (l messageLog) write(ctx context.Context, level slog.Level, text string, args []any) {
	l.log.Log(ctx, level, text, append([]any{"app_id", l.key.AppID, "message_key", l.key.Message}, args...)...)
}
