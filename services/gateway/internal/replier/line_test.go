package replier

import (
	"context"
	"errors"
	"io"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/wxstack/wxstack/chassis/fault"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/wechat/message"
)

// converser is a logic service whose test answers: each call of Converse hands its messages to the test.
// Calls of Reply it answers itself, and says so.
type converser struct {
	logicv1.UnimplementedLogicServiceServer

	calls chan *heard
}

// heard is one call of Converse as its test sees it.
type heard struct {
	grpc.BidiStreamingServer[logicv1.ConverseRequest, logicv1.ConverseResponse]

	in  chan *logicv1.ConverseRequest
	end chan error
}

func newConverser() *converser { return &converser{calls: make(chan *heard, 100)} }

func (c *converser) Converse(stream grpc.BidiStreamingServer[logicv1.ConverseRequest, logicv1.ConverseResponse]) error {
	call := &heard{BidiStreamingServer: stream, in: make(chan *logicv1.ConverseRequest, 100), end: make(chan error, 1)}
	c.calls <- call
	received := make(chan error, 1)
	go func() {
		for {
			in, err := stream.Recv()
			if err != nil {
				received <- err
				return
			}
			call.in <- in
		}
	}()
	select {
	case err := <-received:
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	case err := <-call.end:
		return err
	}
}

func (c *converser) Reply(_ context.Context, in *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	return textReply("unary " + in.GetMessageKey()), nil
}

func textReply(content string) *logicv1.ReplyResponse {
	return &logicv1.ReplyResponse{Reply: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: content}}}}
}

// answer answers questions with their own keys, in the order given.
func (h *heard) answer(t *testing.T, questions ...*logicv1.Question) {
	t.Helper()
	out := &logicv1.ConverseResponse{}
	for _, q := range questions {
		out.Answers = append(out.Answers, &logicv1.Answer{
			Id: q.GetId(), Result: &logicv1.Answer_Response{Response: textReply(q.GetRequest().GetMessageKey())},
		})
	}
	if err := h.Send(out); err != nil {
		t.Error(err)
	}
}

// answerAll answers everything that is asked on a call until it ends.
func (h *heard) answerAll(t *testing.T) {
	t.Helper()
	for {
		select {
		case in := <-h.in:
			h.answer(t, in.GetQuestions()...)
		case <-h.Context().Done():
			return
		}
	}
}

// asking is a question that a test has asked.
type asking struct {
	reply chan string
	err   chan error
}

func ask(ctx context.Context, client *Client, id uint64) asking {
	a := asking{reply: make(chan string, 1), err: make(chan error, 1)}
	in := hello
	in.MsgID = id
	go func() {
		reply, _, err := client.Reply(ctx, "wx1", in, time.Now().Add(5*time.Second), time.Now().Add(14500*time.Millisecond))
		text, _ := reply.(message.TextReply)
		a.reply <- text.Content
		a.err <- err
	}()
	return a
}

func (a asking) want(t *testing.T, want string) {
	t.Helper()
	if got, err := <-a.reply, <-a.err; got != want || err != nil {
		t.Errorf("answered %q, %v; want %q", got, err, want)
	}
}

// lined returns a client of logic with all its lines open, and the calls of these.
func lined(t *testing.T, logic *converser) (*Client, []*heard) {
	t.Helper()
	client := dial(t, logic)
	ask(t.Context(), client, 1).want(t, "unary m1") // nobody waits for a line
	synctest.Wait()
	return client, opened(t, logic)
}

// opened returns the calls that were opened since the last look.
func opened(t *testing.T, logic *converser) []*heard {
	t.Helper()
	synctest.Wait()
	var calls []*heard
	for range lineCount {
		select {
		case call := <-logic.calls:
			calls = append(calls, call)
		default:
			t.Fatalf("%d lines are open, want %d", len(calls), lineCount)
		}
	}
	return calls
}

// keys are the message keys of what was asked in a message.
func keys(in *logicv1.ConverseRequest) []string {
	var keys []string
	for _, q := range in.GetQuestions() {
		keys = append(keys, q.GetRequest().GetMessageKey())
	}
	return keys
}

// next returns what was asked in the next message on any of the calls.
func next(t *testing.T, calls []*heard) (*heard, *logicv1.ConverseRequest) {
	t.Helper()
	synctest.Wait()
	for _, call := range calls {
		select {
		case in := <-call.in:
			return call, in
		default:
		}
	}
	t.Fatal("nothing was asked")
	return nil, nil
}

