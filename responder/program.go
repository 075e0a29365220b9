package responder

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
)

// Program is a binary that answers followers.
type Program struct {
	Name        string
	Description string
	// Settings are what the program has to be told beside what Main knows: a pointer to a struct with kong tags.
	// Nil for nothing.
	Settings lifecycle.Settings
	// Build makes the handler, once the settings are read and checked.
	Build func(ctx context.Context, host Host) (Handler, error)
}

// Host is what Main gives to a handler.
type Host struct {
	Telemetry *telemetry.Telemetry
	// APIProxy is the way to WeChat. It connects when it is used.
	APIProxy apiproxyv1.ApiProxyServiceClient
	// Parts run beside the handler and stop after it.
	Parts *lifecycle.Group
}

// Main is the whole main function of a program: flags and environment (--help lists them), LogicService with health
// and reflection at LOGIC_LISTEN_ADDR, mutual TLS, logs, metrics and traces, and a drain on SIGTERM, in which what
// was asked is answered. A failure is one line on standard error and exit code 1.
func Main(p Program) {
	cfg := settings{own: p.Settings}
	if p.Settings != nil {
		cfg.Plugins = kong.Plugins{p.Settings}
	}
	lifecycle.Main(lifecycle.Program{
		Name: p.Name, Description: cmp.Or(p.Description, "Decides what followers of a WeChat Official Account are answered."),
		Settings: &cfg,
		Build: func(ctx context.Context, tel *telemetry.Telemetry) (lifecycle.Part, error) {
			return p.assemble(ctx, cfg, tel)
		},
	})
}

// settings are those of every program, and its own.
type settings struct {
	ListenAddr      string  `name:"listen-addr" env:"LOGIC_LISTEN_ADDR" default:":50051" help:"gRPC listen address of LogicService; LOGIC_ADDR of the gateway points here."`
	APIProxyAddr    string  `name:"api-proxy-addr" env:"API_PROXY_ADDR" default:"dns:///localhost:50052" help:"gRPC address of api-proxy, the way to WeChat. Replies work without it."`
	APIProxyKeyFile string  `name:"api-proxy-key-file" env:"API_PROXY_KEY_FILE" help:"File with the caller key by which api-proxy knows this program: the key_file of its entry in the callers file of api-proxy. Empty: none is sent."`
	TLS             rpc.TLS `embed:""`
	kong.Plugins

	own lifecycle.Settings
}

// Check reads the files that the settings name.
func (s *settings) Check() error {
	_, err := s.apiProxyKey()
	if s.own != nil {
		err = errors.Join(err, s.own.Check())
	}
	return errors.Join(err, s.TLS.Check())
}

func (s *settings) apiProxyKey() ([]grpc.DialOption, error) {
	return rpc.KeyFromFile("API_PROXY_KEY_FILE", s.APIProxyKeyFile)
}

func (p Program) assemble(ctx context.Context, cfg settings, tel *telemetry.Telemetry) (lifecycle.Part, error) {
	key, err := cfg.apiProxyKey()
	if err != nil {
		return nil, err
	}
	// Never: a repeated customer-service message is seen by the follower.
	conn, err := rpc.Dial(cfg.APIProxyAddr, tel, cfg.TLS, rpc.Never, key...)
	if err != nil {
		return nil, fmt.Errorf("api-proxy (API_PROXY_ADDR): %w", err)
	}
	parts := lifecycle.NewGroup(tel.Log)
	handler, err := p.Build(ctx, Host{Telemetry: tel, APIProxy: apiproxyv1.NewApiProxyServiceClient(conn), Parts: parts})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	service, err := Listen(ctx, cfg.ListenAddr, handler, tel, cfg.TLS)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	parts.Add("server", service)
	return lifecycle.Func(func(ctx context.Context) error {
		return errors.Join(parts.Run(ctx), conn.Close())
	}), nil
}
