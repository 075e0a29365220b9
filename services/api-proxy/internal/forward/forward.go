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

	"github.com/wxstack/wxstack/services/api-proxy/internal/caller"
	"github.com/wxstack/wxstack/services/api-proxy/internal/credential"
	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/limit"
	"github.com/wxstack/wxstack/services/api-proxy/internal/spool"
	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
	"github.com/wxstack/wxstack/services/api-proxy/internal/upstream"
)

// TokenSource gives tokens by account.
type TokenSource interface {
	// Account returns the name of the account that a caller means; empty means the only one there is.
	Account(ctx context.Context, asked string) (string, error)
	// Token returns the current token of the named account; empty means the only one there is.
	Token(ctx context.Context, appID string) (credential.Token, error)
	// Renew reports a token that WeChat rejected and returns a newer one.
	Renew(ctx context.Context, rejected credential.Token) (credential.Token, error)
}

// Upstream sends one request to WeChat.
type Upstream interface {
	Send(ctx context.Context, r upstream.Request) (*http.Response, error)
}

// TicketSource gives tickets, which token-center keeps.
type TicketSource interface {
	Ticket(ctx context.Context, appID, kind string) (credential.Token, error)
}

// CodeSource gives users' codes for WeChat's answer, with the AppSecret that token-center has.
type CodeSource interface {
	Web(ctx context.Context, appID, code string) ([]byte, error)
	MiniProgram(ctx context.Context, appID, code string) ([]byte, error)
}

// Call is what a caller wants from WeChat.
type Call struct {
	Caller caller.Caller
	// AppID names the account; empty means the only one there is.
	AppID  string
	Method string
	Target target.Target
	// Endpoint is what the table knows of it. Admit fills it in.
	Endpoint endpoint.Endpoint
	// Key makes the call once, however often it is asked for; empty: no protection. See package once.
	Key string
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
	// BodyOmitted says that WeChat sent a body that is not there any more.
	BodyOmitted bool
}

// Forwarder makes calls. It is safe for concurrent use.
type Forwarder struct {
	table      *endpoint.Table
	tokens     TokenSource
	components TokenSource
	tickets    TicketSource
	codes      CodeSource
	limiter    Limiter
	allowances Allowances
	upstream   Upstream
	metrics    *Metrics
	log        *slog.Logger
}

// Parts are what a Forwarder works with.
type Parts struct {
	Table      *endpoint.Table
	Tokens     TokenSource
	Components TokenSource // the tokens of third-party platforms
	Tickets    TicketSource
	Codes      CodeSource
	Limiter    Limiter
	Allowances Allowances
	Upstream   Upstream
}

