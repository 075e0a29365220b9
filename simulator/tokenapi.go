package simulator

import (
	"crypto/subtle"
	"encoding/json"
	"time"
)

// tokenBody is the answer of both token endpoints.
type tokenBody struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
}

func newTokenBody(issued *token, now time.Time) tokenBody {
	return tokenBody{AccessToken: issued.value, ExpiresIn: int(issued.remaining(now).Seconds())}
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
	if code != codeOK {
		return refuse(code)
	}
	if refusal, may := r.mayFetch(account); !may {
		return refusal
	}
	issued, code := account.tokens.classic(r.now)

	return p.answerToken(r, issued, code)
}

// getStableToken serves POST /cgi-bin/stable_token.
func (p *Platform) getStableToken(r *apiRequest) apiAnswer {
	var asked credentials
	if code := r.decode(&asked); code != codeOK {
		return refuse(code)
	}
	account, code := p.authenticate(r, asked)
	if code != codeOK {
		return refuse(code)
	}
	if refusal, may := r.mayFetch(account); !may {
		return refusal
	}
	var issued *token
	if asked.ForceRefresh {
		issued, code = account.tokens.force(r.now)
	} else {
		issued, code = account.tokens.stable(r.now)
	}

	return p.answerToken(r, issued, code)
}

func (p *Platform) answerToken(r *apiRequest, issued *token, code errcode) apiAnswer {
	if code != codeOK {
		return refuse(code)
	}
	r.generation = issued.generation
	r.hide(issued.value)
	p.state.hub.publish(topicState)

	return answer(newTokenBody(issued, r.now))
}

// authenticate checks the parameters in the order in which WeChat complains.
func (p *Platform) authenticate(r *apiRequest, asked credentials) (*accountState, errcode) {
	r.account = asked.AppID
	switch {
	case asked.AppID == "":
		return nil, codeAppIDMissing
	case asked.Secret == "":
		return nil, codeSecretMissing
	case asked.GrantType != grantClient:
		return nil, codeGrantType
	}
	if known, ok := p.state.accounts[asked.AppID]; ok && known.Kind == KindPlatform {
		return nil, codeComponentOnly
	}

	return p.authenticateAs(KindAccount, asked)
}

// authenticateAs finds the account of a kind and checks its secret.
func (p *Platform) authenticateAs(kind AccountKind, asked credentials) (*accountState, errcode) {
	account, known := p.state.accounts[asked.AppID]
	if !known || account.Kind != kind {
		return nil, codeAppID
	}
	if subtle.ConstantTimeCompare([]byte(asked.Secret), []byte(account.AppSecret)) != 1 {
		return nil, codeAppSecret
	}

	return account, codeOK
}

// getWorkToken serves WeChat Work's GET /cgi-bin/gettoken.
func (p *Platform) getWorkToken(r *apiRequest) apiAnswer {
	asked := credentials{AppID: r.query.Get("corpid"), Secret: r.query.Get("corpsecret")}
	r.account = asked.AppID
	switch {
	case asked.AppID == "":
		return refuse(codeAppIDMissing)
	case asked.Secret == "":
		return refuse(codeSecretMissing)
	}
	account, code := p.authenticateAs(KindWork, asked)
	if code == codeAppSecret {
		code = codeInvalidToken // WeChat Work's code for a wrong Secret.
	}
	if code != codeOK {
		return refuse(code)
	}
	issued := account.tokens.work(r.now)
	r.generation = issued.generation
	r.hide(issued.value)
	p.state.hub.publish(topicState)

	return answer(struct {
		errorBody
		tokenBody
	}{newErrorBody(codeOK, ""), newTokenBody(issued, r.now)})
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
		return refuse(codeArguments)
	}

	return p.answerTicket(r, kind)
}

// getWorkTicket serves WeChat Work's GET /cgi-bin/get_jsapi_ticket.
func (p *Platform) getWorkTicket(r *apiRequest) apiAnswer {
	if r.state.Kind != KindWork {
		return refuse(codeInvalidToken)
	}

	return p.answerWorkTicket(r, ticketJSAPI)
}

// getWorkAgentTicket serves WeChat Work's GET /cgi-bin/ticket/get?type=agent_config, the ticket of one application.
func (p *Platform) getWorkAgentTicket(r *apiRequest) apiAnswer {
	switch {
	case r.state.Kind != KindWork:
		return refuse(codeInvalidToken)
	case r.query.Get("type") != ticketAgent:
		return refuse(codeArguments)
	}

	return p.answerWorkTicket(r, ticketAgent)
}

// workTicketsPerHour is how often an application may ask for a ticket (企业微信, JS-SDK).
const workTicketsPerHour = 100

func (p *Platform) answerWorkTicket(r *apiRequest, kind string) apiAnswer {
	if !r.state.workTickets.take(r.now.Format("2006-01-02T15"), workTicketsPerHour) {
		return refuse(codeDailyQuota)
	}

	return p.answerTicket(r, kind)
}

func (p *Platform) answerTicket(r *apiRequest, kind string) apiAnswer {
	r.state.tokens.fetches.Tickets++
	current := r.state.tickets[kind]
	if !r.now.Before(current.expires) {
		if kind == ticketJSAPI {
			r.state.keepTicket(current)
		}
		current = ticket{value: "TICKET-" + newTokenValue(1)[2:], expires: r.now.Add(tokenLifetime)}
		r.state.tickets[kind] = current
	}
	r.hide(current.value)

	return answer(struct {
		errorBody

		Ticket    string `json:"ticket"`
		ExpiresIn int    `json:"expires_in"`
	}{newErrorBody(codeOK, ""), current.value, int(current.expires.Sub(r.now).Seconds())})
}

// decode reads a JSON body.
func (r *apiRequest) decode(into any) errcode {
	if len(r.body) == 0 {
		return codeEmptyBody
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		return codeJSON
	}

	return codeOK
}

// decodeText is decode for a body with texts that people read, in which WeChat wants the characters themselves: \uXXXX is
// refused.
func (r *apiRequest) decodeText(into any) errcode {
	if code := r.decode(into); code != codeOK {
		return code
	}
	if hasUnicodeEscape(r.body) {
		return codeCharset
	}

	return codeOK
}
