package harness

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/wechat/account"
)

// Services are the four services as processes of their own, with a real Redis and the simulator in
// this process: the deployment without its edge.
type Services struct {
	Platform    *simulator.Platform
	GatewayURL  string
	TokenCenter string
	// Processes by name of the service.
	Processes map[string]*Process
	// again starts a service as it was started first, by its name.
	again map[string]func(t testing.TB) *Process
}

// StartServices starts one replica of each service for the development account and waits until all are ready.
// Each of them gets the settings too, and uses those that it knows.
func StartServices(t testing.TB, settings ...string) *Services {
	t.Helper()
	return StartServicesFor(t, []account.Account{account.Development()}, settings...)
}

// StartServicesFor does the same for other accounts, which have the secrets of the development account.
func StartServicesFor(t testing.TB, accounts []account.Account, settings ...string) *Services {
	t.Helper()
	redisURL, _ := Redis(t)
	gateway, logic, proxyHTTP, proxyGRPC, center := FreeAddr(t), FreeAddr(t), FreeAddr(t), FreeAddr(t), FreeAddr(t)
	s := &Services{
		Platform: simulator.Start(t, func(o *simulator.Options) { o.Accounts = Simulated(accounts) }), GatewayURL: "http://" + gateway, TokenCenter: center, Processes: map[string]*Process{},
		again: map[string]func(testing.TB) *Process{},
	}
	for _, a := range accounts {
		if err := s.Platform.SetCallback(a.AppID, s.GatewayURL+"/wx/"+a.AppID, ""); err != nil {
			t.Fatal(err)
		}
	}
	common := slices.Concat([]string{
		"WX_ACCOUNTS_FILE=" + WriteAccounts(t, accounts...), "WX_API_BASE_URL=" + s.Platform.URL(), "REDIS_URL=" + redisURL,
	}, settings)
	s.start(t, "token-center", common, "TOKEN_CENTER_LISTEN_ADDR="+center)
	s.start(t, "api-proxy", common, "API_PROXY_LISTEN_ADDR="+proxyHTTP, "API_PROXY_GRPC_LISTEN_ADDR="+proxyGRPC, "TOKEN_CENTER_ADDR="+center)
	s.start(t, "logic", common, "LOGIC_LISTEN_ADDR="+logic, "API_PROXY_ADDR="+proxyGRPC)
	s.start(t, "gateway", common, "GATEWAY_LISTEN_ADDR="+gateway, "LOGIC_ADDR="+logic, "API_PROXY_ADDR="+proxyGRPC)
	return s
}

// Simulated are accounts as the simulator knows them, with the secrets of the development account.
func Simulated(accounts []account.Account) []simulator.Account {
	known := make([]simulator.Account, 0, len(accounts))
	for _, a := range accounts {
		one := simulator.DefaultAccount()
		one.AppID, one.OriginalID = a.AppID, a.OriginalID
		known = append(known, one)
	}
	return known
}

func (s *Services) start(t testing.TB, name string, common []string, own ...string) {
	t.Helper()
	debug := FreeAddr(t)
	env := slices.Concat([]string{"DEBUG_LISTEN_ADDR=" + debug}, common, own)
	s.again[name] = func(t testing.TB) *Process {
		t.Helper()
		return startService(t, name, env, debug)
	}
	s.Processes[name] = s.again[name](t)
}

// startService starts a service and waits until its debug listener says that it is ready.
func startService(t testing.TB, name string, env []string, debug string) *Process {
	t.Helper()
	process := Start(t, Build(t, "./services/"+name+"/cmd/"+name), env)
	process.WaitHTTP(t, "http://"+debug+"/readyz")
	return process
}

// Restart kills a service and starts it again at the same addresses.
func (s *Services) Restart(t testing.TB, name string) {
	t.Helper()
	s.Processes[name].Kill()
	s.Processes[name] = s.again[name](t)
}

// WriteAccounts writes accounts as an operator would, each with the development account's secrets, and
// returns the path of the accounts file. Without any it is the development account alone.
func WriteAccounts(t testing.TB, accounts ...account.Account) string {
	t.Helper()
	if len(accounts) == 0 {
		accounts = []account.Account{account.Development()}
	}
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token := write("callback_token", account.DevelopmentCallbackToken)
	key := write("aes_key", account.DevelopmentEncodingAESKey)
	secret := write("app_secret", account.DevelopmentAppSecret)
	var list strings.Builder
	list.WriteString("accounts:\n")
	for _, a := range accounts {
		fmt.Fprintf(&list, "  - {app_id: %s, original_id: %s, encryption: %s, late_answer: {policy: %s}, "+
			"callback_token_file: %s, encoding_aes_key_file: %s, app_secret_file: %s}\n",
			a.AppID, a.OriginalID, cmp.Or(a.Encryption, account.EncryptionCompatible),
			cmp.Or(a.LateAnswer.Policy, account.LateAnswerCustomerService), token, key, secret)
	}
	return write("accounts.yaml", list.String())
}
