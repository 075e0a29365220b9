package issuer_test

import (
	stdcmp "cmp"
	"context"
	"encoding/json"
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
	"github.com/wxstack/wxstack/chassis/egress"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/issuer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "app-s3cret"

// source is one of the two interfaces that give an access token to who has the secret.
type source func(c *issuer.Client, appID string, secret config.Secret) *issuer.Issuer

var (
	stable  source = (*issuer.Client).Stable
	classic source = (*issuer.Client).Classic
)

func client(t *testing.T, hosts ...string) *issuer.Client {
	t.Helper()
	c, err := issuer.NewClient(hosts, egress.Way{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func open(t *testing.T, from source, hosts ...string) *issuer.Issuer {
	t.Helper()
	return from(client(t, hosts...), "wx1", config.NewSecret(secret))
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
		from  source
		force bool
		want  string
	}{
		"stable": {stable, false,
			`POST /cgi-bin/stable_token application/json {"appid":"wx1","force_refresh":false,"grant_type":"client_credential","secret":"app-s3cret"}`},
		"stable forced": {stable, true,
			`POST /cgi-bin/stable_token application/json {"appid":"wx1","force_refresh":true,"grant_type":"client_credential","secret":"app-s3cret"}`},
		"classic": {classic, false, `GET /cgi-bin/token?appid=wx1&grant_type=client_credential&secret=app-s3cret  `},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := make(chan string, 1)
			host := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "api_get_authorizer_list") { // where one that is void is looked up.
					_, _ = io.WriteString(w, `{"total_count":0,"list":[]}`)
					return
				}
				body, _ := io.ReadAll(r.Body)
				requests <- fmt.Sprintf("%s %s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"), body)
				_, _ = io.WriteString(w, `{"access_token":"ACCESS_TOKEN","expires_in":7200}`)
			})
			got, err := open(t, tt.from, host).Issue(t.Context(), credential.Request{Force: tt.force})
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
		"busy":           {refusal(-1), fault.Unavailable, false, "errcode -1"},
		"secret wrong":   {refusal(40001), fault.Precondition, false, "AppSecret"},
		"appid wrong":    {refusal(40013), fault.Precondition, false, "AppID"},
		"secret invalid": {refusal(40125), fault.Precondition, false, "AppSecret"},
		"address":        {refusal(40164), fault.Precondition, false, "IP白名单"},
		"address that is named": {text(`{"errcode":40164,"errmsg":"invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist ` + secret + `"}`),
			fault.Precondition, false, "sent from 203.0.113.9;"},
		"address that is none":   {text(`{"errcode":40164,"errmsg":"invalid ip 203.0.113.999, not in whitelist"}`), fault.Precondition, false, "(ip_not_allowed);"},
		"request id":             {text(`{"errcode":40125,"errmsg":"invalid appsecret rid: 61725984-6126f6f9-040f19c4"}`), fault.Precondition, false, "rid 61725984-6126f6f9-040f19c4;"},
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
		for source, from := range map[string]source{"stable": stable, "classic": classic} {
			t.Run(name+"/"+source, func(t *testing.T) {
				t.Parallel()
				_, err := open(t, from, serve(t, tt.handler)).Issue(t.Context(), credential.Request{})
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
	if got, err := open(t, classic, closed.URL, second).Issue(t.Context(), credential.Request{}); err != nil || got.Value.Reveal() != "second" {
		t.Errorf("issued %v, %v", got, err)
	}
	if _, err := open(t, stable, failing, second).Issue(t.Context(), credential.Request{}); !errors.Is(err, credential.ErrUncertain) {
		t.Errorf("error = %v", err)
	}
	if asked.Load() != 1 {
		t.Errorf("the second host was asked %d times, want once: a request that was sent must not be repeated", asked.Load())
	}
	_, err := open(t, classic, closed.URL, closed.URL).Issue(t.Context(), credential.Request{})
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
	_, err := open(t, classic, host).Issue(ctx, credential.Request{})
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
	account := open(t, stable, host)
	for range cap(remotes) {
		_, _ = account.Issue(t.Context(), credential.Request{})
	}
	if a, b, c := <-remotes, <-remotes, <-remotes; a != b || b != c {
		t.Errorf("three requests over %s, %s, %s", a, b, c)
	}
}

func TestATicketIsAskedForWithItsParent(t *testing.T) {
	t.Parallel()
	const parent = "parent-s3cret"
	tests := map[string]struct {
		answer string
		kind   fault.Kind // empty: issued.
		cause  error
		text   string
	}{
		"issued":          {`{"errcode":0,"errmsg":"ok","ticket":"TICKET","expires_in":7200}`, "", nil, ""},
		"token not last":  {`{"errcode":40001,"errmsg":"invalid ` + parent + `"}`, fault.Unavailable, credential.ErrParentRejected, "40001"},
		"token malformed": {`{"errcode":40014,"errmsg":"x"}`, fault.Unavailable, credential.ErrParentRejected, "40014"},
		"token expired":   {`{"errcode":42001,"errmsg":"x"}`, fault.Unavailable, credential.ErrParentRejected, "42001"},
		"no right":        {`{"errcode":48001,"errmsg":"x"}`, fault.Precondition, nil, "接口权限"},
		"daily quota":     {`{"errcode":45009,"errmsg":"x"}`, fault.QuotaSpent, nil, "45009"},
		"no ticket":       {`{"errcode":0,"errmsg":"ok","expires_in":7200}`, fault.Unavailable, credential.ErrUncertain, "ticket"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := make(chan string, 1)
			host := serve(t, func(w http.ResponseWriter, r *http.Request) {
				requests <- r.Method + " " + r.URL.String()
				_, _ = io.WriteString(w, tt.answer)
			})
			got, err := client(t, host).Ticket("jsapi").Issue(t.Context(), credential.Request{Parent: config.NewSecret(parent)})
			if diff := cmp.Diff("GET /cgi-bin/ticket/getticket?access_token=parent-s3cret&type=jsapi", <-requests); diff != "" {
				t.Error(diff)
			}
			if tt.kind == "" {
				if err != nil || got.Value.Reveal() != "TICKET" || got.Life != 7200*time.Second {
					t.Errorf("issued %q for %v, %v", got.Value.Reveal(), got.Life, err)
				}
				return
			}
			if err == nil || fault.KindOf(err) != tt.kind || (tt.cause != nil && !errors.Is(err, tt.cause)) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error = %v", err)
			}
			if tt.cause == nil && errors.Is(err, credential.ErrParentRejected) {
				t.Errorf("blames the parent: %v", err)
			}
			if err != nil && strings.Contains(err.Error(), parent) {
				t.Errorf("error shows the parent: %v", err)
			}
		})
	}
}

// TestALostRefreshTokenIsLookedUp in WeChat's list, page by page.
func TestALostRefreshTokenIsLookedUp(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		kept     string // what is kept, which is void; empty: nothing.
		position int    // in the list; -1: not there.
		answer   string
		kind     fault.Kind // empty: issued.
		pages    int32
	}{
		"first page":    {"", 7, "", "", 1},
		"second page":   {"", 107, "", "", 2},
		"not there":     {"", -1, "", fault.Precondition, 3},
		"refused":       {"", -1, `{"errcode":40001}`, fault.Unavailable, 1},
		"no JSON":       {"", -1, `[]`, fault.Unavailable, 1},
		"void, newer":   {"old-s3cret", 7, "", "", 1},
		"void, same":    {"listed-old-s3cret", -1, `{"list":[{"authorizer_appid":"wx1","refresh_token":"listed-old-s3cret"}]}`, fault.Precondition, 1},
		"void, gone":    {"old-s3cret", -1, "", fault.Precondition, 3},
		"a wrong value": {"", -1, `{"list":[{"authorizer_appid":"wx1","refresh_token":7}]}`, fault.Precondition, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var pages atomic.Int32
			host := serve(t, func(w http.ResponseWriter, r *http.Request) {
				var req struct {
					Offset, Count int
					Refresh       string `json:"authorizer_refresh_token"`
				}
				_ = json.NewDecoder(r.Body).Decode(&req)
				switch {
				case req.Refresh == "listed-s3cret":
					_, _ = io.WriteString(w, `{"authorizer_access_token":"TOKEN","expires_in":7200,"authorizer_refresh_token":"next-s3cret"}`)
				case req.Refresh != "":
					_, _ = io.WriteString(w, `{"errcode":61023}`)
				default:
					pages.Add(1)
					_, _ = io.WriteString(w, stdcmp.Or(tt.answer, authorizers(req.Offset, req.Count, tt.position)))
				}
			})
			g := &granted{value: tt.kept}
			if tt.kept == "" {
				g.missing = fault.New(fault.Precondition, "authorise the platform")
			}
			got, err := client(t, host).Platform("wxp").Authorizer("wx1", g).Issue(t.Context(), credential.Request{})
			if n := pages.Load(); n != tt.pages {
				t.Errorf("%d pages", n)
			}
			switch {
			case tt.kind == "" && (err != nil || got.Value.Reveal() != "TOKEN" || g.value != "next-s3cret"):
				t.Errorf("issued %q, kept %q, %v", got.Value.Reveal(), g.value, err)
			case tt.kind != "" && (err == nil || fault.KindOf(err) != tt.kind || strings.Contains(err.Error(), "s3cret")):
				t.Errorf("error = %v", err)
			}
		})
	}
}

