// Package forward makes one call to WeChat's API for a caller who has no token: it finds the endpoint,
// adds the account's current token, sends, looks at the verdict (errcode), and heals a rejected token
// once. WeChat's verdict is data in the Answer; only the proxy's own failures are errors.
package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/wechat/errcode"

	"github.com/wxstack/wxstack/services/api-proxy/internal/credential"
	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/spool"
	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
	"github.com/wxstack/wxstack/services/api-proxy/internal/upstream"
)

// TokenSource gives tokens by account.
type TokenSource interface {
	// Token returns the current token of the named account; empty means the only one there is.
	Token(ctx context.Context, appID string) (credential.Token, error)
	// Renew reports a token that WeChat rejected and returns a newer one.
	Renew(ctx context.Context, rejected credential.Token) (credential.Token, error)
}

// Upstream sends one request to WeChat.
type Upstream interface {
	Send(ctx context.Context, r upstream.Request) (*http.Response, error)
}

// Call is what a caller wants from WeChat.
type Call struct {
	// AppID names the account; empty means the only one there is.
	AppID  string
	Method string
	Target target.Target
	// Header goes to WeChat as it is.
	Header http.Header
	Body   *spool.Body
}

// Answer is WeChat's. The receiver closes Body.
type Answer struct {
	Status int
	Header http.Header
	Body   io.ReadCloser
	// Code and Message are WeChat's verdict: zero and empty when the answer has none, which is success.
	Code    errcode.Code
	Message string
}

// Forwarder makes calls. It is safe for concurrent use.
type Forwarder struct {
	table    *endpoint.Table
	tokens   TokenSource
	upstream Upstream
	metrics  *Metrics
	log      *slog.Logger
}

// New makes a Forwarder.
func New(table *endpoint.Table, tokens TokenSource, up Upstream, metrics *Metrics, log *slog.Logger) *Forwarder {
	return &Forwarder{table: table, tokens: tokens, upstream: up, metrics: metrics, log: log}
}

const (
	// maxRepeats is how often a call that is safe to repeat is sent again. Source of the rule: WeChat's
	// -1 (系统繁忙) says "try again a little later".
	maxRepeats = 2
	// firstPause and longestPause bound the time between repeats, so that all of them fit into the
	// deadline of a usual caller.
	firstPause   = 100 * time.Millisecond
	longestPause = time.Second
)

// Admit returns what the table knows of a call, or the fault that refuses it. Faces ask before they
// read a body.
func (f *Forwarder) Admit(method string, t target.Target) (endpoint.Endpoint, error) {
	e := f.table.Find(method, t.Path)
	if e.Token != endpoint.Refused {
		return e, nil
	}
	f.metrics.refused(e)
	return e, fault.New(fault.Precondition,
		"%s is refused: token-center owns the tokens, and a fetch here would void the one in use; call the API without a token, this proxy adds it", e.Path)
}

// Account returns the name of the account that a caller means; empty means the only one there is. It is
// known once there is a token, so the error is the same as that of Do without one, and counted like it.
func (f *Forwarder) Account(ctx context.Context, e endpoint.Endpoint, asked string) (string, error) {
	begun := time.Now()
	token, err := f.tokens.Token(ctx, asked)
	if err != nil {
		f.metrics.done(unaccounted, e, nil, err, time.Since(begun))
		f.note(ctx, unaccounted, e, nil, err)
		return "", present(err)
	}
	return token.AppID, nil
}

// NotSent reports whether an error of Do says for sure that WeChat did not get the call.
func NotSent(err error) bool {
	for _, doubt := range []error{upstream.ErrNoAnswer, upstream.ErrBroken, context.Canceled} {
		if errors.Is(err, doubt) {
			return false
		}
	}
	return fault.KindOf(err) != fault.Internal
}

// Do makes the call. The error is a fault.Error or the context's; when it wraps upstream.ErrNoAnswer or
// upstream.ErrBroken the call was sent and what became of it is unknown.
func (f *Forwarder) Do(ctx context.Context, c Call) (*Answer, error) {
	e, err := f.Admit(c.Method, c.Target)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	var (
		answer *Answer
		appID  = unaccounted
	)
	if e.Token == endpoint.None {
		answer, err = f.persist(ctx, e, c, c.Target.String())
	} else {
		answer, appID, err = f.withToken(ctx, e, c)
	}
	f.metrics.done(appID, e, answer, err, time.Since(begun))
	f.note(ctx, appID, e, answer, err)
	if err != nil {
		return nil, present(err)
	}
	return answer, nil
}

// withToken sends the call with the account's token, and once more with a newer one when WeChat
// rejects it.
func (f *Forwarder) withToken(ctx context.Context, e endpoint.Endpoint, c Call) (*Answer, string, error) {
	token, err := f.tokens.Token(ctx, c.AppID)
	if err != nil {
		return nil, unaccounted, err
	}
	answer, err := f.persist(ctx, e, c, c.Target.WithToken(token.Value.Reveal()))
	if err != nil || answer.Code.Class() != errcode.TokenRejected {
		return answer, token.AppID, err
	}
	f.metrics.rejected(token.AppID)
	newer, err := f.tokens.Renew(ctx, token)
	if err != nil {
		// The verdict is true and says more than our failure to mend it.
		f.log.WarnContext(ctx, "token rejected and not renewed", "app_id", token.AppID, "generation", token.Generation,
			"errcode", answer.Code, "error", err)
		return answer, token.AppID, nil
	}
	f.log.InfoContext(ctx, "token rejected, calling again with a newer one", "app_id", token.AppID, "endpoint", e.Path,
		"errcode", answer.Code, "rejected_generation", token.Generation, "generation", newer.Generation)
	f.discard(answer)
	answer, err = f.persist(ctx, e, c, c.Target.WithToken(newer.Value.Reveal()))
	if err == nil && answer.Code.Class() == errcode.TokenRejected {
		f.metrics.rejected(token.AppID)
		f.log.WarnContext(ctx, "a new token was rejected as well; the caller gets WeChat's verdict", "app_id", token.AppID,
			"generation", newer.Generation, "errcode", answer.Code)
	}
	return answer, token.AppID, err
}

