package lifecycle // Main ends the process; what it does before is tested from inside.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/telemetry"
)

type settings struct {
	Name string `name:"name" env:"TEST_NAME" default:"x" help:"A name."`
}

func (s *settings) Check() error {
	if s.Name == "bad" {
		return errors.New("TEST_NAME: must not be bad")
	}
	return nil
}

func program(build func(context.Context, *telemetry.Telemetry) (Part, error)) Program {
	return Program{Name: "test", Description: "A test.", Settings: new(settings), Build: build}
}

// greeting is a command with a flag of its own.
func greeting(name *string, greeted chan<- string) Command {
	flags := &struct {
		Greet string `name:"greet" help:"Whom to greet."`
	}{}
	return Command{
		Command: config.Command{Name: "hello", Help: "Says hello.", Flags: flags},
		Run: func(context.Context, io.Writer) error {
			greeted <- flags.Greet + " from " + *name
			return errors.New("said")
		},
	}
}

func TestACommandRunsInsteadOfTheService(t *testing.T) {
	t.Parallel()
	greeted := make(chan string, 1)
	set := new(settings)
	p := Program{Name: "test", Description: "A test.", Settings: set, Build: neverBuilt, Commands: []Command{greeting(&set.Name, greeted)}}
	if err := p.run(t.Context(), []string{"hello", "--greet", "you", "--name", "me"}); err == nil || err.Error() != "said" {
		t.Errorf("error = %v, want that of the command", err)
	}
	if got := <-greeted; got != "you from me" {
		t.Errorf("greeted %q", got)
	}
	if err := p.run(t.Context(), []string{"hello", "--name", "bad"}); err == nil || !strings.Contains(err.Error(), "TEST_NAME") {
		t.Errorf("with faulty settings the error is %v", err)
	}
	if err := p.run(t.Context(), []string{"--greet", "you"}); err == nil || !strings.Contains(err.Error(), "--greet") {
		t.Errorf("the command's flag without the command: %v", err)
	}
}

func TestAnUncheckedCommandRunsWithFaultySettings(t *testing.T) {
	t.Parallel()
	flags := &struct {
		File string `arg:"" help:"The file."`
	}{}
	said := errors.New("said")
	run := func(context.Context, io.Writer) error { return said }
	p := Program{Name: "test", Description: "A test.", Settings: new(settings), Build: neverBuilt, Commands: []Command{
		{Command: config.Command{Name: "file", Help: "Things to do with a file."}},
		{Command: config.Command{Name: "file check", Help: "Checks it.", Flags: flags}, Unchecked: true, Run: run},
		{Command: config.Command{Name: "file apply", Help: "Applies it."}, Run: run},
	}}
	if err := p.run(t.Context(), []string{"file", "check", "menu.yaml", "--name", "bad"}); !errors.Is(err, said) || flags.File != "menu.yaml" {
		t.Errorf("error = %v with file %q", err, flags.File)
	}
	for name, args := range map[string][]string{"checked": {"file", "apply"}, "validated": {"file", "check", "x", "--validate"}} {
		if err := p.run(t.Context(), append(args, "--name", "bad")); err == nil || !strings.Contains(err.Error(), "TEST_NAME") {
			t.Errorf("%s: error = %v", name, err)
		}
	}
	if err := p.run(t.Context(), []string{"file"}); err == nil || !strings.Contains(err.Error(), `"check"`) {
		t.Errorf("without its subcommand: %v", err)
	}
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		want int
	}{
		"any":     {errors.New("said"), 1},
		"coded":   {&ExitError{Code: 2, Message: "differs"}, 2},
		"wrapped": {fmt.Errorf("more: %w", &ExitError{Code: 3}), 3},
		"usage":   {program(neverBuilt).run(t.Context(), []string{"--nam", "x"}), 1},
	} {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("%s: exit code %d, want %d", name, got, tt.want)
		}
	}
}

func neverBuilt(context.Context, *telemetry.Telemetry) (Part, error) {
	return nil, errors.New("built although nothing should run")
}

func TestProgramCommands(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args []string
		want string
	}{
		"version":           {[]string{"--version"}, ""},
		"validate":          {[]string{"--validate", "--name", "good"}, ""},
		"validate, faulty":  {[]string{"--validate", "--name", "bad"}, "TEST_NAME: must not be bad"},
		"run, faulty":       {[]string{"--name", "bad"}, "TEST_NAME: must not be bad"},
		"unknown flag":      {[]string{"--nam", "x"}, "--name"},
		"nobody is healthy": {[]string{"healthcheck", "--debug-addr", "127.0.0.1:1"}, "health check"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := program(neverBuilt).run(t.Context(), tt.args)
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestRunServesHealthUntilAskedToStop(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan struct{})
	p := program(func(context.Context, *telemetry.Telemetry) (Part, error) {
		return Func(func(ctx context.Context) error { close(running); <-ctx.Done(); return nil }), nil
	})
	done := make(chan error, 1)
	go func() { done <- p.run(ctx, []string{"--debug-addr", addr, "--log-level", "error"}) }()
	<-running
	if err := program(neverBuilt).run(t.Context(), []string{"healthcheck", "--debug-addr", addr}); err != nil {
		t.Errorf("health check of a running service: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	lis, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	return lis.Addr().String()
}

func TestDrainingTellsBalancersBeforeItStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tel := telemetry.Discard()
		asked, ask := context.WithCancel(t.Context())
		delayed := draining(asked, tel.Health)
		ask()
		synctest.Wait()
		if _, ready := tel.Health.Report(); ready {
			t.Error("still ready although asked to stop")
		}
		if delayed.Err() != nil {
			t.Error("stopped before balancers could notice")
		}
		<-delayed.Done()
	})
}
