package issuer_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

// The requests are those of 网页授权 and 小程序登录.
func TestCodesAreGivenWithTheSecret(t *testing.T) {
	t.Parallel()
	requests := make(chan string, 2)
	host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests <- r.Method + " " + r.RequestURI
		_, _ = io.WriteString(w, `{"errcode":40163,"errmsg":"code been used"}`)
	})
	codes := client(t, host).Codes("wx1", config.NewSecret(secret))
	for want, exchange := range map[string]func() ([]byte, error){
		"GET /sns/oauth2/access_token?appid=wx1&code=c0de&grant_type=authorization_code&secret=" + secret: func() ([]byte, error) {
			return codes.Web(t.Context(), config.NewSecret("c0de"))
		},
		"GET /sns/jscode2session?appid=wx1&grant_type=authorization_code&js_code=c0de&secret=" + secret: func() ([]byte, error) {
			return codes.MiniProgram(t.Context(), config.NewSecret("c0de"))
		},
	} {
		answer, err := exchange()
		if got := <-requests; got != want || err != nil || !strings.Contains(string(answer), "40163") {
			t.Errorf("sent %s, want %s; answer %s, %v", got, want, answer, err)
		}
	}
}

func TestALostAnswerToACodeIsUncertainAndShowsNothing(t *testing.T) {
	t.Parallel()
	host := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err := client(t, host).Codes("wx1", config.NewSecret(secret)).Web(t.Context(), config.NewSecret("c0de"))
	if !errors.Is(err, credential.ErrUncertain) || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "c0de") {
		t.Errorf("error %v", err)
	}
}
