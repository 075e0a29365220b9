package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/issuer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "app-s3cret"

func open(t *testing.T, api credential.API, hosts ...string) *issuer.Account {
	t.Helper()
	client, err := issuer.NewClient(hosts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client.Account(api, "wx1", config.NewSecret(secret))
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// TestTheRequestIsTheOneOfTheDocumentation pins both requests to 获取接口调用凭据 and 获取稳定版接口调用凭据.
func TestTheRequestIsTheOneOfTheDocumentation(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		api   credential.API
		force bool
		want  string
	}{
		"stable": {credential.Stable, false,
			`POST /cgi-bin/stable_token application/json {"appid":"wx1","force_refresh":false,"grant_type":"client_credential","secret":"app-s3cret"}`},
		"stable forced": {credential.Stable, true,
			`POST /cgi-bin/stable_token application/json {"appid":"wx1","force_refresh":true,"grant_type":"client_credential","secret":"app-s3cret"}`},
		"classic": {credential.Classic, false, `GET /cgi-bin/token?appid=wx1&grant_type=client_credential&secret=app-s3cret  `},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := make(chan string, 1)
			host := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				requests <- fmt.Sprintf("%s %s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"), body)
				_, _ = io.WriteString(w, `{"access_token":"ACCESS_TOKEN","expires_in":7200}`)
			})
			got, err := open(t, tt.api, host).Issue(t.Context(), tt.force)
			if err != nil {
				t.Fatal(err)
			}
			if got.Value.Reveal() != "ACCESS_TOKEN" || got.Life != 7200*time.Second {
				t.Errorf("issued %q for %v", got.Value.Reveal(), got.Life)
			}
			if diff := cmp.Diff(tt.want, <-requests); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryFailureHasAKindAndARemedyAndNoSecret(t *testing.T) {
	t.Parallel()
	refusal := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			// A platform that repeats the secret is the worst case.
			_, _ = fmt.Fprintf(w, `{"errcode":%d,"errmsg":"bad %s rid: 1-2-3"}`, code, secret)
		}
	}
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	}
	tests := map[string]struct {
		handler   http.HandlerFunc
		kind      fault.Kind
		uncertain bool
		text      string
	}{
		"busy":                   {refusal(-1), fault.Unavailable, false, "errcode -1"},
		"secret wrong":           {refusal(40001), fault.Precondition, false, "AppSecret"},
		"appid wrong":            {refusal(40013), fault.Precondition, false, "AppID"},
		"secret invalid":         {refusal(40125), fault.Precondition, false, "AppSecret"},
		"address":                {refusal(40164), fault.Precondition, false, "IP白名单"},
		"secret frozen":          {refusal(40243), fault.Precondition, false, "解冻"},
		"daily quota":            {refusal(45009), fault.QuotaSpent, false, "接口调用次数清零"},
		"too frequent":           {refusal(45011), fault.Throttled, false, "45011"},
		"no right":               {refusal(48001), fault.Precondition, false, "48001"},
		"forbidden":              {refusal(50004), fault.Precondition, false, "50004"},
		"account frozen":         {refusal(50007), fault.Precondition, false, "50007"},
		"address unconfirmed":    {refusal(89503), fault.Precondition, false, "89503"},
		"unheard of":             {refusal(77777), fault.Precondition, false, "77777"},
		"not JSON":               {text("<html>"), fault.Unavailable, true, "JSON"},
		"empty":                  {text(""), fault.Unavailable, true, "JSON"},
		"no token":               {text(`{"expires_in":7200}`), fault.Unavailable, true, "access_token"},
		"token with a newline":   {text(`{"access_token":"a\nb","expires_in":7200}`), fault.Unavailable, true, "access_token"},
		"no life":                {text(`{"access_token":"x"}`), fault.Unavailable, true, "expires_in"},
		"negative life":          {text(`{"access_token":"x","expires_in":-1}`), fault.Unavailable, true, "expires_in"},
		"endless life":           {text(`{"access_token":"x","expires_in":99999999999}`), fault.Unavailable, true, "expires_in"},
		"too long":               {text(`{"access_token":"` + strings.Repeat("x", 70_000) + `","expires_in":1}`), fault.Unavailable, true, "longer"},
		"not 200":                {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, fault.Unavailable, true, "502"},
		"redirect":               {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, fault.Unavailable, true, "302"},
		"dropped without a word": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fault.Unavailable, true, "did not answer"},
	}
	for name, tt := range tests {
		for _, api := range []credential.API{credential.Stable, credential.Classic} {
			t.Run(name+"/"+string(api), func(t *testing.T) {
				t.Parallel()
				_, err := open(t, api, serve(t, tt.handler)).Issue(t.Context(), false)
				if err == nil || fault.KindOf(err) != tt.kind {
					t.Fatalf("error %v is %v, want %v", err, fault.KindOf(err), tt.kind)
				}
				if errors.Is(err, credential.ErrUncertain) != tt.uncertain {
					t.Errorf("uncertain = %v", !tt.uncertain)
				}
				if _, refused := errors.AsType[*credential.RefusalError](err); refused == tt.uncertain {
					t.Errorf("a verdict of WeChat's = %v", refused)
				}
				if !strings.Contains(err.Error(), tt.text) {
					t.Errorf("error %q does not say %q", err, tt.text)
				}
				if strings.Contains(err.Error(), secret) || strings.ContainsAny(err.Error(), "\n\r") {
					t.Errorf("error shows the secret or has several lines: %q", err)
				}
			})
		}
	}
}

func TestAnotherHostIsAskedOnlyWhenNoConnectionCanBeMade(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	var asked atomic.Int32
	second := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(w, `{"access_token":"second","expires_in":7200}`)
	})
	failing := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if got, err := open(t, credential.Classic, closed.URL, second).Issue(t.Context(), false); err != nil || got.Value.Reveal() != "second" {
		t.Errorf("issued %v, %v", got, err)
	}
	if _, err := open(t, credential.Stable, failing, second).Issue(t.Context(), false); !errors.Is(err, credential.ErrUncertain) {
		t.Errorf("error = %v", err)
	}
	if asked.Load() != 1 {
		t.Errorf("the second host was asked %d times, want once: a request that was sent must not be repeated", asked.Load())
	}
	_, err := open(t, credential.Classic, closed.URL, closed.URL).Issue(t.Context(), false)
	if fault.KindOf(err) != fault.Unavailable || !errors.Is(err, credential.ErrNotSent) || errors.Is(err, credential.ErrUncertain) || strings.Contains(err.Error(), secret) {
		t.Errorf("error = %v", err)
	}
}

func TestACancelledRequestIsUncertain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	host := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := open(t, credential.Classic, host).Issue(ctx, false)
	if !errors.Is(err, credential.ErrUncertain) || !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), secret) {
		t.Errorf("error = %v", err)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	remotes := make(chan string, 3)
	host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		remotes <- r.RemoteAddr
		_, _ = io.WriteString(w, `{"errcode":-1}`)
	})
	account := open(t, credential.Stable, host)
	for range cap(remotes) {
		_, _ = account.Issue(t.Context(), false)
	}
	if a, b, c := <-remotes, <-remotes, <-remotes; a != b || b != c {
		t.Errorf("three requests over %s, %s, %s", a, b, c)
	}
}
