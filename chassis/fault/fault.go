// Package fault is the one error type that crosses services.
//
// An Error says what kind of failure it is, in words that are safe to show to the caller, and keeps
// the cause for the log of the process where it happened. It knows its gRPC code, so that a handler
// simply returns it; FromStatus rebuilds it at the caller.
package fault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Kind is what a caller needs to know of a failure: whose fault it is and whether trying again helps.
type Kind string

// The kinds. Their texts are part of the wire contract: they travel as the reason of the gRPC status.
const (
	// Internal is our own fault; the message is withheld from the caller.
	Internal Kind = "INTERNAL"
	// Invalid is a request that can never succeed.
	Invalid Kind = "INVALID"
	// Unauthenticated is a caller that could not prove who it is, by signature, key or certificate.
	Unauthenticated Kind = "UNAUTHENTICATED"
	// Forbidden is a caller that is known and may not have what it asks for.
	Forbidden Kind = "FORBIDDEN"
	// NotFound is an account or endpoint that does not exist here.
	NotFound Kind = "NOT_FOUND"
	// Throttled is our own limit; try again after RetryAfter.
	Throttled Kind = "THROTTLED"
	// QuotaSpent is the platform's daily quota; trying again today is useless.
	QuotaSpent Kind = "QUOTA_SPENT"
	// Precondition is a state that somebody has to change first: a rejected secret, an address not on the allow-list.
	Precondition Kind = "PRECONDITION"
	// Unavailable is a part that cannot be reached or is not ready; try again with backoff.
	Unavailable Kind = "UNAVAILABLE"
	// Deadline is work that could not finish in the time that was left.
	Deadline Kind = "DEADLINE"
)

// domain marks the ErrorInfo details that this package wrote.
const domain = "wxstack"

// Error is a failure with a kind. Make one with New or Wrap.
type Error struct {
	kind       Kind
	message    string
	cause      error
	retryAfter time.Duration
}

// New makes an Error. The message goes to the caller: it names the field and the remedy, never a secret.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{kind: kind, message: fmt.Sprintf(format, args...)}
}

// Wrap makes an Error around a cause. The cause shows in Error and through errors.Is, but never
// crosses the wire.
func Wrap(kind Kind, cause error, format string, args ...any) *Error {
	return &Error{kind: kind, message: fmt.Sprintf(format, args...), cause: cause}
}

// WithRetryAfter returns a copy that tells the caller how long to wait before trying again.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.retryAfter = d
	return &c
}

// Kind returns the kind of the failure.
func (e *Error) Kind() Kind { return e.kind }

// Message returns the part that is safe to show to the caller.
func (e *Error) Message() string { return e.message }

// Error returns message and cause, for the log.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.message
	}
	return e.message + ": " + e.cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// GRPCStatus makes an Error an answer of a gRPC handler.
func (e *Error) GRPCStatus() *status.Status {
	message := e.message
	if e.kind == Internal {
		message = "internal error; the log of the service that failed has the details"
	}
	st := status.New(e.kind.code(), message)
	info := &errdetails.ErrorInfo{Reason: string(e.kind), Domain: domain}
	var detailed *status.Status
	var err error
	if e.retryAfter > 0 {
		detailed, err = st.WithDetails(info, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.retryAfter)})
	} else {
		detailed, err = st.WithDetails(info)
	}
	if err != nil {
		return st
	}
	return detailed
}

func (k Kind) code() codes.Code {
	switch k {
	case Invalid:
		return codes.InvalidArgument
	case Unauthenticated:
		return codes.Unauthenticated
	case Forbidden:
		return codes.PermissionDenied
	case NotFound:
		return codes.NotFound
	case Throttled, QuotaSpent:
		return codes.ResourceExhausted
	case Precondition:
		return codes.FailedPrecondition
	case Unavailable:
		return codes.Unavailable
	case Deadline:
		return codes.DeadlineExceeded
	case Internal:
		return codes.Internal
	}
	return codes.Internal
}

// KindOf returns the kind of any error: of an Error in its chain, of a gRPC status, or of a context
// that ended. Everything else is Internal. It must not be asked about nil.
func KindOf(err error) Kind {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.kind
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return Deadline
	}
	if st, ok := status.FromError(err); ok {
		reason, _ := detailsOf(st)
		return Received(st.Code(), st.Message(), reason, 0).kind
	}
	return Internal
}

// RetryAfter returns how long the failing side asked the caller to wait; zero when it did not say.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.retryAfter
	}
	return 0
}

// FromStatus turns the error of a gRPC call back into an Error, so that a caller in another process
// sees what a caller in the same process would have seen. Nil stays nil.
func FromStatus(err error) error {
	if err == nil {
		return nil
	}
	st, ok := status.FromError(err)
	if _, already := errors.AsType[*Error](err); already || !ok {
		return err
	}
	reason, retryAfter := detailsOf(st)
	e := Received(st.Code(), st.Message(), reason, retryAfter)
	e.cause = err
	return e
}

// Received makes the Error of a failure in another process from what crossed the wire: the code and
// message of its gRPC status, the reason, which is the Kind there and may be empty, and how long it asked
// to wait. FromStatus does so for a call that failed; use Received for a failure inside a message.
func Received(code codes.Code, message, reason string, retryAfter time.Duration) *Error {
	e := &Error{kind: Kind(reason), message: message, retryAfter: retryAfter}
	if reason == "" {
		e.kind = kindOfCode(code)
	}
	return e
}

// detailsOf returns what GRPCStatus puts beside code and message; an empty reason for foreign statuses.
func detailsOf(st *status.Status) (reason string, retryAfter time.Duration) {
	for _, detail := range st.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == domain {
				reason = detail.GetReason()
			}
		case *errdetails.RetryInfo:
			retryAfter = detail.GetRetryDelay().AsDuration()
		}
	}
	return reason, retryAfter
}

func kindOfCode(code codes.Code) Kind {
	switch code {
	case codes.InvalidArgument, codes.OutOfRange:
		return Invalid
	case codes.Unauthenticated:
		return Unauthenticated
	case codes.PermissionDenied:
		return Forbidden
	case codes.NotFound, codes.Unimplemented:
		return NotFound
	case codes.ResourceExhausted:
		return Throttled
	case codes.FailedPrecondition, codes.AlreadyExists:
		return Precondition
	case codes.Unavailable, codes.Aborted:
		return Unavailable
	case codes.DeadlineExceeded, codes.Canceled:
		return Deadline
	case codes.OK, codes.Unknown, codes.Internal, codes.DataLoss:
		return Internal
	}
	return Internal
}
