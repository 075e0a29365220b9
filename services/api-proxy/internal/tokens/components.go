package tokens

import (
	"context"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"

	"github.com/wxstack/wxstack/services/api-proxy/internal/credential"
)

// componentAge is how long a component_access_token is used without asking token-center again.
const componentAge = 5 * time.Minute

// Components gives the tokens of third-party platforms (第三方平台, component_access_token). It is safe for
// concurrent use.
type Components struct{ kept *onDemand }

// NewComponents makes Components that hold no token yet.
func NewComponents(client tokenv1.TokenServiceClient) *Components {
	return &Components{newOnDemand(client, componentAge)}
}

func component(appID string) demand {
	return demand{appID, tokenv1.TokenKind_TOKEN_KIND_COMPONENT_ACCESS_TOKEN}
}

// Account returns the component AppID, once token-center knows it.
func (c *Components) Account(ctx context.Context, asked string) (string, error) {
	if asked == "" {
		return "", fault.New(fault.Invalid, "a call of a third-party platform has to name it: by its component_access_token of this proxy's, header X-WX-AppID, or field app_id")
	}
	token, err := c.Token(ctx, asked)
	return token.AppID, err
}

// Token returns the platform's token. The error is a fault.Error or the context's.
func (c *Components) Token(ctx context.Context, appID string) (credential.Token, error) {
	return c.kept.get(ctx, component(appID))
}

// Renew reports a token that WeChat rejected and returns a newer one.
func (c *Components) Renew(ctx context.Context, rejected credential.Token) (credential.Token, error) {
	return c.kept.renew(ctx, component(rejected.AppID), rejected)
}
