// Command simulator is the pretended WeChat platform as a process: it pushes
// messages to a callback URL, serves the API, and shows a chat page.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/wxstack/wxstack/simulator"
)

// cli is the command line. Every flag can come from the environment instead.
type cli struct {
	Run         runCommand         `cmd:"" default:"withargs" help:"Play the WeChat platform until SIGTERM (the default)."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask a running simulator whether it is well; for container health checks."`
}

type runCommand struct {
	ListenAddr  string        `default:":8090" env:"SIMULATOR_LISTEN_ADDR" help:"Address of the page, the API and the control API."`
	PublicURL   string        `env:"SIMULATOR_PUBLIC_URL" help:"URL under which other containers reach the simulator, for PicUrl."`
	CallbackURL string        `default:"${callback}" env:"SIMULATOR_CALLBACK_URL" help:"URL that receives the pushes."`
	Mode        string        `default:"compatible" enum:"plain,compatible,safe" env:"SIMULATOR_MODE" help:"Encryption: ${enum}."`
	Timeout     time.Duration `default:"5s" env:"SIMULATOR_TIMEOUT" help:"Patience with one delivery."`
	Attempts    int           `default:"3" env:"SIMULATOR_ATTEMPTS" help:"Deliveries of one message."`
	LogLevel    slog.Level    `default:"info" env:"LOG_LEVEL" help:"debug, info, warn or error."`
}

type healthcheckCommand struct {
	ListenAddr string `default:":8090" env:"SIMULATOR_LISTEN_ADDR" help:"Address that the simulator listens on."`
}

func main() {
	var arguments cli
	command := kong.Parse(&arguments,
		kong.Name("simulator"),
		kong.Description("A pretended WeChat platform (微信公众平台) for local use."),
		kong.Vars{"callback": simulator.DefaultCallbackURL},
	)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	command.BindTo(ctx, (*context.Context)(nil))
	err := command.Run()
	stop()
	command.FatalIfErrorf(err)
}

// Run plays the platform.
func (c *runCommand) Run(ctx context.Context) error {
	account := simulator.DefaultAccount()
	account.CallbackURL, account.Mode = c.CallbackURL, simulator.Mode(c.Mode)
	platform, err := simulator.New(simulator.Options{
		Addr: c.ListenAddr, PublicURL: c.PublicURL, Accounts: []simulator.Account{account},
		Logger:   slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel})),
		Delivery: simulator.Delivery{Timeout: c.Timeout, Attempts: c.Attempts},
	})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(os.Stdout, "聊天页面: %s/  推送到: %s\n", platform.URL(), c.CallbackURL); err != nil {
		return fmt.Errorf("print where the page is: %w", err)
	}

	return platform.Run(ctx)
}

// Run asks GET /sim/v1/health.
func (c *healthcheckCommand) Run(ctx context.Context) error {
	const patience = 3 * time.Second
	host, port, err := net.SplitHostPort(c.ListenAddr)
	if err != nil {
		return fmt.Errorf("listen address must be host:port: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	target := "http://" + net.JoinHostPort(host, port) + "/sim/v1/health"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return fmt.Errorf("build health request: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("simulator doesn't answer: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("simulator is unwell: HTTP status %d", response.StatusCode) // For people.
	}

	return nil
}
