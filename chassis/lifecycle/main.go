package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/telemetry"
)

// Program is one binary: a name, its settings, and how to build the part that does the work.
type Program struct {
	Name        string
	Description string
	// Unbalanced says that no load balancer sends work here, so that stopping need not wait for one.
	Unbalanced bool
	// Settings is a pointer to a struct with kong tags.
	Settings Settings
	// Build reads files, binds listeners and connects; what it returns is ready to run.
	Build func(ctx context.Context, tel *telemetry.Telemetry) (Part, error)
	// Commands are what the binary can do instead of running the service.
	Commands []Command
}

// Command does one thing with the program's settings, which are checked by then, and ends. It runs beside
// the service, so it binds no port.
type Command struct {
	config.Command

	// Unchecked says that the command runs although the program's settings may be wrong or missing. It
	// checks those that it uses.
	Unchecked bool
	// Run does the work. What people or programs are to read goes to out; an error makes the exit code 1, or
	// that of an ExitError. A command that has others below it has no Run of its own.
	Run func(ctx context.Context, out io.Writer) error
}

// Settings can be checked without running anything.
type Settings interface {
	// Check reads the files that the settings name and returns everything that is wrong with them.
	// It opens no port and calls nobody.
	Check() error
}

// commandLine is what every binary understands beside its own settings.
type commandLine struct {
	Run         struct{} `cmd:"" default:"withargs" help:"Run the service until SIGTERM or SIGINT (the default)."`
	Healthcheck struct{} `cmd:"" help:"Ask the running service on this host whether it is ready; exit code 0 means yes."`

	Validate  bool             `help:"Check the settings and the files they name, then exit."`
	Version   bool             `help:"Print the version and exit."`
	Telemetry telemetry.Config `embed:""`
	kong.Plugins
}

// Main is the whole main function of a service: it parses, builds, runs until SIGTERM or SIGINT,
// drains, and ends the process. A failure is one line on standard error and exit code 1.
func Main(p Program) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once.
	err := p.run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		os.Exit(exitCode(err))
	}
}

// ExitError is an error of a command that has an exit code of its own, such as that of a difference found.
type ExitError struct {
	Code    int
	Message string
}

// Error returns the message.
func (e *ExitError) Error() string { return e.Message }

// exitCode is 1 for errors that do not say otherwise.
func exitCode(err error) int {
	if said, ok := errors.AsType[*ExitError](err); ok {
		return said.Code
	}
	return 1
}

func (p Program) run(ctx context.Context, args []string) error {
	cli := commandLine{Plugins: kong.Plugins{p.Settings}}
	command, err := config.Parse(p.Name, p.Description, args, &cli, p.subcommands()...)
	switch {
	case err != nil:
		return err
	case cli.Version:
		_, err = fmt.Fprintln(os.Stdout, p.Name, version())
		return err
	case command == "healthcheck":
		return probe(ctx, cli.Telemetry.DebugAddr)
	}
	chosen := slices.IndexFunc(p.Commands, func(c Command) bool { return c.Name == command })
	if chosen >= 0 && p.Commands[chosen].Unchecked && !cli.Validate {
		return p.Commands[chosen].Run(ctx, os.Stdout)
	}
	if err := p.Settings.Check(); err != nil {
		return err
	}
	if cli.Validate {
		_, err = fmt.Fprintln(os.Stdout, p.Name+": the settings are valid")
		return err
	}
	if chosen >= 0 {
		return p.Commands[chosen].Run(ctx, os.Stdout)
	}
	tel, err := telemetry.New(ctx, p.Name, cli.Telemetry)
	if err != nil {
		return err
	}
	part, err := p.Build(ctx, tel)
	if err != nil {
		return err
	}
	return p.serve(ctx, tel, part)
}

func (p Program) subcommands() []config.Command {
	commands := make([]config.Command, 0, len(p.Commands))
	for _, c := range p.Commands {
		commands = append(commands, c.Command)
	}
	return commands
}

func (p Program) serve(ctx context.Context, tel *telemetry.Telemetry, part Part) error {
	group := NewGroup(tel.Log)
	group.Add("telemetry", tel)
	group.Add(p.Name, part)
	tel.Log.Info("running", "version", version(), "debug_addr", tel.Addr())
	if !p.Unbalanced {
		ctx = draining(ctx, tel.Health)
	}
	err := group.Run(ctx)
	tel.Log.Info("stopped")
	return err
}

// drainDelay is the time between telling load balancers that the process is leaving and refusing new
// work: twice the interval at which the edge asks.
const drainDelay = 2 * time.Second

// draining returns a context that is done a short while after ctx: in between, readiness says no, so
// that load balancers send new work elsewhere before the listeners close.
func draining(ctx context.Context, health *telemetry.Health) context.Context {
	delayed, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		health.Drain()
		time.AfterFunc(drainDelay, cancel)
	})
	return delayed
}

// probeTimeout is well under the health check interval of the compose file.
const probeTimeout = 2 * time.Second

func probe(ctx context.Context, debugAddr string) error {
	_, port, err := net.SplitHostPort(debugAddr)
	if err != nil {
		return fmt.Errorf("debug address %q: %w", debugAddr, err)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort("127.0.0.1", port)+"/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("health check: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("health check: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", resp.Status)
	}
	return nil
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
