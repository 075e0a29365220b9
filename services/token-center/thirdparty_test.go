package tokencenter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	tokencenter "github.com/wxstack/wxstack/services/token-center"
	"github.com/wxstack/wxstack/services/token-center/internal/redistest"
)

const (
	testPlatform   = "wx00000000000000d0"
	testAuthorizer = "wx00000000000000d1"
)

// thirdParty is WeChat's interfaces for third-party platforms. Component tokens die when another is
// issued, refresh tokens rotate, codes are good for one use.
type thirdParty struct {
	*httptest.Server

	mu        sync.Mutex
	serial    int
	ticket    string
	component string
	refresh   string // of testAuthorizer; empty: not authorised.
	codes     map[string]bool
	asked     map[string]int
}

func newThirdParty(t *testing.T) *thirdParty {
	t.Helper()
	p := &thirdParty{codes: map[string]bool{}, asked: map[string]int{}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *thirdParty) serve(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, "bad", http.StatusBadRequest)
		return
	}
	req := map[string]string{}
	for name, value := range body {
		req[name] = fmt.Sprint(value)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	api := strings.TrimPrefix(r.URL.Path, "/cgi-bin/component/")
	p.asked[api]++
	code, answer := p.answer(api, r.URL.Query().Get("component_access_token"), req)
	if code != 0 {
		// A platform that repeats all secrets is the worst case.
		answer = fmt.Sprintf(`{"errcode":%d,"errmsg":"refused %s rid: 1-2-3"}`, code, strings.Join(values(req), " "))
	}
	_, _ = fmt.Fprint(w, answer)
}

func values(req map[string]string) []string {
	var all []string
	for _, v := range req {
		all = append(all, v)
	}
	return all
}

func (p *thirdParty) answer(api, token string, req map[string]string) (code int, answer string) {
	if req["component_appid"] != testPlatform {
		return 40013, ""
	}
	if api == "api_component_token" {
		switch {
		case req["component_appsecret"] != testSecret:
			return 40125, ""
		case req["component_verify_ticket"] != p.ticket:
			return 61006, ""
		}
		p.component = p.next("component")
		return 0, fmt.Sprintf(`{"component_access_token":%q,"expires_in":7200}`, p.component)
	}
	if token != p.component {
		return 40001, ""
	}
	switch api {
	case "api_create_preauthcode":
		return 0, fmt.Sprintf(`{"pre_auth_code":%q,"expires_in":1800}`, p.next("pre"))
	case "api_query_auth":
		if !p.codes[req["authorization_code"]] {
			return 61009, ""
		}
		delete(p.codes, req["authorization_code"])
		p.refresh = p.next("refresh")
		return 0, fmt.Sprintf(`{"authorization_info":{"authorizer_appid":%q,"authorizer_access_token":%q,"expires_in":7200,
			"authorizer_refresh_token":%q,"func_info":[{"funcscope_category":{"id":1}},{"funcscope_category":{"id":15}}]}}`,
			testAuthorizer, p.next("token"), p.refresh)
	case "api_get_authorizer_list":
		if p.refresh == "" {
			return 0, `{"total_count":0,"list":[]}`
		}
		return 0, fmt.Sprintf(`{"total_count":1,"list":[{"authorizer_appid":%q,"refresh_token":%q,"auth_time":1}]}`, testAuthorizer, p.refresh)
	case "api_authorizer_token":
		if req["authorizer_appid"] != testAuthorizer || p.refresh == "" {
			return 61003, ""
		}
		if req["authorizer_refresh_token"] != p.refresh {
			return 61023, ""
		}
		p.refresh = p.next("refresh")
		return 0, fmt.Sprintf(`{"authorizer_access_token":%q,"expires_in":7200,"authorizer_refresh_token":%q}`, p.next("token"), p.refresh)
	}
	return 40066, ""
}

func (p *thirdParty) next(what string) string {
	p.serial++
	return fmt.Sprintf("live-%s-%d", what, p.serial)
}

func (p *thirdParty) set(change func(*thirdParty)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *thirdParty) count(api string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[api]
}

// thirdPartyReplica is a replica with both services.
type thirdPartyReplica struct {
	*replica
	tokenv1.PlatformServiceClient
}

