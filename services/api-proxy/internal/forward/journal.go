package forward

import (
	"context"
	"log/slog"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/wechat/errcode"
)

// finish counts a call that has ended and writes it down, without query, body or errmsg: all may hold a secret.
// A call that acts is an audit record, whatever became of it; what only reads is told at the level of debugging.
func (f *Forwarder) finish(ctx context.Context, c Call, a *Answer, err error, begun time.Time) {
	took := time.Since(begun)
	f.metrics.done(c, a, err, took)
	level, message := slog.LevelDebug, "call"
	if !c.Endpoint.Repeat {
		level = slog.LevelInfo
	}
	record := []slog.Attr{
		slog.Bool("audit", !c.Endpoint.Repeat), slog.String("caller", c.Caller.Name), slog.String("app_id", c.AppID),
		slog.String("method", c.Method), slog.String("endpoint", c.Endpoint.Path), slog.Int64("took_ms", took.Milliseconds()),
	}
	if !c.Endpoint.Listed() {
		record = append(record, slog.String("path", c.Target.Path)) // which is checked, and holds no query.
	}
	switch {
	case err != nil && throttled(err):
		level, message = max(level, slog.LevelInfo), "call throttled"
		record = append(record, slog.String("reason", err.Error()))
	case err != nil:
		level, message = slog.LevelWarn, "call failed"
		record = append(record, slog.Any("error", err))
	case a.Code.Class() != errcode.OK:
		level, message = max(level, levelOf(a.Code.Class())), "WeChat refused a call"
		record = append(record, slog.Int("errcode", int(a.Code)), slog.String("class", a.Code.Class().String()), slog.String("rid", errcode.RequestID(a.Message)))
		if remedy := a.Code.Remedy(); level >= slog.LevelWarn && remedy != "" {
			record = append(record, slog.String("remedy", remedy))
		}
	default:
		record = append(record, slog.Int("status", a.Status))
	}
	f.log.LogAttrs(ctx, level, message, record...)
}

func throttled(err error) bool { return fault.KindOf(present(err)) == fault.Throttled }

// levelOf makes those refusals stand out that only an operator can mend.
func levelOf(class errcode.Class) slog.Level {
	switch class {
	case errcode.SecretRejected, errcode.IPNotAllowed, errcode.QuotaExhausted, errcode.Unauthorized:
		return slog.LevelWarn
	case errcode.OK, errcode.Unknown, errcode.Busy, errcode.TokenRejected, errcode.RateLimited, errcode.WindowClosed, errcode.InvalidRequest:
	}
	return slog.LevelInfo
}
