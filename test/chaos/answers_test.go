package chaos

import (
	"fmt"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator"
)

// Whatever logic takes, up to the end of the third delivery, the follower reads the answer once and logic
// is asked once.
func TestEachMessageIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pushes := mix{delays: passive, each: perDelay}.pushes()
	l := w.send(pushes, 4*time.Second)
	<-l.done
	w.expectEachAnsweredOnce(pushes, l.results)
	w.expectAsked(pushes, l.results, once)
	for i, result := range l.results {
		delay, _ := instruction(textOf(pushes[i]))
		// A busy machine may make a delivery miss its time, but none can get an answer before there is one.
		if least := int(delay/simulator.DefaultTimeout) + 1; len(result.Deliveries) < least {
			t.Errorf("delay %v: answered with delivery %d, before logic had answered", delay, len(result.Deliveries))
		}
	}
}

// Messages that differ in nothing but their MsgId, and events that differ in nothing but their EventKey,
// are as many messages.
func TestLikeMessagesAreNotMerged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var pushes []simulator.Push
	for i := range 50 {
		const from = "oTWINS00000000000000000000001"
		pushes = append(pushes,
			simulator.Push{From: from, Content: instruct(200*time.Millisecond, "twin")},
			simulator.Push{
				From: from, Type: simulator.TypeEvent, Event: simulator.EventClick,
				EventKey: instruct(200*time.Millisecond, fmt.Sprintf("key%d", i)),
			})
	}
	l := w.send(pushes, 0)
	<-l.done
	w.expectEachAnsweredOnce(pushes, l.results)
	w.expectAsked(pushes, l.results, once)
}

// A message that logic answers too late is closed in silence and, its account dropping late answers, forgotten.
func TestAMessageWithoutAnAnswerIsClosedInSilence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pushes := mix{delays: []time.Duration{late}, each: perDelay}.pushes()
	l := w.send(pushes, 2*time.Second)
	<-l.done
	w.expectSilence(pushes, l.results)
	w.expectAsked(pushes, l.results, once)
}
