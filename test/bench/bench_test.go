// Package bench measures the real processes. `make bench` runs it; no test asserts on its figures,
// because they are the machine's as much as ours.
package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.RemoveBuilds()
	os.Exit(code)
}

// BenchmarkStandaloneReady is the time from the start of the binary until it is ready.
func BenchmarkStandaloneReady(b *testing.B) {
	harness.Build(b, "./standalone")
	for b.Loop() {
		s := harness.StartStandalone(b)
		b.StopTimer()
		s.Kill()
		b.StartTimer()
	}
}

// BenchmarkMessage is the way of one message through gateway, Redis and logic and back, one message
// at a time, the simulator's own work included.
func BenchmarkMessage(b *testing.B) {
	s := harness.StartServices(b)
	for _, mode := range []simulator.Mode{simulator.ModePlain, simulator.ModeSafe} {
		b.Run(string(mode), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				push := simulator.Push{Content: "message " + strconv.Itoa(i), Mode: mode, ReuseConnections: true}
				got, err := s.Platform.Push(b.Context(), push)
				if err != nil || got.Outcome != simulator.OutcomeShown {
					b.Fatalf("outcome %s, error %v", got.Outcome, err)
				}
			}
		})
	}
}

// idle is how long the services are left alone before their memory is read.
const idle = 5 * time.Second

// BenchmarkIdleMemory reports the resident memory of each service that has nothing to do.
func BenchmarkIdleMemory(b *testing.B) {
	s := harness.StartServices(b)
	for b.Loop() {
		time.Sleep(idle)
		for name, process := range s.Processes {
			b.ReportMetric(float64(residentKiB(b, process.PID()))/1024, "MiB_"+name)
		}
	}
}

func residentKiB(b *testing.B, pid int) int {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("memory is read from /proc: ", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				b.Fatal(err)
			}
			return kib
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