// authorizers is a page of a list of 250, in which wx1 is at a position.
func authorizers(offset, count, position int) string {
	var list []string
	for i := offset; i < min(offset+count, 250); i++ {
		appID, token := fmt.Sprintf("wxother%d", i), "other"
		if i == position {
			appID, token = "wx1", "listed-s3cret"
		}
		list = append(list, fmt.Sprintf(`{"authorizer_appid":%q,"refresh_token":%q,"auth_time":1}`, appID, token))
	}
	return `{"total_count":250,"list":[` + strings.Join(list, ",") + `]}`
}

// granted is a refresh token that is kept, or cannot be.
type granted struct {
	value   string
	missing error
	failing error
}

func (g *granted) Next(context.Context) (credential.Generation, error) { return 1, nil }

func (g *granted) Get(context.Context) (credential.Credential, error) {
	return credential.Credential{Value: config.NewSecret(g.value), Generation: 1}, g.missing
}

func (g *granted) Put(_ context.Context, _ credential.Generation, value config.Secret) error {
	g.value = value.Reveal()
	return g.failing
}

func TestAnAuthorizersTokenComesWithTheNextRefreshToken(t *testing.T) {
	t.Parallel()
	const good = `{"authorizer_access_token":"TOKEN","expires_in":7200,"authorizer_refresh_token":"next-s3cret"}`
	tests := map[string]struct {
		answer string
		grant  granted
		kind   fault.Kind // empty: issued.
		cause  error
		kept   string
	}{
		"issued":           {good, granted{}, "", nil, "next-s3cret"},
		"store is down":    {good, granted{missing: errors.New("redis")}, fault.Unavailable, credential.ErrNotSent, "old-s3cret"},
		"not kept":         {good, granted{failing: errors.New("redis")}, fault.Unavailable, credential.ErrUncertain, "next-s3cret"},
		"no refresh token": {`{"authorizer_access_token":"TOKEN","expires_in":7200}`, granted{}, fault.Unavailable, credential.ErrUncertain, "old-s3cret"},
		"void":             {`{"errcode":61023,"errmsg":"old-s3cret is invalid"}`, granted{}, fault.Precondition, nil, "old-s3cret"},
		"withdrawn":        {`{"errcode":61003,"errmsg":"x"}`, granted{}, fault.Precondition, nil, "old-s3cret"},
		"component token":  {`{"errcode":40001,"errmsg":"parent-s3cret"}`, granted{}, fault.Unavailable, credential.ErrParentRejected, "old-s3cret"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := make(chan string, 1)
			host := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "api_get_authorizer_list") { // where one that is void is looked up.
					_, _ = io.WriteString(w, `{"total_count":0,"list":[]}`)
					return
				}
				body, _ := io.ReadAll(r.Body)
				requests <- fmt.Sprintf("%s %s %s", r.Method, r.URL, body)
				_, _ = io.WriteString(w, tt.answer)
			})
			tt.grant.value = "old-s3cret"
			got, err := client(t, host).Platform("wxp").Authorizer("wx1", &tt.grant).
				Issue(t.Context(), credential.Request{Parent: config.NewSecret("parent-s3cret")})
			if tt.grant.missing == nil {
				const want = "POST /cgi-bin/component/api_authorizer_token?component_access_token=parent-s3cret " +
					`{"authorizer_appid":"wx1","authorizer_refresh_token":"old-s3cret","component_appid":"wxp"}`
				if diff := cmp.Diff(want, <-requests); diff != "" {
					t.Error(diff)
				}
			}
			if tt.grant.value != tt.kept {
				t.Errorf("kept %q", tt.grant.value)
			}
			if tt.kind == "" {
				if err != nil || got.Value.Reveal() != "TOKEN" {
					t.Errorf("issued %q, %v", got.Value.Reveal(), err)
				}
				return
			}
			if err == nil || fault.KindOf(err) != tt.kind || (tt.cause != nil && !errors.Is(err, tt.cause)) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error = %v", err)
			}
		})
	}
}
