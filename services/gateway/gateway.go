// Package gateway is the service that faces WeChat: it verifies, opens and parses what WeChat pushes to
// the callback URL (服务器配置 URL), asks logic what to reply, and answers each message exactly once
// within WeChat's time limits, on any replica.
//
// It holds callback Tokens (令牌) and EncodingAESKeys (消息加解密密钥), and neither AppSecrets nor access
// tokens.
package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/gateway/internal/accounts"
	"github.com/wxstack/wxstack/services/gateway/internal/allowance"
	"github.com/wxstack/wxstack/services/gateway/internal/allowlist"
	"github.com/wxstack/wxstack/services/gateway/internal/callback"
	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
	"github.com/wxstack/wxstack/services/gateway/internal/dispatch"
	"github.com/wxstack/wxstack/services/gateway/internal/late"
	"github.com/wxstack/wxstack/services/gateway/internal/notice"
	"github.com/wxstack/wxstack/services/gateway/internal/recording"
	"github.com/wxstack/wxstack/services/gateway/internal/replier"
	"github.com/wxstack/wxstack/services/gateway/internal/routing"
	"github.com/wxstack/wxstack/services/gateway/internal/shadow"
)

// The defaults of settings whose zero value would make no sense, for callers that fill Config themselves.
const (
	defaultTimestampWindow = 10 * time.Minute
	defaultBodyLimit       = 1 << 20
)

// Config are the settings of a gateway.
type Config struct {
	ListenAddr         string        `name:"listen-addr" env:"GATEWAY_LISTEN_ADDR" default:":8080" help:"Listen address of the callback URL, HTTP. WeChat calls ports 80 and 443 only: put an edge with TLS in front."`
	AccountsFile       string        `name:"accounts" env:"WX_ACCOUNTS_FILE" help:"YAML file of the Official Accounts (公众号) to serve. Of the secrets it names only callback_token_file and encoding_aes_key_file (and previous_*) are read."`
	Production         bool          `name:"production" env:"WX_PRODUCTION" help:"Refuse the development account and its secrets, which are public."`
	LogicAddr          string        `name:"logic-addr" env:"LOGIC_ADDR" default:"dns:///localhost:50051" help:"gRPC target of LogicService. With dns:/// all replicas behind the name share the work."`
	APIProxyAddr       string        `name:"api-proxy-addr" env:"API_PROXY_ADDR" default:"dns:///localhost:50052" help:"gRPC target of ApiProxyService, by which late answers are sent."`
	APIProxyKeyFile    string        `name:"api-proxy-key-file" env:"API_PROXY_KEY_FILE" help:"File with the caller key by which api-proxy knows this gateway: the key_file of its entry in the callers file of api-proxy. Empty: none is sent."`
	RoutesFile         string        `name:"routes" env:"WX_ROUTES_FILE" help:"YAML file that sends messages of some accounts or followers to other logic services, copies to those on trial, and records (docs/routing.md). Read again when it changes. Empty: everything goes to LOGIC_ADDR."`
	TokenCenterAddr    string        `name:"token-center-addr" env:"TOKEN_CENTER_ADDR" help:"gRPC target of token-center's PlatformService, which takes the verify tickets and authorisation codes of third-party platforms (第三方平台). Needed for accounts of the kind platform only."`
	TokenCenterKeyFile string        `name:"token-center-key-file" env:"TOKEN_CENTER_KEY_FILE" help:"File with the caller key by which token-center knows this gateway: the key_file of its entry in token-center's callers file, with platform among its kinds. Empty: none is sent."`
	TimestampWindow    time.Duration `name:"timestamp-window" env:"GATEWAY_TIMESTAMP_WINDOW" default:"10m" help:"Refuse pushes whose timestamp is farther off this host's clock, as recordings of old ones."`
	BodyLimit          int64         `name:"body-limit" env:"GATEWAY_BODY_LIMIT" default:"1048576" help:"Greatest length of a push in bytes; WeChat's have a few thousand."`
	AllowOnlyWeChat    bool          `name:"allow-only-wechat" env:"GATEWAY_ALLOW_ONLY_WECHAT" help:"Refuse callers whose address is not on WeChat's own list of those it calls from. The list comes through api-proxy; without a fresh one everybody may call. Behind a proxy set GATEWAY_TRUSTED_PROXIES too."`
	TrustedProxies     []string      `name:"trusted-proxies" env:"GATEWAY_TRUSTED_PROXIES" help:"Addresses and CIDR ranges of the proxies in front, comma-separated, whose X-Forwarded-For is believed."`

	Redis redisconn.Config `embed:""`
	TLS   rpc.TLS          `embed:""`
}

