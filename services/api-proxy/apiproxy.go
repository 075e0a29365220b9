// Package apiproxy is the only way out to WeChat's API: over HTTP with the same paths as
// api.weixin.qq.com, and over gRPC. Callers bring neither token nor secret; the proxy adds the
// account's current token and heals a rejected one.
package apiproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/callers"
	"github.com/wxstack/wxstack/chassis/egress"
	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"

	"github.com/wxstack/wxstack/services/api-proxy/internal/allowance"
	"github.com/wxstack/wxstack/services/api-proxy/internal/caller"
	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/forward"
	"github.com/wxstack/wxstack/services/api-proxy/internal/httpapi"
	"github.com/wxstack/wxstack/services/api-proxy/internal/idempotency"
	"github.com/wxstack/wxstack/services/api-proxy/internal/limit"
	"github.com/wxstack/wxstack/services/api-proxy/internal/once"
	"github.com/wxstack/wxstack/services/api-proxy/internal/rpcapi"
	"github.com/wxstack/wxstack/services/api-proxy/internal/tokens"
	"github.com/wxstack/wxstack/services/api-proxy/internal/upstream"
)

// Config are the settings. The zero value of a time-out means its default.
type Config struct {
	ListenAddr         string        `name:"listen-addr" env:"API_PROXY_LISTEN_ADDR" default:":8081" help:"Listen address of the HTTP pass-through: SDKs use it in place of https://api.weixin.qq.com."`
	GRPCListenAddr     string        `name:"grpc-listen-addr" env:"API_PROXY_GRPC_LISTEN_ADDR" default:":50052" help:"Listen address of the gRPC service."`
	TokenCenterAddr    string        `name:"token-center-addr" env:"TOKEN_CENTER_ADDR" default:"dns:///localhost:50053" help:"Where token-center is; dns:/// spreads over all replicas behind the name."`
	TokenCenterKeyFile string        `name:"token-center-key-file" env:"TOKEN_CENTER_KEY_FILE" help:"File with the caller key by which token-center knows this api-proxy: the key_file of its entry in token-center's callers file. Empty: none is sent."`
	BaseURLs           []string      `name:"api-base-url" env:"WX_API_BASE_URL" default:"https://api.weixin.qq.com,https://api2.weixin.qq.com" help:"Hosts of WeChat's API, comma-separated; the first that can be reached is used. For the simulator http://localhost:8090."`
	AnswerTimeout      time.Duration `name:"answer-timeout" env:"API_PROXY_ANSWER_TIMEOUT" default:"10s" help:"How long WeChat may take to begin an answer. Long uploads get extra time."`
	ConnectTimeout     time.Duration `name:"connect-timeout" env:"API_PROXY_CONNECT_TIMEOUT" default:"3s" help:"How long connecting to one host may take before the next is tried."`
	CallersFile        string        `name:"callers" env:"WX_CALLERS_FILE" help:"YAML file that lists who may call what, how often, and what proves who calls. Read again when it changes. Empty: whoever reaches the listeners may call everything; refused with WX_PRODUCTION."`
	Production         bool          `name:"production" env:"WX_PRODUCTION" help:"Refuse what is only fit for development: callers that nobody knows, http:// to WeChat."`
	SpoolDir           string        `name:"spool-dir" env:"API_PROXY_SPOOL_DIR" help:"Folder for bodies over 1 MiB while they are being sent. Empty: the system's folder for temporary files."`

	Redis  redisconn.Config `embed:""`
	TLS    rpc.TLS          `embed:""`
	Egress egress.Config    `embed:""`
}

const (
	defaultAnswerTimeout  = 10 * time.Second
	defaultConnectTimeout = 3 * time.Second
	// redisTimeout bounds a command within the way of a call, so that a Redis that just died costs a call this
	// much once.
	redisTimeout = 300 * time.Millisecond
)

