package refresh_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/lease"
	"github.com/wxstack/wxstack/services/token-center/internal/refresh"
	"github.com/wxstack/wxstack/services/token-center/internal/spend"
	"github.com/wxstack/wxstack/services/token-center/internal/store"
)

var (
	schedules = flag.Int("schedules", 1000, "how many random schedules the model test runs")
	replay    = flag.Uint64("seed", 0, "run only the schedule of this seed, many times")
)

// replays is how often -seed runs its schedule: goroutines of one instant run in any order.
const replays = 50

// TestModel runs random histories of replicas, callers, WeChat and Redis in virtual time, and checks after
// every step what must hold in all of them:
//
//   - what the store has never gets an older generation, and a generation names one value only;
//   - one request to WeChat is under way at a time, unless a lease was lost;
//   - WeChat is asked only when the stored token is due or was reported, and within the allowances;
//   - no token is handed out that died by our doing or by its age, and one that a foreigner voided is
//     replaced after one report;
//   - a caller gets a working token whenever nothing has gone wrong for the time of the grace;
//   - nobody waits beyond the deadline of the call.
//
// A schedule that fails is shrunk and printed; `go test ./internal/refresh -run TestModel -seed N` runs it
// again.
func TestModel(t *testing.T) {
	t.Parallel()
	if *replay != 0 {
		for range replays {
			judge(t, newSchedule(*replay))
		}
		return
	}
	const workers = 2
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for i := worker; i < *schedules && !t.Failed(); i += workers {
				judge(t, newSchedule(uint64(i+1)))
			}
		})
	}
	wg.Wait()
}

// judge runs a schedule, and a smaller one in its place when it fails.
func judge(t *testing.T, s schedule) {
	t.Helper()
	found := play(t, s)
	if len(found) == 0 || t.Failed() {
		return
	}
	smaller := shrink(s, func(s schedule) bool {
		for range 3 { // the order within an instant may hide it.
			if again := play(t, s); len(again) > 0 {
				found = again
				return true
			}
		}
		return false
	})
	t.Errorf("%v\n%v", smaller, strings.Join(found, "\n"))
}

// play runs a schedule and returns what was violated.
func play(t *testing.T, s schedule) []string {
	t.Helper()
	m := &model{
		schedule: s, platform: newModelPlatform(s.spec, s.life), store: store.NewMemory(), ledger: spend.NewMemory(),
		leases: lease.NewMemory(leaseTTL), values: map[credential.Generation]string{},
		reported: map[credential.Rejected]bool{}, caches: make([]modelCache, s.replicas), window: s.spec.Window,
	}
	finished := false
	defer func() {
		if !finished {
			t.Logf("the bubble broke in:\n%v", s)
		}
	}()
	synctest.Test(t, m.run)
	finished = true
	if len(m.violations) == 0 {
		return nil
	}
	return append(m.story[max(0, len(m.story)-storyShown):], m.violations...)
}

// storyShown is how much of the story leads up to a violation.
const storyShown = 40

// grace is how long after the last thing that went wrong everything must be well again: the longest pause
// after a failure is 30 s, a dead replica's lease lapses within 6 s, the allowances renew within 31 s.
const grace = 75 * time.Second

// refusedGrace is the same for codes that no refresh cures, where the pause is up to 15 minutes.
const refusedGrace = 16 * time.Minute

// told is how long a replica may be unaware of what another one did: a lost notification is made up for
// by reading every 5 s.
const told = 10 * time.Second

