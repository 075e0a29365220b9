package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/wxstack/wxstack/simulator"
)

type runCommand struct {
	ListenAddr  string        `default:":8090" env:"SIMULATOR_LISTEN_ADDR" help:"Address of the page, the API and the control API."`
	PublicURL   string        `env:"SIMULATOR_PUBLIC_URL" help:"URL under which other containers reach the simulator, for PicUrl."`
	Accounts    string        `env:"SIMULATOR_ACCOUNTS_FILE" type:"existingfile" help:"File with accounts, a list in YAML or JSON; the development account unless given." placeholder:"FILE"`
	CallbackURL string        `default:"${callback}" env:"SIMULATOR_CALLBACK_URL" help:"URL that receives the pushes of the development account."`
	Mode        string        `default:"compatible" enum:"plain,compatible,safe" env:"SIMULATOR_MODE" help:"Encryption of the development account: ${enum}."`
	Format      string        `default:"xml" enum:"xml,json" env:"SIMULATOR_FORMAT" help:"Data format of the development account: ${enum}."`
	Timeout     time.Duration `default:"5s" env:"SIMULATOR_TIMEOUT" help:"Patience with one delivery."`
	Attempts    int           `default:"3" env:"SIMULATOR_ATTEMPTS" help:"Deliveries of one message."`
	LogLevel    slog.Level    `default:"info" env:"LOG_LEVEL" help:"debug, info, warn or error."`
}

type healthcheckCommand struct {
	ListenAddr string `default:":8090" env:"SIMULATOR_LISTEN_ADDR" help:"Address that the simulator listens on."`
}

// accounts are those of the file, or the development account.
func (c *runCommand) accounts() ([]simulator.Account, error) {
	if c.Accounts == "" {
		account := simulator.DefaultAccount()
		account.CallbackURL, account.Mode, account.Format = c.CallbackURL, simulator.Mode(c.Mode), simulator.Format(c.Format)

		return []simulator.Account{account}, nil
	}
	data, err := os.ReadFile(c.Accounts)
	if err != nil {
		return nil, fmt.Errorf("read --accounts: %w", err)
	}
	accounts, err := simulator.ParseAccounts(data)
	if err != nil {
		return nil, fmt.Errorf("--accounts %s: %w", c.Accounts, err)
	}

	return accounts, nil
}

// Run plays the platform.
func (c *runCommand) Run(ctx context.Context, std streams) error {
	accounts, err := c.accounts()
	if err != nil {
		return usage(err)
	}
	platform, err := simulator.New(simulator.Options{
		Addr: c.ListenAddr, PublicURL: c.PublicURL, Accounts: accounts,
		Logger:   slog.New(slog.NewJSONHandler(std.err, &slog.HandlerOptions{Level: c.LogLevel})),
		Delivery: simulator.Delivery{Timeout: c.Timeout, Attempts: c.Attempts},
	})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(std.out, "聊天页面: %s/  推送到: %s\n", platform.URL(), accounts[0].CallbackURL); err != nil {
		return fmt.Errorf("print where the page is: %w", err)
	}

	return platform.Run(ctx)
}

// Run asks GET /sim/v1/health.
func (c *healthcheckCommand) Run(ctx context.Context) error {
	const patience = 3 * time.Second
	host, port, err := net.SplitHostPort(c.ListenAddr)
	if err != nil {
		return usage(fmt.Errorf("listen address must be host:port: %w", err))
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
