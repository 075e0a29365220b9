package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

// replicas is how many gateways a world has.
const replicas = 3

// world is WeChat, the edge, three gateways, Redis and logic.
type world struct {
	t         *testing.T
	platform  *simulator.Platform
	logic     *logic
	gateways  []*harness.Replica
	redisAddr string
	redis     *harness.Process

	accountsFile string
}

// newWorld starts a world with the development account, which drops late answers.
func newWorld(t *testing.T) *world {
	t.Helper()
	development := account.Development()
	development.LateAnswer.Policy = account.LateAnswerDrop
	return newWorldOf(t, []account.Account{development})
}

// newWorldOf starts a world with accounts of its own. The environment is the gateways'.
func newWorldOf(t *testing.T, accounts []account.Account, environment ...func(*world) string) *world {
	t.Helper()
	harness.Require(t, "haproxy", "apt-get install haproxy")
	w := &world{
		t: t, logic: serveLogic(t), redisAddr: harness.FreeAddr(t), accountsFile: harness.WriteAccounts(t, accounts...),
		platform: simulator.Start(t, func(o *simulator.Options) { o.Accounts = harness.Simulated(accounts) }),
	}
	w.redis = harness.RedisAt(t, w.redisAddr)
	env := []string{"WX_ACCOUNTS_FILE=" + w.accountsFile, "REDIS_URL=redis://" + w.redisAddr, "LOGIC_ADDR=" + w.logic.addr}
	for _, entry := range environment {
		env = append(env, entry(w))
	}
	w.gateways = harness.StartGateways(t, replicas, env...)
	edge := harness.StartEdge(t, w.gateways)
	for _, a := range accounts {
		if err := w.platform.SetCallback(a.AppID, edge.URL+"/wx/"+a.AppID, ""); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// mix is what followers send: so many messages for each delay of logic.
type mix struct {
	delays []time.Duration
	each   int
}

// perDelay is how many messages a whole mix has for each delay.
const perDelay = 500

// The delays that a passive answer can bridge: within the first delivery, the second and the third.
var passive = []time.Duration{100 * time.Millisecond, 4 * time.Second, 7 * time.Second, 12 * time.Second}

const (
	followers = 100
	// One message in tenth is an event, whose key is its content instead of a MsgId.
	tenth = 10
)

// seed makes the order of the messages the same in each run.
const seed = 20_261_125

// pushes writes a mix down in the order of sending: unlike messages next to each other, in all modes.
func (m mix) pushes() []simulator.Push {
	modes := []simulator.Mode{simulator.ModePlain, simulator.ModeCompatible, simulator.ModeSafe}
	var all []simulator.Push
	for _, delay := range m.delays {
		for i := range m.each {
			text := instruct(delay, delay.String()+"-"+strconv.Itoa(i))
			push := simulator.Push{
				From: fmt.Sprintf("oCHAOS%022d", len(all)%followers), Mode: modes[i%len(modes)],
				Content: text, ReuseConnections: true,
			}
			if i%tenth == 0 {
				push.Type, push.Event, push.EventKey, push.Content = simulator.TypeEvent, simulator.EventClick, text, ""
			}
			all = append(all, push)
		}
	}
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// load is messages that are being sent.
type load struct {
	done    chan struct{}
	results []simulator.PushResult
}

// send sends messages evenly over a time, whatever becomes of them, and closes done at their end.
func (w *world) send(pushes []simulator.Push, over time.Duration) *load {
	l := &load{done: make(chan struct{}), results: make([]simulator.PushResult, len(pushes))}
	pause := time.NewTicker(max(over/time.Duration(len(pushes)), time.Microsecond))
	go func() {
		defer close(l.done)
		defer pause.Stop()
		var senders sync.WaitGroup
		for i, push := range pushes {
			senders.Go(func() {
				result, err := w.platform.Push(context.Background(), push)
				if err != nil {
					w.t.Errorf("push %d: %v", i, err)
				}
				l.results[i] = result
			})
			<-pause.C
		}
		senders.Wait()
	}()
	return l
}

// textOf is what the follower sent: the content of a text, or the key of an event.
func textOf(push simulator.Push) string { return push.Content + push.EventKey }

// expectEachAnsweredOnce compares what followers saw with what they sent: to each message its own answer,
// once, and never WeChat's notice.
func (w *world) expectEachAnsweredOnce(pushes []simulator.Push, results []simulator.PushResult) {
	w.t.Helper()
	asked := w.logic.asked()
	shown := 0
	for i, result := range results {
		want := answerTo(textOf(pushes[i]))
		if len(result.Shown) == 1 && result.Shown[0].Side == simulator.SideAccount && result.Shown[0].Text == want {
			continue
		}
		w.t.Errorf("message %q was not answered with %q", textOf(pushes[i]), want)
		if shown++; shown <= maxStories {
			w.t.Log(story(result, asked[textOf(pushes[i])]))
		}
	}
	w.expectNoNotice(pushes)
	for line, missing := range w.missing(pushes) {
		w.t.Errorf("%s: %d answers too few (negative: too many)", line, missing)
	}
}

// expectEachAnsweredInTheEnd is expectEachAnsweredOnce for answers that may come as customer-service messages.
func (w *world) expectEachAnsweredInTheEnd(pushes []simulator.Push, results []simulator.PushResult) {
	w.t.Helper()
	defer func() {
		if w.t.Failed() {
			w.tell(pushes, results)
		}
	}()
	harness.Eventually(w.t, "each message has its answer", func() error {
		if missing := w.missing(pushes); len(missing) > 0 {
			return fmt.Errorf("%w: answers too few (negative: too many): %v", errNotThere, missing)
		}
		return nil
	})
	w.expectNoNotice(pushes)
	late := 0
	for openID := range senders(pushes) {
		for _, line := range w.platform.Chat(openID) {
			if line.Channel == simulator.ChannelCustom {
				late++
			}
		}
	}
	w.t.Logf("%d of %d answers came late", late, len(pushes))
}

// tell tells what happened to the messages whose answers are missing, or are there twice.
func (w *world) tell(pushes []simulator.Push, results []simulator.PushResult) {
	w.t.Helper()
	missing, asked, told := w.missing(pushes), w.logic.asked(), 0
	for i, push := range pushes {
		if missing[push.From+" "+answerTo(textOf(push))] == 0 || told == maxStories {
			continue
		}
		told++
		w.t.Log(story(results[i], asked[textOf(push)]))
	}
}

// expectNoNotice says that no follower was told that the account is out of service.
func (w *world) expectNoNotice(pushes []simulator.Push) {
	w.t.Helper()
	for openID := range senders(pushes) {
		for _, line := range w.platform.Chat(openID) {
			if line.Side == simulator.SideNotice {
				w.t.Errorf("follower %s read the error notice at %s", openID, line.Time.Format(clock))
			}
		}
	}
}

// missing compares the chats with what they have to be: to each message its own answer, once.
func (w *world) missing(pushes []simulator.Push) map[string]int {
	w.t.Helper()
	want := map[string]int{}
	for _, push := range pushes {
		want[push.From+" "+answerTo(textOf(push))]++
	}
	for openID := range senders(pushes) {
		for _, line := range w.platform.Chat(openID) {
			if line.Side == simulator.SideAccount {
				want[openID+" "+line.Text]--
			}
		}
	}
	maps.DeleteFunc(want, func(_ string, missing int) bool { return missing == 0 })
	return want
}

// maxStories bounds what a failed test tells in full.
const maxStories = 5

func senders(pushes []simulator.Push) map[string]bool {
	all := map[string]bool{}
	for _, push := range pushes {
		all[push.From] = true
	}
	return all
}

// expectAsked compares how often logic was asked with what may be: one key for each message, and asks as
// the function judges.
//
// A replica that doesn't reach Redis deduplicates by itself, and one that stalls, because the machine is
// busy, takes Redis for dead. What it asks then is excused, but said.
func (w *world) expectAsked(pushes []simulator.Push, results []simulator.PushResult, judge func(question, simulator.PushResult) error) {
	w.t.Helper()
	asked := w.logic.asked()
	alone := w.withoutRedis()
	told, excused := 0, 0
	sent := map[string]int{}
	for _, push := range pushes {
		sent[textOf(push)]++
	}
	for i, push := range pushes {
		questions := asked[textOf(push)]
		if len(questions) != sent[textOf(push)] {
			w.t.Errorf("logic was asked for %d messages that say %q, %d were sent", len(questions), textOf(push), sent[textOf(push)])
			continue
		}
		for _, q := range questions {
			err := judge(q, results[i])
			if err != nil && q.askedDuring(alone) {
				excused++
				continue
			}
			if err != nil {
				w.t.Errorf("message %q: %v", textOf(push), err)
				if told++; told <= maxStories {
					w.t.Log(story(results[i], questions))
				}
			}
		}
	}
	if excused > 0 {
		w.t.Logf("%d messages were asked again by replicas that did not reach Redis for a while: %v", excused, alone)
	}
}

// outage is a time without Redis.
type outage struct{ began, ended time.Time }

func (o outage) String() string { return o.began.Format(clock) + " to " + o.ended.Format(clock) }

// excuse is how long after an outage it may still be acted upon: an answer that could not be stored is
// computed again when the claim has lapsed.
const excuse = 3 * time.Second

// askedDuring reports whether logic was asked again in one of the outages.
func (q question) askedDuring(outages []outage) bool {
	for _, a := range q.asks[1:] {
		for _, o := range outages {
			if a.began.After(o.began) && a.began.Before(o.ended.Add(excuse)) {
				return true
			}
		}
	}
	return false
}

// withoutRedis returns the times in which a gateway, by its own log, didn't reach Redis.
func (w *world) withoutRedis() []outage {
	var all []outage
	for _, g := range w.gateways {
		for _, output := range g.Outputs() {
			all = append(all, outagesIn(output)...)
		}
	}
	return all
}

func outagesIn(output string) []outage {
	var all []outage
	down := false
	for line := range strings.SplitSeq(output, "\n") {
		var entry struct {
			Time      time.Time `json:"time"`
			Message   string    `json:"msg"`
			Component string    `json:"component"`
		}
		if json.Unmarshal([]byte(line), &entry) != nil || entry.Component != "redis" {
			continue
		}
		switch entry.Message {
		case "component down":
			down = true
			all = append(all, outage{entry.Time, time.Now()})
		case "component up":
			if down {
				all[len(all)-1].ended = entry.Time
			}
			down = false
		}
	}
	return all
}

// once says that logic may be asked a single time.
func once(q question, _ simulator.PushResult) error {
	if len(q.asks) != 1 {
		return fmt.Errorf("logic was asked %d times, want once", len(q.asks))
	}
	return nil
}

// onceForEachDeath says that logic may be asked again only when who asked before is dead.
func onceForEachDeath(q question, _ simulator.PushResult) error {
	for i, a := range q.asks[1:] {
		if !q.asks[i].asker.goneBefore(a.began) {
			return fmt.Errorf("ask %d came while the gateway of ask %d was alive", i+2, i+1)
		}
	}
	return nil
}

// story tells what happened to a message, for whoever reads a failure.
func story(result simulator.PushResult, questions []question) string {
	var text strings.Builder
	fmt.Fprintf(&text, "message %d of %s, %s, %s:\n", result.MsgID, result.From, result.Mode, result.Outcome)
	for _, d := range result.Deliveries {
		fmt.Fprintf(&text, "  delivery %d at %s (%+.2fs), %.2fs: status %d, %s, %s\n", d.Attempt, d.Time.Format(clock),
			d.Time.Sub(result.Time).Seconds(), d.DurationMS/1000, d.Status, d.Verdict, d.Reason)
	}
	for _, line := range result.Shown {
		fmt.Fprintf(&text, "  the follower saw: %s %q\n", line.Side, line.Text)
	}
	for _, q := range questions {
		text.WriteString(q.String())
	}
	return text.String()
}
