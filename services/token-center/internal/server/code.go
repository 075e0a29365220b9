package server

import (
	"context"
	"errors"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

// Codes gives the codes of an account's users for WeChat's answer.
type Codes interface {
	Web(ctx context.Context, code config.Secret) ([]byte, error)
	MiniProgram(ctx context.Context, code config.Secret) ([]byte, error)
}

// ExchangeCode implements TokenService.
func (s *Server) ExchangeCode(ctx context.Context, req *tokenv1.ExchangeCodeRequest) (*tokenv1.ExchangeCodeResponse, error) {
	a, err := s.current.Load().find(req.GetAppId())
	if err != nil {
		return nil, err
	}
	if a.Codes == nil {
		return nil, fault.New(fault.Invalid, "app_id: %s, whose tokens come from %s, has no AppSecret here, which users' codes take", a.AppID, a.TokenAPI)
	}
	code, err := required("code", req.GetCode())
	if err != nil {
		return nil, err
	}
	exchange := a.Codes.Web
	switch req.GetKind() {
	case tokenv1.CodeKind_CODE_KIND_UNSPECIFIED, tokenv1.CodeKind_CODE_KIND_WEB:
	case tokenv1.CodeKind_CODE_KIND_MINI_PROGRAM:
		exchange = a.Codes.MiniProgram
	default:
		return nil, fault.New(fault.Invalid, "kind: %v is not known here; use WEB or MINI_PROGRAM", req.GetKind())
	}
	answer, err := exchange(ctx, code)
	if errors.Is(err, credential.ErrUncertain) {
		// Not Unavailable: a client would send the code again, which is used up.
		return nil, fault.Wrap(fault.Deadline, err, "WeChat did not answer; the code may be used up, so let the user authorise again")
	}
	if err != nil {
		return nil, err
	}
	return &tokenv1.ExchangeCodeResponse{Answer: answer}, nil
}
