package issuer

import (
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
)

// FuzzParse: any answer is either a usable token or a fault, which never shows the secret.
func FuzzParse(f *testing.F) {
	const secret = "app-s3cret"
	for _, seed := range []string{
		`{"access_token":"ACCESS_TOKEN","expires_in":7200}`,
		`{"errcode":40013,"errmsg":"invalid appid rid: 1"}`,
		`{"errcode":40125,"errmsg":"app-s3cret\u0000"}`,
		`{"errcode":0,"access_token":1,"expires_in":"x"}`,
		`{"access_token":"a b","expires_in":1e3}`,
		`[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		issued, err := call{name: "access_token", hidden: []config.Secret{config.NewSecret(secret)}}.parse(body, "access_token", atTokenEndpoint)
		switch {
		case err == nil:
			if issued.Value.Reveal() == "" || strings.ContainsAny(issued.Value.Reveal(), " \r\n") || issued.Life <= 0 || issued.Life > maxLife {
				t.Errorf("issued %q for %v", issued.Value.Reveal(), issued.Life)
			}
		case fault.KindOf(err) == fault.Internal:
			t.Errorf("error %v has no kind", err)
		case strings.Contains(err.Error(), secret), strings.ContainsAny(err.Error(), "\r\n"):
			t.Errorf("error = %q", err)
		}
	})
}
