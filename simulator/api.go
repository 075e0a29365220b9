package simulator

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
	"github.com/wxstack/wxstack/simulator/internal/token"
)

// maxAPIBody is above the largest file that the simulator takes, a permanent video,
// with the form around it.
const maxAPIBody = media.MaxPermanentVideo + 1<<20

// apiRequest is one API call on its way through the platform.
type apiRequest struct {
	method, path string
	query        url.Values
	header       http.Header
	body         []byte
	remote       string        // Address of the caller.
	chunked      bool          // Whether the body came without a Content-Length.
	now          time.Time     // On the books' clock.
	state        *accountState // Of the token; nil for calls that need none.
	authorizer   *accountState // Whom a third-party platform's call is about; nil for others.
	token        *token.Token  // That the call carries, once it is known.
	account      string
	generation   int
	secrets      []string
	faulty       bool
}

// apiHandler serves the platform's API.
func (p *Platform) apiHandler() http.Handler {
	table := endpoints()

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAPIBody))
		if err != nil {
			if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
				http.Error(w, "request entity too large", http.StatusRequestEntityTooLarge)
			}

			return // The caller went away.
		}
		call := &apiRequest{
			method: r.Method, path: r.URL.Path, query: r.URL.Query(), header: r.Header, body: body,
			remote: remoteIP(r), chunked: r.ContentLength < 0,
		}
		given, delivered := p.serveFaulty(r.Context(), table, call)
		if !delivered {
			given.status = 0
		}
		p.mu.Lock()
		p.record(call, given, time.Since(started))
		p.mu.Unlock()
		if !delivered {
			dropConnection(w)

			return
		}
		given.writeTo(w)
	})
}

// serveFaulty serves a call unless a fault does. The second result is false if the
// connection is to be dropped.
func (p *Platform) serveFaulty(ctx context.Context, table map[string]endpoint, call *apiRequest) (apiAnswer, bool) {
	fault, hit := p.fault(call.path)
	if !hit {
		return p.serve(ctx, table, call), true
	}
	call.faulty = true
	pause(ctx, fault.Latency)
	given, delivered := p.serveWith(ctx, fault, table, call)
	if fault.ContentType != "" {
		given.header = maps.Clone(given.header)
		if given.header == nil {
			given.header = make(http.Header)
		}
		given.header.Set("Content-Type", fault.ContentType)
	}
	given.cut = fault.Partial

	return given, delivered
}

// serveWith serves a call that a fault hits.
func (p *Platform) serveWith(ctx context.Context, fault Fault, table map[string]endpoint, call *apiRequest) (apiAnswer, bool) {
	switch {
	case fault.Drop == DropBefore:
		return apiAnswer{}, false
	case fault.HTTPStatus != 0 && fault.HTTPStatus != http.StatusOK:
		return apiAnswer{status: fault.HTTPStatus}, true
	case fault.ErrCode != 0:
		p.identify(call)

		return refuseSaying(errcode.Code(fault.ErrCode), fault.ErrMsg), true
	default:
		return p.serve(ctx, table, call), fault.Drop != DropAfter
	}
}

// serve does what a call asks.
func (p *Platform) serve(ctx context.Context, table map[string]endpoint, call *apiRequest) apiAnswer {
	given := p.decide(table, call)
	if given.work != nil {
		given = given.work(ctx)
	}

	return given
}

// decide checks path, method and token in WeChat's order and does what the call asks, so far as the platform's memory is
// concerned.
func (p *Platform) decide(table map[string]endpoint, call *apiRequest) apiAnswer {
	p.mu.Lock()
	defer p.mu.Unlock()
	call.now = p.state.clock.now()
	found, ok := table[call.path]
	if !ok {
		return refuse(errcode.URL)
	}
	if !found.takes(call.method) {
		if found.method == http.MethodGet {
			return refuse(errcode.NeedGET)
		}

		return refuse(errcode.NeedPOST)
	}
	if !found.noToken {
		if code := p.authorize(call, found.itself); code != errcode.OK {
			return refuse(code)
		}
		if code := call.state.condition(call.path, false); code != errcode.OK {
			return refuse(code)
		}
		if code := p.state.permission(call); code != errcode.OK {
			return refuse(code)
		}
		if !call.state.calls.Take(call.path, call.now) {
			return refuse(errcode.DailyQuota)
		}
	}

	return found.serve(p, call)
}

// authorize finds the account whose token the call carries, or, where a third-party platform may call for itself, the
// platform.
func (p *Platform) authorize(call *apiRequest, platforms bool) errcode.Code {
	value := call.query.Get("access_token")
	if platforms {
		value = cmp.Or(value, call.query.Get("component_access_token"))
	}
	code := p.authorizeWith(call, value)
	if code == errcode.OK && call.token.Kind == TokenComponent && !platforms {
		return errcode.InvalidToken // A platform's own token is good for the calls about its authorizers.
	}

	return code
}

// authorizeComponent finds the third-party platform whose token the call carries.
// The newer documents call the parameter access_token as well.
func (p *Platform) authorizeComponent(call *apiRequest) errcode.Code {
	code := p.authorizeWith(call, cmp.Or(call.query.Get("component_access_token"), call.query.Get("access_token")))
	if code == errcode.OK && call.token.Kind != TokenComponent {
		return errcode.InvalidToken
	}

	return code
}

func (p *Platform) authorizeWith(call *apiRequest, value string) errcode.Code {
	if value == "" {
		return errcode.TokenMissing
	}
	if account, found := p.state.owner(value); found != nil {
		call.state, call.account, call.generation, call.token = account, account.AppID, found.Generation, found
		code := found.Verdict(call.now)
		if code != errcode.OK {
			account.tokens.Fetches.Rejected++
		}

		return code
	}
	if !token.WellFormed(value) {
		return errcode.MalformedToken
	}

	return errcode.InvalidToken
}

// identify says whose call it is that a fault refuses, so that rid/get tells its account what it asked.
func (p *Platform) identify(call *apiRequest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if account, found := p.state.owner(call.query.Get("access_token")); found != nil {
		call.account, call.generation = account.AppID, found.Generation
	}
}

// owner returns the account that a token was issued to, and the token; nil if there is none.
func (s *state) owner(value string) (*accountState, *token.Token) {
	for _, account := range s.accounts {
		if found := account.tokens.Find(value); found != nil {
			return account, found
		}
	}

	return nil, nil
}

// dropConnection closes a connection without an answer.
func dropConnection(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2, which the simulator doesn't serve.
		w.WriteHeader(http.StatusBadGateway)

		return
	}
	_ = connection.Close() // The point is that it is gone.
}
