package chaos

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

// A replica that dies is replaced within the message's budget: by the edge, which sends the delivery to
// another one, and by that one, which takes over the claim. What dies too late for that comes as a late answer.
func TestGatewaysThatAreKilledLoseNothing(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t, account.LateAnswerCustomerService)
	pushes := mix{delays: passive, each: perDelay}.pushes()
	l := w.send(pushes, 10*time.Second)
	w.killInTurn(l.done, time.Second)
	w.expectEachAnsweredInTheEnd(pushes, l.results)
	w.expectAsked(pushes, l.results, onceForEachDeath)
}

// killInTurn kills one gateway after the other and starts it again at once, until done is closed.
func (w *world) killInTurn(done <-chan struct{}, pause time.Duration) {
	w.t.Helper()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for kills := 0; ; kills++ {
		select {
		case <-done:
			w.t.Logf("%d kills", kills)
			return
		case <-tick.C:
			victim := w.gateways[kills%replicas]
			victim.Stop(w.t, syscall.SIGKILL)
			victim.Start(w.t)
		}
	}
}

// A rolling restart: each replica finishes what it holds before it ends, so nothing is asked twice.
func TestARollingRestartLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pushes := mix{delays: passive, each: perDelay}.pushes()
	l := w.send(pushes, 40*time.Second) // about as long as the restarts take
	for _, g := range w.gateways {
		g.Stop(t, syscall.SIGTERM)
		g.Start(t)
		g.WaitReady(t)
	}
	select {
	case <-l.done:
		t.Log("the messages ended before the restarts did")
	default:
	}
	<-l.done
	w.expectEachAnsweredOnce(pushes, l.results)
	w.expectAsked(pushes, l.results, once)
}

// Redis dies and comes back empty. Each replica deduplicates by itself meanwhile, so that logic may be
// asked once by each, for messages that were in flight; nobody goes without an answer.
func TestARedisThatComesBackEmptyLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pushes := mix{delays: passive, each: perDelay}.pushes()
	l := w.send(pushes, 12*time.Second)
	var outages []outage // from the death of Redis until all replicas use it again
	for _, wait := range []time.Duration{2 * time.Second, 5 * time.Second} {
		time.Sleep(wait) // the load's pace
		o := outage{began: time.Now()}
		w.redis.Kill()
		time.Sleep(time.Second) // long enough to be noticed
		w.redis = harness.RedisAt(t, w.redisAddr)
		for _, g := range w.gateways {
			harness.Eventually(t, "gateway sees Redis again", func() error { return usesRedis(t, g) })
		}
		o.ended = time.Now()
		outages = append(outages, o)
	}
	<-l.done
	w.expectEachAnsweredOnce(pushes, l.results)
	w.expectAsked(pushes, l.results, func(q question, result simulator.PushResult) error {
		for _, o := range outages {
			if o.touches(result) && len(q.asks) <= replicas {
				return nil
			}
		}
		return once(q, result)
	})
}

// Without Redis no replica knows how many deliveries the others had. The last one is closed all the same.
func TestWithoutRedisNobodySeesANotice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.redis.Kill()
	pushes := mix{delays: []time.Duration{late}, each: 50}.pushes()
	l := w.send(pushes, time.Second)
	<-l.done
	w.expectSilence(pushes, l.results)
}

// A pause of Redis that is shorter than the lease makes nobody ask again: who waits for another replica's
// answer knows that it was being worked on a moment ago.
func TestAPauseOfRedisMakesNobodyAskAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pushes := mix{delays: []time.Duration{7 * time.Second}, each: 100}.pushes()
	l := w.send(pushes, 100*time.Millisecond)
	time.Sleep(simulator.DefaultTimeout + time.Second) // the second deliveries wait, most on other replicas
	w.redis.Signal(t, syscall.SIGSTOP)
	time.Sleep(500 * time.Millisecond)
	w.redis.Signal(t, syscall.SIGCONT)
	<-l.done
	w.expectEachAnsweredOnce(pushes, l.results)
	again := 0
	for _, questions := range w.logic.asked() {
		for _, q := range questions {
			again += len(q.asks) - 1
		}
	}
	if again > 0 {
		t.Errorf("logic was asked %d times again for %d messages", again, len(pushes))
	}
}

// touches reports whether a message was in flight meanwhile.
func (o outage) touches(result simulator.PushResult) bool {
	ended := result.Time.Add(time.Duration(result.DurationMS * float64(time.Millisecond)))
	return result.Time.Before(o.ended) && ended.After(o.began)
}

var errWithoutRedis = errors.New("it goes on without Redis")

// usesRedis returns nil when the gateway's readiness says that it uses Redis.
func usesRedis(t *testing.T, g *harness.Replica) error {
	t.Helper()
	metrics, err := get(t, g.DebugURL+"/metrics")
	if err != nil {
		return err
	}
	for line := range strings.SplitSeq(metrics, "\n") {
		if strings.HasPrefix(line, "component_up{") && strings.Contains(line, `"redis"`) && strings.HasSuffix(line, " 1") {
			return nil
		}
	}
	return errWithoutRedis
}

func get(t *testing.T, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var body strings.Builder
	if err := resp.Write(&body); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", url, resp.Status)
	}
	return body.String(), nil
}