func bubble(t *testing.T, run func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, run)
}

// TestWhatWaitsIsAskedTogether holds the first message up, so that the questions after it gather.
func TestWhatWaitsIsAskedTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		sending, sent := make(chan *logicv1.ConverseRequest), make(chan struct{})
		l := newLine(&slowStream{sending: sending, sent: sent}, func(*line) {})
		ended := make(chan struct{})
		go l.write(ended)
		for i := range 4 {
			go func() {
				_, err := l.ask(t.Context(), &logicv1.ReplyRequest{MessageKey: strconv.Itoa(i)})
				if fault.KindOf(err) != fault.Unavailable {
					t.Error(err)
				}
			}()
			if i == 0 {
				if first := <-sending; len(first.GetQuestions()) != 1 {
					t.Errorf("first asked %v", keys(first))
				}
			}
		}
		synctest.Wait()
		sent <- struct{}{}
		if second := <-sending; len(second.GetQuestions()) != 3 {
			t.Errorf("then asked %v, want the three that waited", keys(second))
		}
		sent <- struct{}{}
		close(ended)
		l.abandon(nil)
	})
}

// slowStream is a call whose messages take as long to write as the test wants.
type slowStream struct {
	stream

	sending chan *logicv1.ConverseRequest
	sent    chan struct{}
}

func (s *slowStream) Send(m *logicv1.ConverseRequest) error {
	s.sending <- m
	<-s.sent
	return nil
}

func (s *slowStream) CloseSend() error { return nil }

func TestAnswersFindTheirQuestions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, calls := lined(t, newConverser())
		var questions []*logicv1.Question
		var asked []asking
		var on *heard
		for id := uint64(2); id < 2+2*lineCount; id++ {
			a := ask(t.Context(), client, id)
			call, in := next(t, calls)
			if on == nil {
				on = call
			}
			if call == on {
				questions, asked = append(questions, in.GetQuestions()...), append(asked, a)
			} else {
				call.answer(t, in.GetQuestions()...)
				a.want(t, "m"+strconv.FormatUint(id, 10))
			}
		}
		if len(asked) != 2 {
			t.Fatalf("%d of %d questions on one line", len(asked), 2*lineCount)
		}
		on.answer(t, questions[1])
		asked[1].want(t, questions[1].GetRequest().GetMessageKey())
		on.answer(t, questions[0], &logicv1.Question{Id: 99}) // and one that nobody asked
		asked[0].want(t, questions[0].GetRequest().GetMessageKey())
	})
}

func TestTheTimeLeftTravels(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, calls := lined(t, newConverser())
		ctx, cancel := context.WithTimeout(t.Context(), 42*time.Second)
		defer cancel()
		a := ask(ctx, client, 2)
		call, in := next(t, calls)
		q := in.GetQuestions()[0]
		if got := q.GetTimeLeft().AsDuration(); got != 42*time.Second {
			t.Errorf("time_left %v", got)
		}
		if got := q.GetRequest().GetBudgetTimeLeft().AsDuration(); got != 14500*time.Millisecond {
			t.Errorf("budget_time_left %v", got)
		}
		call.answer(t, q)
		a.want(t, "m2")
	})
}

func TestWhoGaveUpIsCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, calls := lined(t, newConverser())
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		a := ask(ctx, client, 2)
		call, in := next(t, calls)
		if <-a.reply; fault.KindOf(<-a.err) != fault.Deadline {
			t.Error("want a deadline fault")
		}
		_, told := next(t, []*heard{call})
		if diff := cmp.Diff([]uint64{in.GetQuestions()[0].GetId()}, told.GetCancelled()); diff != "" {
			t.Error(diff)
		}
		call.answer(t, in.GetQuestions()...) // comes too late, and harms nobody
		b := ask(t.Context(), client, 3)
		call, in = next(t, calls)
		call.answer(t, in.GetQuestions()...)
		b.want(t, "m3")
	})
}

func TestABrokenLineIsAskedAgain(t *testing.T) {
	for name, end := range map[string]error{"broken": status.Error(codes.Internal, "x"), "ended too soon": nil} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				logic := newConverser()
				client, calls := lined(t, logic)
				a := ask(t.Context(), client, 2)
				call, in := next(t, calls)
				call.end <- end
				// The other line takes over, with the same key.
				synctest.Wait()
				time.Sleep(2 * firstPause)
				go func() {
					if other := <-logic.calls; other != nil { // for an end in order the seat is filled at once
						other.answerAll(t)
					}
				}()
				for _, other := range calls {
					if other != call {
						go other.answerAll(t)
					}
				}
				a.want(t, in.GetQuestions()[0].GetRequest().GetMessageKey())
				logic.calls <- nil
			})
		})
	}
}

