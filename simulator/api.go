package simulator

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"
)

// maxAPIBody is above the largest upload that WeChat takes (10 MB).
const maxAPIBody = 12 << 20

// apiRequest is one API call on its way through the platform.
type apiRequest struct {
	method, path string
	query        url.Values
	header       http.Header
	body         []byte
	now          time.Time     // On the books' clock.
	state        *accountState // Of the token; nil for calls that need none.
	authorizer   *accountState // Whom a third-party platform's call is about; nil for others.
	token        *token        // That the call carries, once it is known.
	account      string
	generation   int
	secrets      []string
	faulty       bool
}

// apiAnswer is what the platform answers.
type apiAnswer struct {
	status int
	code   errcode
	header http.Header
	body   []byte
}

// endpoint is one API of the platform.
type endpoint struct {
	method  string // GET or POST; WeChat names the right one in its refusal.
	noToken bool   // Whether the call carries no access_token.
	serve   func(*Platform, *apiRequest) apiAnswer
}

// endpoints are the APIs that the simulator has. Any other path is answered with
// 40066, as WeChat answers a path that it doesn't have.
func endpoints() map[string]endpoint {
	return map[string]endpoint{
		"/cgi-bin/token":                             {method: http.MethodGet, noToken: true, serve: (*Platform).getToken},
		"/cgi-bin/stable_token":                      {method: http.MethodPost, noToken: true, serve: (*Platform).getStableToken},
		"/cgi-bin/gettoken":                          {method: http.MethodGet, noToken: true, serve: (*Platform).getWorkToken},
		"/cgi-bin/component/api_component_token":     {method: http.MethodPost, noToken: true, serve: (*Platform).getComponentToken},
		"/cgi-bin/component/api_start_push_ticket":   {method: http.MethodPost, noToken: true, serve: (*Platform).startTicketPush},
		"/cgi-bin/component/api_create_preauthcode":  {method: http.MethodPost, noToken: true, serve: asPlatform(createPreAuthCode)},
		"/cgi-bin/component/api_query_auth":          {method: http.MethodPost, noToken: true, serve: asPlatform(queryAuth)},
		"/cgi-bin/component/api_get_authorizer_list": {method: http.MethodPost, noToken: true, serve: asPlatform(listAuthorizers)},
		"/cgi-bin/component/api_authorizer_token":    {method: http.MethodPost, noToken: true, serve: asPlatform(getAuthorizerToken)},
		"/cgi-bin/get_jsapi_ticket":                  {method: http.MethodGet, serve: (*Platform).getWorkTicket},
		"/cgi-bin/ticket/getticket":                  {method: http.MethodGet, serve: (*Platform).getTicket},
		"/cgi-bin/clear_quota":                       {method: http.MethodPost, serve: (*Platform).clearQuota},
		"/cgi-bin/getcallbackip":                     {method: http.MethodGet, serve: (*Platform).getCallbackIP},
		"/cgi-bin/get_api_domain_ip":                 {method: http.MethodGet, serve: (*Platform).getCallbackIP},
		"/cgi-bin/message/custom/send":               {method: http.MethodPost, serve: (*Platform).sendCustomMessage},
		"/cgi-bin/media/upload":                      {method: http.MethodPost, serve: (*Platform).uploadMedia},
		"/cgi-bin/media/get":                         {method: http.MethodGet, serve: (*Platform).getMedia},
		"/cgi-bin/menu/get":                          {method: http.MethodGet, serve: (*Platform).getMenu},
		"/cgi-bin/menu/create":                       {method: http.MethodPost, serve: (*Platform).createMenu},
		"/cgi-bin/menu/delete":                       {method: http.MethodGet, serve: (*Platform).deleteMenu},
		"/cgi-bin/user/info":                         {method: http.MethodGet, serve: (*Platform).getUserInfo},
		"/cgi-bin/user/get":                          {method: http.MethodGet, serve: (*Platform).listUsers},
		"/cgi-bin/openapi/quota/get":                 {method: http.MethodPost, serve: (*Platform).getQuota},
		"/cgi-bin/callback/check":                    {method: http.MethodPost, serve: (*Platform).checkCallback},
		"/cgi-bin/get_current_selfmenu_info":         {method: http.MethodGet, serve: (*Platform).getSelfMenu},
		"/cgi-bin/customservice/getkflist":           {method: http.MethodGet, serve: (*Platform).listAgents},
	}
}