func startThirdParty(t *testing.T, cfg tokencenter.Config) *thirdPartyReplica {
	t.Helper()
	r := startReplica(t, cfg)
	conn, err := rpc.Dial(r.addr, telemetry.Discard(), rpc.TLS{}, rpc.Never)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &thirdPartyReplica{r, tokenv1.NewPlatformServiceClient(conn)}
}

func thirdPartyConfig(t *testing.T, p *thirdParty, redisURL string) tokencenter.Config {
	t.Helper()
	return tokencenter.Config{
		ListenAddr: "127.0.0.1:0", APIBaseURL: []string{p.URL}, Redis: redisconn.Config{URL: redisURL},
		StorageKeyFile: file(t, "key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
		AccountsFile: file(t, "accounts.yaml", fmt.Sprintf(`accounts:
  - {app_id: %s, original_id: gh_1, platform: %s}
  - {app_id: %s, kind: platform, app_secret_file: %s}
`, testAuthorizer, testPlatform, testPlatform, file(t, "secret", testSecret))),
	}
}

// scene is a platform with one authorizer, played from its first ticket to the withdrawal.
type scene struct {
	*thirdPartyReplica

	cfg tokencenter.Config
	p   *thirdParty
	// log is that of replicas that were stopped.
	log strings.Builder
}

var (
	askComponent  = &tokenv1.GetTokenRequest{AppId: testPlatform, Kind: tokenv1.TokenKind_TOKEN_KIND_COMPONENT_ACCESS_TOKEN}
	askAuthorizer = &tokenv1.GetTokenRequest{AppId: testAuthorizer}
)

func (s *scene) restart(t *testing.T) {
	t.Helper()
	s.end()
	s.thirdPartyReplica = startThirdParty(t, s.cfg)
}

func (s *scene) end() {
	s.stop()
	s.log.WriteString(s.thirdPartyReplica.log.String())
}

func TestAPlatformActsForTheAccountsThatHaveAuthorisedIt(t *testing.T) {
	t.Parallel()
	client, server := redistest.Mini(t)
	p := newThirdParty(t)
	s := &scene{p: p, cfg: thirdPartyConfig(t, p, "redis://"+server.Addr())}
	if err := s.cfg.Check(); err != nil {
		t.Fatal(err)
	}
	s.thirdPartyReplica = startThirdParty(t, s.cfg)
	ctx := testContext(t)
	s.withoutATicketNothingWorks(t)
	s.aTicketBringsTheComponentToken(t)
	s.eachPreAuthCodeIsNew(t)
	token := s.aCodeBringsTheAccountsToken(t)
	s.renewalsSurviveRestarts(t, token)
	s.aStoreThatLostAllIsFilledAgain(t, func() { client.FlushAll(ctx) })
	s.aWithdrawalEndsTheToken(t)

	list, err := s.ListAccounts(ctx, &tokenv1.ListAccountsRequest{})
	if err != nil || list.GetAccounts()[0].GetTokenApi() != "authorizer" || list.GetAccounts()[1].GetTokenApi() != "component" {
		t.Errorf("accounts %v, %v", list, err)
	}
	s.end()
	for where, text := range map[string]string{"log": s.log.String(), "list": list.String(), "Redis": server.Dump()} {
		if strings.Contains(text, "live-") || strings.Contains(text, testSecret) {
			t.Errorf("the %s shows a credential:\n%s", where, text)
		}
	}
	if keys := client.Keys(ctx, "wx:{"+testAuthorizer+"}:token:*").Val(); len(keys) == 0 {
		t.Error("nothing of the authorizer is in Redis")
	}
}

// withoutATicketNothingWorks: WeChat is not asked, and the remedy is told.
func (s *scene) withoutATicketNothingWorks(t *testing.T) {
	t.Helper()
	for _, req := range []*tokenv1.GetTokenRequest{askComponent, askAuthorizer} {
		_, err := s.GetToken(testContext(t), req)
		if fault.KindOf(fault.FromStatus(err)) != fault.Precondition || !strings.Contains(err.Error(), "授权事件接收URL") {
			t.Errorf("%s without a ticket: %v", req.GetAppId(), err)
		}
	}
	if n := s.p.count("api_component_token"); n != 0 {
		t.Errorf("%d requests without a ticket", n)
	}
}

// aTicketBringsTheComponentToken at once; an older ticket that comes late changes nothing.
func (s *scene) aTicketBringsTheComponentToken(t *testing.T) {
	t.Helper()
	ctx, now := testContext(t), time.Now()
	s.p.set(func(p *thirdParty) { p.ticket = "live-ticket-2" })
	for _, ticket := range []*tokenv1.StoreVerifyTicketRequest{
		{VerifyTicket: "live-ticket-2", CreateTime: timestamppb.New(now)},
		{VerifyTicket: "live-ticket-1", CreateTime: timestamppb.New(now.Add(-10 * time.Minute))},
	} {
		if _, err := s.StoreVerifyTicket(ctx, ticket); err != nil {
			t.Fatal(err)
		}
	}
	got := eventually(t, ctx, func() (*tokenv1.GetTokenResponse, error) { return s.GetToken(ctx, askComponent) })
	if !strings.HasPrefix(got.GetToken().GetValue(), "live-component-") {
		t.Errorf("component token of generation %d", got.GetToken().GetGeneration())
	}
}

// eachPreAuthCodeIsNew, and a component token that somebody else replaced is healed.
func (s *scene) eachPreAuthCodeIsNew(t *testing.T) {
	t.Helper()
	seen := map[string]bool{}
	for range 3 {
		code, err := s.CreatePreAuthCode(testContext(t), &tokenv1.CreatePreAuthCodeRequest{})
		if err != nil || seen[code.GetPreAuthCode()] || code.GetExpiresIn().AsDuration() != 30*time.Minute {
			t.Fatalf("pre_auth_code for %v, %v", code.GetExpiresIn(), err)
		}
		seen[code.GetPreAuthCode()] = true
		s.p.set(func(p *thirdParty) { p.component = p.next("component of somebody else") })
	}
}

func (s *scene) aCodeBringsTheAccountsToken(t *testing.T) *tokenv1.Token {
	t.Helper()
	ctx := testContext(t)
	// The platform's own token was replaced a moment ago, so the first questions may fail for that.
	refusal := eventually(t, ctx, func() (*fault.Error, error) {
		_, err := s.GetToken(ctx, askAuthorizer)
		if known, ok := errors.AsType[*fault.Error](fault.FromStatus(err)); ok && known.Kind() != fault.Unavailable {
			return known, nil
		}
		return nil, fmt.Errorf("before the authorisation: %w", err)
	})
	if refusal.Kind() != fault.Precondition || !strings.Contains(refusal.Error(), "authorise") {
		t.Errorf("before the authorisation: %v", refusal)
	}
	s.p.set(func(p *thirdParty) { p.codes["live-code"] = true })
	exchange := &tokenv1.ExchangeAuthorizationCodeRequest{ComponentAppId: testPlatform, AuthorizationCode: "live-code"}
	granted, err := s.ExchangeAuthorizationCode(ctx, exchange)
	if err != nil || granted.GetAuthorizerAppId() != testAuthorizer || !granted.GetConfigured() || len(granted.GetFunctionIds()) != 2 {
		t.Fatalf("granted %v, %v", granted, err)
	}
	_, err = s.ExchangeAuthorizationCode(ctx, exchange)
	if fault.KindOf(fault.FromStatus(err)) != fault.Precondition || strings.Contains(err.Error(), "live-code") {
		t.Errorf("a code that was used: %v", err)
	}
	return eventually(t, ctx, func() (*tokenv1.GetTokenResponse, error) { return s.GetToken(ctx, askAuthorizer) }).GetToken()
}

// renewalsSurviveRestarts: each time the refresh token of the answer before is the one that works.
func (s *scene) renewalsSurviveRestarts(t *testing.T, token *tokenv1.Token) {
	t.Helper()
	for range 2 {
		s.restart(t)
		next, err := s.RefreshToken(testContext(t), &tokenv1.RefreshTokenRequest{
			AppId: testAuthorizer, Rejected: &tokenv1.RefreshTokenRequest_RejectedGeneration{RejectedGeneration: token.GetGeneration()},
		})
		if err != nil || next.GetToken().GetValue() == token.GetValue() || next.GetToken().GetGeneration() <= token.GetGeneration() {
			t.Fatalf("renewed to generation %d, %v", next.GetToken().GetGeneration(), err)
		}
		token = next.GetToken()
	}
	if n := s.p.count("api_authorizer_token"); n != 2 {
		t.Errorf("%d renewals", n)
	}
}

// aStoreThatLostAllIsFilledAgain: with all replicas gone, WeChat's list still has the refresh token.
func (s *scene) aStoreThatLostAllIsFilledAgain(t *testing.T, lose func()) {
	t.Helper()
	ctx, before := testContext(t), s.p.count("api_get_authorizer_list")
	s.end()
	lose()
	s.thirdPartyReplica = startThirdParty(t, s.cfg)
	if _, err := s.StoreVerifyTicket(ctx, &tokenv1.StoreVerifyTicketRequest{VerifyTicket: "live-ticket-2"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, ctx, func() (*tokenv1.GetTokenResponse, error) { return s.GetToken(ctx, askAuthorizer) })
	if s.p.count("api_get_authorizer_list") == before {
		t.Error("the list was not asked for, so where does the token come from?")
	}
}

// aWithdrawalEndsTheToken, and WeChat is not asked again.
func (s *scene) aWithdrawalEndsTheToken(t *testing.T) {
	t.Helper()
	ctx, before := testContext(t), s.p.count("api_authorizer_token")
	s.p.set(func(p *thirdParty) { p.refresh = "" })
	if _, err := s.RevokeAuthorization(ctx, &tokenv1.RevokeAuthorizationRequest{AuthorizerAppId: testAuthorizer}); err != nil {
		t.Fatal(err)
	}
	err := eventually(t, ctx, func() (error, error) {
		_, err := s.GetToken(ctx, askAuthorizer)
		if err == nil {
			return nil, fault.New(fault.Internal, "the token is still handed out")
		}
		return err, nil
	})
	if fault.KindOf(fault.FromStatus(err)) != fault.Precondition {
		t.Errorf("after the withdrawal: %v", err)
	}
	if n := s.p.count("api_authorizer_token"); n != before {
		t.Errorf("%d renewals after the withdrawal", n-before)
	}
}

func TestBadRequestsToPlatformsAreNamed(t *testing.T) {
	t.Parallel()
	_, server := redistest.Mini(t)
	ctx := testContext(t)
	r := startThirdParty(t, thirdPartyConfig(t, newThirdParty(t), "redis://"+server.Addr()))
	ticket := func(platform, ticket string, made time.Time) error {
		_, err := r.StoreVerifyTicket(ctx, &tokenv1.StoreVerifyTicketRequest{ComponentAppId: platform, VerifyTicket: ticket, CreateTime: timestamppb.New(made)})
		return err
	}
	exchange := func(code string) error {
		_, err := r.ExchangeAuthorizationCode(ctx, &tokenv1.ExchangeAuthorizationCodeRequest{AuthorizationCode: code})
		return err
	}
	revoke := func(appID string) error {
		_, err := r.RevokeAuthorization(ctx, &tokenv1.RevokeAuthorizationRequest{AuthorizerAppId: appID})
		return err
	}
	now := time.Now()
	tests := map[string]struct {
		err  error
		kind fault.Kind
		text string
	}{
		"unknown platform":   {ticket("wx9", "live-x", now), fault.NotFound, "component_app_id"},
		"not a platform":     {ticket(testAuthorizer, "live-x", now), fault.NotFound, "component_app_id"},
		"no ticket":          {ticket("", "", now), fault.Invalid, "verify_ticket"},
		"ticket with breaks": {ticket("", "live-\nx", now), fault.Invalid, "verify_ticket"},
		"of the future":      {ticket("", "live-x", now.Add(time.Hour)), fault.Invalid, "create_time"},
		"no code":            {exchange(""), fault.Invalid, "authorization_code"},
		"not an authorizer":  {revoke(testPlatform), fault.NotFound, "authorizer_app_id"},
	}
	for name, tt := range tests {
		if err := fault.FromStatus(tt.err); err == nil || fault.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "live-") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
