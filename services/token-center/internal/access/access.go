// Package access stands before the services: it lets each caller have what it may have, and writes down
// who took what.
//
// Every method is listed here. One that is not is answered as unimplemented, so that a new method of the
// contract is closed until somebody has decided who may call it.
package access

import (
	"context"
	"strings"

	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/caller"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

// Server implements TokenService by what another one does. The caller is the one that the context knows
// (see caller.NewContext); without one everything is refused.
type Server struct {
	tokenv1.UnimplementedTokenServiceServer

	gate

	next tokenv1.TokenServiceServer
}

// New returns a Server before next that writes to trail.
func New(next tokenv1.TokenServiceServer, trail *Trail) *Server {
	return &Server{gate: gate{trail}, next: next}
}

// GetToken implements TokenService.
func (s *Server) GetToken(ctx context.Context, req *tokenv1.GetTokenRequest) (*tokenv1.GetTokenResponse, error) {
	who := caller.FromContext(ctx)
	if err := s.permit(ctx, who, &req.AppId, req.GetKind()); err != nil {
		return nil, err
	}
	resp, err := s.next.GetToken(ctx, req)
	if err != nil {
		return nil, err
	}
	s.trail.took(ctx, who, resp.GetToken())
	return resp, nil
}

// RefreshToken implements TokenService. Whoever may have a token may say that WeChat rejected it.
func (s *Server) RefreshToken(ctx context.Context, req *tokenv1.RefreshTokenRequest) (*tokenv1.RefreshTokenResponse, error) {
	who := caller.FromContext(ctx)
	if err := s.permit(ctx, who, &req.AppId, req.GetKind()); err != nil {
		return nil, err
	}
	resp, err := s.next.RefreshToken(ctx, req)
	if err != nil {
		return nil, err
	}
	s.trail.report(ctx, who, req, resp.GetToken())
	s.trail.took(ctx, who, resp.GetToken())
	return resp, nil
}

// WatchToken implements TokenService. Who asks for every account gets those that it may have.
func (s *Server) WatchToken(req *tokenv1.WatchTokenRequest, stream grpc.ServerStreamingServer[tokenv1.WatchTokenResponse]) error {
	ctx := stream.Context()
	who := caller.FromContext(ctx)
	if !who.MayHaveKind(req.GetKind()) {
		return s.forbid(ctx, who, caller.KindName(req.GetKind()), req.GetAppIds()...)
	}
	for _, appID := range req.GetAppIds() {
		if err := s.permit(ctx, who, &appID, req.GetKind()); err != nil {
			return err
		}
	}
	return s.next.WatchToken(req, &watch{stream, who, s.trail})
}

// watch is a stream that passes on no more than its caller may have.
type watch struct {
	grpc.ServerStreamingServer[tokenv1.WatchTokenResponse]

	who   caller.Caller
	trail *Trail
}

// Send implements the stream.
func (w *watch) Send(resp *tokenv1.WatchTokenResponse) error {
	token := resp.GetToken()
	if !w.who.MayHave(token.GetAppId(), token.GetKind()) {
		return nil
	}
	if err := w.ServerStreamingServer.Send(resp); err != nil {
		return err
	}
	w.trail.took(w.Context(), w.who, token)
	return nil
}

// SignJSSDK implements TokenService. Whoever may have the ticket may have signatures by it.
func (s *Server) SignJSSDK(ctx context.Context, req *tokenv1.SignJSSDKRequest) (*tokenv1.SignJSSDKResponse, error) {
	if err := s.permit(ctx, caller.FromContext(ctx), &req.AppId, tokenv1.TokenKind_TOKEN_KIND_JSAPI_TICKET); err != nil {
		return nil, err
	}
	return s.next.SignJSSDK(ctx, req)
}

// ExchangeCode implements TokenService.
func (s *Server) ExchangeCode(ctx context.Context, req *tokenv1.ExchangeCodeRequest) (*tokenv1.ExchangeCodeResponse, error) {
	who := caller.FromContext(ctx)
	if err := s.check(ctx, who, &req.AppId, caller.OAuth, who.MayExchange); err != nil {
		return nil, err
	}
	return s.next.ExchangeCode(ctx, req)
}

// ListAccounts implements TokenService.
func (s *Server) ListAccounts(ctx context.Context, req *tokenv1.ListAccountsRequest) (*tokenv1.ListAccountsResponse, error) {
	resp, err := s.next.ListAccounts(ctx, req)
	if err != nil {
		return nil, err
	}
	who, shown := caller.FromContext(ctx), &tokenv1.ListAccountsResponse{}
	for _, account := range resp.GetAccounts() {
		if who.MaySee(account.GetAppId()) {
			shown.Accounts = append(shown.Accounts, account)
		}
	}
	return shown, nil
}

// Diagnose implements TokenService. Nobody is told about accounts that it may not see, nor makes WeChat be
// asked about them.
func (s *Server) Diagnose(ctx context.Context, req *tokenv1.DiagnoseRequest) (*tokenv1.DiagnoseResponse, error) {
	who := caller.FromContext(ctx)
	for _, appID := range req.GetAppIds() {
		if !who.MaySee(appID) {
			return nil, s.forbid(ctx, who, caller.KindName(tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN), appID)
		}
	}
	if appIDs, all := who.Accounts(); len(req.GetAppIds()) == 0 && !all {
		if len(appIDs) == 0 {
			return nil, s.forbid(ctx, who, caller.KindName(tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN))
		}
		req = &tokenv1.DiagnoseRequest{AppIds: appIDs}
	}
	return s.next.Diagnose(ctx, req)
}

// gate refuses what callers may not have, and writes it down.
type gate struct{ trail *Trail }

// permit refuses credentials that who may not have.
func (g gate) permit(ctx context.Context, who caller.Caller, appID *string, kind tokenv1.TokenKind) error {
	return g.check(ctx, who, appID, caller.KindName(kind), func(appID string) bool { return who.MayHave(appID, kind) })
}

// check refuses what who is not granted of an account. An account that is left out is filled in where who may
// ask for one only. Whether an account that who may not have exists is nobody's business.
func (g gate) check(ctx context.Context, who caller.Caller, appID *string, kind string, granted func(appID string) bool) error {
	if appIDs, all := who.Accounts(); *appID == "" && !all {
		switch len(appIDs) {
		case 0:
		case 1:
			*appID = appIDs[0]
		default:
			return fault.New(fault.Invalid, "app_id: required, because caller %q may ask for %d accounts", who.Name, len(appIDs))
		}
	}
	if !granted(*appID) {
		return g.forbid(ctx, who, kind, *appID)
	}
	return nil
}

// forbid writes the refusal down. What it shows of the accounts is what may be shown.
func (g gate) forbid(ctx context.Context, who caller.Caller, kind string, appIDs ...string) error {
	shown := make([]string, 0, len(appIDs))
	for _, appID := range appIDs {
		shown = append(shown, credential.ShownAppID(appID))
	}
	appID := strings.Join(shown, ", ")
	g.trail.deny(ctx, who, appID, kind)
	return fault.New(fault.Forbidden,
		"caller %q may not have the %s of account %q; if it should, add them to its entry in the callers file of token-center (WX_CALLERS_FILE)",
		who.Name, kind, appID)
}
