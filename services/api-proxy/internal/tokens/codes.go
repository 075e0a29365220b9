package tokens

import (
	"context"

	"google.golang.org/grpc"

	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
)

// Codes lets token-center give users' codes for WeChat's answer.
type Codes struct{ client tokenv1.TokenServiceClient }

// NewCodes makes Codes.
func NewCodes(client tokenv1.TokenServiceClient) *Codes { return &Codes{client} }

// Web gives a code of a web page (网页授权). The error is a fault.Error or the context's.
func (c *Codes) Web(ctx context.Context, appID, code string) ([]byte, error) {
	return c.exchange(ctx, appID, code, tokenv1.CodeKind_CODE_KIND_WEB)
}

// MiniProgram gives a code of a mini program (小程序登录).
func (c *Codes) MiniProgram(ctx context.Context, appID, code string) ([]byte, error) {
	return c.exchange(ctx, appID, code, tokenv1.CodeKind_CODE_KIND_MINI_PROGRAM)
}

func (c *Codes) exchange(ctx context.Context, appID, code string, kind tokenv1.CodeKind) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	resp, err := c.client.ExchangeCode(ctx, &tokenv1.ExchangeCodeRequest{AppId: appID, Code: code, Kind: kind}, grpc.WaitForReady(false))
	if err != nil {
		return nil, brief(err)
	}
	return resp.GetAnswer(), nil
}
