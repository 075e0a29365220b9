package bench

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

var (
	rounds   = flag.Int("rounds", 3, "rounds of the comparison; quote nothing from fewer than 7")
	messages = flag.Int("messages", 20000, "messages of a sample")
	profiles = flag.String("profiles", "", "folder for processor profiles of our services, whose taking costs them something")
	another  = flag.String("another", "", "folder with another build of gateway and logic, compared as well")
)

const (
	warmUp = 3000
	// fixedRate is a load that leaves the machine idle most of the time, where waking up costs more than work.
	fixedRate        = 3000
	fixedRateSeconds = 3
)

// BenchmarkAgainstSilenceper compares the processor time of a message in the whole chain, gateway, logic
// and Redis together, with that in a server of one process on silenceper/wechat, which neither
// deduplicates nor asks anybody. The peer runs before and after each sample of ours, because a machine
// that others use as well makes figures of two moments incomparable; the ratio is to the mean of the two.
func BenchmarkAgainstSilenceper(b *testing.B) {
	peer, err := harness.BuildAlone(b, "test/bench/peers/silenceper")
	if err != nil {
		b.Skip("the peer cannot be built here: ", err)
	}
	subjects := []subject{
		chainOf("chain", harness.Build(b, "./services/gateway/cmd/gateway"), harness.Build(b, "./services/logic/cmd/logic")),
		silenceper("silenceper, tuned alike", peer, tuning...),
	}
	if *another != "" {
		subjects = append(subjects, chainOf("another", filepath.Join(*another, "gateway"), filepath.Join(*another, "logic")))
	}
	for name, load := range map[string]load{
		"plain":   {messages: *messages},
		"safe":    {messages: *messages, safe: true},
		"plain @": {messages: fixedRate * fixedRateSeconds, rate: fixedRate},
	} {
		b.Run(strings.Replace(name, "@", "at "+strconv.Itoa(fixedRate)+" a second", 1), func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(compare(b, load, silenceper("silenceper", peer), subjects), "ratio")
			}
		})
	}
}

// load is what a sample sends.
type load struct {
	messages int
	rate     int // a second; 0 is as fast as answers come
	safe     bool
}

// subject is a server or several, which start fresh for every sample.
type subject struct {
	name  string
	start func(b *testing.B, safe bool) system
}

// system is a subject that runs.
type system struct {
	addr, path string
	processes  []*harness.Process
	// debug holds the debug listeners of our own services by name.
	debug map[string]string
}

// sample is what was measured of a system under a load.
type sample struct {
	cpu      time.Duration // of a message, all processes together
	by       map[string]time.Duration
	perSec   float64
	p50, p99 time.Duration
}

// chainOf is the stack's own way of a message, on a redis-server of its own.
func chainOf(name, gateway, logic string) subject {
	return subject{name: name, start: func(b *testing.B, safe bool) system {
		served := account.Development()
		served.Encryption = account.EncryptionPlain
		if safe {
			served.Encryption = account.EncryptionSafe
		}
		redisURL, redis := harness.Redis(b)
		s := system{addr: harness.FreeAddr(b), path: "/wx/" + account.DevelopmentAppID, processes: []*harness.Process{redis}, debug: map[string]string{}}
		logicAddr := harness.FreeAddr(b)
		run := func(bin string, env ...string) {
			debug := harness.FreeAddr(b)
			env = append(append(env, "DEBUG_LISTEN_ADDR="+debug), tuning...)
			process := harness.Start(b, bin, env)
			process.WaitHTTP(b, "http://"+debug+"/readyz")
			s.processes = append(s.processes, process)
			s.debug[process.Name()] = debug
		}
		run(logic, "LOGIC_LISTEN_ADDR="+logicAddr)
		run(gateway, "GATEWAY_LISTEN_ADDR="+s.addr, "LOGIC_ADDR="+logicAddr, "REDIS_URL="+redisURL,
			"WX_ACCOUNTS_FILE="+harness.WriteAccounts(b, served))
		return s
	}}
}

// tuning is that of docker-compose.yml.
var tuning = []string{"GOGC=400", "GOMEMLIMIT=100MiB", "GOMAXPROCS=1"}

// silenceper is the peer.
func silenceper(name, bin string, env ...string) subject {
	return subject{name: name, start: func(b *testing.B, _ bool) system {
		addr := harness.FreeAddr(b)
		process := harness.Start(b, bin, env, "-addr", addr, "-app-id", account.DevelopmentAppID,
			"-token", account.DevelopmentCallbackToken, "-aes-key", account.DevelopmentEncodingAESKey)
		return system{addr: addr, path: "/", processes: []*harness.Process{process}}
	}}
}