// model is one history.
type model struct {
	schedule

	platform *modelPlatform
	store    *store.Memory
	ledger   *spend.Memory
	leases   *lease.Memory
	window   credential.Window

	caches     []modelCache // by number of the replica; they outlive its processes.
	saving     sync.Mutex   // makes a save and what is noted of it one step.
	mu         sync.Mutex
	processes  []*process
	clients    sync.WaitGroup
	violations []string
	story      []string
	// calmFrom is when everything must be well at the latest.
	calmFrom time.Time
	// faults hit the next requests to WeChat, in order.
	faults []requestFault
	// downUntil, slowUntil and muteUntil are Redis's troubles; knownFrom is when all replicas know of each
	// other again.
	downUntil, slowUntil, muteUntil, knownFrom time.Time
	// lossAt is when a lease was last lost.
	lossAt time.Time
	// underWay are the beginnings of the requests to WeChat.
	underWay []time.Time
	// passive are the times of requests that only a report can explain; forced those of forced ones.
	passive, forced []time.Time
	newest          credential.Generation
	previous        credential.Credential
	values          map[credential.Generation]string
	reported        map[credential.Rejected]bool
}

// requestFault is what goes wrong with one request to WeChat.
type requestFault struct {
	op string
	d  time.Duration
}

func (m *model) violatef(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.violations = append(m.violations, "VIOLATED "+m.line(format, args...))
}

// tellf remembers what happened before the first violation.
func (m *model) tellf(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.violations) == 0 {
		m.story = append(m.story, m.line(format, args...))
	}
}

func (m *model) line(format string, args ...any) string {
	return fmt.Sprintf("%v: ", time.Since(bubbleStart)) + fmt.Sprintf(format, args...)
}

// bubbleStart is when the clock of every synctest bubble begins.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// trouble notes that something goes wrong until then.
func (m *model) trouble(until time.Time, lasting time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calmFrom = later(m.calmFrom, until.Add(lasting))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (m *model) calmSince(begun time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !begun.Before(m.calmFrom)
}

// run is the history from the first start to the last stop.
func (m *model) run(t *testing.T) {
	m.trouble(time.Now(), grace)
	for i := range m.replicas {
		m.processes = append(m.processes, m.start(t, i))
	}
	for _, each := range m.steps {
		m.pass(each.after)
		m.happen(t, each)
	}
	m.pass(m.heal())
	m.pass(m.life) // one whole life after everything is well again, renewal included.
	m.clients.Wait()
	m.agree()
	for _, p := range m.all() {
		p.stop()
	}
}

// heal ends whatever was still to go wrong, and returns how long its effects may last.
func (m *model) heal() time.Duration {
	for _, p := range m.all() {
		p.crashIn(0, nil)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = nil
	return max(time.Until(m.calmFrom), 0) + time.Second
}

func (m *model) all() []*process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.processes)
}

// pass lets time pass, in which a caller tries each replica now and then.
func (m *model) pass(d time.Duration) {
	const between = 17 * time.Second
	for d > 0 {
		slice := min(d, between)
		time.Sleep(slice)
		d -= slice
		for _, p := range m.all() {
			m.clients.Go(func() { m.call(p) })
		}
	}
	synctest.Wait()
}

// agree checks the end: all replicas have the same working token, the stored one.
func (m *model) agree() {
	stored, _ := m.store.Load(context.Background(), testKey)
	for i, p := range m.all() {
		if got := p.Current(); got != stored {
			m.violatef("replica %d ends with %v, stored is %v", i, got, stored)
		}
		if report, _ := p.tel.Health.Report(); len(report.Down()) > 0 {
			m.violatef("replica %d: health is down in the end: %v", i, report.Down())
		}
	}
}

