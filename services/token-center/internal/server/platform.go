package server

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/platform"
)

// Platforms implements PlatformService.
type Platforms struct {
	tokenv1.UnimplementedPlatformServiceServer

	current atomic.Pointer[[]*platform.Desk]
}

// NewPlatforms returns a server for the desks of all platforms, which may be none.
func NewPlatforms(desks []*platform.Desk) *Platforms {
	s := new(Platforms)
	s.Replace(desks)
	return s
}

// Replace puts the desks of other platforms in force. A call that has begun ends at the desk where it began.
func (s *Platforms) Replace(desks []*platform.Desk) { s.current.Store(&desks) }

// find returns the platform meant by appID; an empty one means the only platform.
func (s *Platforms) find(appID string) (*platform.Desk, error) {
	desks := *s.current.Load()
	if appID == "" && len(desks) == 1 {
		return desks[0], nil
	}
	for _, d := range desks {
		if d.AppID == appID {
			return d, nil
		}
	}
	if appID == "" {
		return nil, fault.New(fault.Invalid, "component_app_id: required, because %d platforms are configured", len(desks))
	}
	return nil, fault.New(fault.NotFound, "component_app_id: the accounts file (WX_ACCOUNTS_FILE) has no account %q of the kind platform",
		credential.ShownAppID(appID))
}

// StoreVerifyTicket implements PlatformService.
func (s *Platforms) StoreVerifyTicket(ctx context.Context, req *tokenv1.StoreVerifyTicketRequest) (*tokenv1.StoreVerifyTicketResponse, error) {
	d, err := s.find(req.GetComponentAppId())
	if err != nil {
		return nil, err
	}
	ticket, err := required("verify_ticket", req.GetVerifyTicket())
	if err != nil {
		return nil, err
	}
	made := time.Now()
	if req.GetCreateTime() != nil {
		made = req.GetCreateTime().AsTime()
	}
	if err := d.StoreTicket(ctx, ticket, made); err != nil {
		return nil, err
	}
	return &tokenv1.StoreVerifyTicketResponse{}, nil
}

// CreatePreAuthCode implements PlatformService.
func (s *Platforms) CreatePreAuthCode(ctx context.Context, req *tokenv1.CreatePreAuthCodeRequest) (*tokenv1.CreatePreAuthCodeResponse, error) {
	d, err := s.find(req.GetComponentAppId())
	if err != nil {
		return nil, err
	}
	code, err := d.PreAuthCode(ctx)
	if err != nil {
		return nil, err
	}
	return &tokenv1.CreatePreAuthCodeResponse{PreAuthCode: code.Value.Reveal(), ExpiresIn: durationpb.New(code.Life)}, nil
}

// ExchangeAuthorizationCode implements PlatformService.
func (s *Platforms) ExchangeAuthorizationCode(
	ctx context.Context, req *tokenv1.ExchangeAuthorizationCodeRequest,
) (*tokenv1.ExchangeAuthorizationCodeResponse, error) {
	d, err := s.find(req.GetComponentAppId())
	if err != nil {
		return nil, err
	}
	code, err := required("authorization_code", req.GetAuthorizationCode())
	if err != nil {
		return nil, err
	}
	granted, configured, err := d.Exchange(ctx, code)
	if err != nil {
		return nil, err
	}
	return &tokenv1.ExchangeAuthorizationCodeResponse{
		AuthorizerAppId: granted.AppID, FunctionIds: granted.Functions, Configured: configured,
	}, nil
}

// RevokeAuthorization implements PlatformService.
func (s *Platforms) RevokeAuthorization(
	ctx context.Context, req *tokenv1.RevokeAuthorizationRequest,
) (*tokenv1.RevokeAuthorizationResponse, error) {
	d, err := s.find(req.GetComponentAppId())
	if err != nil {
		return nil, err
	}
	if err := d.Revoke(ctx, req.GetAuthorizerAppId()); err != nil {
		return nil, err
	}
	return &tokenv1.RevokeAuthorizationResponse{}, nil
}

// required refuses what cannot be a ticket or a code, without repeating it.
func required(field, value string) (config.Secret, error) {
	const longest = 4096
	if value == "" || len(value) > longest || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return config.Secret{}, fault.New(fault.Invalid, "%s: required; it is the text that WeChat gave, at most %d printable characters", field, longest)
	}
	return config.NewSecret(value), nil
}
