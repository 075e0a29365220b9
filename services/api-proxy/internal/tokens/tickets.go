package tokens

import (
	"context"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"

	"github.com/wxstack/wxstack/services/api-proxy/internal/credential"
)

// ticketAge is how long a ticket is used without asking token-center again.
const ticketAge = time.Minute

// Tickets gives the tickets that token-center keeps. It is safe for concurrent use.
type Tickets struct{ kept *onDemand }

// NewTickets makes Tickets that hold none yet.
func NewTickets(client tokenv1.TokenServiceClient) *Tickets {
	return &Tickets{newOnDemand(client, ticketAge)}
}

// Ticket returns the account's ticket of a type of WeChat's: jsapi (JS-SDK) or wx_card (卡券). The error is a
// fault.Error or the context's.
func (t *Tickets) Ticket(ctx context.Context, appID, kind string) (credential.Token, error) {
	kinds := map[string]tokenv1.TokenKind{
		"jsapi": tokenv1.TokenKind_TOKEN_KIND_JSAPI_TICKET, "wx_card": tokenv1.TokenKind_TOKEN_KIND_WX_CARD_TICKET,
	}
	known, ok := kinds[kind]
	if !ok {
		return credential.Token{}, fault.New(fault.Invalid, "parameter type: %.32q is neither jsapi nor wx_card", kind)
	}
	return t.kept.get(ctx, demand{appID, known})
}
