package chaos

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/stats"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/test/harness"
)

// logic is a logic service that the test sees into. What it is asked says what it has to do:
// "delay=7s id=42" is answered after 7 s with "answer 42", anything else at once with "answer" alone.
//
// As the contract demands, the message key is an idempotency key: who asks again after an asker died gets
// the answer when the first one would have got it.
type logic struct {
	logicv1.UnimplementedLogicServiceServer

	addr string

	mu        sync.Mutex
	questions map[string]*question // by message key
}

// question is one message that logic was asked about.
type question struct {
	key   string
	text  string
	first time.Time
	asks  []*ask
}

// ask is one call of Reply.
type ask struct {
	asker *asker
	began time.Time
	// ended is zero while the call is on. A call that was cut ended before there was an answer.
	ended time.Time
	cut   bool
}

// asker is one connection, that is, one life of one gateway.
type asker struct {
	mu   sync.Mutex
	gone time.Time
}

func (a *asker) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gone = time.Now()
}

// goneBefore reports whether the gateway was dead at that time.
func (a *asker) goneBefore(when time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.gone.IsZero() && a.gone.Before(when)
}

func serveLogic(t *testing.T) *logic {
	t.Helper()
	l := &logic{addr: harness.FreeAddr(t), questions: map[string]*question{}}
	var listen net.ListenConfig
	lis, err := listen.Listen(t.Context(), "tcp", l.addr)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.StatsHandler(connections{}))
	logicv1.RegisterLogicServiceServer(server, l)
	healthv1.RegisterHealthServer(server, health.NewServer())
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("logic: %v", err)
		}
	})
	return l
}

// Reply is LogicService's.
func (l *logic) Reply(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	text := req.GetMessage().GetText().GetContent()
	if event := req.GetMessage().GetEvent(); event != nil {
		text = event.GetKey()
	}
	delay, answer := instruction(text)
	ready, done := l.begin(ctx, req.GetMessageKey(), text, delay)
	select {
	case <-time.After(time.Until(ready)):
		done(false)
		return &logicv1.ReplyResponse{Rule: "chaos", Reply: &messagev1.Reply{
			Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: answer}},
		}}, nil
	case <-ctx.Done():
		done(true)
		return nil, ctx.Err()
	}
}

// begin notes a call, and returns when the answer is ready and what to call at the end.
func (l *logic) begin(ctx context.Context, key, text string, delay time.Duration) (ready time.Time, done func(cut bool)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &ask{began: time.Now(), asker: askerOf(ctx)}
	q, ok := l.questions[key]
	if !ok {
		q = &question{key: key, text: text, first: a.began}
		l.questions[key] = q
	}
	q.asks = append(q.asks, a)
	return q.first.Add(delay), func(cut bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		a.ended, a.cut = time.Now(), cut
	}
}

// asked returns a copy of what logic was asked, by text: messages that say the same have several.
func (l *logic) asked() map[string][]question {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string][]question{}
	for _, q := range l.questions {
		snapshot := question{key: q.key, text: q.text, first: q.first}
		for _, a := range q.asks {
			seen := *a
			snapshot.asks = append(snapshot.asks, &seen)
		}
		all[q.text] = append(all[q.text], snapshot)
	}
	return all
}

// answered reports whether a question with that text was answered.
func (l *logic) answered(text string) bool {
	for _, q := range l.asked()[text] {
		for _, a := range q.asks {
			if !a.ended.IsZero() && !a.cut {
				return true
			}
		}
	}
	return false
}

// String tells the story of a question, in seconds since logic was first asked.
func (q question) String() string {
	var story strings.Builder
	fmt.Fprintf(&story, "  logic, key %s, first asked %s:\n", q.key, q.first.Format(clock))
	for _, a := range q.asks {
		fmt.Fprintf(&story, "    asked at %+.2fs by gateway life %p, ", a.began.Sub(q.first).Seconds(), a.asker)
		switch {
		case a.ended.IsZero():
			story.WriteString("still waiting\n")
		case a.cut:
			fmt.Fprintf(&story, "cut at %+.2fs\n", a.ended.Sub(q.first).Seconds())
		default:
			fmt.Fprintf(&story, "answered at %+.2fs\n", a.ended.Sub(q.first).Seconds())
		}
	}
	return story.String()
}

// clock is how times are printed.
const clock = "15:04:05.000"

// instruct writes what instruction reads.
func instruct(delay time.Duration, id string) string { return fmt.Sprintf("delay=%v id=%s", delay, id) }

// answerTo is what a follower must read who sent the text.
func answerTo(text string) string {
	_, answer := instruction(text)
	return answer
}

func instruction(text string) (delay time.Duration, answer string) {
	const word = "answer"
	after, ok := strings.CutPrefix(text, "delay=")
	if !ok {
		return 0, word
	}
	wait, id, _ := strings.Cut(after, " id=")
	delay, err := time.ParseDuration(wait)
	if err != nil {
		return 0, word
	}
	return delay, word + " " + id
}

// connections gives each call the connection on which it came.
type connections struct{}

type askerKey struct{}

func askerOf(ctx context.Context) *asker {
	a, _ := ctx.Value(askerKey{}).(*asker)
	return a
}

func (connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, askerKey{}, new(asker))
}

func (connections) HandleConn(ctx context.Context, s stats.ConnStats) {
	if _, ended := s.(*stats.ConnEnd); ended {
		askerOf(ctx).leave()
	}
}

func (connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (connections) HandleRPC(context.Context, stats.RPCStats) {}
