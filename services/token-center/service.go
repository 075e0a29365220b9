package tokencenter

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/chassis/callers"
	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/access"
	"github.com/wxstack/wxstack/services/token-center/internal/caller"
	"github.com/wxstack/wxstack/services/token-center/internal/doctor"
	"github.com/wxstack/wxstack/services/token-center/internal/issuer"
	"github.com/wxstack/wxstack/services/token-center/internal/jsonapi"
	"github.com/wxstack/wxstack/services/token-center/internal/refresh"
	"github.com/wxstack/wxstack/services/token-center/internal/server"
	"github.com/wxstack/wxstack/services/token-center/internal/store"
)

// leaseTTL is how long a replica that died keeps the others from renewing. It is renewed each third.
const leaseTTL = 6 * time.Second

const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 90 * time.Second
	// stopGrace is how long calls over HTTP may take to finish after the service was asked to stop.
	stopGrace = 15 * time.Second
)

// Service is a running token-center.
type Service struct {
	tel      *telemetry.Telemetry
	listener net.Listener
	// http and httpListener are nil when HTTP is off.
	http         *http.Server
	httpListener net.Listener
	rpc          *rpc.Server
	server       *server.Server
	platforms    *server.Platforms
	callers      *caller.Live
	// callersFile is empty where everybody may ask.
	callersFile string
	redis       redis.UniversalClient
	wechat      *issuer.Client
	work        *issuer.Client
	api         *doctor.API
	store       *store.Redis
	sealed      bool        // tokens are encrypted in Redis.
	cache       *store.File // nil: none.
	metrics     *refresh.Metrics
	accounts    *config.Live[[]secretAccount]
	// house is the one in force; Run begins with the first.
	house atomic.Pointer[house]
}

// New reads the files of cfg and binds the listeners. Redis and WeChat are called in Run.
func New(ctx context.Context, cfg Config, tel *telemetry.Telemetry) (*Service, error) {
	if err := cfg.checkCallersAreKnown(); err != nil {
		return nil, err
	}
	s, err := furnish(cfg, tel)
	if err != nil {
		return nil, err
	}
	if !s.sealed {
		tel.Log.Warn("tokens are stored in Redis in plain text: fine for development, otherwise set TOKEN_CENTER_STORAGE_KEY_FILE")
	}
	if err := s.serve(ctx, cfg); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// furnish makes what keeps the tokens, without what serves them.
func furnish(cfg Config, tel *telemetry.Telemetry) (*Service, error) {
	accounts, err := config.NewLive(cfg.accounts)
	if err != nil {
		return nil, err
	}
	seal, err := cfg.sealer()
	if err != nil {
		return nil, err
	}
	s := &Service{tel: tel, sealed: seal.Enabled(), accounts: accounts, metrics: refresh.NewMetrics(tel.Metrics)}
	if s.cache, err = cfg.cache(seal); err != nil {
		return nil, err
	}
	way, err := cfg.Egress.Way()
	if err != nil {
		return nil, err
	}
	if s.wechat, err = issuer.NewClient(cfg.APIBaseURL, way); err != nil {
		return nil, fmt.Errorf("WX_API_BASE_URL: %w", err)
	}
	if s.work, err = issuer.NewClient(cfg.workHosts(), way); err != nil {
		return nil, fmt.Errorf("WX_WORK_API_BASE_URL: %w", err)
	}
	if s.redis, err = redisconn.Open(cfg.Redis); err != nil {
		return nil, err
	}
	s.api = doctor.NewAPI(cfg.APIBaseURL, way)
	s.store = store.NewRedis(s.redis, seal)
	s.house.Store(s.build(accounts.Current(), nil))
	return s, nil
}

// serve makes the faces of the service: the methods, those who may call them, and the listeners.
func (s *Service) serve(ctx context.Context, cfg Config) error {
	var err error
	s.callersFile = cfg.CallersFile
	if s.callers, err = caller.Open(cfg.CallersFile, s.tel); err != nil {
		return err
	}
	if s.rpc, err = rpc.NewServer(s.tel, cfg.TLS, rpc.Admit(callers.Admit(s.callers.Identify))); err != nil {
		return err
	}
	first := s.house.Load()
	s.server, s.platforms = server.New(first.shown), server.NewPlatforms(first.platforms())
	methods := doctor.Server{TokenServiceServer: s.server, Doctor: s.doctor((*refresh.Refresher).Get)}
	trail := access.NewTrail(s.tel)
	tokenv1.RegisterTokenServiceServer(s.rpc, access.New(methods, trail))
	tokenv1.RegisterPlatformServiceServer(s.rpc, access.NewPlatforms(s.platforms, trail))
	return s.listen(ctx, cfg)
}

// close gives back the connections.
func (s *Service) close() error {
	s.wechat.Close()
	s.work.Close()
	s.api.Close()
	return s.redis.Close()
}

// listen binds the addresses. All services must be registered by then.
func (s *Service) listen(ctx context.Context, cfg Config) error {
	var lc net.ListenConfig
	var err error
	if s.listener, err = lc.Listen(ctx, "tcp", cfg.ListenAddr); err != nil {
		return fmt.Errorf("gRPC listener (TOKEN_CENTER_LISTEN_ADDR): %w", err)
	}
	if cfg.HTTPListenAddr == "" {
		return nil
	}
	if err := s.listenHTTP(ctx, cfg); err != nil {
		return errors.Join(err, s.listener.Close())
	}
	return nil
}

func (s *Service) listenHTTP(ctx context.Context, cfg Config) error {
	handler, err := jsonapi.NewHandler(s.rpc.Server)
	if err != nil {
		return err
	}
	secured, err := cfg.TLS.HTTP()
	if err != nil {
		return err
	}
	s.http = &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(s.tel.Log.Handler(), slog.LevelWarn),
	}
	var lc net.ListenConfig
	if s.httpListener, err = lc.Listen(ctx, "tcp", cfg.HTTPListenAddr); err != nil {
		return fmt.Errorf("HTTP listener (TOKEN_CENTER_HTTP_LISTEN_ADDR): %w", err)
	}
	if secured != nil {
		s.httpListener = tls.NewListener(s.httpListener, secured)
	}
	return nil
}

