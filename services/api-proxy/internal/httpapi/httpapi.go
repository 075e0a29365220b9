// Package httpapi is the pass-through: the same paths, methods, queries, bodies and answers as
// api.weixin.qq.com, so that an unmodified SDK only changes its base address.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/wechat/errcode"

	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/forward"
	"github.com/wxstack/wxstack/services/api-proxy/internal/spool"
	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
)

// AppIDHeader names the account where several are configured. People write it X-WX-AppID; this is how
// Go spells header names.
const AppIDHeader = "X-Wx-Appid"

// KeyHeader makes a call once, however often it is sent; see package once. Source of the name: the IETF's draft
// "The Idempotency-Key HTTP Header Field".
const KeyHeader = "Idempotency-Key"

const (
	// readTimeout bounds reading a body: 32 MiB at WeChat's own pace.
	readTimeout = time.Minute
	// writeTimeout is how long a caller may take for one piece of an answer.
	writeTimeout = 30 * time.Second
	// pieceBytes is how much of an answer is in memory at a time.
	pieceBytes = 32 << 10
)

// Caller makes calls.
type Caller interface {
	Endpoint(method string, t target.Target) endpoint.Endpoint
	Admit(ctx context.Context, c forward.Call) (forward.Call, error)
	Do(ctx context.Context, c forward.Call) (*forward.Answer, error)
}

// Handler answers HTTP callers.
type Handler struct {
	calls    Caller
	callers  Callers
	issuer   *issuer
	spoolDir string
	log      *slog.Logger
}

// New makes a Handler. Bodies too long for memory are kept in spoolDir; empty means the system's
// folder for temporary files.
func New(calls Caller, callers Callers, tokens, components Tokens, spoolDir string, log *slog.Logger) *Handler {
	return &Handler{
		calls: calls, callers: callers, spoolDir: spoolDir, log: log,
		issuer: &issuer{callers: callers, tokens: tokens, components: components, log: log, given: map[holder]uint64{}},
	}
}

// ServeHTTP passes one call on.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer h.recover(w, r)
	answer, err := h.call(w, r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	defer answer.Body.Close()
	copyHeader(w.Header(), answer.Header)
	w.WriteHeader(answer.Status)
	if err := pump(w, answer.Body); err != nil {
		h.log.DebugContext(r.Context(), "answer cut short", "error", err)
		panic(http.ErrAbortHandler) // the caller must see that the answer is not whole.
	}
}

// call reads a request and makes the call.
func (h *Handler) call(w http.ResponseWriter, r *http.Request) (*forward.Answer, error) {
	if !slices.Contains(methods(), r.Method) {
		return nil, fault.New(fault.Invalid, "method %.16q is not one of WeChat's API; use %s", r.Method, strings.Join(methods(), ", "))
	}
	// RequestURI is what the caller wrote; every later form of it has lost something.
	t, err := target.Parse(r.RequestURI)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%v", err)
	}
	e := h.calls.Endpoint(r.Method, t)
	if e.Token == endpoint.Virtual || e.Token == endpoint.VirtualComponent {
		return h.issuer.issue(r, t, e)
	}
	who, account, err := h.identify(r, t, e)
	if err != nil {
		return nil, err
	}
	c, err := h.calls.Admit(r.Context(), forward.Call{
		Caller: who, AppID: account, Method: r.Method, Target: t, Key: r.Header.Get(KeyHeader), Header: outgoing(r.Header),
	})
	if err != nil {
		return nil, refuseIfOff(c, err)
	}
	if c.Body, err = h.body(w, r); err != nil {
		return nil, err
	}
	answer, err := h.calls.Do(r.Context(), c)
	if err != nil {
		_ = c.Body.Close() // a file without a name: there is nothing left to lose.
		return nil, fmt.Errorf("forward: %w", err)
	}
	if (c.Endpoint.Token == endpoint.Account || c.Endpoint.Token == endpoint.Component) && answer.Code.Class() == errcode.TokenRejected {
		return nil, errors.Join(notHealed(answer.Code), answer.Body.Close(), c.Body.Close())
	}
	answer.Body = &holding{ReadCloser: answer.Body, request: c.Body}
	return answer, nil
}

// notHealed stands for WeChat's verdict on the account's token, which the caller has never seen. SDKs would take it
// for one on theirs, fetch another and try again, some without end.
func notHealed(code errcode.Code) error {
	return fault.New(fault.Unavailable,
		"WeChat rejects the account's access token (errcode %d) and nothing was done; token-center has no better one, its log says why", code).WithRetryAfter(retryUnhealed)
}

// retryUnhealed gives token-center time for a renewal within its budget.
const retryUnhealed = 5 * time.Second

// refuseIfOff tells an endpoint that is closed to everybody from a fault that passes.
func refuseIfOff(c forward.Call, err error) error {
	if c.Endpoint.Token == endpoint.Refused {
		return &refused{cause: err}
	}
	return err
}

// holding is the body of an answer that keeps the body of its request: WeChat may answer before it has
// read all of an upload, and closing that too early would break the connection under the answer.
type holding struct {
	io.ReadCloser

	request *spool.Body
}

// Close closes both.
func (h *holding) Close() error { return errors.Join(h.ReadCloser.Close(), h.request.Close()) }

func (h *Handler) body(w http.ResponseWriter, r *http.Request) (*spool.Body, error) {
	if r.ContentLength > spool.MaxBytes {
		return nil, spool.ErrTooLarge
	}
	if r.Body == nil || r.Body == http.NoBody {
		return spool.Bytes(nil), nil
	}
	// A writer that knows no deadlines has a server of its own kind, which bounds reading itself. The
	// deadline is taken back, because the server also reads to notice that the caller has left.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(readTimeout))
	body, err := spool.Read(r.Body, h.spoolDir)
	_ = control.SetReadDeadline(time.Time{})
	var file *spool.FileError
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &file):
		return nil, fault.Wrap(fault.Internal, err, "keep body")
	case errors.Is(err, spool.ErrTooLarge):
		return nil, spool.ErrTooLarge
	}
	return nil, fault.Wrap(fault.Invalid, err, "the body ended early or came too slowly; send it again")
}

// methods are those that WeChat's API and the HTTP clients of its SDKs use.
func methods() []string {
	return []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
}

// pump copies an answer piece by piece, each of which the caller must take in time.
func pump(w http.ResponseWriter, body io.Reader) error {
	control := http.NewResponseController(w)
	defer func() { _ = control.SetWriteDeadline(time.Time{}) }() // the connection may serve more calls.
	piece := make([]byte, pieceBytes)
	for {
		n, err := body.Read(piece)
		if n > 0 {
			_ = control.SetWriteDeadline(time.Now().Add(writeTimeout)) // see above.
			if _, err := w.Write(piece[:n]); err != nil {
				return fmt.Errorf("write to the caller: %w", err)
			}
			_ = control.Flush()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read from WeChat: %w", err)
		}
	}
}

// recover turns a panic into an answer, unless it is the one that cuts a connection on purpose.
func (h *Handler) recover(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	h.refuse(w, r, fault.Wrap(fault.Internal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()), "panic"))
}
