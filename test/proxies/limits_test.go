package proxies

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxstack/wxstack/wechat/account"
)

const (
	clients = 64
	// rate and burst of the limit that the clients share.
	rate  = 200
	burst = 50
	// span is how long the rate is measured. What its ends may add or hide is a call or two of a thousand.
	span = 5 * time.Second
	// tolerance of the rate.
	tolerance = 0.02
	// pace of a client that doesn't obey: all together ask several times as often as they may.
	pace = 25 * time.Millisecond
)

func TestAllReplicasTogetherHoldTheRate(t *testing.T) {
	w := newWorld(t, `
callers:
  - {name: crm, accounts: "*", apis: "*", limits: [{class: template, rate: 200/s, burst: 50}]}
`)
	callers := w.mixed(clients)
	for i, c := range callers { // opens the connections.
		if r := c.do(t.Context(), read("crm")); r.outcome != done {
			t.Fatalf("client %d: %v", i, r)
		}
	}
	began := time.Now()
	refused := hammer(t, callers, began.Add(span))
	ended := time.Now()
	arrived := w.wechat.arrivals("hammer")
	most := burst + rate*ended.Sub(began).Seconds()
	if got := float64(len(arrived)); got > most {
		t.Errorf("%v calls reached WeChat in %v, %v is the most", got, ended.Sub(began), most)
	}
	want := burst + rate*arrived[len(arrived)-1].Sub(arrived[0]).Seconds()
	if got := float64(len(arrived)); got < want*(1-tolerance) || got > want*(1+tolerance) {
		t.Errorf("%v calls reached WeChat between the first and the last, want %v", got, want)
	}
	t.Logf("%d calls reached WeChat, %.1f expected; %d were refused", len(arrived), want, refused)
	if refused == 0 {
		t.Error("nothing was refused, so nothing was judged")
	}
	obey(t, w, callers)
}

// hammer lets all clients call without regard for what they are told, and returns how often they were refused.
func hammer(t *testing.T, callers []client, end time.Time) (refused int64) {
	t.Helper()
	var refusals, calls atomic.Int64
	var running sync.WaitGroup
	for _, c := range callers {
		running.Go(func() {
			for time.Now().Before(end) && pause(t.Context(), pace) == nil {
				switch r := c.do(t.Context(), send("crm", "hammer-"+strconv.FormatInt(calls.Add(1), 10))); {
				case r.outcome == throttled && r.after > 0:
					refusals.Add(1)
				case r.outcome != done:
					t.Error(r)
				}
			}
		})
	}
	running.Wait()
	return refusals.Load()
}

// obey lets all clients call as they are told to, until each has got through with all that it has.
func obey(t *testing.T, w *world, callers []client) {
	t.Helper()
	const each = 5
	var refusals atomic.Int64
	var running sync.WaitGroup
	for i, c := range callers {
		running.Go(func() {
			for n := range each {
				r, attempts, _ := persist(t.Context(), c, send("crm", "obey-"+strconv.Itoa(i)+"-"+strconv.Itoa(n)))
				if r.outcome != done {
					t.Errorf("client %d, after %d attempts: %v", i, attempts, r)
				}
				refusals.Add(int64(attempts - 1))
			}
		})
	}
	running.Wait()
	if got := len(w.wechat.arrivals("obey")); got != clients*each || refusals.Load() == 0 {
		t.Errorf("%d calls reached WeChat after %d refusals, want %d and some", got, refusals.Load(), clients*each)
	}
}

// In a minute a bucket of these gets one call back, and each of them holds ten.
const tenAtOnce = "{class: template, rate: 1/m, burst: 10}"

// The slow buckets are filled again by one call for each minute that a test takes.
func TestCallersAndAccountsHaveBucketsOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `
callers:
  - {name: crm, accounts: "*", apis: "*", limits: [`+tenAtOnce+`]}
  - {name: erp, accounts: "*", apis: "*", limits: [`+tenAtOnce+`]}
`)
	var running sync.WaitGroup
	for _, caller := range []string{"crm", "erp"} {
		for _, appID := range []string{account.DevelopmentAppID, secondAppID} {
			running.Go(func() {
				if got := w.through(t, call{caller: caller, appID: appID, says: "own-" + caller + "-" + appID}, 12); got != 10 {
					t.Errorf("%s got %d calls through for %s, want 10", caller, got, appID)
				}
			})
		}
	}
	running.Wait()
}

// through makes a call so many times over each face of each replica and returns how many reached WeChat; the
// others must have been refused.
func (w *world) through(t *testing.T, c call, each int) int {
	t.Helper()
	says, refused := c.says, 0
	before := len(w.wechat.arrivals(says + "/"))
	for i, cl := range w.mixed(2 * len(w.proxies)) {
		for n := range each {
			c.says = says + "/" + strconv.Itoa(i) + "-" + strconv.Itoa(n) + "-" + strconv.Itoa(before)
			switch r := cl.do(t.Context(), c); {
			case r.outcome == throttled && r.after > 0:
				refused++
			case r.outcome != done:
				t.Error(r)
			}
		}
	}
	arrived := len(w.wechat.arrivals(says+"/")) - before
	if total := 2 * len(w.proxies) * each; arrived+refused != total {
		t.Errorf("of %d calls %d reached WeChat and %d were refused", total, arrived, refused)
	}
	return arrived
}

func TestABatchCallerLeavesTheReserveToOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `
reserve: 20%
limits: [{class: template, rate: 50/s, burst: 25}]
callers:
  - {name: report, accounts: "*", apis: "*", priority: batch}
  - {name: crm, accounts: "*", apis: "*"}
`)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	var refused, made atomic.Int64
	for i, c := range w.mixed(2 * replicas) {
		running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				switch r := c.do(t.Context(), send("report", "batch-"+strconv.Itoa(i)+"-"+strconv.Itoa(n))); {
				case r.outcome == throttled && r.after > 0:
					refused.Add(1)
				case r.outcome == done:
					made.Add(1)
				default:
					t.Error(r)
				}
				_ = pause(ctx, 5*time.Millisecond)
			}
		})
	}
	for i, c := range w.mixed(10) {
		for before := refused.Load(); refused.Load() == before; { // the batch caller has taken what it may.
			_ = pause(t.Context(), time.Millisecond)
		}
		if r := c.do(t.Context(), send("crm", "interactive-"+strconv.Itoa(i))); r.outcome != done {
			t.Errorf("interactive call %d beside a batch caller: %v", i, r)
		}
		_ = pause(t.Context(), 100*time.Millisecond) // ten calls a second, of the fifty.
	}
	stop()
	running.Wait()
	if made.Load() == 0 {
		t.Error("the batch caller got nothing through")
	}
}