func TestAServiceWithoutLinesIsAskedOneByOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		logic := newConverser()
		client, calls := lined(t, logic)
		var asked []asking
		for id := uint64(2); id < 2+lineCount; id++ {
			asked = append(asked, ask(t.Context(), client, id))
			next(t, calls)
		}
		start := time.Now()
		for _, call := range calls {
			call.end <- status.Error(codes.Unimplemented, "unknown method Converse")
		}
		for i, a := range asked {
			a.want(t, "unary m"+strconv.Itoa(2+i))
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v to ask otherwise", took)
		}
		time.Sleep(offerPause - time.Second)
		ask(t.Context(), client, 10).want(t, "unary m10")
		synctest.Wait()
		if len(logic.calls) != 0 {
			t.Error("a line was tried again too soon")
		}
		time.Sleep(2 * time.Second)
		ask(t.Context(), client, 11).want(t, "unary m11")
		opened(t, logic)
	})
}

// TestLinesAreRenewed: after its life a line takes no more questions, waits for its answers, and ends.
func TestLinesAreRenewed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		logic := newConverser()
		client, calls := lined(t, logic)
		slow := ask(t.Context(), client, 2)
		call, in := next(t, calls)
		time.Sleep(lineLife + time.Second)
		ask(t.Context(), client, 3).want(t, "unary m3")
		renewed := opened(t, logic)
		for _, old := range calls {
			if open := old.Context().Err() == nil; open != (old == call) {
				t.Errorf("open %v, want it only for the answer that is missing", open)
			}
		}
		a := ask(t.Context(), client, 4)
		other, again := next(t, renewed)
		other.answer(t, again.GetQuestions()...)
		a.want(t, "m4")
		call.answer(t, in.GetQuestions()...)
		slow.want(t, "m2")
		synctest.Wait()
		if call.Context().Err() == nil {
			t.Error("the old line is open still")
		}
	})
}

func TestALineThatNeverAnswersIsCut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, calls := lined(t, newConverser())
		ctx, cancel := context.WithTimeout(t.Context(), 2*lineLimit)
		defer cancel()
		ask(ctx, client, 2)
		call, _ := next(t, calls)
		time.Sleep(lineLimit + time.Second)
		if call.Context().Err() == nil {
			t.Error("the line is open still")
		}
	})
}

func TestADrainingServiceIsAskedElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		logic := newConverser()
		client, calls := lined(t, logic)
		slow := ask(t.Context(), client, 2)
		call, in := next(t, calls)
		if err := call.Send(&logicv1.ConverseResponse{Draining: true}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for id := uint64(3); id < 3+2*lineCount; id++ {
			a := ask(t.Context(), client, id)
			synctest.Wait()
			if len(call.in) != 0 {
				t.Error("a draining line was asked")
			}
			select {
			case fresh := <-logic.calls:
				calls = append(calls, fresh)
			default:
			}
			for _, other := range calls {
				select {
				case in := <-other.in:
					other.answer(t, in.GetQuestions()...)
				default:
				}
			}
			<-a.reply
			if err := <-a.err; err != nil {
				t.Error(err)
			}
		}
		call.answer(t, in.GetQuestions()...)
		slow.want(t, "m2")
		synctest.Wait()
		if call.Context().Err() == nil {
			t.Error("our side was not closed")
		}
	})
}

// TestBothWays runs the same cases over calls and over lines: what a caller sees is the same.
func TestBothWays(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		want fault.Kind
	}{
		"reply":    {},
		"invalid":  {fault.New(fault.Invalid, "message.msg_type is empty"), fault.Invalid},
		"internal": {fault.New(fault.Internal, "secret"), fault.Internal},
		"bare":     {status.Error(codes.FailedPrecondition, "x"), fault.Precondition},
		"spent":    {fault.New(fault.QuotaSpent, "x"), fault.QuotaSpent},
		"repeated": {fault.New(fault.Throttled, "x").WithRetryAfter(3 * time.Second), fault.Deadline},
	} {
		t.Run(name+" by call", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				judge(t, dial(t, &fakeLogic{always: tt.err}), tt.want)
			})
		})
		t.Run(name+" by line", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				client, calls := lined(t, newConverser())
				for _, call := range calls {
					go func() {
						for {
							select {
							case in := <-call.in:
								for _, q := range in.GetQuestions() {
									_ = call.Send(&logicv1.ConverseResponse{Answers: []*logicv1.Answer{answered(q.GetId(), tt.err)}})
								}
							case <-call.Context().Done():
								return
							}
						}
					}()
				}
				judge(t, client, tt.want)
			})
		})
	}
}