// Check reads and validates everything that can be known without opening anything.
func (c *Config) Check() error {
	var errs []error
	if len(c.BaseURLs) == 0 {
		errs = append(errs, errors.New("WX_API_BASE_URL: not set; it names the hosts of WeChat's API, like https://api.weixin.qq.com"))
	}
	for _, raw := range c.BaseURLs {
		base, err := upstream.ParseBase(raw)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("WX_API_BASE_URL: %w", err))
		case c.Production && base.Scheme != "https":
			errs = append(errs, fmt.Errorf("WX_API_BASE_URL: %q would send access tokens in clear text, which WX_PRODUCTION refuses; use https://", raw))
		}
	}
	if c.TokenCenterAddr == "" {
		errs = append(errs, errors.New("TOKEN_CENTER_ADDR: not set; it says where token-center is, like dns:///localhost:50053"))
	}
	if _, err := c.tokenCenterKey(); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, c.checkCallers())
	if c.AnswerTimeout < 0 || c.ConnectTimeout < 0 {
		errs = append(errs, errors.New("API_PROXY_ANSWER_TIMEOUT, API_PROXY_CONNECT_TIMEOUT: negative; write a duration like 10s"))
	}
	if c.SpoolDir != "" {
		if info, err := os.Stat(c.SpoolDir); err != nil || !info.IsDir() {
			errs = append(errs, fmt.Errorf("API_PROXY_SPOOL_DIR: %s is not a folder", c.SpoolDir))
		}
	}
	return errors.Join(append(errs, c.Redis.Check(), c.TLS.Check(), c.Egress.Check())...)
}

func (c *Config) checkCallers() error {
	if c.CallersFile == "" && c.Production {
		return errors.New("WX_CALLERS_FILE: required with WX_PRODUCTION; it lists who may call what")
	}
	table, err := endpoint.Default()
	if err != nil {
		return err
	}
	_, err = caller.Load(c.CallersFile, table)
	return err
}

// tokenCenterKey makes the connection to token-center carry the caller key, if there is one.
func (c *Config) tokenCenterKey() ([]grpc.DialOption, error) {
	return rpc.KeyFromFile("TOKEN_CENTER_KEY_FILE", c.TokenCenterKeyFile)
}

// Service is a running api-proxy.
type Service struct {
	log      *slog.Logger
	http     *http.Server
	httpLis  net.Listener
	grpc     *rpc.Server
	grpcLis  net.Listener
	cache    *tokens.Cache
	upstream *upstream.Client
	center   *grpc.ClientConn
	redis    redis.UniversalClient
	shared   *redisconn.Shared
	callers  *caller.Live
	// components gives the tokens of third-party platforms.
	components *tokens.Components
}

const (
	headerTimeout  = 5 * time.Second
	idleTimeout    = 90 * time.Second
	maxHeaderBytes = 32 << 10
	// stopGrace is how long calls in flight may take to finish after the service was asked to stop.
	stopGrace = 15 * time.Second
)

// New binds both listeners and prepares the connections to token-center and Redis without connecting.
func New(ctx context.Context, cfg Config, tel *telemetry.Telemetry) (*Service, error) {
	table, err := endpoint.Default()
	if err != nil {
		return nil, fmt.Errorf("api-proxy: %w", err)
	}
	way, err := cfg.Egress.Way()
	if err != nil {
		return nil, err
	}
	up, err := upstream.New(upstream.Settings{
		Bases:          cfg.BaseURLs,
		AnswerTimeout:  orDefault(cfg.AnswerTimeout, defaultAnswerTimeout),
		ConnectTimeout: orDefault(cfg.ConnectTimeout, defaultConnectTimeout),
		Way:            way,
	}, tel)
	if err != nil {
		return nil, fmt.Errorf("WX_API_BASE_URL: %w", err)
	}
	// A renewal names the generation that failed, so asking twice renews once.
	options, err := cfg.tokenCenterKey()
	if err != nil {
		return nil, err
	}
	center, err := rpc.Dial(cfg.TokenCenterAddr, tel, cfg.TLS, rpc.IfUnavailable, options...)
	if err != nil {
		return nil, fmt.Errorf("TOKEN_CENTER_ADDR: %w", err)
	}
	s := &Service{log: tel.Log, upstream: up, center: center}
	if s.redis, err = redisconn.Open(cfg.Redis); err != nil {
		return nil, errors.Join(err, center.Close())
	}
	s.shared = redisconn.NewShared(redisTimeout, redisconn.Ping(s.redis), tel.Health.Component("redis").Report)
	if s.callers, err = caller.Open(cfg.CallersFile, table, tel); err != nil {
		return nil, errors.Join(err, s.close())
	}
	tokenService := tokenv1.NewTokenServiceClient(center)
	s.cache, s.components = tokens.NewCache(tokenService, tel), tokens.NewComponents(tokenService)
	limiter := limit.New(limit.NewRedis(s.redis), s.shared, tel)
	allowances := allowance.NewTracker(allowance.NewRedis(s.redis), s.shared)
	forwarder := forward.New(forward.Parts{
		Table: table, Tokens: s.cache, Components: s.components, Tickets: tokens.NewTickets(tokenService), Codes: tokens.NewCodes(tokenService), Upstream: up,
		Limiter: limiter, Allowances: allowances,
	}, forward.NewMetrics(tel.Metrics), tel.Log)
	guard := idempotency.NewGuard(idempotency.NewLedger(idempotency.NewRedis(s.redis), s.shared), idempotency.NewMetrics(tel.Metrics), tel.Log)
	calls := once.New(forwarder, guard)
	if err := s.listen(ctx, cfg, tel, calls, rpcapi.New(calls, limiter, allowances, cfg.SpoolDir)); err != nil {
		return nil, errors.Join(err, s.abandon())
	}
	return s, nil
}

