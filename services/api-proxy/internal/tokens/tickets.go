package tokens

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"

	"github.com/wxstack/wxstack/services/api-proxy/internal/credential"
)

// ticketAge is how long a ticket is used without asking token-center again. It renews tickets long before their
// end, and an old one stays good until its own.
const ticketAge = time.Minute

// Tickets gives the tickets that token-center keeps. It is safe for concurrent use.
type Tickets struct {
	client tokenv1.TokenServiceClient

	mu    sync.Mutex
	known map[ticketKey]ticket
}

type ticketKey struct {
	appID string
	kind  tokenv1.TokenKind
}

type ticket struct {
	value credential.Token
	asked time.Time
}

// NewTickets makes Tickets that hold none yet.
func NewTickets(client tokenv1.TokenServiceClient) *Tickets {
	return &Tickets{client: client, known: map[ticketKey]ticket{}}
}

// Ticket returns the account's ticket of a type of WeChat's: jsapi (JS-SDK) or wx_card (卡券). The error is a
// fault.Error or the context's.
func (t *Tickets) Ticket(ctx context.Context, appID, kind string) (credential.Token, error) {
	kinds := map[string]tokenv1.TokenKind{
		"jsapi": tokenv1.TokenKind_TOKEN_KIND_JSAPI_TICKET, "wx_card": tokenv1.TokenKind_TOKEN_KIND_WX_CARD_TICKET,
	}
	key := ticketKey{appID, kinds[kind]}
	if key.kind == tokenv1.TokenKind_TOKEN_KIND_UNSPECIFIED {
		return credential.Token{}, fault.New(fault.Invalid, "parameter type: %.32q is neither jsapi nor wx_card", kind)
	}
	if known, ok := t.find(key); ok && time.Since(known.asked) < ticketAge && known.value.Valid(time.Now()) {
		return known.value, nil
	}
	resp, err := t.client.GetToken(ctx, &tokenv1.GetTokenRequest{AppId: appID, Kind: key.kind}, grpc.WaitForReady(false))
	if err != nil {
		return credential.Token{}, unavailable(appID, err)
	}
	now := time.Now()
	value := credential.Token{
		AppID: appID, Value: config.NewSecret(resp.GetToken().GetValue()), Generation: resp.GetToken().GetGeneration(),
		Expires: now.Add(resp.GetToken().GetExpiresIn().AsDuration()),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[key] = ticket{value, now}
	return value, nil
}

func (t *Tickets) find(key ticketKey) (ticket, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, ok := t.known[key]
	return known, ok
}
