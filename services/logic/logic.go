// Package logic is the part of the stack that decides what a follower is answered. It serves
// LogicService over an ordered rule file, which is read again whenever it changes. It holds no secret
// and no state: anything else that serves LogicService can take its place.
package logic

import (
	"context"
	_ "embed" // the built-in rules.
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"

	"github.com/wxstack/wxstack/services/logic/internal/followup"
	"github.com/wxstack/wxstack/services/logic/internal/live"
	"github.com/wxstack/wxstack/services/logic/internal/server"
)

//go:embed rules/default.yaml
var defaultRules []byte

// Config are the settings of logic.
type Config struct {
	ListenAddr      string `name:"listen-addr" env:"LOGIC_LISTEN_ADDR" default:":50051" help:"gRPC listen address of LogicService; the gateway asks here."`
	RulesFile       string `name:"rules-file" env:"WX_RULES_FILE" help:"YAML file with the rules; read again when it changes. Empty: the built-in rules (你问我答, 图尚往来, a welcome, a menu)."`
	APIProxyAddr    string `name:"api-proxy-addr" env:"API_PROXY_ADDR" default:"dns:///localhost:50052" help:"gRPC address of api-proxy, for the customer-service messages that rules send. Replies work without it."`
	APIProxyKeyFile string `name:"api-proxy-key-file" env:"API_PROXY_KEY_FILE" help:"File with the caller key by which api-proxy knows logic: the key_file of its entry in the callers file of api-proxy. Empty: none is sent."`

	TLS rpc.TLS `embed:""`
}

// Check reads the rule file and the TLS files and returns what is wrong with them.
func (c *Config) Check() error {
	_, err := c.source().Load()
	_, keyErr := c.apiProxyKey()

	return errors.Join(err, keyErr, c.TLS.Check())
}

// apiProxyKey makes the connection to api-proxy carry the caller key, if there is one.
func (c *Config) apiProxyKey() ([]grpc.DialOption, error) {
	return rpc.KeyFromFile("API_PROXY_KEY_FILE", c.APIProxyKeyFile)
}

func (c *Config) source() live.Source {
	return live.Source{Path: c.RulesFile, BuiltIn: defaultRules}
}

// Service is a running logic. Make one with New, and Run it.
type Service struct {
	tel    *telemetry.Telemetry
	lis    net.Listener
	conn   *grpc.ClientConn
	rules  *live.Rules
	sender *followup.Sender
	server *rpc.Server
	// replies is what server serves.
	replies *server.Server
}

// New loads the rules and binds the listener; it connects to nobody. An address with port 0 gets a
// free port, which Addr tells.
func New(ctx context.Context, cfg Config, tel *telemetry.Telemetry) (*Service, error) {
	rules, err := live.Open(cfg.source(), tel)
	if err != nil {
		return nil, err
	}
	server, err := rpc.NewServer(tel, cfg.TLS)
	if err != nil {
		return nil, fmt.Errorf("gRPC server of logic: %w", err)
	}
	// Never: a repeated customer-service message is seen by the follower.
	key, err := cfg.apiProxyKey()
	if err != nil {
		return nil, err
	}
	conn, err := rpc.Dial(cfg.APIProxyAddr, tel, cfg.TLS, rpc.Never, key...)
	if err != nil {
		return nil, fmt.Errorf("api-proxy (API_PROXY_ADDR): %w", err)
	}
	var lc net.ListenConfig
	lis, err := lc.Listen(ctx, "tcp", cfg.ListenAddr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gRPC listener of logic (LOGIC_LISTEN_ADDR): %w", err), conn.Close())
	}
	s := &Service{tel: tel, lis: lis, conn: conn, rules: rules, server: server}
	s.sender = followup.New(platform(conn), tel)
	s.register()

	return s, nil
}

func (s *Service) register() {
	s.replies = server.New(s.rules, s.sender, s.tel)
	logicv1.RegisterLogicServiceServer(s.server, s.replies)
}

// platform narrows the generated client to what followup needs.
func platform(conn *grpc.ClientConn) followup.PlatformFunc {
	client := apiproxyv1.NewApiProxyServiceClient(conn)

	return func(ctx context.Context, req *apiproxyv1.SendCustomerServiceMessageRequest) (*apiproxyv1.SendCustomerServiceMessageResponse, error) {
		return client.SendCustomerServiceMessage(ctx, req)
	}
}

// Addr returns the bound address of the gRPC listener.
func (s *Service) Addr() string { return s.lis.Addr().String() }

// Run serves until ctx is done, finishes the calls in flight, and sends what still waits to be sent.
func (s *Service) Run(ctx context.Context) error {
	group := lifecycle.NewGroup(s.tel.Log)
	group.Add("rules", s.rules)
	group.Add("followup", s.sender)
	group.Add("server", lifecycle.Func(func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, s.replies.Drain)
		defer stop()
		return s.server.Run(ctx, s.lis)
	}))

	return errors.Join(group.Run(ctx), s.conn.Close())
}
