// Command simulator is the pretended WeChat platform: as a process with a chat page, and as a tool that pushes to a
// callback URL, explains why one isn't accepted, or judges it under load.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/wxstack/wxstack/simulator"
)

// cli is the command line. Every flag of the account and the server can come from the environment instead.
type cli struct {
	Run         runCommand         `cmd:"" default:"withargs" help:"Play the WeChat platform until SIGTERM (the default)."`
	Push        pushCommand        `cmd:"" help:"Push a message or an event to a callback URL and print the exchange."`
	Verify      verifyCommand      `cmd:"" help:"Find out why a callback URL isn't accepted, or how it would fail."`
	Load        loadCommand        `cmd:"" help:"Send many messages and judge the answers: lost, twice, wrong."`
	Types       typesCommand       `cmd:"" help:"List what can be pushed, or the fields of one."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask a running simulator whether it is well; for container health checks."`
}

const description = `A pretended WeChat platform (微信公众平台) for your desk and your CI.

  simulator                                        聊天页面 http://127.0.0.1:8090/
  simulator push --content 你好 --url http://localhost:8080/wx --token T --aes-key K
  simulator push --type location --field Label=北京 --url …
  simulator push --event CLICK --event-key MENU_HELP --expect 帮助 --url …
  simulator verify --url http://localhost:8080/wx --token T --aes-key K --modes plain,safe
  simulator load --rate 200 --duration 30s --mix text=8,image=1,event:CLICK:MENU_HELP=1 --expect reply --repeat 0.05 --url …

Exit codes: 0 all is well, 1 the server isn't right, 2 the command was called wrongly.`

// streams are the standard ones, or a test's.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// execute runs a command line and returns the exit code.
func execute(ctx context.Context, arguments []string, std streams) (code int) {
	variables := kong.Vars(targetVariables())
	variables["follower"] = simulator.DefaultFollower
	var parsed cli
	exited := -1
	parser, err := kong.New(&parsed, kong.Name("simulator"), kong.Description(description), variables,
		kong.Writers(std.out, std.err), kong.Exit(func(code int) { exited = code }), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(std.err, "simulator: "+err.Error())

		return exitUsage
	}
	command, err := parser.Parse(arguments)
	if exited >= 0 { // The help was shown.
		return exited
	}
	if err == nil {
		command.BindTo(ctx, (*context.Context)(nil))
		command.Bind(std)
		err = command.Run()
	} else {
		err = usage(err)
	}
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(std.err, "simulator: "+text)
	}
	if exit := new(exitError); errors.As(err, exit) {
		return exit.code
	}

	return exitProblem
}