// persist sends the call and, where that is safe, sends it again while WeChat is busy or silent.
func (f *Forwarder) persist(ctx context.Context, e endpoint.Endpoint, c Call, uri string) (*Answer, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = firstPause, longestPause
	for repeats := 0; ; repeats++ {
		answer, err := f.send(ctx, e, c, uri)
		if !e.Repeat || repeats == maxRepeats || !passing(answer, err) || !wait(ctx, pause.NextBackOff()) {
			return answer, err
		}
		if answer != nil {
			f.discard(answer)
		}
	}
}

// passing reports whether the same call may go well a moment later.
func passing(answer *Answer, err error) bool {
	if err != nil {
		return errors.Is(err, upstream.ErrNoAnswer) || errors.Is(err, upstream.ErrBroken)
	}
	return answer.Code.Class() == errcode.Busy || answer.Status >= http.StatusInternalServerError
}

// wait pauses and reports whether there is time left after it.
func wait(ctx context.Context, pause time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
		return false
	}
	return lifecycle.Sleep(ctx, pause)
}

// send sends the call once and reads the verdict.
func (f *Forwarder) send(ctx context.Context, e endpoint.Endpoint, c Call, uri string) (*Answer, error) {
	resp, err := f.upstream.Send(ctx, upstream.Request{
		Method: c.Method, RequestURI: uri, Header: c.Header, Body: c.Body, Repeat: e.Repeat,
	})
	if err != nil {
		return nil, err
	}
	answer := &Answer{Status: resp.StatusCode, Header: resp.Header, Body: resp.Body}
	if !mayHoldVerdict(resp.Header) {
		return answer, nil
	}
	head, err := peek(resp.Body)
	if err != nil {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%w: the answer ended early", upstream.ErrBroken)
	}
	answer.Body = &joined{Reader: io.MultiReader(bytes.NewReader(head), resp.Body), Closer: resp.Body}
	if looksLikeObject(head) {
		answer.Code, answer.Message = errcode.Parse(head)
	}
	return answer, nil
}

// discard reads what is left of a short answer, so that its connection can be used again.
func (f *Forwarder) discard(a *Answer) {
	_, _ = io.CopyN(io.Discard, a.Body, maxVerdictBytes)
	_ = a.Body.Close()
}

// note writes the call into the log, without query, body or errmsg: all may hold a secret.
func (f *Forwarder) note(ctx context.Context, appID string, e endpoint.Endpoint, a *Answer, err error) {
	if err != nil {
		f.log.WarnContext(ctx, "call failed", "app_id", appID, "endpoint", e.Path, "error", err)
		return
	}
	switch class := a.Code.Class(); class {
	case errcode.OK:
		f.log.DebugContext(ctx, "call", "app_id", appID, "endpoint", e.Path, "status", a.Status)
	case errcode.SecretRejected, errcode.IPNotAllowed, errcode.QuotaExhausted, errcode.Unauthorized:
		f.log.WarnContext(ctx, "WeChat refused a call", "app_id", appID, "endpoint", e.Path, "errcode", a.Code,
			"class", class.String(), "rid", errcode.RequestID(a.Message), "remedy", a.Code.Remedy())
	case errcode.Unknown, errcode.Busy, errcode.TokenRejected, errcode.RateLimited, errcode.WindowClosed, errcode.InvalidRequest:
		f.log.InfoContext(ctx, "WeChat refused a call", "app_id", appID, "endpoint", e.Path, "errcode", a.Code,
			"class", class.String(), "rid", errcode.RequestID(a.Message))
	}
}

// present makes every error a fault whose message a caller may see.
func present(err error) error {
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, upstream.ErrUnreachable):
		return fault.Wrap(fault.Unavailable, err,
			"no host of WeChat's API can be reached, so the call was not sent; check the network, WX_API_BASE_URL and, if set, WX_EGRESS_PROXY").WithRetryAfter(time.Second)
	case errors.Is(err, upstream.ErrNoAnswer):
		return fault.Wrap(fault.Deadline, err,
			"WeChat did not answer in time; the call may have been carried out, so look before sending it again")
	case errors.Is(err, upstream.ErrBroken):
		return fault.Wrap(fault.Deadline, err,
			"the connection to WeChat broke before the answer; the call may have been carried out, so look before sending it again")
	case errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(fault.Deadline, err, "the caller's time ended before the call was sent")
	case errors.Is(err, context.Canceled):
		return fault.Wrap(fault.Deadline, err, "the caller left")
	}
	return fault.Wrap(fault.Internal, err, "call failed")
}
