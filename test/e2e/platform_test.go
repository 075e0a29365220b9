package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

const (
	componentID     = "wx00000000000000d0"
	componentSecret = "component-secret-do-not-log"
	callerKey       = "0123456789abcdef0123456789abcdef-of-the-test"
	gatewayKey      = "0123456789abcdef0123456789abcdef-of-the-gateway"
)

// TestAThirdPartyPlatformFromTicketToWithdrawal: WeChat pushes to the gateway, which hands tickets, codes
// and withdrawals (授权事件) to token-center, with a caller key that is good for nothing else.
func TestAThirdPartyPlatformFromTicketToWithdrawal(t *testing.T) {
	t.Parallel()
	redisURL, _ := harness.Redis(t)
	gateway, center, logic := harness.FreeAddr(t), harness.FreeAddr(t), harness.FreeAddr(t)
	p := simulator.Start(t, func(options *simulator.Options) {
		component := simulator.DefaultAccount()
		component.Kind, component.AppID, component.OriginalID = simulator.KindPlatform, componentID, ""
		component.AppSecret, component.Mode = componentSecret, simulator.ModeSafe
		component.CallbackURL = "http://" + gateway + "/wx/" + componentID
		options.Accounts = []simulator.Account{simulator.DefaultAccount(), component}
	})
	dir := writePlatform(t)
	env := []string{
		"WX_CALLERS_FILE=" + dir + "/callers.yaml", "TOKEN_CENTER_KEY_FILE=" + dir + "/gateway-key",
		"WX_ACCOUNTS_FILE=" + dir + "/accounts.yaml", "WX_API_BASE_URL=" + p.URL(), "REDIS_URL=" + redisURL, "LOG_LEVEL=debug",
		"TOKEN_CENTER_LISTEN_ADDR=" + center, "TOKEN_CENTER_ADDR=" + center, "GATEWAY_LISTEN_ADDR=" + gateway,
		"LOGIC_ADDR=" + logic,
		"LOGIC_LISTEN_ADDR=" + logic, "API_PROXY_ADDR=" + harness.FreeAddr(t),
	}
	var processes []*harness.Process
	for _, service := range []string{"token-center", "logic", "gateway"} {
		debug := harness.FreeAddr(t)
		process := harness.Start(t, harness.Build(t, "./services/"+service+"/cmd/"+service), append(env, "DEBUG_LISTEN_ADDR="+debug))
		process.WaitHTTP(t, "http://"+debug+"/healthz")
		processes = append(processes, process)
	}
	conn, err := grpc.NewClient(center, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithUnaryInterceptor(sendKey))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	tokens, platforms := tokenv1.NewTokenServiceClient(conn), tokenv1.NewPlatformServiceClient(conn)

	if err := p.PushVerifyTicket(t.Context(), componentID); err != nil {
		t.Fatal(err)
	}
	var preAuth *tokenv1.CreatePreAuthCodeResponse
	harness.Eventually(t, "a component token", func() (err error) {
		preAuth, err = platforms.CreatePreAuthCode(t.Context(), &tokenv1.CreatePreAuthCodeRequest{ComponentAppId: componentID})
		return err
	})
	code, err := p.Authorize(componentID, preAuth.GetPreAuthCode(), account.DevelopmentAppID)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.PushAuthorized(t.Context(), componentID, account.DevelopmentAppID, code); err != nil {
		t.Fatal(err)
	}
	var token string
	harness.Eventually(t, "the authorizer's token", func() error {
		resp, err := tokens.GetToken(t.Context(), &tokenv1.GetTokenRequest{AppId: account.DevelopmentAppID})
		token = resp.GetToken().GetValue()
		return err
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL()+"/cgi-bin/getcallbackip?access_token="+token, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if calls := p.Calls(); calls[len(calls)-1].ErrCode != 0 {
		t.Errorf("WeChat refused the authorizer's token: %d", calls[len(calls)-1].ErrCode)
	}
	if err := p.PushUnauthorized(t.Context(), componentID, account.DevelopmentAppID); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the end of the token", func() error {
		if _, err := tokens.GetToken(t.Context(), &tokenv1.GetTokenRequest{AppId: account.DevelopmentAppID}); err == nil {
			return errors.New("it is still handed out")
		}
		return nil
	})
	for _, process := range processes {
		if err := harness.CheckLog(process.Output(), componentSecret, callerKey, gatewayKey, token, code, preAuth.GetPreAuthCode()); err != nil {
			t.Error(err)
		}
	}
}

// sendKey makes a call carry the caller key of the test.
func sendKey(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	return invoke(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+callerKey), method, req, reply, conn, options...)
}

// writePlatform writes a folder with an accounts file, of a platform and an account that has authorised it, and
// a callers file, of the gateway and the test.
func writePlatform(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"token": account.DevelopmentCallbackToken, "key": account.DevelopmentEncodingAESKey, "secret": componentSecret,
		"test-key": callerKey, "gateway-key": gatewayKey,
		"callers.yaml": fmt.Sprintf(`callers:
  - {name: test, key_file: %[1]s/test-key, accounts: "*", kinds: "*"}
  - {name: gateway, key_file: %[1]s/gateway-key, accounts: %[2]s, kinds: platform}
`, dir, componentID),
		"accounts.yaml": fmt.Sprintf(`accounts:
  - {app_id: %[1]s, kind: platform, encryption: safe, callback_token_file: %[3]s/token, encoding_aes_key_file: %[3]s/key, app_secret_file: %[3]s/secret}
  - {app_id: %[2]s, original_id: %[4]s, platform: %[1]s, callback_token_file: %[3]s/token, encoding_aes_key_file: %[3]s/key}
`, componentID, account.DevelopmentAppID, dir, account.DevelopmentOriginalID),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