// happen does one step.
func (m *model) happen(t *testing.T, s step) {
	m.tellf("%v", s)
	now, p := time.Now(), m.all()[s.who]
	switch s.op {
	case opCallers:
		for i := range s.n * 3 {
			m.clients.Go(func() { m.call(m.all()[i%m.replicas]) })
		}
		return // nothing went wrong.
	case opFalse, opByValue, opLate, opStorm:
		m.trouble(now, grace)
		m.report(s, p.Current())
	case opForeign:
		m.platform.rotate()
	case opJump:
		m.platform.jump(s.d * 30)
	case opBusy, opNotSent, opLostAsk, opLostAnswer, opSlow, opTardy, opFrozen, opRefused:
		m.mu.Lock()
		for range s.n {
			m.faults = append(m.faults, requestFault{s.op, s.d})
		}
		m.mu.Unlock()
		return // it goes wrong when a request is made.
	case opNoRedis:
		m.redisTrouble(&m.downUntil, now.Add(s.d*10))
	case opSlowRedis:
		m.redisTrouble(&m.slowUntil, now.Add(s.d))
	case opMute:
		m.redisTrouble(&m.muteUntil, now.Add(s.d*5))
	case opWipe, opRollback:
		m.redisTrouble(&m.downUntil, now.Add(time.Second)) // no failover takes less.
		m.clients.Go(func() {
			time.Sleep(time.Second / 2)
			m.lose(s.op == opRollback)
		})
	case opBreak:
		m.breakLease()
	case opEdit:
		if p.alive() && p.replaced.CompareAndSwap(false, true) {
			next := m.start(t, s.who)
			next.Inherit(p.Refresher)
			m.mu.Lock()
			m.processes[s.who] = next
			m.mu.Unlock()
			m.clients.Go(p.stop)
		}
	case opKill, opCrash, opStop:
		m.end(t, s, p)
	}
	m.trouble(now, grace)
}

// report reports tokens that work, or that are long gone.
func (m *model) report(s step, c credential.Credential) {
	rejected := credential.Rejected{Generation: c.Generation}
	switch {
	case s.op == opByValue:
		rejected = credential.Rejected{Value: c.Value}
	case s.op == opLate && s.n%2 == 0:
		rejected = credential.Rejected{Generation: max(1, c.Generation-1)}
	case s.op == opLate:
		rejected = credential.Rejected{Value: config.NewSecret("never seen")}
	}
	if rejected.Empty() {
		return // there is no token yet.
	}
	if s.op == opStorm {
		m.clients.Go(func() {
			for i := range s.n * 10 {
				p := m.all()[i%m.replicas]
				if c := p.Current(); c.Exists() {
					m.refresh(p, credential.Rejected{Generation: c.Generation})
				}
				time.Sleep(100 * time.Millisecond)
			}
			m.trouble(time.Now(), grace)
		})
		return
	}
	for i := range s.n * 3 {
		m.clients.Go(func() { m.refresh(m.all()[i%m.replicas], rejected) })
	}
}

func (m *model) redisTrouble(which *time.Time, until time.Time) {
	m.trouble(until, grace)
	m.mu.Lock()
	defer m.mu.Unlock()
	*which = until
	m.knownFrom = later(m.knownFrom, until.Add(told))
	if which == &m.downUntil && time.Until(until) >= leaseTTL/2 {
		time.AfterFunc(time.Until(until), m.breakLease) // it could not be renewed.
	}
}

// lose makes Redis forget everything, or the last write.
func (m *model) lose(lastWriteOnly bool) {
	m.trouble(time.Now(), grace)
	m.mu.Lock()
	previous := m.previous
	m.newest, m.knownFrom = 0, later(m.knownFrom, time.Now().Add(told))
	m.mu.Unlock()
	m.platform.excuse() // a doubt that was stored may be lost.
	m.store.Clear()
	if lastWriteOnly && previous.Exists() {
		if err := m.store.Save(context.Background(), previous); err != nil {
			m.violatef("roll back: %v", err)
		}
	}
	m.breakLease()
}

func (m *model) breakLease() {
	m.mu.Lock()
	m.lossAt = time.Now()
	m.mu.Unlock()
	m.leases.Break(leaseName)
}

// end makes a replica end in one way or another, and another one take its place.
func (m *model) end(t *testing.T, s step, p *process) {
	ended := func() {
		if !p.replaced.CompareAndSwap(false, true) {
			return
		}
		m.trouble(time.Now().Add(s.d), grace)
		m.clients.Go(func() {
			time.Sleep(s.d)
			next := m.start(t, s.who)
			m.mu.Lock()
			defer m.mu.Unlock()
			m.processes[s.who] = next
		})
	}
	switch s.op {
	case opKill:
		p.kill()
	case opStop:
		p.stop()
	case opCrash:
		p.crashIn(s.n, ended)
		return
	}
	ended()
}

