// Command standalone runs the whole of wxstack in one process: gateway, logic, api-proxy and
// token-center with an embedded Redis, and the simulator in WeChat's place. It is the newcomer's
// first command and the fastest way to try a rule file; for real traffic see docker-compose.yml.
package main

import (
	"context"
	"errors"

	"github.com/wxstack/wxstack/chassis/egress"
	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/gateway"
	"github.com/wxstack/wxstack/services/logic"
)

func main() {
	var cfg settings
	lifecycle.Main(lifecycle.Program{
		Name:        "standalone",
		Description: "Runs all of wxstack in one process, with an embedded Redis and a simulated WeChat. Open the chat page and write to the account.",
		Unbalanced:  true,
		Settings:    &cfg,
		Build: func(ctx context.Context, tel *telemetry.Telemetry) (lifecycle.Part, error) {
			return build(ctx, cfg, tel)
		},
	})
}

// settings are the flags of DESIGN's standalone. Empty addresses are not allowed; port 0 is.
type settings struct {
	GatewayAddr         string `name:"gateway-addr" default:"localhost:8080" help:"Listen address of the gateway (HTTP): the callback URL."`
	LogicAddr           string `name:"logic-addr" default:"localhost:50051" help:"Listen address of logic (gRPC)."`
	APIProxyAddr        string `name:"api-proxy-addr" default:"localhost:8081" help:"Listen address of api-proxy (HTTP)."`
	APIProxyGRPCAddr    string `name:"api-proxy-grpc-addr" default:"localhost:50052" help:"Listen address of api-proxy (gRPC)."`
	TokenCenterAddr     string `name:"token-center-addr" default:"localhost:50053" help:"Listen address of token-center (gRPC)."`
	TokenCenterHTTPAddr string `name:"token-center-http-addr" default:"localhost:8083" help:"Listen address of token-center (HTTP with JSON)."`
	SimulatorAddr       string `name:"simulator-addr" default:"localhost:8090" help:"Listen address of the simulator (HTTP): the chat page."`

	Accounts    string `name:"accounts" help:"Accounts file (YAML). Empty: the development account wxdev0000000000001."`
	Callers     string `name:"callers" help:"Callers file of api-proxy (YAML; docs/callers.md), read again when it changes. Empty: everybody may call everything."`
	ProxyKey    string `name:"api-proxy-key-file" env:"API_PROXY_KEY_FILE" help:"File with the caller key by which gateway and logic show api-proxy who they are; needed with --callers."`
	OwnLogic    string `name:"own-logic" help:"gRPC address of a LogicService of your own that the gateway asks, for example localhost:50051; no logic is started here (docs/own-logic.md)."`
	Routes      string `name:"routes" help:"Routes file of the gateway (YAML; docs/routing.md): other logic services, shadows, recordings. Read again when it changes."`
	Rules       string `name:"rules" help:"Rule file of logic (YAML), read again when it changes. Empty: the built-in rules."`
	Redis       string `name:"redis" help:"Redis to use, for example redis://localhost:6379/0. Empty: an embedded one that forgets everything at the end."`
	NoSimulator bool   `name:"no-simulator" help:"Talk to the real WeChat. Needs --accounts."`

	AllowOnlyWeChat bool     `name:"allow-only-wechat" env:"GATEWAY_ALLOW_ONLY_WECHAT" help:"Let the gateway refuse callers whose address is not on WeChat's list; that of the simulator has this machine's addresses."`
	TrustedProxies  []string `name:"trusted-proxies" env:"GATEWAY_TRUSTED_PROXIES" help:"Addresses and CIDR ranges of the proxies in front of the gateway, whose X-Forwarded-For is believed."`

	// Egress is the way to the real WeChat, and to what rules ask; the simulator is in this process.
	Egress egress.Config `embed:""`
}

// Check reads the files that the settings name.
func (s *settings) Check() error {
	if s.NoSimulator && s.Accounts == "" {
		return errors.New("--no-simulator needs --accounts: the real WeChat does not know the development account")
	}
	if s.Callers != "" && s.ProxyKey == "" {
		return errors.New("--callers needs --api-proxy-key-file: gateway and logic are callers of api-proxy as well; it is the key_file of an entry")
	}
	if s.OwnLogic != "" && s.Rules != "" {
		return errors.New("--own-logic and --rules: only the logic that standalone starts reads rules, so give one of them")
	}
	rules := logic.Config{RulesFile: s.Rules, APIProxyKeyFile: s.ProxyKey}
	err := errors.Join(rules.Check(), gateway.CheckRoutes(s.Routes), s.Egress.Check())
	if s.Accounts != "" {
		_, accountsErr := loadAccounts(s.Accounts)
		err = errors.Join(err, accountsErr)
	}
	if s.Redis != "" {
		err = errors.Join(err, redisconn.Config{URL: s.Redis}.Check())
	}
	return err
}