// Check reads the files that the settings name and returns everything that is wrong.
func (c *Config) Check() error {
	_, err := accounts.Load(c.AccountsFile, c.Production)
	_, proxiesErr := c.trustedProxies()
	_, keyErr := c.tokenCenterKey()
	_, proxyKeyErr := c.apiProxyKey()
	return errors.Join(err, CheckRoutes(c.RoutesFile), c.checkLimits(), proxiesErr, keyErr, proxyKeyErr, c.Redis.Check(), c.TLS.Check())
}

// tokenCenterKey makes the connection to token-center carry the caller key, if there is one.
func (c *Config) tokenCenterKey() ([]grpc.DialOption, error) {
	return rpc.KeyFromFile("TOKEN_CENTER_KEY_FILE", c.TokenCenterKeyFile)
}

// apiProxyKey makes the connection to api-proxy carry the caller key, if there is one.
func (c *Config) apiProxyKey() ([]grpc.DialOption, error) {
	return rpc.KeyFromFile("API_PROXY_KEY_FILE", c.APIProxyKeyFile)
}

func (c *Config) trustedProxies() ([]netip.Prefix, error) {
	ranges, err := allowlist.ParseRanges(c.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("GATEWAY_TRUSTED_PROXIES: %w", err)
	}
	return ranges, nil
}

// CheckRoutes reads a routes file, if there is one, and returns everything that is wrong with it.
func CheckRoutes(path string) error {
	if path == "" {
		return nil
	}
	_, err := routing.Load(path)
	return err
}

func (c *Config) checkLimits() error {
	if c.TimestampWindow < 0 || c.BodyLimit < 0 {
		return errors.New("GATEWAY_TIMESTAMP_WINDOW and GATEWAY_BODY_LIMIT: negative values would refuse every push")
	}
	return nil
}

// Service is a gateway that has bound its listener.
type Service struct {
	log      *slog.Logger
	health   *telemetry.Health
	listener net.Listener
	handler  *callback.Handler
	window   *dedupe.Window
	replier  *replier.Client
	courier  *late.Courier
	book     *allowance.Book
	redis    redis.UniversalClient
	logic    *grpc.ClientConn
	proxy    *grpc.ClientConn
	// center is nil without TOKEN_CENTER_ADDR.
	center   *grpc.ClientConn
	accounts *accounts.Live
	// The three are nil without a routes file.
	routes   *dispatch.Router
	shadows  *shadow.Copier
	recorder *recording.Recorder
	// callers is nil unless only WeChat may call.
	callers *allowlist.Keeper
}