// call is a caller that wants a token, uses it, and reports it when WeChat rejects it.
func (m *model) call(p *process) {
	begun := time.Now()
	const patience = 20 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := p.Get(ctx)
	m.waited(begun, patience)
	if !p.alive() || p.frozen.Load() {
		return // what a dead one has in memory serves nobody.
	}
	calm := m.calmSince(begun)
	if err != nil {
		if calm {
			m.violatef("replica %d has no token though WeChat would give one: %v", p.number, err)
		}
		return
	}
	if m.works(p, c) {
		return
	}
	rejected := credential.Rejected{Generation: c.Generation}
	if begun.UnixNano()%2 == 0 {
		rejected = credential.Rejected{Value: c.Value}
	}
	m.trouble(begun, 0)
	fresh, err := m.refresh(p, rejected)
	switch {
	case !calm || !m.calmSince(begun):
	case err != nil:
		m.violatef("replica %d: a report of a dead token got %v", p.number, err)
	case !m.works(p, fresh):
		m.violatef("replica %d: a report of %v got another dead token %v", p.number, c, fresh)
	}
}

// refresh reports a token.
func (m *model) refresh(p *process, rejected credential.Rejected) (credential.Credential, error) {
	const patience = 20 * time.Second
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m.mu.Lock()
	m.reported[rejected] = true
	m.mu.Unlock()
	c, err := p.Refresh(ctx, rejected)
	m.waited(begun, patience)
	if err == nil && rejected.Names(c) {
		m.violatef("replica %d answered a report with the reported token", p.number)
	}
	return c, err
}

func (m *model) waited(begun time.Time, patience time.Duration) {
	if took := time.Since(begun); took > patience {
		m.violatef("a caller with %v waited for %v", patience, took)
	}
}

// works reports whether WeChat accepts c. A dead token may be handed out only if nobody here could know.
func (m *model) works(p *process, c credential.Credential) bool {
	accepted, why := m.platform.fate(c)
	m.mu.Lock()
	known := !time.Now().Before(m.knownFrom)
	m.mu.Unlock()
	// Two who lost the lease may have replaced it twice within the overlap, which kills it at once as well.
	sudden := why.forced || m.lostSince(time.Now().Add(-leaseTTL-told))
	news := sudden && time.Since(why.end.Add(-m.platform.offset)) < told
	if !accepted && known && !why.foreign && !news {
		m.violatef("replica %d handed out a token that is dead: %v", p.number, c)
	}
	return accepted
}

// process is a replica that can die at any of its steps. What it does passes through here.
type process struct {
	*refresh.Refresher

	m       *model
	number  int
	started time.Time
	tel     *telemetry.Telemetry
	random  *rand.Rand // belongs to the loop's goroutine.
	stop    func()
	killed  chan struct{}
	die     func()
	// frozen processes answer nobody.
	frozen atomic.Bool
	// replaced is set once somebody is going to start the next one in its place.
	replaced atomic.Bool

	mu      sync.Mutex
	stepsTo int // until the crash; 0 is none.
	crashed func()
	seen    credential.Generation
}

