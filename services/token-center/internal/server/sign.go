package server

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/wechat/jssdk"
)

// SignJSSDK implements TokenService. The ticket stays here.
func (s *Server) SignJSSDK(ctx context.Context, req *tokenv1.SignJSSDKRequest) (*tokenv1.SignJSSDKResponse, error) {
	a, err := s.current.Load().find(req.GetAppId())
	if err != nil {
		return nil, err
	}
	keeper, err := a.keeper(credential.JSAPITicket)
	if err != nil {
		return nil, err
	}
	// A page that cannot be signed must not cost a ticket.
	if _, err := jssdk.SignedURL(req.GetUrl()); err != nil {
		return nil, fault.New(fault.Invalid, "%v", err)
	}
	ticket, err := keeper.Get(ctx)
	if err != nil {
		return nil, err
	}
	page := jssdk.Page{
		Ticket: ticket.Value.Reveal(), NonceStr: rand.Text(), Timestamp: time.Now().Unix(), URL: req.GetUrl(),
	}
	signature, err := jssdk.Sign(page)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%v", err)
	}
	return &tokenv1.SignJSSDKResponse{
		AppId: a.AppID, Timestamp: page.Timestamp, NonceStr: page.NonceStr, Signature: signature,
	}, nil
}
