package issuer

import (
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
)

// FuzzParseAuthorization: any answer is either usable in full or a fault, which never shows the code.
func FuzzParseAuthorization(f *testing.F) {
	const secret = "code-s3cret"
	for _, seed := range []string{
		`{"authorization_info":{"authorizer_appid":"wx1","authorizer_access_token":"A","expires_in":7200,"authorizer_refresh_token":"R",` +
			`"func_info":[{"funcscope_category":{"id":1}}]}}`,
		`{"authorization_info":{"authorizer_appid":"wx{1}","authorizer_access_token":"A","expires_in":7200,"authorizer_refresh_token":"R"}}`,
		`{"errcode":61009,"errmsg":"code-s3cret\u0000"}`,
		`{"authorization_info":[]}`, `{}`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := call{name: "authorization", hidden: []config.Secret{config.NewSecret(secret)}}.parseAuthorization(body)
		switch {
		case err == nil:
			if !isAppID(got.AppID) || got.AccessToken.Value.Reveal() == "" || got.AccessToken.Life <= 0 || got.RefreshToken.Reveal() == "" {
				t.Errorf("granted %+v", got)
			}
		case fault.KindOf(err) == fault.Internal:
			t.Errorf("error %v has no kind", err)
		case strings.Contains(err.Error(), secret), strings.ContainsAny(err.Error(), "\r\n"):
			t.Errorf("error = %q", err)
		}
	})
}