// New reads the accounts and binds the listener. Redis and logic are connected to when Run runs; neither
// has to be there.
func New(ctx context.Context, cfg Config, tel *telemetry.Telemetry) (*Service, error) {
	if err := cfg.checkLimits(); err != nil {
		return nil, err
	}
	s := &Service{log: tel.Log, health: tel.Health}
	var err error
	if s.accounts, err = accounts.Open(cfg.AccountsFile, cfg.Production, tel); err != nil {
		return nil, err
	}
	if s.redis, err = redisconn.Open(cfg.Redis); err != nil {
		return nil, err
	}
	if s.logic, err = rpc.Dial(cfg.LogicAddr, tel, cfg.TLS, rpc.IfUnavailable); err != nil {
		return nil, errors.Join(fmt.Errorf("LOGIC_ADDR: %w", err), s.close())
	}
	s.replier = replier.New(s.logic)
	key, err := cfg.apiProxyKey()
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	if s.proxy, err = rpc.Dial(cfg.APIProxyAddr, tel, cfg.TLS, rpc.Never, key...); err != nil {
		return nil, errors.Join(fmt.Errorf("API_PROXY_ADDR: %w", err), s.close())
	}
	apiProxy := apiproxyv1.NewApiProxyServiceClient(s.proxy)
	callers, err := s.allowOnlyWeChat(cfg, apiProxy, tel)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	var listen net.ListenConfig
	if s.listener, err = listen.Listen(ctx, "tcp", cfg.ListenAddr); err != nil {
		return nil, errors.Join(fmt.Errorf("GATEWAY_LISTEN_ADDR: %w", err), s.close())
	}
	s.window = dedupe.NewWindow(dedupe.NewRedis(s.redis), redisconn.Ping(s.redis), tel.Health.Component("redis").Report)
	logic, observers, err := s.routeMessages(cfg, tel)
	if err != nil {
		return nil, errors.Join(err, s.listener.Close(), s.close())
	}
	asked, err := s.routeNotices(cfg, logic, tel)
	if err != nil {
		return nil, errors.Join(err, s.listener.Close(), s.close())
	}
	owner, asker := rand.Text(), late.NewAsker(asked, tel.Log, observers...)
	s.courier = late.New(late.Options{
		Store: late.NewRedis(s.redis), Asker: asker, Proxy: apiProxy, Owner: owner,
		Accounts: s.appIDs, ReportProxy: tel.Health.Component("api-proxy").Report, Log: tel.Log, Metrics: tel.Metrics,
	})
	s.book = allowance.NewBook(s.redis, tel.Metrics)
	s.handler = callback.New(callback.Options{
		Accounts:        s.accounts.Current,
		Callers:         callers,
		Deduper:         s.window,
		Asker:           asker,
		Late:            s.courier,
		Allowances:      s.book,
		Owner:           owner,
		TimestampWindow: withDefault(cfg.TimestampWindow, defaultTimestampWindow),
		BodyLimit:       withDefault(cfg.BodyLimit, defaultBodyLimit),
		Log:             tel.Log,
		Metrics:         tel.Metrics,
	})
	return s, nil
}

// routeMessages returns logic, as the routes file divides it, and who watches the questions to it.
func (s *Service) routeMessages(cfg Config, tel *telemetry.Telemetry) (late.Replier, []late.Observer, error) {
	if cfg.RoutesFile == "" {
		return s.replier, nil, nil
	}
	var err error
	if s.routes, err = dispatch.Open(cfg.RoutesFile, s.replier, func(addr string, repeat rpc.Repeat) (*grpc.ClientConn, error) {
		return rpc.Dial(addr, tel, cfg.TLS, repeat)
	}, tel); err != nil {
		return nil, nil, err
	}
	s.shadows = shadow.New(s.routes.Shadows, tel)
	s.recorder = recording.New(func() *routing.Record { return s.routes.Table().Record }, tel)
	return s.routes, []late.Observer{{Asked: s.recorder.Asked}, {Answered: s.shadows.Answered}}, nil
}

// routeNotices returns who is asked about a push: logic, and about notices of third-party platforms
// token-center first, where the settings name it.
func (s *Service) routeNotices(cfg Config, logic late.Replier, tel *telemetry.Telemetry) (late.Replier, error) {
	if cfg.TokenCenterAddr == "" {
		return logic, nil
	}
	key, err := cfg.tokenCenterKey()
	if err != nil {
		return nil, err
	}
	if s.center, err = rpc.Dial(cfg.TokenCenterAddr, tel, cfg.TLS, rpc.Never, key...); err != nil {
		return nil, fmt.Errorf("TOKEN_CENTER_ADDR: %w", err)
	}
	return notice.NewRouter(tokenv1.NewPlatformServiceClient(s.center), logic), nil
}

