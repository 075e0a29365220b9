package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/wxstack/wxstack/chassis/egress"
	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxy "github.com/wxstack/wxstack/services/api-proxy"
	"github.com/wxstack/wxstack/services/gateway"
	"github.com/wxstack/wxstack/services/logic"
	tokencenter "github.com/wxstack/wxstack/services/token-center"
	"github.com/wxstack/wxstack/simulator"
)

// house is everything in one process. Its parts reach each other over real sockets, as they do when
// each is a process of its own.
type house struct {
	scratch    string // holds the development account's files and the storage key
	storageKey string // of the embedded Redis
	appIDs     []string
	redis      *embeddedRedis
	wechat     *simulator.Platform
	tokens     *tokencenter.Service
	proxy      *apiproxy.Service
	logicAddr  string
	gateway    *gateway.Service
	group      *lifecycle.Group
}

// build makes all parts in the order in which they lean on each other; each binds its listener, so
// that a taken port is known before anything runs.
func build(ctx context.Context, cfg settings, tel *telemetry.Telemetry) (lifecycle.Part, error) {
	h, err := furnish(ctx, cfg, tel)
	if err != nil {
		return nil, err
	}
	return lifecycle.Func(func(ctx context.Context) error {
		h.greet(os.Stdout)
		return errors.Join(h.group.Run(ctx), os.RemoveAll(h.scratch))
	}), nil
}

func furnish(ctx context.Context, cfg settings, tel *telemetry.Telemetry) (*house, error) {
	h := &house{group: lifecycle.NewGroup(tel.Log)}
	apiHosts, err := h.prepare(&cfg, tel)
	if err == nil {
		err = h.buildServices(ctx, cfg, apiHosts, tel)
	}
	if err == nil {
		err = h.tellWeChat()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(h.scratch))
	}
	return h, nil
}

// prepare makes what the services lean on, fills in what cfg leaves empty, and returns the hosts of
// WeChat's API.
func (h *house) prepare(cfg *settings, tel *telemetry.Telemetry) ([]string, error) {
	if err := h.prepareAccounts(cfg); err != nil {
		return nil, err
	}
	if err := h.prepareRedis(cfg); err != nil {
		return nil, err
	}
	return h.prepareWeChat(*cfg, tel)
}

func (h *house) prepareAccounts(cfg *settings) error {
	var err error
	if h.scratch, err = os.MkdirTemp("", "wxstack-standalone-"); err != nil {
		return fmt.Errorf("folder for the development account: %w", err)
	}
	if cfg.Accounts == "" {
		cfg.Accounts, err = writeDevelopmentAccount(h.scratch)
	}
	return err
}

func (h *house) prepareRedis(cfg *settings) error {
	if cfg.Redis != "" {
		return nil
	}
	var err error
	if h.redis, err = newEmbeddedRedis(); err != nil {
		return err
	}
	cfg.Redis = h.redis.url()
	h.group.Add("redis", h.redis)
	h.storageKey, err = writeStorageKey(h.scratch)
	return err
}

// prepareWeChat returns the hosts of WeChat's API: the simulator's, or the real ones.
func (h *house) prepareWeChat(cfg settings, tel *telemetry.Telemetry) ([]string, error) {
	if cfg.NoSimulator {
		return []string{"https://api.weixin.qq.com", "https://api2.weixin.qq.com"}, nil
	}
	accounts, err := loadAccounts(cfg.Accounts)
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		h.appIDs = append(h.appIDs, a.AppID)
	}
	h.wechat, err = simulator.New(simulator.Options{Addr: cfg.SimulatorAddr, Accounts: accounts, Logger: tel.For("simulator").Log})
	if err != nil {
		return nil, fmt.Errorf("--simulator-addr: %w", err)
	}
	h.group.Add("simulator", h.wechat)
	return []string{h.wechat.URL()}, nil
}

func (h *house) buildServices(ctx context.Context, cfg settings, apiHosts []string, tel *telemetry.Telemetry) error {
	redis := redisconn.Config{URL: cfg.Redis}
	var way egress.Config
	if cfg.NoSimulator {
		way = cfg.Egress
	}
	var err error
	h.tokens, err = tokencenter.New(ctx, tokencenter.Config{
		ListenAddr: cfg.TokenCenterAddr, HTTPListenAddr: cfg.TokenCenterHTTPAddr, AccountsFile: cfg.Accounts, APIBaseURL: apiHosts, Redis: redis, StorageKeyFile: h.storageKey, Egress: way,
	}, tel.For("token-center"))
	if err != nil {
		return fmt.Errorf("token-center (--token-center-addr, --token-center-http-addr): %w", err)
	}
	h.group.Add("token-center", h.tokens)

	h.proxy, err = apiproxy.New(ctx, apiproxy.Config{
		ListenAddr: cfg.APIProxyAddr, GRPCListenAddr: cfg.APIProxyGRPCAddr, TokenCenterAddr: h.tokens.Addr(), CallersFile: cfg.Callers, BaseURLs: apiHosts, Redis: redis, Egress: way,
	}, tel.For("api-proxy"))
	if err != nil {
		return fmt.Errorf("api-proxy (--api-proxy-addr, --api-proxy-grpc-addr): %w", err)
	}
	h.group.Add("api-proxy", h.proxy)

	if err = h.buildLogic(ctx, cfg, redis, tel); err != nil {
		return err
	}

	h.gateway, err = gateway.New(ctx, gateway.Config{
		ListenAddr: cfg.GatewayAddr, AccountsFile: cfg.Accounts, LogicAddr: h.logicAddr, RoutesFile: cfg.Routes, APIProxyAddr: h.proxy.GRPCAddr(), APIProxyKeyFile: cfg.ProxyKey, Redis: redis,
		AllowOnlyWeChat: cfg.AllowOnlyWeChat, TrustedProxies: cfg.TrustedProxies,
	}, tel.For("gateway"))
	if err != nil {
		return fmt.Errorf("gateway (--gateway-addr): %w", err)
	}
	h.group.Add("gateway", h.gateway)
	return nil
}

// buildLogic builds logic, unless the operator has a program of their own.
func (h *house) buildLogic(ctx context.Context, cfg settings, redis redisconn.Config, tel *telemetry.Telemetry) error {
	if h.logicAddr = cfg.OwnLogic; h.logicAddr != "" {
		return nil
	}
	service, err := logic.New(ctx, logic.Config{
		ListenAddr: cfg.LogicAddr, RulesFile: cfg.Rules, APIProxyAddr: h.proxy.GRPCAddr(), APIProxyKeyFile: cfg.ProxyKey, Redis: redis, Egress: cfg.Egress,
	}, tel.For("logic"))
	if err != nil {
		return fmt.Errorf("logic (--logic-addr): %w", err)
	}
	h.group.Add("logic", service)
	h.logicAddr = service.Addr()
	return nil
}

// tellWeChat enters the callback URL of each account, as an operator does in the console.
func (h *house) tellWeChat() error {
	for _, appID := range h.appIDs {
		if err := h.wechat.SetCallback(appID, "http://"+h.gateway.Addr()+"/wx/"+appID, ""); err != nil {
			return fmt.Errorf("callback URL of account %s: %w", appID, err)
		}
	}
	return nil
}
