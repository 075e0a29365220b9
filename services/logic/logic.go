// Package logic is the part of the stack that decides what a follower is answered. It serves
// LogicService over an ordered rule file, which is read again whenever it changes. It holds no secret of
// WeChat's, and what its rules remember lies in Redis: anything else that serves LogicService can take its place.
package logic

import (
	"cmp"
	"context"
	_ "embed" // the built-in rules.
	"errors"
	"fmt"
	"net/http"

	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/egress"
	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	"github.com/wxstack/wxstack/responder"

	"github.com/wxstack/wxstack/services/logic/internal/assistant"
	"github.com/wxstack/wxstack/services/logic/internal/bulkhead"
	"github.com/wxstack/wxstack/services/logic/internal/decide"
	"github.com/wxstack/wxstack/services/logic/internal/dialogue"
	"github.com/wxstack/wxstack/services/logic/internal/followup"
	"github.com/wxstack/wxstack/services/logic/internal/live"
	"github.com/wxstack/wxstack/services/logic/internal/rule"
	"github.com/wxstack/wxstack/services/logic/internal/tags"
)

//go:embed rules/default.yaml
var defaultRules []byte

// Config are the settings of logic.
type Config struct {
	ListenAddr      string `name:"listen-addr" env:"LOGIC_LISTEN_ADDR" default:":50051" help:"gRPC listen address of LogicService; the gateway asks here."`
	RulesFile       string `name:"rules-file" env:"WX_RULES_FILE" help:"YAML file with the rules; read again when it changes. Empty: the built-in rules (你问我答, 图尚往来, a welcome, a menu)."`
	APIProxyAddr    string `name:"api-proxy-addr" env:"API_PROXY_ADDR" default:"dns:///localhost:50052" help:"gRPC address of api-proxy, for the customer-service messages that rules send. Replies work without it."`
	APIProxyKeyFile string `name:"api-proxy-key-file" env:"API_PROXY_KEY_FILE" help:"File with the caller key by which api-proxy knows logic: the key_file of its entry in the callers file of api-proxy. Empty: none is sent."`

	Redis  redisconn.Config `embed:""`
	Egress egress.Config    `embed:""`
	TLS    rpc.TLS          `embed:""`
}

// Check reads the rule file and the TLS files and returns what is wrong with them.
func (c *Config) Check() error {
	_, err := c.source(rule.Runtime{}).Load()
	_, keyErr := c.apiProxyKey()

	return errors.Join(err, keyErr, c.redis().Check(), c.Egress.Check(), c.TLS.Check())
}

// apiProxyKey makes the connection to api-proxy carry the caller key, if there is one.
func (c *Config) apiProxyKey() ([]grpc.DialOption, error) {
	return rpc.KeyFromFile("API_PROXY_KEY_FILE", c.APIProxyKeyFile)
}

// dialAPIProxy makes the connection by which WeChat is reached, without connecting yet.
func (c *Config) dialAPIProxy(tel *telemetry.Telemetry) (*grpc.ClientConn, error) {
	key, err := c.apiProxyKey()
	if err != nil {
		return nil, err
	}
	// Never: a repeated customer-service message is seen by the follower.
	conn, err := rpc.Dial(c.APIProxyAddr, tel, c.TLS, rpc.Never, key...)
	if err != nil {
		return nil, fmt.Errorf("api-proxy (API_PROXY_ADDR): %w", err)
	}

	return conn, nil
}

// redis is where rules keep what they have to remember. Nobody connects until a rule does.
func (c *Config) redis() redisconn.Config {
	settings := c.Redis
	settings.URL = cmp.Or(settings.URL, "redis://localhost:6379/0")

	return settings
}

func (c *Config) source(runtime rule.Runtime) live.Source {
	return live.Source{Path: c.RulesFile, BuiltIn: defaultRules, Runtime: runtime}
}

// Service is a running logic. Make one with New, and Run it.
type Service struct {
	tel   *telemetry.Telemetry
	conn  *grpc.ClientConn
	redis redis.UniversalClient
	// outside is the way to the services that rules ask.
	outside *http.Transport
	rules   *live.Rules
	sender  *followup.Sender
	replies *responder.Service
}

// New loads the rules and binds the listener; it connects to nobody. An address with port 0 gets a
// free port, which Addr tells.
func New(ctx context.Context, cfg Config, tel *telemetry.Telemetry) (*Service, error) {
	s := &Service{tel: tel}
	if err := s.build(ctx, cfg); err != nil {
		return nil, errors.Join(err, s.close())
	}

	return s, nil
}

func (s *Service) build(ctx context.Context, cfg Config) error {
	var err error
	if s.redis, err = redisconn.Open(cfg.redis()); err != nil {
		return err
	}
	if s.outside, err = outside(cfg.Egress); err != nil {
		return err
	}
	s.rules, err = live.Open(cfg.source(rule.Runtime{
		Redis: s.redis, Transport: s.outside, Log: s.tel.Log,
		Handlers: bulkhead.NewMetrics(s.tel.Metrics), Assistants: assistant.NewMetrics(s.tel.Metrics),
	}), s.tel)
	if err != nil {
		return err
	}
	if s.conn, err = cfg.dialAPIProxy(s.tel); err != nil {
		return err
	}
	s.sender = followup.New(platform(s.conn), s.tel)
	decider := decide.New(decide.Options{
		Rules: s.rules, Outbox: s.sender, Tags: tags.NewBook(apiproxyv1.NewApiProxyServiceClient(s.conn)),
		Sessions: dialogue.NewStore(s.redis),
		Log:      s.tel.Log, Metrics: s.tel.Metrics,
	})
	s.replies, err = responder.Listen(ctx, cfg.ListenAddr, decider, s.tel, cfg.TLS)

	return err
}

// close closes what Run doesn't.
func (s *Service) close() error {
	var errs []error
	if s.outside != nil {
		s.outside.CloseIdleConnections()
	}
	if s.redis != nil {
		errs = append(errs, s.redis.Close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}

	return errors.Join(errs...)
}

// platform narrows the generated client to what followup needs.
func platform(conn *grpc.ClientConn) followup.PlatformFunc {
	client := apiproxyv1.NewApiProxyServiceClient(conn)

	return func(ctx context.Context, req *apiproxyv1.SendCustomerServiceMessageRequest) (*apiproxyv1.SendCustomerServiceMessageResponse, error) {
		return client.SendCustomerServiceMessage(ctx, req)
	}
}

// watchRedis tells in the health whether Redis works, while there are rules that need it.
func (s *Service) watchRedis(ctx context.Context) error {
	ping, needed := redisconn.Ping(s.redis), false

	return redisconn.Watch(ctx, func(ctx context.Context) error {
		if !s.rules.Current().Remembers() {
			return nil
		}
		needed = true

		return ping(ctx)
	}, func(err error) {
		if needed {
			s.tel.Health.Component("redis").Report(err)
		}
	})
}

// Addr returns the bound address of the gRPC listener.
func (s *Service) Addr() string { return s.replies.Addr() }

// Run serves until ctx is done, finishes the calls in flight, and sends what still waits to be sent.
func (s *Service) Run(ctx context.Context) error {
	group := lifecycle.NewGroup(s.tel.Log)
	group.Add("rules", s.rules)
	group.Add("redis", lifecycle.Func(s.watchRedis))
	group.Add("followup", s.sender)
	group.Add("server", s.replies)

	return errors.Join(group.Run(ctx), s.close())
}
