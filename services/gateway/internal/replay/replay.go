// Package replay asks a logic service what a recording says others were asked.
package replay

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/services/gateway/internal/recording"
)

// The times that logic is told, those of a message's first delivery. A question is given up after the second.
const (
	deliveryTime = 5 * time.Second
	budgetTime   = 14500 * time.Millisecond
)

// Logic is asked. It is a logicv1.LogicServiceClient.
type Logic interface {
	Reply(ctx context.Context, in *logicv1.ReplyRequest, opts ...grpc.CallOption) (*logicv1.ReplyResponse, error)
}

// Options say what is replayed, and how.
type Options struct {
	// Account is the AppID whose messages are replayed. Empty: all.
	Account string
	// Limit is how many messages are replayed. 0: all.
	Limit int
	// Concurrency is how many are under way at once, at least 1. With more than one, a follower's messages may
	// overtake each other.
	Concurrency int
	// Act lets logic act on the messages as on new ones. Otherwise they say that they are copies.
	Act bool
}

// Result is what came of one message.
type Result struct {
	// Line is where it stands in the recording.
	Line int
	// What it was: the type of a message, or the name of an event.
	What string
	// Rule decided. It and Reply are empty if Err is not nil.
	Rule  string
	Reply *messagev1.Reply
	Took  time.Duration
	Err   error
}

// Run asks logic and yields the results in the order of the recording.
func Run(ctx context.Context, logic Logic, from io.Reader, o Options) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var asking sync.WaitGroup
		defer asking.Wait()
		defer cancel()
		// A message has its place among the results before it is asked about, so that they come in order. One
		// is with whoever reads, the others wait here.
		results := make(chan chan Result, max(1, o.Concurrency)-1)
		asking.Go(func() {
			defer close(results)
			run := rand.Text()
			for line := range o.chosen(recording.Read(from)) {
				result := make(chan Result, 1)
				select {
				case results <- result:
					asking.Go(func() { result <- ask(ctx, logic, line, run, !o.Act) })
				case <-ctx.Done():
					return
				}
			}
		})
		for result := range results {
			if !yield(<-result) {
				return
			}
		}
	}
}

// chosen are the lines that are replayed. Broken ones are, since it is unknown whose they were.
func (o Options) chosen(lines iter.Seq[recording.Line]) iter.Seq[recording.Line] {
	return func(yield func(recording.Line) bool) {
		count := 0
		for line := range lines {
			if o.Account != "" && line.Err == nil && line.Question.GetMessage().GetAppId() != o.Account {
				continue
			}
			if !yield(line) {
				return
			}
			if line.Err == nil {
				count++
			}
			if o.Limit > 0 && count >= o.Limit {
				return
			}
		}
	}
}

// ask asks about one message, as if it had just come.
func ask(ctx context.Context, logic Logic, line recording.Line, run string, shadow bool) Result {
	result := Result{Line: line.Number, What: what(line.Question.GetMessage()), Err: line.Err}
	if line.Err != nil {
		return result
	}
	ctx, cancel := context.WithTimeout(ctx, budgetTime)
	defer cancel()
	began := time.Now()
	answer, err := logic.Reply(ctx, &logicv1.ReplyRequest{
		Message: line.Question.GetMessage(),
		// A key of its own lets no logic take it for one that it has answered.
		MessageKey:       "replay-" + run + "-" + strconv.Itoa(line.Number),
		DeliveryTimeLeft: durationpb.New(deliveryTime), BudgetTimeLeft: durationpb.New(budgetTime),
		Shadow: shadow,
	}, grpc.WaitForReady(false))
	result.Took, result.Err = time.Since(began), err
	result.Rule, result.Reply = answer.GetRule(), answer.GetReply()
	return result
}

func what(m *messagev1.Message) string {
	return cmp.Or(m.GetEvent().GetName(), m.GetMsgType(), "?")
}

// Summary counts results.
type Summary struct {
	Messages int            `json:"messages"`
	Failed   int            `json:"failed"`
	Rules    map[string]int `json:"rules"`
}

// Add counts one.
func (s *Summary) Add(r Result) {
	s.Messages++
	if r.Err != nil {
		s.Failed++
		return
	}
	if s.Rules == nil {
		s.Rules = map[string]int{}
	}
	s.Rules[r.Rule]++
}

// Err tells whether anything failed.
func (s *Summary) Err() error {
	if s.Failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d messages failed", s.Failed, s.Messages)
}

// byCount returns the rules, those that decided most often first.
func (s *Summary) byCount() []string {
	return slices.SortedFunc(maps.Keys(s.Rules), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.Rules[b], s.Rules[a]), cmp.Compare(a, b))
	})
}
