package issuer

import (
	"context"
	"net/http"
	"net/url"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

// Issuer asks for one credential of one account.
type Issuer struct {
	client *Client
	// form makes the call that asks.
	form func(credential.Request) call
	// field holds the value in the answer.
	field string
	// judge makes a fault of a refusal.
	judge judge
}

// Issue asks for a value. Its failures are those of Client; one that is credential.ErrParentRejected
// may succeed with another value of the parent.
func (i *Issuer) Issue(ctx context.Context, req credential.Request) (credential.Issued, error) {
	call := i.form(req)
	body, err := i.client.send(ctx, call)
	if err != nil {
		return credential.Issued{}, err
	}
	return call.parse(body, i.field, i.judge)
}

const (
	accessToken = "access_token"
	grantType   = "client_credential"
)

// Stable returns the issuer of POST /cgi-bin/stable_token. A forced request makes a new token, and the
// present one dies at once; WeChat allows that 20 times a day, 30 s apart.
func (c *Client) Stable(appID string, secret config.Secret) *Issuer {
	return &Issuer{client: c, field: accessToken, judge: atTokenEndpoint, form: func(req credential.Request) call {
		return call{
			name: accessToken, method: http.MethodPost, path: "/cgi-bin/stable_token", hidden: []config.Secret{secret},
			body: map[string]any{
				"grant_type": grantType, "appid": appID, "secret": secret.Reveal(), "force_refresh": req.Force,
			},
		}
	}}
}

// Classic returns the issuer of GET /cgi-bin/token, which makes a new token at every request.
func (c *Client) Classic(appID string, secret config.Secret) *Issuer {
	return &Issuer{client: c, field: accessToken, judge: atTokenEndpoint, form: func(credential.Request) call {
		return call{
			name: accessToken, method: http.MethodGet, path: "/cgi-bin/token", hidden: []config.Secret{secret},
			query: url.Values{"grant_type": {grantType}, "appid": {appID}, "secret": {secret.Reveal()}},
		}
	}}
}

// Ticket returns the issuer of GET /cgi-bin/ticket/getticket for a type of tickets: jsapi or wx_card. The
// parent is the account's access token.
func (c *Client) Ticket(kind string) *Issuer {
	name := kind + " ticket"
	return &Issuer{client: c, field: "ticket", judge: withParent, form: func(req credential.Request) call {
		return call{
			name: name, method: http.MethodGet, path: "/cgi-bin/ticket/getticket", hidden: []config.Secret{req.Parent},
			query: url.Values{"access_token": {req.Parent.Reveal()}, "type": {kind}},
		}
	}}
}

// Work returns the issuer of WeChat Work's GET /cgi-bin/gettoken, for a client of its hosts. The secret is
// that of an application (应用) of the company's.
func (c *Client) Work(corpID string, secret config.Secret) *Issuer {
	return &Issuer{client: c, field: accessToken, judge: atTokenEndpoint, form: func(credential.Request) call {
		return call{
			name: accessToken, method: http.MethodGet, path: "/cgi-bin/gettoken", hidden: []config.Secret{secret},
			query: url.Values{"corpid": {corpID}, "corpsecret": {secret.Reveal()}},
		}
	}}
}

// WorkTicket returns the issuer of WeChat Work's GET /cgi-bin/get_jsapi_ticket. The parent is the
// application's access token.
func (c *Client) WorkTicket() *Issuer {
	return &Issuer{client: c, field: "ticket", judge: withParent, form: func(req credential.Request) call {
		return call{
			name: "jsapi ticket", method: http.MethodGet, path: "/cgi-bin/get_jsapi_ticket", hidden: []config.Secret{req.Parent},
			query: url.Values{"access_token": {req.Parent.Reveal()}},
		}
	}}
}