// Addr returns the address of the gRPC listener.
func (s *Service) Addr() string { return s.listener.Addr().String() }

// HTTPAddr returns the address of the HTTP listener, empty when HTTP is off.
func (s *Service) HTTPAddr() string {
	if s.httpListener == nil {
		return ""
	}
	return s.httpListener.Addr().String()
}

// Run keeps and serves tokens until ctx is done. It stops in order: first the watchers are sent away
// and calls in flight finish, then renewals in flight are finished and saved, then connections close.
func (s *Service) Run(ctx context.Context) error {
	group := lifecycle.NewGroup(s.tel.Log)
	component := s.tel.Health.Component("redis")
	group.Add("redis", lifecycle.Func(func(ctx context.Context) error {
		return redisconn.Watch(ctx, redisconn.Ping(s.redis), component.Report)
	}))
	group.Add("accounts", lifecycle.Func(s.keepAccounts))
	if s.callersFile != "" {
		group.Add("callers", s.callers)
	} else if addr, ok := s.listener.Addr().(*net.TCPAddr); ok && !addr.IP.IsLoopback() {
		s.tel.Log.WarnContext(ctx, "whoever reaches the listener gets tokens: list the callers in a file and set WX_CALLERS_FILE")
	}
	group.Add("gRPC server", lifecycle.Func(func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, s.server.Drain)
		defer stop()
		return s.rpc.Run(ctx, s.listener)
	}))
	if s.http != nil {
		group.Add("HTTP server", lifecycle.Func(s.serveHTTP))
	}
	return errors.Join(group.Run(ctx), s.close())
}

// serveHTTP stops before the gRPC server does, which answers its calls.
func (s *Service) serveHTTP(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.server.Drain)
	defer stop()
	err := lifecycle.ServeHTTP(ctx, s.http, s.httpListener, stopGrace)
	if errors.Is(err, lifecycle.ErrCutShort) {
		s.tel.Log.WarnContext(ctx, "calls over HTTP were cut short", "error", err)
		return nil
	}
	return err
}
