package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/wxstack/wxstack/simulator"
)

// target is the server under test and its account, which default to the development account.
type target struct {
	URL        string        `help:"Callback URL (服务器配置 URL) of the server." placeholder:"http://host/wx" required:"" env:"SIMULATOR_CALLBACK_URL"`
	Token      string        `help:"Token (令牌)." default:"${token}" env:"SIMULATOR_TOKEN"`
	AESKey     string        `name:"aes-key" help:"EncodingAESKey (消息加解密密钥), 43 characters." default:"${aes_key}" env:"SIMULATOR_AES_KEY"`
	AppID      string        `help:"AppID." default:"${app_id}" env:"SIMULATOR_APP_ID"`
	AppSecret  string        `help:"AppSecret, should the server ask for tokens." default:"${app_secret}" env:"SIMULATOR_APP_SECRET"`
	OriginalID string        `help:"Original id (原始ID), the ToUserName." default:"${original_id}" env:"SIMULATOR_ORIGINAL_ID"`
	Mode       string        `help:"Encryption (加解密方式): plain, compatible or safe." default:"compatible" enum:"plain,compatible,safe" env:"SIMULATOR_MODE"`
	Format     string        `help:"Data format (数据格式): xml or json." default:"xml" enum:"xml,json" env:"SIMULATOR_FORMAT"`
	Timeout    time.Duration `help:"Patience with one delivery." default:"5s" env:"SIMULATOR_TIMEOUT"`
	Attempts   int           `help:"Deliveries of one message." default:"3" env:"SIMULATOR_ATTEMPTS"`
	ListenAddr string        `help:"Where WeChat's API is pretended meanwhile, for servers that call it." default:"127.0.0.1:0" env:"SIMULATOR_API_LISTEN_ADDR"`
}

// targetVariables are the defaults of a target.
func targetVariables() map[string]string {
	account := simulator.DefaultAccount()

	return map[string]string{
		"token": account.CallbackToken, "aes_key": account.EncodingAESKey, "app_id": account.AppID, "app_secret": account.AppSecret,
		"original_id": account.OriginalID, "callback": simulator.DefaultCallbackURL,
	}
}

// account is the account of the server under test.
func (t target) account() (simulator.Account, error) {
	const length = 43
	switch {
	case t.Timeout <= 0:
		return simulator.Account{}, fmt.Errorf("--timeout is %s, must be positive", t.Timeout)
	case t.Attempts < 1:
		return simulator.Account{}, fmt.Errorf("--attempts is %d, must be at least 1", t.Attempts)
	}
	if count := len(t.AESKey); count != length && t.Mode != string(simulator.ModePlain) {
		return simulator.Account{}, fmt.Errorf("--aes-key has %d characters, must have %d: copy it whole from the console, without =", count, length)
	}

	return simulator.Account{
		AppID: t.AppID, OriginalID: t.OriginalID, CallbackToken: t.Token, EncodingAESKey: t.AESKey, AppSecret: t.AppSecret,
		Mode: simulator.Mode(t.Mode), Format: simulator.Format(t.Format), CallbackURL: t.URL,
	}, nil
}

// with runs a platform that has the account while the function works with it.
func (t target) with(ctx context.Context, work func(context.Context, *simulator.Platform) error) error {
	account, err := t.account()
	if err != nil {
		return usage(err)
	}
	platform, err := simulator.New(simulator.Options{
		Addr: t.ListenAddr, Accounts: []simulator.Account{account}, Delivery: simulator.Delivery{Timeout: t.Timeout, Attempts: t.Attempts},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return usage(err)
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- platform.Run(running) }()
	err = work(ctx, platform)
	stop()

	return cmp.Or(err, <-done)
}

// The exit codes.
const (
	exitProblem = 1 // The server under test isn't right.
	exitUsage   = 2 // The command was called wrongly.
)

// exitError is an error with an exit code. Without words nothing more is said.
type exitError struct {
	code  int
	cause error
}

func (e exitError) Error() string {
	if e.cause == nil {
		return ""
	}

	return e.cause.Error()
}

func (e exitError) Unwrap() error { return e.cause }

// usage marks an error as the caller's.
func usage(err error) error { return exitError{exitUsage, err} }

// errNotRight ends a command whose report has said already what isn't right.
var errNotRight = exitError{code: exitProblem}

// classify gives an error of the library its exit code.
func classify(err error) error {
	if errors.Is(err, simulator.ErrInvalid) {
		return usage(err)
	}

	return err
}
