package issuer

import (
	"context"
	"net/http"
	"net/url"

	"github.com/wxstack/wxstack/chassis/config"
)

// Codes gives the codes of an account's users for what WeChat has for them.
type Codes struct {
	client *Client
	appID  string
	secret config.Secret
}

// Codes returns the Codes of an account.
func (c *Client) Codes(appID string, secret config.Secret) *Codes { return &Codes{c, appID, secret} }

// Web gives a code of 网页授权 and returns WeChat's answer, whatever its verdict. Failures are those of Client.
func (u *Codes) Web(ctx context.Context, code config.Secret) ([]byte, error) {
	return u.exchange(ctx, "/sns/oauth2/access_token", "code", code)
}

// MiniProgram does so with a code of 小程序登录.
func (u *Codes) MiniProgram(ctx context.Context, code config.Secret) ([]byte, error) {
	return u.exchange(ctx, "/sns/jscode2session", "js_code", code)
}

func (u *Codes) exchange(ctx context.Context, path, parameter string, code config.Secret) ([]byte, error) {
	return u.client.send(ctx, call{
		name: "tokens of a user", method: http.MethodGet, path: path, hidden: []config.Secret{u.secret, code},
		query: url.Values{
			"appid": {u.appID}, "secret": {u.secret.Reveal()}, parameter: {code.Reveal()}, "grant_type": {"authorization_code"},
		},
	})
}