func answered(id uint64, err error) *logicv1.Answer {
	if err == nil {
		return &logicv1.Answer{Id: id, Result: &logicv1.Answer_Response{Response: textReply("test")}}
	}
	failure := &logicv1.Failure{Code: int32(status.Code(err)), Message: status.Convert(err).Message()}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		failure.Reason = string(f.Kind())
		failure.RetryAfter = timeLeft(time.Now().Add(fault.RetryAfter(err)))
	}
	return &logicv1.Answer{Id: id, Result: &logicv1.Answer_Failure{Failure: failure}}
}

// judge asks with 2 s to go, less than the service asks to wait.
func judge(t *testing.T, client *Client, want fault.Kind) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	start := time.Now()
	reply, _, err := client.Reply(ctx, "wx1", hello, start, start)
	switch {
	case want == "" && err == nil && cmp.Equal(reply, message.Reply(message.TextReply{Content: "test"})):
	case want == "" || err == nil || fault.KindOf(err) != want:
		t.Errorf("%v, %v; want %q", reply, err, want)
	}
	if took := time.Since(start); (want == fault.Deadline) != (took == 2*time.Second) {
		t.Errorf("it took %v", took)
	}
}

func TestAnAnswerOfTomorrowsIsNotTakenForNone(t *testing.T) {
	t.Parallel()
	if got := resultOf(&logicv1.Answer{Id: 1}); fault.KindOf(got.err) != fault.Invalid {
		t.Errorf("%v", got)
	}
}

// TestBegin asks without waiting.
func TestBegin(t *testing.T) {
	t.Parallel()
	type came struct {
		Text  string
		Rule  string
		Again bool
		Kind  fault.Kind
	}
	begin := func(client *Client, id uint64, all chan came) func() {
		in := hello
		in.MsgID = id
		now := time.Now()
		return client.Begin("wx1", in, now.Add(5*time.Second), now.Add(14*time.Second), now.Add(time.Minute),
			func(reply message.Reply, rule string, again bool, err error) {
				text, _ := reply.(message.TextReply)
				c := came{Text: text.Content, Rule: rule, Again: again}
				if err != nil {
					c.Kind = fault.KindOf(err)
				}
				all <- c
			})
	}
	synctest.Test(t, func(t *testing.T) {
		logic := newConverser()
		client, calls := lined(t, logic)
		all := make(chan came, 10)
		want := func(what string, want ...came) {
			t.Helper()
			synctest.Wait()
			var got []came
			for len(all) > 0 {
				got = append(got, <-all)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", what, diff)
			}
		}
		take := func(begun func()) (*heard, *logicv1.Question) {
			t.Helper()
			if begun == nil {
				t.Fatal("there is no line")
			}
			synctest.Wait()
			for _, call := range calls {
				for len(call.in) > 0 { // among them may be word of what was cancelled
					if questions := (<-call.in).GetQuestions(); len(questions) > 0 {
						return call, questions[0]
					}
				}
			}
			t.Fatal("logic was asked nothing")
			return nil, nil
		}

		call, question := take(begin(client, 2, all))
		if left := question.GetTimeLeft().AsDuration(); left != time.Minute {
			t.Errorf("time left %v", left)
		}
		want("before the answer")
		call.answer(t, question)
		want("answered", came{Text: "m2"})

		cancel := begin(client, 3, all)
		call, question = take(cancel)
		cancel()
		call.answer(t, question)
		want("cancelled")

		call, _ = take(begin(client, 4, all))
		call.end <- status.Error(codes.Unavailable, "going away")
		want("broken", came{Again: true, Kind: fault.Unavailable})
	})
}

func TestBeginNeedsALine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := dial(t, newConverser())
		now := time.Now()
		if client.Begin("wx1", hello, now, now, now, func(message.Reply, string, bool, error) { t.Error("told something") }) != nil {
			t.Error("begun without a line")
		}
		synctest.Wait()
	})
}