// answer makes an answer of a JSON value.
func answer(value any) apiAnswer {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil { // Only values of our own come here.
		return refuse(codeBusy)
	}

	return apiAnswer{
		status: http.StatusOK, body: bytes.TrimSuffix(body.Bytes(), []byte("\n")),
		header: http.Header{"Content-Type": {"application/json; encoding=utf-8"}},
	}
}

// refuse makes an answer of a code; 0 is WeChat's plain ok.
func refuse(code errcode) apiAnswer {
	given := answer(newErrorBody(code, ""))
	given.code = code

	return given
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
		call := &apiRequest{method: r.Method, path: r.URL.Path, query: r.URL.Query(), header: r.Header, body: body}
		call.hide(call.query.Get("access_token"))
		call.hide(call.query.Get("component_access_token"))
		call.hide(call.query.Get("secret"))
		call.hide(call.query.Get("corpsecret"))
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
		maps.Copy(w.Header(), given.header)
		w.WriteHeader(given.status)
		_, _ = w.Write(given.body) // The caller may be gone; the call took effect all the same.
	})
}

// serveFaulty serves a call unless a fault does. The second result is false if the
// connection is to be dropped.
func (p *Platform) serveFaulty(ctx context.Context, table map[string]endpoint, call *apiRequest) (apiAnswer, bool) {
	fault, hit := p.fault(call.path)
	if !hit {
		return p.serve(table, call), true
	}
	call.faulty = true
	pause(ctx, fault.Latency)
	switch {
	case fault.Drop == DropBefore:
		return apiAnswer{}, false
	case fault.HTTPStatus != 0 && fault.HTTPStatus != http.StatusOK:
		return apiAnswer{status: fault.HTTPStatus}, true
	case fault.ErrCode != 0:
		given := answer(newErrorBody(errcode(fault.ErrCode), fault.ErrMsg))
		given.code = errcode(fault.ErrCode)

		return given, true
	default:
		return p.serve(table, call), fault.Drop != DropAfter
	}
}

// serve checks path, method and token in WeChat's order and does what the call asks.
func (p *Platform) serve(table map[string]endpoint, call *apiRequest) apiAnswer {
	p.mu.Lock()
	defer p.mu.Unlock()
	call.now = p.state.clock.now()
	found, ok := table[call.path]
	if !ok {
		return refuse(codeURL)
	}
	if call.method != found.method {
		if found.method == http.MethodGet {
			return refuse(codeNeedGET)
		}

		return refuse(codeNeedPOST)
	}
	if !found.noToken {
		if code := p.authorize(call); code != codeOK {
			return refuse(code)
		}
	}

	return found.serve(p, call)
}

// authorize finds the account whose token the call carries.
func (p *Platform) authorize(call *apiRequest) errcode {
	code := p.authorizeWith(call, call.query.Get("access_token"))
	if code == codeOK && call.token.kind == TokenComponent {
		return codeInvalidToken // A platform's own token is good for the calls about its authorizers.
	}

	return code
}

// authorizeComponent finds the third-party platform whose token the call carries.
// The newer documents call the parameter access_token as well.
func (p *Platform) authorizeComponent(call *apiRequest) errcode {
	code := p.authorizeWith(call, cmp.Or(call.query.Get("component_access_token"), call.query.Get("access_token")))
	if code == codeOK && call.token.kind != TokenComponent {
		return codeInvalidToken
	}

	return code
}

func (p *Platform) authorizeWith(call *apiRequest, value string) errcode {
	if value == "" {
		return codeTokenMissing
	}
	for _, account := range p.state.accounts {
		found := account.tokens.find(value)
		if found == nil {
			continue
		}
		call.state, call.account, call.generation, call.token = account, account.AppID, found.generation, found
		code := found.verdict(call.now)
		if code != codeOK {
			account.tokens.fetches.Rejected++
		}

		return code
	}
	if !tokenPattern.MatchString(value) {
		return codeMalformedToken
	}

	return codeInvalidToken
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