func (m *model) start(t *testing.T, number int) *process {
	p := &process{
		m: m, number: number, started: time.Now(), tel: telemetry.Discard(), killed: make(chan struct{}),
		random: rand.New(rand.NewPCG(m.seed, uint64(number))),
	}
	p.Refresher = refresh.New(refresh.Config{
		Key: testKey, Spec: m.spec, Issuer: p, Cache: &m.caches[number], Store: modelStore{p}, Lease: modelLease{p}, Ledger: modelLedger{p},
		Metrics: refresh.NewMetrics(p.tel.Metrics), Health: p.tel.Health.Component("token"), Log: p.tel.Log,
	})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	p.die = sync.OnceFunc(func() { close(p.killed) })
	wg.Go(func() {
		defer cancel() // a crash ends all of the process.
		_ = p.Run(ctx)
	})
	wg.Go(func() {
		_ = m.store.Watch(ctx, []credential.Key{testKey}, func(credential.Key) {
			m.mu.Lock()
			lost := time.Now().Before(m.muteUntil) || time.Now().Before(m.downUntil)
			m.mu.Unlock()
			if !lost {
				p.Notify()
			}
		})
	})
	dirty := make(chan struct{}, 1)
	unwatch := p.Watch(dirty)
	wg.Go(func() {
		defer unwatch()
		for {
			select {
			case <-dirty:
				p.look()
			case <-ctx.Done():
				return
			}
		}
	})
	p.stop = sync.OnceFunc(func() { cancel(); wg.Wait(); p.die() })
	return p
}

// look is a watcher of the replica.
func (p *process) look() {
	c := p.Current()
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.Generation < p.seen {
		p.m.violatef("a watcher of replica %d saw generation %d after %d", p.number, c.Generation, p.seen)
	}
	p.seen = c.Generation
	p.m.named(c)
}

// named checks that a generation names one value.
func (m *model) named(c credential.Credential) {
	m.mu.Lock()
	value, known := m.values[c.Generation]
	m.values[c.Generation] = c.Value.Reveal()
	m.mu.Unlock()
	if known && value != c.Value.Reveal() {
		m.violatef("generation %d names %s and %s", c.Generation, value, c.Value.Reveal())
	}
}

func (p *process) alive() bool {
	select {
	case <-p.killed:
		return false
	default:
		return true
	}
}

// kill is SIGKILL.
func (p *process) kill() {
	p.die()
	p.stop()
}

// crashIn makes the process die at a later step.
func (p *process) crashIn(steps int, crashed func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stepsTo, p.crashed = steps, crashed
}

// crashPoint is a place at which the process may die. It never returns then.
func (p *process) crashPoint() {
	p.mu.Lock()
	crash := p.stepsTo == 1
	p.stepsTo = max(0, p.stepsTo-1)
	p.mu.Unlock()
	if crash {
		p.m.tellf("replica %d crashes", p.number)
		p.die()
		p.crashed()
	}
	if !p.alive() {
		if p.m.lostSince(time.Now().Add(-leaseTTL - 2*answerTimeout - told)) {
			p.m.platform.excuse() // what it did without the lease dies with it; only a report will tell.
		}
		runtime.Goexit()
	}
}

// Issue is a request's way to WeChat and back, and what may go wrong on it.
func (p *process) Issue(ctx context.Context, req credential.Request) (credential.Issued, error) {
	force := req.Force
	p.crashPoint()
	if err := ctx.Err(); err != nil {
		return credential.Issued{}, fault.Wrap(fault.Unavailable, fmt.Errorf("%w: %w", credential.ErrNotSent, err), "cancelled")
	}
	begun := time.Now()
	f := p.m.asked(begun, force)
	p.m.tellf("replica %d asks WeChat, force %v, fault %q %v", p.number, force, f.op, f.d)
	arrived := false
	defer func() { p.m.answered(begun, force && !arrived) }()
	early := f.d/time.Millisecond%2 == 0 // the request leaves after the thaw.
	if f.op == opFrozen {
		p.m.breakLease()
		p.frozen.Store(true)
		defer p.frozen.Store(false)
		ctx = context.WithoutCancel(ctx)
		if early {
			_ = p.wait(ctx, f.d, nil)
		}
	}
	switch f.op {
	case opBusy:
		return credential.Issued{}, errBusy
	case opRefused:
		return credential.Issued{}, fault.New(fault.Precondition, "40164: not on the allow-list")
	case opNotSent:
		return credential.Issued{}, fault.Wrap(fault.Unavailable, credential.ErrNotSent, "no connection")
	case opLostAsk:
		return credential.Issued{}, p.wait(ctx, f.d, errLost)
	case opTardy:
		if err := p.wait(ctx, f.d, nil); err != nil {
			p.m.arriveLate(begun.Add(f.d), p, force)
			return credential.Issued{}, err
		}
	}
	issued, err := p.m.platform.answer(force)
	p.crashPoint()
	switch f.op {
	case opLostAnswer:
		return credential.Issued{}, p.wait(ctx, f.d, errLost)
	case opSlow, opFrozen:
		if f.op == opFrozen && early {
			break
		}
		if err := p.wait(ctx, f.d, nil); err != nil {
			return credential.Issued{}, err
		}
	}
	p.crashPoint()
	arrived = true
	p.m.tellf("replica %d has %s, error %v", p.number, issued.Value.Reveal(), err)
	return issued, err
}

