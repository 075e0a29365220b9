package tokencenter_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/redistest"
)

// rewrite replaces a file as an editor does.
func rewrite(t *testing.T, path, content string) {
	t.Helper()
	beside := path + ".new"
	if err := os.WriteFile(beside, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(beside, path); err != nil {
		t.Fatal(err)
	}
}

// An AppSecret is reset at WeChat, and then in its file: the wrong one is not tried again before that, and
// the right one at once, without a restart.
func TestAResetAppSecretIsTakenFromItsFile(t *testing.T) {
	t.Parallel()
	_, server := redistest.Mini(t)
	p, ctx := newPlatform(t), testContext(t)
	secret := file(t, "secret", "the former secret")
	cfg := testConfig(t, p, "redis://"+server.Addr(), "stable")
	rewrite(t, cfg.AccountsFile, fmt.Sprintf("accounts:\n  - {app_id: %s, original_id: gh_1, app_secret_file: %s}\n", testAppID, secret))
	r := startReplica(t, cfg)
	stream, err := r.WatchToken(ctx, &tokenv1.WatchTokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := r.GetToken(ctx, &tokenv1.GetTokenRequest{}); fault.KindOf(err) != fault.Precondition {
			t.Fatalf("error = %v", err)
		}
	}
	if fetches, _ := p.counts(); fetches != 1 {
		t.Errorf("%d fetches with the former secret", fetches)
	}
	rewrite(t, secret, testSecret)
	got := eventually(t, ctx, func() (*tokenv1.GetTokenResponse, error) { return r.GetToken(ctx, &tokenv1.GetTokenRequest{}) })
	if fetches, _ := p.counts(); fetches != 2 {
		t.Errorf("%d fetches, want one with each secret", fetches)
	}
	if seen := receive(t, stream); seen.GetValue() != got.GetToken().GetValue() {
		t.Errorf("a watcher from before has generation %d, not %d", seen.GetGeneration(), got.GetToken().GetGeneration())
	}
	r.stop()
	for _, hidden := range []string{"the former secret", testSecret, "live-token-"} {
		if strings.Contains(r.log.String(), hidden) {
			t.Errorf("%q is in the log", hidden)
		}
	}
}

// Accounts come and go; what is wrong changes nothing; and nobody fetches because of it, even without Redis.
func TestAccountsComeAndGoWithoutARestart(t *testing.T) {
	t.Parallel()
	_, server := redistest.Real(t)
	p, ctx := newPlatform(t), testContext(t)
	cfg := testConfig(t, p, server.URL(), "stable")
	secret := filepath.Join(filepath.Dir(cfg.AccountsFile), "secret")
	rewrite(t, secret, testSecret)
	const second = "wx00000000000000c2"
	entry := func(appID string) string {
		return fmt.Sprintf("  - {app_id: %s, original_id: gh_%s, app_secret_file: %s}\n", appID, appID, secret)
	}
	rewrite(t, cfg.AccountsFile, "accounts:\n"+entry(testAppID))
	r := startReplica(t, cfg)
	first, err := r.GetToken(ctx, &tokenv1.GetTokenRequest{AppId: testAppID})
	if err != nil {
		t.Fatal(err)
	}
	server.Stop() // what is in memory is all there is.

	list := func() int {
		resp, err := r.ListAccounts(ctx, &tokenv1.ListAccountsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return len(resp.GetAccounts())
	}
	listed := func(n int) {
		t.Helper()
		eventually(t, ctx, func() (int, error) {
			if got := list(); got != n {
				return 0, fmt.Errorf("%d accounts are listed, want %d", got, n) //nolint:err113 // only read.
			}
			return n, nil
		})
	}
	rewrite(t, cfg.AccountsFile, "accounts:\n"+entry(testAppID)+entry(second))
	listed(2)
	got, err := r.GetToken(ctx, &tokenv1.GetTokenRequest{AppId: testAppID})
	if err != nil || got.GetToken().GetValue() != first.GetToken().GetValue() {
		t.Errorf("the account that stayed has generation %d, %v", got.GetToken().GetGeneration(), err)
	}
	if _, err := r.GetToken(ctx, &tokenv1.GetTokenRequest{AppId: second}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("the new account without Redis: %v", err)
	}
	rewrite(t, cfg.AccountsFile, "accounts: nonsense\n")
	eventually(t, ctx, func() (int, error) {
		report, _ := r.tel.Health.Report()
		if !strings.Contains(report.Components["accounts"], "stay in force") {
			return 0, fmt.Errorf("health: %v", report.Components) //nolint:err113 // only read.
		}
		return 0, nil
	})
	listed(2)
	rewrite(t, cfg.AccountsFile, "accounts:\n"+entry(testAppID))
	listed(1)
	if _, err := r.GetToken(ctx, &tokenv1.GetTokenRequest{AppId: second}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the account that is gone: %v", err)
	}
	if fetches, _ := p.counts(); fetches != 1 {
		t.Errorf("%d fetches", fetches)
	}
	if report, _ := r.tel.Health.Report(); report.Components["token "+second] != "up" {
		t.Errorf("an account that is gone is still down: %v", report.Components)
	}
}

// A platform and its authorizers are replaced as a whole too, and what they were given goes with them: after
// an edit the refresh token is in memory still, although Redis has lost it.
func TestAnAuthorizerComesAndKeepsItsGrantWithoutARestart(t *testing.T) {
	t.Parallel()
	client, server := redistest.Mini(t)
	p, ctx := newThirdParty(t), testContext(t)
	p.set(func(p *thirdParty) { p.ticket = "live-ticket"; p.codes["live-code"] = true })
	cfg := thirdPartyConfig(t, p, "redis://"+server.Addr())
	platformOnly := fmt.Sprintf("accounts:\n  - {app_id: %s, kind: platform, app_secret_file: %s}\n", testPlatform, file(t, "secret", testSecret))
	both := platformOnly + fmt.Sprintf("  - {app_id: %s, original_id: gh_1, platform: %s}\n", testAuthorizer, testPlatform)
	rewrite(t, cfg.AccountsFile, platformOnly)
	r := startThirdParty(t, cfg)
	if _, err := r.StoreVerifyTicket(ctx, &tokenv1.StoreVerifyTicketRequest{VerifyTicket: "live-ticket"}); err != nil {
		t.Fatal(err)
	}
	edited := func(yaml string) {
		t.Helper()
		before := strings.Count(r.log.String(), "in force")
		rewrite(t, cfg.AccountsFile, yaml)
		eventually(t, ctx, func() (int, error) {
			if strings.Count(r.log.String(), "in force") == before {
				return 0, errors.New("the edit has not been noticed") //nolint:err113 // only read.
			}
			return 0, nil
		})
	}
	edited(both)
	// Its keeper has asked in vain, and leaves WeChat alone while the code is exchanged.
	if _, err := r.GetToken(ctx, askAuthorizer); fault.KindOf(err) != fault.Precondition {
		t.Fatalf("before the authorisation: %v", err)
	}
	granted, err := r.ExchangeAuthorizationCode(ctx, &tokenv1.ExchangeAuthorizationCodeRequest{AuthorizationCode: "live-code"})
	if err != nil || !granted.GetConfigured() {
		t.Fatalf("exchange: %v, %v", granted, err)
	}
	first := eventually(t, ctx, func() (*tokenv1.GetTokenResponse, error) { return r.GetToken(ctx, askAuthorizer) })
	listed := p.count("api_get_authorizer_list")

	client.FlushAll(ctx)
	edited(both + "# an edit that changes nothing but the file\n")
	again, err := r.RefreshToken(ctx, &tokenv1.RefreshTokenRequest{
		AppId: testAuthorizer, Rejected: &tokenv1.RefreshTokenRequest_RejectedGeneration{RejectedGeneration: first.GetToken().GetGeneration()},
	})
	if err != nil || again.GetToken().GetGeneration() <= first.GetToken().GetGeneration() {
		t.Errorf("generation %d after %d, %v", again.GetToken().GetGeneration(), first.GetToken().GetGeneration(), err)
	}
	if n := p.count("api_get_authorizer_list"); n != listed {
		t.Errorf("the refresh token was looked up %d times; it was known", n-listed)
	}
	found, err := r.Diagnose(ctx, &tokenv1.DiagnoseRequest{})
	if err != nil || !strings.Contains(found.String(), testAuthorizer) {
		t.Errorf("the account that came is not diagnosed: %v, %v", found, err)
	}
	edited(platformOnly)
	if _, err := r.RevokeAuthorization(ctx, &tokenv1.RevokeAuthorizationRequest{AuthorizerAppId: testAuthorizer}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the account that is gone: %v", err)
	}
}
