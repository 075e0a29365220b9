// Package harness builds and runs the project's real binaries for whole-system tests, and talks to
// them as the outside world would.
package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Root returns the folder of the workspace, found upwards from the test's own folder.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		// test/interop has a go.work of its own.
		if _, err := os.Stat(filepath.Join(dir, "docker-compose.yml")); err == nil {
			return dir
		}
	}
	t.Fatal("no docker-compose.yml above the test's folder")
	return ""
}

// Require skips the test where the program is missing, so that a fresh machine can run the rest; in
// CI a missing program is a failure.
func Require(t testing.TB, program, remedy string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		Missing(t, fmt.Sprintf("%s is not installed: %s", program, remedy))
	}
}

// Missing says that something a test needs is not there: a skip on a developer's machine, a failure in CI.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip("SKIPPED, not tested here: " + what)
}

var builds sync.Map // folder of the package → *build: every binary is built once per test process.

type build struct {
	once sync.Once
	path string
	err  error
}

// Build compiles a package of the workspace, such as ./standalone, and returns the binary's path.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	path, err := compile(Root(t), pkg)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// BuildAlone compiles the program of a module that is not part of the workspace, which dir names from the
// root, and returns the binary's path. It fails where the module's dependencies cannot be had.
func BuildAlone(t testing.TB, dir string) (string, error) {
	t.Helper()
	return compile(filepath.Join(Root(t), dir), ".", "GOWORK=off")
}

// compile builds a package from within a folder.
func compile(dir, pkg string, env ...string) (string, error) {
	source := filepath.Join(dir, pkg)
	entry, _ := builds.LoadOrStore(source, new(build))
	b := entry.(*build) //nolint:forcetypeassert // only builds are stored.
	b.once.Do(func() {
		out, err := os.MkdirTemp("", "wxstack-test-")
		if err != nil {
			b.err = err
			return
		}
		b.path = filepath.Join(out, filepath.Base(source))
		cmd := exec.CommandContext(context.Background(), "go", "build", "-o", b.path, pkg) //nolint:gosec // the arguments are the tests' own.
		cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
		if output, err := cmd.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("build %s: %w\n%s", source, err, output)
		}
	})
	return b.path, b.err
}

// RemoveBuilds deletes what Build made. Call it from TestMain after the tests.
func RemoveBuilds() {
	builds.Range(func(_, entry any) bool {
		if b, ok := entry.(*build); ok && b.path != "" {
			_ = os.RemoveAll(filepath.Dir(b.path))
		}
		return true
	})
}

// Process is a running program whose output is kept.
type Process struct {
	name   string
	cmd    *exec.Cmd
	output *Buffer
	done   chan struct{}
	err    error
}

// Start runs a program until the test ends. Environment entries look like KEY=value and come on top
// of a minimal environment, so that the machine's own settings change nothing.
func Start(t testing.TB, bin string, env []string, args ...string) *Process {
	t.Helper()
	p := &Process{name: filepath.Base(bin), output: new(Buffer), done: make(chan struct{})}
	p.cmd = exec.CommandContext(context.Background(), bin, args...) //nolint:gosec // the program is the tests' own.
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + t.TempDir()}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("output of %s:\n%s", p.name, p.output.Tail(logTail))
		}
	})
	return p
}

// logTail is how much of a program's output a failed test shows.
const logTail = 8 << 10

// Output returns everything that the program has written so far.
func (p *Process) Output() string { return p.output.String() }

// Name returns the name of the program.
func (p *Process) Name() string { return p.name }

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal to the program.
func (p *Process) Signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("signal %s: %v", p.name, err)
	}
}

// Kill ends the program at once and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stopTimeout is longer than any orderly drain.
const stopTimeout = 30 * time.Second

// Wait waits for the program to end by itself and returns its error.
func (p *Process) Wait(t testing.TB) error {
	t.Helper()
	select {
	case <-p.done:
		return p.err
	case <-time.After(stopTimeout):
		t.Fatalf("%s did not end within %v", p.name, stopTimeout)
		return nil
	}
}

// WaitHTTP waits until a GET of url answers 200, and fails the test when the program ends before.
func (p *Process) WaitHTTP(t testing.TB, url string) {
	t.Helper()
	Eventually(t, url+" answers", func() error {
		select {
		case <-p.done:
			t.Fatalf("%s ended: %v\n%s", p.name, p.err, p.output.Tail(logTail))
		default:
		}
		return Ready(t.Context(), url)
	})
}

// Ready returns nil when a GET of url answers 200.
func Ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}

const (
	eventuallyTimeout  = 60 * time.Second
	eventuallyInterval = 25 * time.Millisecond
)

// Eventually repeats check until it returns nil, for a minute at most.
func Eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(eventuallyTimeout)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, eventuallyTimeout, err)
		}
		time.Sleep(eventuallyInterval)
	}
}

// Redis starts a real redis-server for the test and returns its URL.
func Redis(t testing.TB) (url string, server *Process) {
	t.Helper()
	addr := FreeAddr(t)
	return "redis://" + addr, RedisAt(t, addr)
}

// RedisAt starts an empty redis-server on an address, also one where another has just died.
func RedisAt(t testing.TB, addr string) *Process {
	t.Helper()
	Require(t, "redis-server", "apt-get install redis-server")
	_, port, _ := net.SplitHostPort(addr)
	server := Start(t, "redis-server", nil, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir())
	Eventually(t, "redis-server listens", func() error {
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return server
}

// Buffer collects output from several goroutines.
type Buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends p.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns everything written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Tail returns the last n bytes written.
func (b *Buffer) Tail(n int) string {
	s := b.String()
	return s[max(0, len(s)-n):]
}

// ErrLeak says that a log shows what no log may show.
var ErrLeak = errors.New("secret in a log")

// CheckLog returns an error when the output holds one of the secrets, or anything else of the
// patterns that secrets have.
func CheckLog(output string, secrets ...string) error {
	for _, secret := range secrets {
		if secret != "" && strings.Contains(output, secret) {
			return fmt.Errorf("%w: %q", ErrLeak, secret)
		}
	}
	if found := tokenInURL.FindString(output); found != "" {
		return fmt.Errorf("%w: %s", ErrLeak, found)
	}
	return nil
}

var tokenInURL = regexp.MustCompile(`(access_token|secret)=[^&\s"*\[]{6,}`)
