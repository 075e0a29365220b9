package httpapi

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/wechat/errcode"

	"github.com/wxstack/wxstack/services/api-proxy/internal/spool"
	"github.com/wxstack/wxstack/services/api-proxy/internal/upstream"
)

// refused is a call that is not let through, whoever asks.
type refused struct{ cause error }

func (r *refused) Error() string { return r.cause.Error() }
func (r *refused) Unwrap() error { return r.cause }

// refuse answers our own failure in WeChat's shape. HTTP status and errcode differ from every verdict
// of WeChat's: errcode is the status with a minus sign, except for 503, where nothing was sent and -1,
// which SDKs know as "busy, try again", is exactly right.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // nobody is there to read an answer.
	}
	if v, ok := errors.AsType[*verdict](err); ok {
		h.write(w, r, http.StatusOK, v.code, v.message)
		return
	}
	status := statusOf(err)
	message := messageOf(err)
	if status == http.StatusInternalServerError {
		h.log.ErrorContext(r.Context(), "call failed", "error", err)
		message = "internal error; the log of api-proxy has the details"
	}
	code := errcode.Code(-status)
	if status == http.StatusServiceUnavailable {
		code = errcode.SystemBusy
	}
	if after := fault.RetryAfter(err); after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	}
	if status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close") // the rest of the body is not read.
	}
	h.write(w, r, status, code, message)
}

// write answers in the shape of WeChat's errors.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, status int, code errcode.Code, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(struct {
		Code    errcode.Code `json:"errcode"`
		Message string       `json:"errmsg"`
	}{code, "wxstack api-proxy: " + message}); err != nil {
		h.log.DebugContext(r.Context(), "error not delivered", "error", err)
	}
}

// statusOf chooses the HTTP status. 502 and 504 mean that the call may have been carried out; 503 that
// it was not.
func statusOf(err error) int {
	var turnedAway *refused
	switch {
	case errors.As(err, &turnedAway):
		return http.StatusForbidden
	case errors.Is(err, spool.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, upstream.ErrBroken):
		return http.StatusBadGateway
	}
	switch fault.KindOf(err) {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Throttled:
		return http.StatusTooManyRequests
	case fault.Unavailable, fault.Precondition, fault.QuotaSpent:
		return http.StatusServiceUnavailable
	case fault.Deadline:
		return http.StatusGatewayTimeout
	case fault.Internal:
	}
	return http.StatusInternalServerError
}

func messageOf(err error) string {
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return known.Message()
	case errors.Is(err, spool.ErrTooLarge):
		return spool.ErrTooLarge.Error()
	}
	return "the call failed"
}
