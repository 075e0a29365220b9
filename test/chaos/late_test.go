package chaos

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

const (
	// late is when logic answers, after WeChat's last delivery.
	late = 20 * time.Second
	// restartAt is between WeChat's last delivery and the answer.
	restartAt = 17 * time.Second
	// lateMessages is how many messages of a policy are late at once.
	lateMessages = 20
)

// newLateWorld starts a world with one account for each policy, and the way out to WeChat.
func newLateWorld(t *testing.T, policies ...account.LateAnswerPolicy) *world {
	t.Helper()
	var accounts []account.Account
	for i, policy := range policies {
		a := account.Development()
		if i > 0 {
			a.AppID, a.OriginalID = fmt.Sprintf("wxlate000000000000%d", i), fmt.Sprintf("gh_late00000000%d", i)
		}
		a.LateAnswer.Policy = policy
		accounts = append(accounts, a)
	}
	w := newWorldOf(t, accounts, func(w *world) string {
		return "API_PROXY_ADDR=" + harness.StartAPIProxy(t, "WX_ACCOUNTS_FILE="+w.accountsFile,
			"WX_API_BASE_URL="+w.platform.URL(), "REDIS_URL=redis://"+w.redisAddr)
	})
	return w
}

// latePushes are messages to an account, each of another follower.
func latePushes(appID string) []simulator.Push {
	pushes := make([]simulator.Push, lateMessages)
	for i := range pushes {
		pushes[i] = simulator.Push{
			Account: appID, From: "oLATE" + appID + strconv.Itoa(i), Content: instruct(late, "late-"+appID+"-"+strconv.Itoa(i)),
		}
	}
	return pushes
}

func appIDOf(policy account.LateAnswerPolicy, policies []account.LateAnswerPolicy) string {
	for i, p := range policies {
		if p == policy && i > 0 {
			return fmt.Sprintf("wxlate000000000000%d", i)
		}
	}
	return account.DevelopmentAppID
}

// What becomes of an answer that comes after the last delivery is the account's policy.
func TestLateAnswersGoTheWayOfTheirPolicy(t *testing.T) {
	t.Parallel()
	policies := []account.LateAnswerPolicy{account.LateAnswerCustomerService, account.LateAnswerPickup, account.LateAnswerDrop}
	w := newLateWorld(t, policies...)
	loads := map[account.LateAnswerPolicy]*load{}
	for _, policy := range policies {
		loads[policy] = w.send(latePushes(appIDOf(policy, policies)), 0)
	}
	for policy, expect := range map[account.LateAnswerPolicy]func(w *world, pushes []simulator.Push, results []simulator.PushResult){
		account.LateAnswerCustomerService: (*world).expectSentLater,
		account.LateAnswerPickup:          (*world).expectPickedUp,
		account.LateAnswerDrop:            (*world).expectDropped,
	} {
		<-loads[policy].done
		expect(w, latePushes(appIDOf(policy, policies)), loads[policy].results)
	}
	w.stopGateways(syscall.SIGTERM) // what they still have to send they send now
	for _, policy := range policies {
		pushes := latePushes(appIDOf(policy, policies))
		w.expectAsked(pushes, make([]simulator.PushResult, len(pushes)), once)
		if policy == account.LateAnswerCustomerService {
			w.expectOneLateLine(pushes)
		}
	}
}

// A late answer survives all gateways at once: the work is in Redis.
func TestLateAnswersSurviveARestart(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			w := newLateWorld(t, account.LateAnswerCustomerService)
			pushes := latePushes(account.DevelopmentAppID)
			began := time.Now()
			l := w.send(pushes, 0)
			<-l.done
			time.Sleep(time.Until(began.Add(restartAt))) // the moment is the test
			w.stopGateways(signal)
			for _, g := range w.gateways {
				g.Start(t)
			}
			for _, g := range w.gateways {
				g.WaitReady(t)
			}
			w.expectSentLater(pushes, l.results)
			w.stopGateways(syscall.SIGTERM)
			w.expectOneLateLine(pushes)
			w.expectAsked(pushes, l.results, onceForEachDeath)
		})
	}
}