// allowOnlyWeChat returns the check of where requests come from, nil if the settings ask for none.
func (s *Service) allowOnlyWeChat(
	cfg Config, apiProxy apiproxyv1.ApiProxyServiceClient, tel *telemetry.Telemetry,
) (func(*http.Request) error, error) {
	trusted, err := cfg.trustedProxies()
	if err != nil || !cfg.AllowOnlyWeChat {
		return nil, err
	}
	s.callers = allowlist.NewKeeper(allowlist.FromWeChat(apiProxy, s.appIDs), tel)
	return allowlist.NewGuard(s.callers.List, trusted).Check, nil
}

// appIDs lists the accounts in force.
func (s *Service) appIDs() []string { return s.accounts.Current().AppIDs() }

func withDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// Addr returns the bound address of the callback URL.
func (s *Service) Addr() string { return s.listener.Addr().String() }

// Run serves until ctx is done. Then it accepts no more connections, finishes the deliveries in flight and
// the computations that later deliveries to other replicas will ask for, and closes its connections.
func (s *Service) Run(ctx context.Context) error {
	group := lifecycle.NewGroup(s.log)
	group.Add("accounts", s.accounts)
	if s.callers != nil {
		group.Add("callback-addresses", s.callers)
	}
	group.Add("redis", s.window)
	group.Add("logic", lifecycle.Func(func(ctx context.Context) error {
		return s.replier.Watch(ctx, s.health.Component("logic").Report)
	}))
	if s.routes != nil {
		group.Add("routes", s.routes)
		group.Add("shadows", s.shadows)
		group.Add("recording", s.recorder)
	}
	group.Add("late answers", s.courier)
	group.Add("allowances", s.book)
	group.Add("http", lifecycle.Func(s.serve))
	s.log.InfoContext(ctx, "waiting for WeChat", "addr", s.Addr())
	return errors.Join(group.Run(ctx), s.close())
}

// close closes what Run doesn't.
func (s *Service) close() error {
	if s.routes != nil {
		s.routes.Discard()
	}
	if s.replier != nil {
		s.replier.Close()
	}
	errs := []error{s.redis.Close()}
	for _, conn := range []*grpc.ClientConn{s.logic, s.proxy, s.center} {
		if conn != nil {
			errs = append(errs, conn.Close())
		}
	}
	return errors.Join(errs...)
}

// The limits of the HTTP server. WeChat sends a push in one packet or a few.
const (
	readHeaderTimeout = 3 * time.Second
	readTimeout       = 5 * time.Second
	// writeTimeout counts from the end of the header: it covers the 6 s that a delivery may be held.
	writeTimeout = 15 * time.Second
	// idleTimeout is longer than that of an edge, so that it is the edge that closes idle connections and
	// never sends a push into one that is just being closed.
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10

	// drainTimeout covers a delivery, which is held for 6 s at most.
	drainTimeout = 7 * time.Second
	// flightTimeout covers what is left of a message's budget once its delivery has lapsed: 14.5 s less
	// 5 s. Together both stay within lifecycle's limit of 20 s.
	flightTimeout = 10 * time.Second
)

// serve runs the HTTP server until ctx is done and drains it.
func (s *Service) serve(ctx context.Context) error {
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	stopped := context.WithoutCancel(ctx)
	err := lifecycle.ServeHTTP(ctx, server, s.listener, drainTimeout)
	if errors.Is(err, lifecycle.ErrCutShort) {
		s.log.WarnContext(stopped, "deliveries were cut off, WeChat sends them to another replica", "error", err)
		err = nil
	}
	limit, cancel := context.WithTimeout(stopped, flightTimeout)
	defer cancel()
	s.handler.Drain(limit)
	s.courier.Drain(limit)
	return err
}
