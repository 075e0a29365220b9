package tokencenter_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/redistest"
	"github.com/wxstack/wxstack/wechat/jssdk"
)

func TestATicketIsGotWithTheAccountsTokenAndHealsIt(t *testing.T) {
	t.Parallel()
	client, server := redistest.Mini(t)
	p, ctx := newPlatform(t), testContext(t)
	r := startReplica(t, testConfig(t, p, "redis://"+server.Addr(), "stable"))
	if _, err := r.GetToken(ctx, &tokenv1.GetTokenRequest{}); err != nil {
		t.Fatal(err)
	}
	if n := p.ticketRequests(); n != 0 {
		t.Errorf("%d tickets fetched for nobody", n)
	}
	p.rotate() // the token in memory is dead, which the request for the ticket notices.
	for kind, want := range map[tokenv1.TokenKind]string{
		tokenv1.TokenKind_TOKEN_KIND_JSAPI_TICKET:   "live-ticket-jsapi",
		tokenv1.TokenKind_TOKEN_KIND_WX_CARD_TICKET: "live-ticket-wx_card",
	} {
		resp, err := r.GetToken(ctx, &tokenv1.GetTokenRequest{Kind: kind})
		if err != nil || resp.GetToken().GetValue() != want || resp.GetToken().GetKind() != kind {
			t.Errorf("%v: got %v %v, %v", kind, resp.GetToken().GetKind(), resp.GetToken().GetGeneration(), err)
		}
	}
	if n := p.ticketRequests(); n != 3 {
		t.Errorf("%d requests for two tickets, want 3: one was rejected", n)
	}
	if fetches, forced := p.counts(); fetches != 2 || forced != 0 {
		t.Errorf("%d tokens fetched, %d forced; want 2 and 0", fetches, forced)
	}
	list, err := r.ListAccounts(ctx, &tokenv1.ListAccountsRequest{})
	if err != nil || len(list.GetAccounts()[0].GetTokens()) != 3 || strings.Contains(list.String(), "live-") {
		t.Errorf("accounts = %v, %v", list, err)
	}
	// What stood in Redis before there were kinds stays where it was.
	for _, key := range []string{"wx:{" + testAppID + "}:token:access_token", "wx:{" + testAppID + "}:token:jsapi_ticket"} {
		if client.Exists(ctx, key).Val() != 1 {
			t.Errorf("%s is not in Redis: %v", key, client.Keys(ctx, "*").Val())
		}
	}
	r.stop()
	if log := r.log.String(); strings.Contains(log, "live-") || !strings.Contains(log, "jsapi_ticket") {
		t.Errorf("the log shows a credential, or nothing of the ticket:\n%s", log)
	}
}

func TestAPageIsSignedAndTheTicketStays(t *testing.T) {
	t.Parallel()
	_, server := redistest.Mini(t)
	p, ctx := newPlatform(t), testContext(t)
	r := startReplica(t, testConfig(t, p, "redis://"+server.Addr(), "stable"))
	const page = "https://example.com/page?code=user-code&state=1"
	seen := map[string]bool{}
	for range 20 {
		got, err := r.SignJSSDK(ctx, &tokenv1.SignJSSDKRequest{Url: page + "#/route"})
		if err != nil {
			t.Fatal(err)
		}
		want, err := jssdk.Sign(jssdk.Page{
			Ticket: "live-ticket-jsapi", NonceStr: got.GetNonceStr(), Timestamp: got.GetTimestamp(), URL: page,
		})
		if err != nil || got.GetSignature() != want || got.GetAppId() != testAppID {
			t.Errorf("signed %v, want %s, %v", got, want, err)
		}
		if strings.Contains(got.String(), "live-ticket") || seen[got.GetNonceStr()] {
			t.Errorf("the ticket left, or a nonce came twice: %v", got)
		}
		seen[got.GetNonceStr()] = true
	}
	if n := p.ticketRequests(); n != 1 {
		t.Errorf("%d tickets fetched for 20 signatures", n)
	}
	for _, bad := range []string{"", "#x", "example.com/user-code", "https://example.com/user code"} {
		_, err := r.SignJSSDK(ctx, &tokenv1.SignJSSDKRequest{AppId: testAppID, Url: bad})
		if fault.KindOf(fault.FromStatus(err)) != fault.Invalid || !strings.Contains(err.Error(), "url: ") || strings.Contains(err.Error(), "user") {
			t.Errorf("url %q: %v", bad, err)
		}
	}
	if _, err := r.SignJSSDK(ctx, &tokenv1.SignJSSDKRequest{AppId: "wx9", Url: page}); fault.KindOf(fault.FromStatus(err)) != fault.NotFound {
		t.Errorf("another account: %v", err)
	}
	r.stop()
	if log := r.log.String(); strings.Contains(log, "live-") || strings.Contains(log, "user-code") {
		t.Errorf("the log shows a ticket or a page:\n%s", log)
	}
}