var errLost = errors.New("lost on the way")

// answerTimeout is the issuer's.
const answerTimeout = 5 * time.Second

// wait is for something that takes d, and ends with outcome; a request is given up after answerTimeout.
func (p *process) wait(ctx context.Context, d time.Duration, outcome error) error {
	frozen := ctx.Done() == nil
	if outcome != nil || (d > answerTimeout && !frozen) {
		d, outcome = min(d, answerTimeout), errLost
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.killed:
		p.crashPoint()
	case <-ctx.Done():
		outcome = ctx.Err()
	case <-timer.C:
	}
	if outcome != nil {
		return fault.Wrap(fault.Unavailable, fmt.Errorf("%w: %w", credential.ErrUncertain, outcome), "no answer")
	}
	return nil
}

func (m *model) lostSince(begun time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.lossAt.Before(begun)
}

// arriveLate lets a request that was given up reach WeChat all the same, within ten seconds of that. One that
// were to come even later would be as a foreigner's: only a report can tell of it.
func (m *model) arriveLate(at time.Time, p *process, force bool) {
	time.AfterFunc(time.Until(at), func() {
		if force || !p.alive() {
			m.platform.excuse() // nobody is left who knows that it was ever sent.
		}
		_, _ = m.platform.answer(force)
	})
}

// asked notes a request and tells what goes wrong with it.
func (m *model) asked(now time.Time, force bool) requestFault {
	m.mu.Lock()
	var f requestFault
	if len(m.faults) > 0 {
		f, m.faults = m.faults[0], m.faults[1:]
	}
	// Who lost the lease goes on until it notices.
	together := len(m.underWay) > 0 && m.lossAt.Before(m.underWay[0]) && now.Sub(m.lossAt) > leaseTTL
	m.underWay = append(m.underWay, now)
	if force {
		m.forced = append(m.forced, now)
		m.knownFrom = later(m.knownFrom, now.Add(f.d+told)) // the others learn of it from the answer.
	}
	if f.op == opNotSent && len(m.passive) > 0 {
		m.passive = m.passive[:len(m.passive)-1] // it cost nothing and is given back.
	}
	tooOften := force && len(m.forced) > 1 && now.Sub(m.forced[len(m.forced)-2]) < modelForceInterval
	m.mu.Unlock()
	if together {
		m.violatef("two requests to WeChat are under way")
	}
	if tooOften {
		m.violatef("forced twice within %v", modelForceInterval)
	}
	switch f.op {
	case "":
	case opRefused:
		m.trouble(now, refusedGrace)
	default:
		m.trouble(now.Add(f.d), grace)
	}
	return f
}

