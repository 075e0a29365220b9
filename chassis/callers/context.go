package callers

import (
	"context"

	"github.com/wxstack/wxstack/chassis/rpc"
)

// contextKey is another one for each type of caller.
type contextKey[C any] struct{}

// NewContext returns a context that knows the caller.
func NewContext[C any](ctx context.Context, caller C) context.Context {
	return context.WithValue(ctx, contextKey[C]{}, caller)
}

// FromContext returns the caller that the context knows, otherwise the zero one, which may do nothing.
func FromContext[C any](ctx context.Context) C {
	caller, _ := ctx.Value(contextKey[C]{}).(C)
	return caller
}

// Admit makes an rpc.Admission that lets a call in whose caller is known, and makes its context know the caller.
func Admit[C any](identify func(from rpc.Caller) (C, error)) rpc.Admission {
	return func(ctx context.Context) (context.Context, error) {
		caller, err := identify(rpc.CallerOf(ctx))
		if err != nil {
			return nil, err
		}
		return NewContext(ctx, caller), nil
	}
}
