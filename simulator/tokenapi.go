package simulator

import (
	"crypto/subtle"
	"encoding/json"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/token"
)

// tokenBody is the answer of both token endpoints.
type tokenBody struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
}

func newTokenBody(issued *token.Token, now time.Time) tokenBody {
	return tokenBody{AccessToken: issued.Value, ExpiresIn: int(issued.Remaining(now).Seconds())}
}

// credentials are the parameters of both token endpoints.
type credentials struct {
	GrantType    string `json:"grant_type"`
	AppID        string `json:"appid"`
	Secret       string `json:"secret"`
	ForceRefresh bool   `json:"force_refresh"`
}

// grantClient is the only grant_type of account tokens.
const grantClient = "client_credential"

// getToken serves GET /cgi-bin/token.
func (p *Platform) getToken(r *apiRequest) apiAnswer {
	account, code := p.authenticate(r, credentials{
		GrantType: r.query.Get("grant_type"), AppID: r.query.Get("appid"), Secret: r.query.Get("secret"),
	})
	if code != errcode.OK {
		return refuse(code)
	}
	if refusal, may := r.mayFetch(account); !may {
		return refusal
	}
	issued, code := account.tokens.Classic(r.now)

	return p.answerToken(r, issued, code)
}

// getStableToken serves POST /cgi-bin/stable_token.
func (p *Platform) getStableToken(r *apiRequest) apiAnswer {
	var asked credentials
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	account, code := p.authenticate(r, asked)
	if code != errcode.OK {
		return refuse(code)
	}
	if refusal, may := r.mayFetch(account); !may {
		return refusal
	}
	var issued *token.Token
	if asked.ForceRefresh {
		issued, code = account.tokens.Force(r.now)
	} else {
		issued, code = account.tokens.Stable(r.now)
	}

	return p.answerToken(r, issued, code)
}

func (p *Platform) answerToken(r *apiRequest, issued *token.Token, code errcode.Code) apiAnswer {
	if code != errcode.OK {
		return refuse(code)
	}
	r.generation = issued.Generation
	r.hide(issued.Value)
	p.state.hub.publish(topicState)

	return answer(newTokenBody(issued, r.now))
}

// authenticate checks the parameters in the order in which WeChat complains.
func (p *Platform) authenticate(r *apiRequest, asked credentials) (*accountState, errcode.Code) {
	r.account = asked.AppID
	switch {
	case asked.AppID == "":
		return nil, errcode.AppIDMissing
	case asked.Secret == "":
		return nil, errcode.SecretMissing
	case asked.GrantType != grantClient:
		return nil, errcode.GrantType
	}
	if known, ok := p.state.accounts[asked.AppID]; ok && known.Kind == KindPlatform {
		return nil, errcode.ComponentOnly
	}

	return p.authenticateAs(KindAccount, asked)
}

// authenticateAs finds the account of a kind and checks its secret.
func (p *Platform) authenticateAs(kind AccountKind, asked credentials) (*accountState, errcode.Code) {
	account, known := p.state.accounts[asked.AppID]
	if !known || account.Kind != kind {
		return nil, errcode.AppID
	}
	if subtle.ConstantTimeCompare([]byte(asked.Secret), []byte(account.AppSecret)) != 1 {
		return nil, errcode.AppSecret
	}

	return account, errcode.OK
}

// getWorkToken serves WeChat Work's GET /cgi-bin/gettoken.
func (p *Platform) getWorkToken(r *apiRequest) apiAnswer {
	asked := credentials{AppID: r.query.Get("corpid"), Secret: r.query.Get("corpsecret")}
	r.account = asked.AppID
	switch {
	case asked.AppID == "":
		return refuse(errcode.AppIDMissing)
	case asked.Secret == "":
		return refuse(errcode.SecretMissing)
	}
	account, code := p.authenticateAs(KindWork, asked)
	if code == errcode.AppSecret {
		code = errcode.InvalidToken // WeChat Work's code for a wrong Secret.
	}
	if code != errcode.OK {
		return refuse(code)
	}
	issued := account.tokens.Work(r.now)
	r.generation = issued.Generation
	r.hide(issued.Value)
	p.state.hub.publish(topicState)

	return answer(struct {
		errorBody
		tokenBody
	}{newErrorBody(errcode.OK, ""), newTokenBody(issued, r.now)})
}

// ticket is a ticket of a type: jsapi (JS-SDK) or wx_card (卡券).
type ticket struct {
	value   string
	expires time.Time
}

// The types of tickets.
const (
	ticketJSAPI = "jsapi"
	ticketCard  = "wx_card"
	ticketAgent = "agent_config" // Of WeChat Work.
)

// getTicket serves GET /cgi-bin/ticket/getticket: the same ticket of a type while
// it lives.
func (p *Platform) getTicket(r *apiRequest) apiAnswer {
	kind := r.query.Get("type")
	if kind != ticketJSAPI && kind != ticketCard {
		return refuse(errcode.Arguments)
	}

	return p.answerTicket(r, kind)
}

// getWorkTicket serves WeChat Work's GET /cgi-bin/get_jsapi_ticket.
func (p *Platform) getWorkTicket(r *apiRequest) apiAnswer {
	if r.state.Kind != KindWork {
		return refuse(errcode.InvalidToken)
	}

	return p.answerWorkTicket(r, ticketJSAPI)
}

// getWorkAgentTicket serves WeChat Work's GET /cgi-bin/ticket/get?type=agent_config, the ticket of one application.
func (p *Platform) getWorkAgentTicket(r *apiRequest) apiAnswer {
	switch {
	case r.state.Kind != KindWork:
		return refuse(errcode.InvalidToken)
	case r.query.Get("type") != ticketAgent:
		return refuse(errcode.Arguments)
	}

	return p.answerWorkTicket(r, ticketAgent)
}

// workTicketsPerHour is how often an application may ask for a ticket (企业微信, JS-SDK).
const workTicketsPerHour = 100

func (p *Platform) answerWorkTicket(r *apiRequest, kind string) apiAnswer {
	if !r.state.workTickets.Take(r.now.Format("2006-01-02T15"), workTicketsPerHour) {
		return refuse(errcode.DailyQuota)
	}

	return p.answerTicket(r, kind)
}

func (p *Platform) answerTicket(r *apiRequest, kind string) apiAnswer {
	r.state.tokens.Fetches.Tickets++
	current := r.state.tickets[kind]
	if !r.now.Before(current.expires) {
		if kind == ticketJSAPI {
			r.state.keepTicket(current)
		}
		current = ticket{value: "TICKET-" + token.NewValue(1)[2:], expires: r.now.Add(token.Lifetime)}
		r.state.tickets[kind] = current
	}
	r.hide(current.value)

	return answer(struct {
		errorBody

		Ticket    string `json:"ticket"`
		ExpiresIn int    `json:"expires_in"`
	}{newErrorBody(errcode.OK, ""), current.value, int(current.expires.Sub(r.now).Seconds())})
}

// decode reads a JSON body.
func (r *apiRequest) decode(into any) errcode.Code {
	if len(r.body) == 0 {
		return errcode.EmptyBody
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		return errcode.JSON
	}

	return errcode.OK
}

// decodeText is decode for a body with texts that people read, in which WeChat wants the characters themselves: \uXXXX is
// refused.
func (r *apiRequest) decodeText(into any) errcode.Code {
	if code := r.decode(into); code != errcode.OK {
		return code
	}
	if hasUnicodeEscape(r.body) {
		return errcode.Charset
	}

	return errcode.OK
}