// A late answer survives Redis too: who works on it stores it again.
func TestLateAnswersSurviveARedisThatComesBackEmpty(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t, account.LateAnswerCustomerService)
	pushes := latePushes(account.DevelopmentAppID)
	began := time.Now()
	l := w.send(pushes, 0)
	<-l.done
	time.Sleep(time.Until(began.Add(restartAt)))
	w.redis.Kill()
	w.redis = harness.RedisAt(t, w.redisAddr)
	w.expectSentLater(pushes, l.results)
	w.stopGateways(syscall.SIGTERM)
	w.expectOneLateLine(pushes)
	w.expectAsked(pushes, l.results, once)
}

// stopGateways stops all gateways at the same time.
func (w *world) stopGateways(sig syscall.Signal) {
	w.t.Helper()
	for _, g := range w.gateways {
		g.Signal(w.t, sig)
	}
	for _, g := range w.gateways {
		if err := g.Wait(w.t); err != nil && sig == syscall.SIGTERM {
			w.t.Errorf("gateway at %s ended with %v", g.Addr, err)
		}
	}
}

// lateTimeout is when a late answer is given up for lost.
const lateTimeout = time.Minute

// expectSentLater waits for a second line in each chat; expectOneLateLine judges it.
func (w *world) expectSentLater(pushes []simulator.Push, results []simulator.PushResult) {
	w.expectSilence(pushes, results)
	ctx, cancel := context.WithTimeout(context.Background(), lateTimeout)
	defer cancel()
	for _, push := range pushes {
		if _, err := w.platform.WaitChat(ctx, push.From, 2); err != nil {
			w.t.Errorf("message %q got no late answer: %v", push.Content, err)
		}
	}
}

// expectOneLateLine compares the chats with what they have to be: the message and its answer, once, as a
// customer-service message.
func (w *world) expectOneLateLine(pushes []simulator.Push) {
	w.t.Helper()
	for _, push := range pushes {
		chat := w.platform.Chat(push.From)
		if len(chat) != 2 || chat[1].Channel != simulator.ChannelCustom || chat[1].Text != answerTo(push.Content) {
			w.t.Errorf("chat of %s, who sent %q: %+v", push.From, push.Content, chat)
		}
	}
}

// expectSilence says that the deliveries themselves showed the followers nothing.
func (w *world) expectSilence(pushes []simulator.Push, results []simulator.PushResult) {
	asked := w.logic.asked()
	told := 0
	for i, result := range results {
		if result.Outcome == simulator.OutcomeSilent && len(result.Shown) == 0 {
			continue
		}
		w.t.Errorf("the deliveries of the late message %q were not closed in silence", textOf(pushes[i]))
		if told++; told <= maxStories {
			w.t.Log(story(result, asked[textOf(pushes[i])]))
		}
	}
}

var errNotThere = errors.New("not there yet")

// expectPickedUp says that the follower read the placeholder, and then the answer when they wrote again.
func (w *world) expectPickedUp(pushes []simulator.Push, results []simulator.PushResult) {
	for _, result := range results {
		if len(result.Shown) != 1 || result.Shown[0].Text != account.DefaultPlaceholder {
			w.t.Errorf("instead of the placeholder: %s", story(result, nil))
		}
	}
	for _, push := range pushes {
		harness.Eventually(w.t, "logic has answered "+push.Content, func() error {
			if !w.logic.answered(push.Content) {
				return errNotThere
			}
			return nil
		})
		harness.Eventually(w.t, push.From+" picks the answer up", func() error {
			result, err := w.platform.Push(context.Background(), simulator.Push{Account: push.Account, From: push.From, Content: "?"})
			if err != nil {
				return err
			}
			if len(result.Shown) != 1 || result.Shown[0].Text != answerTo(push.Content) {
				return fmt.Errorf("%w: %s", errNotThere, story(result, nil))
			}
			return nil
		})
		picked := 0
		for _, line := range w.platform.Chat(push.From) {
			if line.Text == answerTo(push.Content) {
				picked++
			}
		}
		if picked != 1 {
			w.t.Errorf("%s read the answer %d times", push.From, picked)
		}
	}
}

// expectDropped says that nothing ever reaches the followers.
func (w *world) expectDropped(pushes []simulator.Push, results []simulator.PushResult) {
	w.expectSilence(pushes, results)
	for _, push := range pushes {
		harness.Eventually(w.t, "logic is done with "+push.Content, func() error {
			for _, q := range w.logic.asked()[push.Content] {
				if q.asks[0].ended.IsZero() {
					return errNotThere
				}
			}
			return nil
		})
		if chat := w.platform.Chat(push.From); len(chat) != 1 {
			w.t.Errorf("chat of %s: %+v", push.From, chat)
		}
	}
}
