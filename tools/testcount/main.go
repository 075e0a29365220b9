// Command testcount runs `go test` commands and ends with one line that counts what they did:
//
//	testcount go test -race ./... + go test -count=1 ./e2e/...
//	…
//	123 passed, 0 failed, 4 skipped
//
// The commands are separated by "+" and run one after the other, all of them even when one fails. Only the output of
// failed tests is shown, and every skipped test with its reason, so that nothing is skipped silently. A test with subtests
// is not counted beside them. The exit status is 1 when a test failed or a command did.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	failed, err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testcount:", err)
	}

	if failed || err != nil {
		stop()
		os.Exit(1) //nolint:gocritic // stop has just been called
	}
}

// run executes the commands in args and reports whether anything failed.
func run(ctx context.Context, args []string, out, errOut io.Writer) (bool, error) {
	commands := split(args)
	if len(commands) == 0 {
		return true, errors.New("no command: testcount go test ./... [+ go test …]")
	}

	tally := newTally(out)
	broken := false

	for _, command := range commands {
		err := execute(ctx, command, tally, errOut)

		var exit *exec.ExitError

		switch {
		case errors.As(err, &exit):
			broken = true
		case err != nil:
			return true, err
		}
	}

	tally.summary(broken)

	return broken || tally.failed > 0, nil
}

// split cuts args at "+".
func split(args []string) [][]string {
	var commands [][]string

	for len(args) > 0 {
		i := slices.Index(args, "+")
		if i < 0 {
			return append(commands, args)
		}

		if i > 0 {
			commands = append(commands, args[:i])
		}

		args = args[i+1:]
	}

	return commands
}

// withJSON returns the arguments of go with -json added. A folder to run in (-C) has to stay in front.
func withJSON(args []string) []string {
	folder := 0
	if len(args) > 1 && args[0] == "-C" {
		folder = 2
	}

	return slices.Concat([]string{"test"}, args[:folder], []string{"-json"}, args[folder:])
}

// execute runs one `go test` command with -json added and feeds its events to tally.
func execute(ctx context.Context, command []string, tally *tally, errOut io.Writer) error {
	const words = 2 // "go test"
	if len(command) < words || command[1] != "test" {
		return fmt.Errorf("not a go test command: %s", strings.Join(command, " "))
	}

	args := withJSON(command[words:])
	cmd := exec.CommandContext(ctx, command[0], args...)
	cmd.Stderr = errOut
	// An interrupt reaches the tests first, so that they can end the processes they started.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }

	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("open pipe: %w", err)
	}

	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", command[0], err)
	}

	readErr := tally.read(stdout)
	waitErr := cmd.Wait()

	return errors.Join(readErr, waitErr)
}

// event is one line of `go test -json`; `go doc test2json` and `go help buildjson` describe the fields.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

type key struct{ pkg, test string }

// tally counts results and remembers the output of what may still fail.
type tally struct {
	out                     io.Writer
	passed, failed, skipped int
	output                  map[key][]string
	parents                 map[key]bool
	failedBelow             map[key]bool // parents with a failed subtest, and packages with a failed test
	failures, skips         []string
}

func newTally(out io.Writer) *tally {
	return &tally{
		out:         out,
		output:      map[key][]string{},
		parents:     map[key]bool{},
		failedBelow: map[key]bool{},
	}
}

// read consumes the events of one command.
func (t *tally) read(stream io.Reader) error {
	lines := bufio.NewReader(stream)

	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			t.line(line)
		}

		if errors.Is(err, io.EOF) {
			return nil
		}

		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
	}
}

func (t *tally) line(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		fmt.Fprintf(t.out, "%s\n", bytes.TrimRight(line, "\n")) // not an event: the go command speaks for itself

		return
	}

	k := key{e.Package, e.Test}

	switch e.Action {
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "run":
		if i := strings.LastIndexByte(e.Test, '/'); i >= 0 {
			t.parents[key{e.Package, e.Test[:i]}] = true
		}
	case "output":
		t.output[k] = append(t.output[k], e.Output)
	case "pass", "skip", "fail":
		if e.Test == "" {
			t.finishPackage(e)
		} else {
			t.finishTest(e, k)
		}

		delete(t.output, k)
	}
}

func (t *tally) finishTest(e event, k key) {
	leaf := !t.parents[k]
	name := e.Package + " " + e.Test

	switch e.Action {
	case "pass":
		if leaf {
			t.passed++
		}
	case "skip":
		if leaf {
			t.skipped++
			t.skips = append(t.skips, name+": "+reason(t.output[k]))
		}
	case "fail":
		if leaf || !t.failedBelow[k] {
			t.failed++
			t.failures = append(t.failures, name)
		}

		t.failedBelow[key{e.Package, ""}] = true
		if i := strings.LastIndexByte(e.Test, '/'); i >= 0 {
			t.failedBelow[key{e.Package, e.Test[:i]}] = true
		}

		fmt.Fprintf(t.out, "FAIL %s\n%s", name, strings.Join(t.output[k], ""))
	}
}

// finishPackage reports a package; one that failed though no test of it did (it does not build, leaks, panics) counts as
// one failure.
func (t *tally) finishPackage(e event) {
	k := key{e.Package, ""}

	switch e.Action {
	case "pass":
		fmt.Fprintf(t.out, "ok   %s %.1fs\n", e.Package, e.Elapsed)
	case "fail":
		if !t.failedBelow[k] {
			t.failed++
			t.failures = append(t.failures, e.Package)

			// A test that never finished has its story in its own output.
			for other, lines := range t.output {
				if other.pkg == e.Package && other != k {
					fmt.Fprint(t.out, strings.Join(lines, ""))
				}
			}
		}

		fmt.Fprint(t.out, strings.Join(t.output[k], ""))
	}
}

// summary prints what was skipped and what failed, and last of all the counts, alone on a line.
func (t *tally) summary(broken bool) {
	for _, line := range t.skips {
		fmt.Fprintln(t.out, "SKIP", line)
	}

	for _, line := range t.failures {
		fmt.Fprintln(t.out, "FAIL", line)
	}

	if broken && t.failed == 0 {
		t.failed++

		fmt.Fprintln(t.out, "FAIL go test itself, see above")
	}

	fmt.Fprintf(t.out, "%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
}

// reason is what a test said before it skipped, without the lines of the test runner.
func reason(output []string) string {
	var said []string

	for _, line := range output {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			said = append(said, line)
		}
	}

	return strings.Join(said, " ")
}