// TestAMiniProgramNeedsNothingButAnEntry: mini programs (小程序) use the endpoints and rules of accounts.
func TestAMiniProgramNeedsNothingButAnEntry(t *testing.T) {
	t.Parallel()
	_, server := redistest.Mini(t)
	p, ctx := newPlatform(t), testContext(t)
	cfg := testConfig(t, p, "redis://"+server.Addr(), "stable")
	cfg.AccountsFile = file(t, "accounts.yaml", fmt.Sprintf(
		"accounts:\n  - {app_id: %s, original_id: gh_1, kind: mini_program, app_secret_file: %s}\n",
		testAppID, file(t, "secret", testSecret)))
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	got, err := startReplica(t, cfg).GetToken(ctx, &tokenv1.GetTokenRequest{AppId: testAppID})
	if err != nil || got.GetToken().GetValue() != "live-token-1" {
		t.Errorf("generation %d, %v", got.GetToken().GetGeneration(), err)
	}
}

func TestWeChatWorkHasATokenAndATicketOfItsOwn(t *testing.T) {
	t.Parallel()
	_, server := redistest.Mini(t)
	elsewhere, p, ctx := newPlatform(t), newPlatform(t), testContext(t)
	cfg := testConfig(t, elsewhere, "redis://"+server.Addr(), "stable")
	cfg.WorkAPIBaseURL = []string{p.URL}
	cfg.AccountsFile = file(t, "accounts.yaml", fmt.Sprintf(
		"accounts:\n  - {app_id: %s, kind: work, app_secret_file: %s}\n", testCorpID, file(t, "secret", testSecret)))
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	r := startReplica(t, cfg)
	if _, err := r.GetToken(ctx, &tokenv1.GetTokenRequest{}); fault.KindOf(fault.FromStatus(err)) != fault.Invalid || !strings.Contains(err.Error(), "WORK_ACCESS_TOKEN") {
		t.Errorf("a company's token was taken for an account's: %v", err)
	}
	got, err := r.GetToken(ctx, &tokenv1.GetTokenRequest{Kind: tokenv1.TokenKind_TOKEN_KIND_WORK_ACCESS_TOKEN})
	if err != nil || got.GetToken().GetAppId() != testCorpID || got.GetToken().GetValue() != "live-token-1" {
		t.Fatalf("got %v", err)
	}
	if _, err := r.SignJSSDK(ctx, &tokenv1.SignJSSDKRequest{Url: "https://example.com/"}); err != nil {
		t.Error(err)
	}
	if n := p.ticketRequests(); n != 1 {
		t.Errorf("%d tickets", n)
	}
	if _, err := r.GetToken(ctx, &tokenv1.GetTokenRequest{Kind: tokenv1.TokenKind_TOKEN_KIND_WX_CARD_TICKET}); fault.KindOf(fault.FromStatus(err)) != fault.Invalid {
		t.Errorf("a kind that companies do not have: %v", err)
	}
	list, err := r.ListAccounts(ctx, &tokenv1.ListAccountsRequest{})
	if a := list.GetAccounts(); err != nil || len(a) != 1 || a[0].GetKind() != "work" || a[0].GetTokenApi() != "work" {
		t.Errorf("accounts %v, %v", list, err)
	}
	if fetches, _ := elsewhere.counts(); fetches != 0 {
		t.Error("the company's Secret went to the hosts of Official Accounts")
	}
}