// New makes a Forwarder.
func New(p Parts, metrics *Metrics, log *slog.Logger) *Forwarder {
	return &Forwarder{
		table: p.Table, tokens: p.Tokens, components: p.Components, tickets: p.Tickets, codes: p.Codes, limiter: p.Limiter, allowances: p.Allowances, upstream: p.Upstream,
		metrics: metrics, log: log,
	}
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

// Endpoint returns what the table knows of a call.
func (f *Forwarder) Endpoint(method string, t target.Target) endpoint.Endpoint {
	return f.table.Find(method, t.Path)
}

// Admit returns the call with its endpoint and the name of its account filled in, or the fault that refuses it.
// Faces ask before they read a body.
func (f *Forwarder) Admit(ctx context.Context, c Call) (Call, error) {
	c.Endpoint = f.Endpoint(c.Method, c.Target)
	if !c.Caller.MayCall(c.Endpoint, c.Method, c.Target.Path) {
		return c, f.deny(ctx, c, c.Caller.DenyCall(c.Method, c.Target.Path))
	}
	switch c.Endpoint.Token {
	case endpoint.Refused, endpoint.Virtual, endpoint.VirtualComponent:
		f.metrics.refused(c)
		return c, fault.New(fault.Precondition,
			"%s is refused: token-center owns the tokens, and a fetch here would void the one in use; call the API without a token, this proxy adds it", c.Endpoint.Path)
	case endpoint.None:
		c.AppID = unaccounted
		return c, nil
	case endpoint.Secret:
		if err := c.takeAppID(); err != nil {
			return c, err
		}
	case endpoint.Account, endpoint.Component, endpoint.Ticket:
	}
	return f.account(ctx, c)
}

// account fills in the account that the caller means. Whether one exists that it may not use is nobody's business.
func (f *Forwarder) account(ctx context.Context, c Call) (Call, error) {
	if c.AppID == "" {
		c.AppID = c.Caller.OnlyAccount()
	}
	asked := c.AppID
	if asked == "" || c.Caller.MayUse(asked) {
		begun := time.Now()
		known, err := f.source(c.Endpoint).Account(ctx, asked)
		if err != nil {
			c.AppID = unaccounted
			f.finish(ctx, c, nil, err, begun)
			return c, present(err)
		}
		c.AppID = known
	}
	if !c.Caller.MayUse(c.AppID) {
		c.AppID = unaccounted
		return c, f.deny(ctx, c, c.Caller.DenyAccount(asked))
	}
	return c, nil
}

// deny writes down that a known caller asks for what it may not have, and returns what it is told.
func (f *Forwarder) deny(ctx context.Context, c Call, told error) error {
	f.metrics.refused(c)
	f.log.WarnContext(ctx, "call denied", "audit", true, "caller", c.Caller.Name, "method", c.Method, "path", c.Target.Path)
	return told
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

// Do makes a call that Admit has admitted. The error is a fault.Error or the context's; when it wraps
// upstream.ErrNoAnswer or upstream.ErrBroken the call was sent and what became of it is unknown.
func (f *Forwarder) Do(ctx context.Context, c Call) (*Answer, error) {
	begun := time.Now()
	answer, err := f.do(ctx, c)
	f.finish(ctx, c, answer, err, begun)
	if err != nil {
		return nil, present(err)
	}
	f.learn(ctx, c, answer)
	return answer, nil
}

func (f *Forwarder) do(ctx context.Context, c Call) (*Answer, error) {
	if c.Endpoint.Token == endpoint.Ticket {
		return f.ticket(ctx, c)
	}
	ask, without := c.Caller.Ask(c.AppID, limit.DateOf(time.Now()), c.Endpoint)
	if err := f.limiter.Take(ctx, ask, without); err != nil {
		return nil, refusal(c.Caller, err)
	}
	switch c.Endpoint.Token {
	case endpoint.None:
		return f.persist(ctx, c, c.Target.String())
	case endpoint.Secret:
		return f.code(ctx, c)
	case endpoint.Account, endpoint.Component, endpoint.Ticket, endpoint.Virtual, endpoint.VirtualComponent, endpoint.Refused:
	}
	return f.withToken(ctx, c)
}

// refusal says who is refused, which the limiter doesn't know.
func refusal(who caller.Caller, err error) error {
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return fault.Wrap(known.Kind(), err, "caller %q: %s", who.Name, known.Message()).WithRetryAfter(fault.RetryAfter(err))
	}
	return err
}

// withToken sends the call with the account's token, and once more with a newer one when WeChat
// rejects it.
func (f *Forwarder) withToken(ctx context.Context, c Call) (*Answer, error) {
	source, name := f.source(c.Endpoint), c.Endpoint.Token.Parameter()
	token, err := source.Token(ctx, c.AppID)
	if err != nil {
		return nil, err
	}
	answer, err := f.persist(ctx, c, c.Target.WithToken(name, token.Value.Reveal()))
	if err != nil || answer.Code.Class() != errcode.TokenRejected {
		return answer, err
	}
	f.metrics.rejected(token.AppID)
	newer, err := source.Renew(ctx, token)
	if err != nil {
		// The verdict is true and says more than our failure to mend it.
		f.log.WarnContext(ctx, "token rejected and not renewed", "app_id", token.AppID, "generation", token.Generation,
			"errcode", answer.Code, "error", err)
		f.metrics.healed(token.AppID, "not_renewed")
		return answer, nil
	}
	f.log.InfoContext(ctx, "token rejected, calling again with a newer one", "app_id", token.AppID, "endpoint", c.Endpoint.Path,
		"errcode", answer.Code, "rejected_generation", token.Generation, "generation", newer.Generation)
	f.discard(answer)
	answer, err = f.persist(ctx, c, c.Target.WithToken(name, newer.Value.Reveal()))
	switch {
	case err != nil:
		f.metrics.healed(token.AppID, "failed")
	case answer.Code.Class() == errcode.TokenRejected:
		f.metrics.rejected(token.AppID)
		f.metrics.healed(token.AppID, "rejected_again")
		f.log.WarnContext(ctx, "a new token was rejected as well; the caller gets WeChat's verdict", "app_id", token.AppID,
			"generation", newer.Generation, "errcode", answer.Code)
	default:
		f.metrics.healed(token.AppID, "healed")
	}
	return answer, err
}

// source is where the token of an endpoint comes from.
func (f *Forwarder) source(e endpoint.Endpoint) TokenSource {
	if e.Token == endpoint.Component {
		return f.components
	}
	return f.tokens
}

// persist sends the call and, where that is safe, sends it again while WeChat is busy or silent.
func (f *Forwarder) persist(ctx context.Context, c Call, uri string) (*Answer, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = firstPause, longestPause
	for repeats := 0; ; repeats++ {
		answer, err := f.send(ctx, c, uri)
		if !c.Endpoint.Repeat || repeats == maxRepeats || !passing(answer, err) || !wait(ctx, pause.NextBackOff()) {
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
func (f *Forwarder) send(ctx context.Context, c Call, uri string) (*Answer, error) {
	resp, err := f.upstream.Send(ctx, upstream.Request{
		Method: c.Method, RequestURI: uri, Header: c.Header, Body: c.Body, Repeat: c.Endpoint.Repeat,
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
