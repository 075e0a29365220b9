package fault_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/wxstack/wxstack/chassis/fault"
)

func TestKindAndRetryAfterSurviveTheWire(t *testing.T) {
	t.Parallel()
	codeOf := map[fault.Kind]codes.Code{
		fault.Internal:        codes.Internal,
		fault.Invalid:         codes.InvalidArgument,
		fault.Unauthenticated: codes.Unauthenticated,
		fault.Forbidden:       codes.PermissionDenied,
		fault.NotFound:        codes.NotFound,
		fault.Throttled:       codes.ResourceExhausted,
		fault.QuotaSpent:      codes.ResourceExhausted,
		fault.Precondition:    codes.FailedPrecondition,
		fault.Unavailable:     codes.Unavailable,
		fault.Deadline:        codes.DeadlineExceeded,
	}
	for kind, code := range codeOf {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			sent := fault.Wrap(kind, errors.New("hidden cause"), "field %q is wrong", "url").WithRetryAfter(3 * time.Second)
			st := status.Convert(sent)
			if st.Code() != code {
				t.Errorf("code = %v, want %v", st.Code(), code)
			}
			if strings.Contains(st.Message(), "hidden") {
				t.Errorf("the cause crossed the wire: %q", st.Message())
			}
			got := fault.FromStatus(status.ErrorProto(st.Proto()))
			if fault.KindOf(got) != kind || fault.RetryAfter(got) != 3*time.Second {
				t.Errorf("received kind %v, retry after %v", fault.KindOf(got), fault.RetryAfter(got))
			}
			var e *fault.Error
			if !errors.As(got, &e) {
				t.Fatalf("received %T", got)
			}
			if wantShown := kind != fault.Internal; strings.Contains(e.Message(), "url") != wantShown {
				t.Errorf("message %q; shown to the caller should be %v", e.Message(), wantShown)
			}
		})
	}
}

func TestKindOfForeignErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  error
		want fault.Kind
	}{
		"plain":            {errors.New("x"), fault.Internal},
		"deadline":         {fmt.Errorf("x: %w", context.DeadlineExceeded), fault.Deadline},
		"wrapped fault":    {fmt.Errorf("x: %w", fault.New(fault.NotFound, "no")), fault.NotFound},
		"bare unavailable": {status.Error(codes.Unavailable, "x"), fault.Unavailable},
		"bare unknown":     {status.Error(codes.Unknown, "x"), fault.Internal},
		"unimplemented":    {status.Error(codes.Unimplemented, "x"), fault.NotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fault.KindOf(tt.err); got != tt.want {
				t.Errorf("KindOf = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestReceivedPrefersTheReason(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		code   codes.Code
		reason string
		want   fault.Kind
	}{
		"ours":         {codes.ResourceExhausted, string(fault.QuotaSpent), fault.QuotaSpent},
		"foreign":      {codes.ResourceExhausted, "", fault.Throttled},
		"unknown code": {codes.Code(99), "", fault.Internal},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := fault.Received(tt.code, "why", tt.reason, time.Second)
			if got.Kind() != tt.want || got.Message() != "why" || fault.RetryAfter(got) != time.Second {
				t.Errorf("%v of kind %v, want %v", got, got.Kind(), tt.want)
			}
		})
	}
}

func TestFromStatusLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	plain := errors.New("x")
	if got := fault.FromStatus(plain); !errors.Is(got, plain) {
		t.Errorf("FromStatus(%v) = %v", plain, got)
	}
	if got := fault.FromStatus(nil); got != nil {
		t.Errorf("FromStatus(nil) = %v", got)
	}
}