// answered notes the end of a request, and whether what it did will stay unknown: after a forced one whose
// answer was lost nobody can say whether the token that was reported lives. The next report will tell.
func (m *model) answered(begun time.Time, unknown bool) {
	if unknown {
		m.platform.excuse()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.Index(m.underWay, begun); i >= 0 {
		m.underWay = slices.Delete(m.underWay, i, i+1)
	}
}

// justify checks, before WeChat is asked, that there is a reason.
func (m *model) justify() {
	stored, _ := m.store.Load(context.Background(), testKey)
	now := time.Now()
	if credential.Due(now, stored, m.window) || !stored.Alive(now) {
		return
	}
	m.mu.Lock()
	lost := now.Sub(m.lossAt) < leaseTTL+told
	reported := m.reported[credential.Rejected{Generation: stored.Generation}] || m.reported[credential.Rejected{Value: stored.Value}]
	m.passive = append(m.passive, now)
	recent := 0
	for _, at := range m.passive {
		if now.Sub(at) < m.spec.Limits.Passive.Span {
			recent++
		}
	}
	m.mu.Unlock()
	if !reported && !lost {
		m.violatef("WeChat is asked though the stored token is neither due nor reported: %v", stored)
	}
	// The span begins with its first, so that two spans may meet within one.
	if recent > 2*m.spec.Limits.Passive.Burst {
		m.violatef("%d requests because of reports within %v", recent, m.spec.Limits.Passive.Span)
	}
}

// redis is what every command goes through.
func (p *process) redis() error {
	p.crashPoint()
	p.m.mu.Lock()
	slow, down := time.Now().Before(p.m.slowUntil), time.Now().Before(p.m.downUntil)
	p.m.mu.Unlock()
	if slow {
		time.Sleep(time.Duration(p.random.IntN(int(time.Second))))
		p.crashPoint()
	}
	if down {
		return errDown
	}
	return nil
}

type modelStore struct{ p *process }

func (s modelStore) NextGeneration(ctx context.Context, key credential.Key, above credential.Generation) (credential.Generation, error) {
	if err := s.p.redis(); err != nil {
		return 0, err
	}
	s.p.m.justify()
	return s.p.m.store.NextGeneration(ctx, key, above)
}

func (s modelStore) Save(ctx context.Context, c credential.Credential) error {
	m := s.p.m
	if err := s.p.redis(); err != nil {
		return err
	}
	m.saving.Lock()
	defer m.saving.Unlock()
	before, _ := m.store.Load(ctx, testKey)
	err := m.store.Save(ctx, c)
	m.tellf("replica %d saves generation %d, %s, to live %v: %v", s.p.number, c.Generation, c.Value.Reveal(), c.Left(time.Now()), err)
	if err != nil {
		return err
	}
	m.named(c)
	m.platform.stored(c.Value)
	m.mu.Lock()
	older := c.Generation < m.newest
	m.newest = max(m.newest, c.Generation)
	m.previous = before
	m.mu.Unlock()
	if older {
		m.violatef("generation %d was saved over %d", c.Generation, m.newest)
	}
	s.p.crashPoint()
	return nil
}

func (s modelStore) Load(ctx context.Context, key credential.Key) (credential.Credential, error) {
	if err := s.p.redis(); err != nil {
		return credential.Credential{}, err
	}
	return s.p.m.store.Load(ctx, key)
}

// modelCache is a replica's own disk.
type modelCache struct {
	mu   sync.Mutex
	last credential.Credential
}

func (c *modelCache) Save(last credential.Credential) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = last
	return nil
}

func (c *modelCache) Load(credential.Key) (credential.Credential, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, nil
}

type modelLease struct{ p *process }

func (l modelLease) Do(ctx context.Context, name string, do func(ctx context.Context) error) error {
	if err := l.p.redis(); err != nil {
		return err
	}
	return l.p.m.leases.Do(ctx, name, do)
}

type modelLedger struct{ p *process }

func (l modelLedger) Take(ctx context.Context, key credential.Key, limit spend.Limit, now time.Time) (time.Duration, error) {
	if err := l.p.redis(); err != nil {
		return 0, err
	}
	return l.p.m.ledger.Take(ctx, key, limit, now)
}

func (l modelLedger) GiveBack(ctx context.Context, key credential.Key, limit spend.Limit, now time.Time) error {
	if err := l.p.redis(); err != nil {
		return err
	}
	return l.p.m.ledger.GiveBack(ctx, key, limit, now)
}
