package tokens

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"

	"github.com/wxstack/wxstack/services/api-proxy/internal/credential"
)

// onDemand asks token-center for credentials that few calls need, and keeps each for a while. token-center renews
// them long before their end, and an old one stays good until its own, or until WeChat rejects it.
type onDemand struct {
	client tokenv1.TokenServiceClient
	age    time.Duration

	mu    sync.Mutex
	known map[demand]held
}

type demand struct {
	appID string
	kind  tokenv1.TokenKind
}

type held struct {
	value credential.Token
	asked time.Time
}

func newOnDemand(client tokenv1.TokenServiceClient, age time.Duration) *onDemand {
	return &onDemand{client: client, age: age, known: map[demand]held{}}
}

// get returns the credential. The error is a fault.Error or the context's.
func (o *onDemand) get(ctx context.Context, d demand) (credential.Token, error) {
	if known, ok := o.find(d); ok && time.Since(known.asked) < o.age && known.value.Valid(time.Now()) {
		return known.value, nil
	}
	resp, err := o.client.GetToken(ctx, &tokenv1.GetTokenRequest{AppId: d.appID, Kind: d.kind}, grpc.WaitForReady(false))
	if err != nil {
		return credential.Token{}, unavailable(d.appID, err)
	}
	return o.keep(d, resp.GetToken()), nil
}

// renew returns a newer credential than the one that WeChat rejected.
func (o *onDemand) renew(ctx context.Context, d demand, rejected credential.Token) (credential.Token, error) {
	if known, ok := o.find(d); ok && !same(known.value, rejected) {
		return known.value, nil
	}
	resp, err := o.client.RefreshToken(ctx, &tokenv1.RefreshTokenRequest{
		AppId: d.appID, Kind: d.kind, Rejected: &tokenv1.RefreshTokenRequest_RejectedGeneration{RejectedGeneration: rejected.Generation},
	}, grpc.WaitForReady(false))
	if err != nil {
		return credential.Token{}, unavailable(d.appID, err)
	}
	newer := o.keep(d, resp.GetToken())
	if same(newer, rejected) {
		return credential.Token{}, fault.New(fault.Unavailable, "token-center has no newer one than generation %d", rejected.Generation)
	}
	return newer, nil
}

func (o *onDemand) keep(d demand, sent *tokenv1.Token) credential.Token {
	now := time.Now()
	value := tokenOf(sent, now)
	value.AppID = d.appID
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known[d] = held{value, now}
	return value
}

func (o *onDemand) find(d demand) (held, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known, ok := o.known[d]
	return known, ok
}
