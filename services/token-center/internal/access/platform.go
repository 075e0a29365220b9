package access

import (
	"context"

	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/caller"
)

// Platforms implements PlatformService by what another one does, for callers to whom the callers file grants
// caller.Platform on the platform's own account. Who speaks for a platform speaks about all its authorizers.
type Platforms struct {
	tokenv1.UnimplementedPlatformServiceServer
	gate

	next tokenv1.PlatformServiceServer
}

// NewPlatforms returns Platforms before next that write refusals to trail.
func NewPlatforms(next tokenv1.PlatformServiceServer, trail *Trail) *Platforms {
	return &Platforms{gate: gate{trail}, next: next}
}

// StoreVerifyTicket implements PlatformService.
func (p *Platforms) StoreVerifyTicket(
	ctx context.Context, req *tokenv1.StoreVerifyTicketRequest,
) (*tokenv1.StoreVerifyTicketResponse, error) {
	if err := p.manage(ctx, &req.ComponentAppId); err != nil {
		return nil, err
	}
	return p.next.StoreVerifyTicket(ctx, req)
}

// CreatePreAuthCode implements PlatformService.
func (p *Platforms) CreatePreAuthCode(
	ctx context.Context, req *tokenv1.CreatePreAuthCodeRequest,
) (*tokenv1.CreatePreAuthCodeResponse, error) {
	if err := p.manage(ctx, &req.ComponentAppId); err != nil {
		return nil, err
	}
	return p.next.CreatePreAuthCode(ctx, req)
}

// ExchangeAuthorizationCode implements PlatformService.
func (p *Platforms) ExchangeAuthorizationCode(
	ctx context.Context, req *tokenv1.ExchangeAuthorizationCodeRequest,
) (*tokenv1.ExchangeAuthorizationCodeResponse, error) {
	if err := p.manage(ctx, &req.ComponentAppId); err != nil {
		return nil, err
	}
	return p.next.ExchangeAuthorizationCode(ctx, req)
}

// RevokeAuthorization implements PlatformService.
func (p *Platforms) RevokeAuthorization(
	ctx context.Context, req *tokenv1.RevokeAuthorizationRequest,
) (*tokenv1.RevokeAuthorizationResponse, error) {
	if err := p.manage(ctx, &req.ComponentAppId); err != nil {
		return nil, err
	}
	return p.next.RevokeAuthorization(ctx, req)
}

// manage refuses who may not act for the platform.
func (p *Platforms) manage(ctx context.Context, appID *string) error {
	who := caller.FromContext(ctx)
	return p.check(ctx, who, appID, caller.Platform, who.MayManage)
}