// listen builds both servers and binds their addresses.
func (s *Service) listen(ctx context.Context, cfg Config, tel *telemetry.Telemetry, calls *once.Caller, face apiproxyv1.ApiProxyServiceServer) error {
	var err error
	if s.grpc, err = rpc.NewServer(tel, cfg.TLS, rpc.Admit(callers.Admit(s.callers.Identify))); err != nil {
		return fmt.Errorf("gRPC server: %w", err)
	}
	apiproxyv1.RegisterApiProxyServiceServer(s.grpc, face)
	s.http = &http.Server{
		Handler:           httpapi.New(calls, s.callers, s.cache, s.components, cfg.SpoolDir, tel.Log),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(tel.Log.Handler(), slog.LevelWarn),
	}
	var lc net.ListenConfig
	if s.httpLis, err = lc.Listen(ctx, "tcp", cfg.ListenAddr); err != nil {
		return fmt.Errorf("HTTP listener (API_PROXY_LISTEN_ADDR): %w", err)
	}
	if s.grpcLis, err = lc.Listen(ctx, "tcp", cfg.GRPCListenAddr); err != nil {
		return fmt.Errorf("gRPC listener (API_PROXY_GRPC_LISTEN_ADDR): %w", err)
	}
	return nil
}

// abandon gives back what a New that failed had opened.
func (s *Service) abandon() error {
	if s.httpLis != nil {
		_ = s.httpLis.Close()
	}
	return s.close()
}

// close gives back the connections.
func (s *Service) close() error {
	s.upstream.Close()
	return errors.Join(s.center.Close(), s.redis.Close())
}

func orDefault(d, standard time.Duration) time.Duration {
	if d == 0 {
		return standard
	}
	return d
}

// HTTPAddr returns the bound address of the pass-through.
func (s *Service) HTTPAddr() string { return s.httpLis.Addr().String() }

// GRPCAddr returns the bound address of the gRPC service.
func (s *Service) GRPCAddr() string { return s.grpcLis.Addr().String() }

// Run serves until ctx is done, then lets calls in flight finish.
func (s *Service) Run(ctx context.Context) error {
	defer func() { _ = s.close() }() // the process is stopping: nothing is left to lose.
	group := lifecycle.NewGroup(s.log)
	group.Add("tokens", s.cache)
	group.Add("redis", s.shared)
	group.Add("callers", s.callers)
	group.Add("gRPC", lifecycle.Func(func(ctx context.Context) error { return s.grpc.Run(ctx, s.grpcLis) }))
	group.Add("HTTP", lifecycle.Func(s.serveHTTP))
	if err := group.Run(ctx); err != nil {
		return fmt.Errorf("api-proxy: %w", err)
	}
	return nil
}

func (s *Service) serveHTTP(ctx context.Context) error {
	err := lifecycle.ServeHTTP(ctx, s.http, s.httpLis, stopGrace)
	if errors.Is(err, lifecycle.ErrCutShort) {
		s.log.WarnContext(ctx, "calls were cut short", "error", err)
		return nil
	}
	return err
}