// compare samples the subjects in turn, base before and after each, prints the table, and returns the
// median ratio of the first.
func compare(b *testing.B, l load, base subject, subjects []subject) float64 {
	b.Helper()
	ratios, samples := map[string][]float64{}, map[string][]sample{}
	before := l.measure(b, base)
	samples[base.name] = append(samples[base.name], before)
	for range *rounds {
		for _, s := range subjects {
			own := l.measure(b, s)
			after := l.measure(b, base)
			samples[s.name], samples[base.name] = append(samples[s.name], own), append(samples[base.name], after)
			ratios[s.name] = append(ratios[s.name], 2*own.cpu.Seconds()/(before.cpu+after.cpu).Seconds())
			before = after
		}
		slices.Reverse(subjects)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintf(table, "\n%s\tCPU µs/message\tratio (min–max)\tby process\tmessages/s\tp50\tp99\n", b.Name())
	for name, all := range samples {
		slices.SortFunc(all, func(a, b sample) int { return int(a.cpu - b.cpu) })
		m := all[len(all)/2]
		ratio := "1"
		if r := ratios[name]; r != nil {
			slices.Sort(r)
			ratio = fmt.Sprintf("%.2f (%.2f–%.2f)", r[len(r)/2], r[0], r[len(r)-1])
		}
		var by []string
		for process, cpu := range m.by {
			by = append(by, fmt.Sprintf("%s %.1f", process, micros(cpu)))
		}
		slices.Sort(by)
		fmt.Fprintf(table, "%s\t%.1f\t%s\t%s\t%.0f\t%v\t%v\n", name, micros(m.cpu), ratio, strings.Join(by, ", "), m.perSec,
			m.p50.Round(time.Microsecond), m.p99.Round(time.Microsecond))
	}
	first := ratios[chainName]
	return first[len(first)/2]
}

const chainName = "chain"

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// measure starts a subject, warms it up, measures it under the load, and stops it.
func (l load) measure(b *testing.B, s subject) sample {
	b.Helper()
	running := s.start(b, l.safe)
	defer func() {
		for _, process := range slices.Backward(running.processes) {
			process.Kill()
		}
	}()
	warm, err := newTraffic(running.path, l.safe, 1, warmUp)
	if err != nil {
		b.Fatal(err)
	}
	traffic, err := newTraffic(running.path, l.safe, 1+warmUp, l.messages)
	if err != nil {
		b.Fatal(err)
	}
	harness.Eventually(b, s.name+" answers", func() error {
		one, err := newTraffic(running.path, l.safe, 0, 1)
		if err != nil {
			return err
		}
		_, err = one.send(running.addr, 0)
		return err
	})
	if _, err := warm.send(running.addr, l.rate); err != nil {
		b.Fatalf("%s: %v", s.name, err)
	}
	profiled := running.profile(b)
	before := usage(b, running.processes)
	start := time.Now()
	took, err := traffic.send(running.addr, l.rate)
	elapsed := time.Since(start)
	profiled.Wait()
	if err != nil {
		b.Fatalf("%s: %v", s.name, err)
	}
	got := sample{by: map[string]time.Duration{}, perSec: float64(l.messages) / elapsed.Seconds(), p50: took.quantile(.5), p99: took.quantile(.99)}
	for name, cpu := range usage(b, running.processes) {
		got.by[name] = (cpu - before[name]) / time.Duration(l.messages)
		got.cpu += got.by[name]
	}
	return got
}

// profile takes profiles of our services for some seconds, if they are wanted.
func (s system) profile(b *testing.B) *sync.WaitGroup {
	b.Helper()
	var taken sync.WaitGroup
	if *profiles == "" {
		return &taken
	}
	for name, addr := range s.debug {
		taken.Go(func() {
			response, err := http.Get("http://" + addr + "/debug/pprof/profile?seconds=4")
			if err != nil {
				b.Error(err)
				return
			}
			defer response.Body.Close()
			profile, err := io.ReadAll(response.Body)
			if err == nil {
				err = os.WriteFile(filepath.Join(*profiles, name+".pprof"), profile, 0o600)
			}
			if err != nil {
				b.Error(err)
			}
		})
	}
	return &taken
}

// tick is the unit in which the kernel counts processor time.
const tick = 10 * time.Millisecond

// usage returns the processor time, user and system, of each process.
func usage(b *testing.B, processes []*harness.Process) map[string]time.Duration {
	b.Helper()
	used := map[string]time.Duration{}
	for _, process := range processes {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process.PID()))
		if err != nil {
			b.Skip("processor time is read from /proc: ", err)
		}
		// The name of the program stands in brackets and may hold anything; utime and stime are the 12th and
		// 13th field after it.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		for _, field := range fields[11:13] {
			ticks, err := strconv.Atoi(field)
			if err != nil {
				b.Fatal(err)
			}
			used[process.Name()] += time.Duration(ticks) * tick
		}
	}
	return used
}
