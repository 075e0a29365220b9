package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/server"
)

// promptly makes a function a route.PromptHandler.
type promptly struct{ handler }

func (promptly) Prompt() {}

// conversation is a call of Converse.
type conversation = grpc.BidiStreamingClient[logicv1.ConverseRequest, logicv1.ConverseResponse]

// connect serves subject in memory with the house's equipment and returns a client of it.
func connect(t *testing.T, subject *server.Server, tel *telemetry.Telemetry) logicv1.LogicServiceClient {
	t.Helper()
	lis := bufconn.Listen(1 << 16)
	srv, err := rpc.NewServer(tel, rpc.TLS{})
	if err != nil {
		t.Fatal(err)
	}
	logicv1.RegisterLogicServiceServer(srv, subject)
	var served sync.WaitGroup
	served.Go(func() { _ = srv.Serve(lis) })
	conn, err := grpc.NewClient("passthrough:///logic",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		srv.Stop()
		served.Wait()
	})
	return logicv1.NewLogicServiceClient(conn)
}

func converse(t *testing.T, subject *server.Server) conversation {
	t.Helper()
	call, err := connect(t, subject, telemetry.Discard()).Converse(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return call
}

func question(id uint64, kind string) *logicv1.Question {
	return &logicv1.Question{
		Id: id, TimeLeft: durationpb.New(10 * time.Second),
		Request: &logicv1.ReplyRequest{Message: &messagev1.Message{FromUserName: "o", MsgType: kind}},
	}
}

func send(t *testing.T, call conversation, in *logicv1.ConverseRequest) {
	t.Helper()
	if err := call.Send(in); err != nil {
		t.Fatal(err)
	}
}

// receive returns the answers of the next message by id, as texts or kinds of faults.
func receive(t *testing.T, call conversation) map[uint64]string {
	t.Helper()
	out, err := call.Recv()
	if err != nil {
		t.Fatal(err)
	}
	got := map[uint64]string{}
	for _, answer := range out.GetAnswers() {
		got[answer.GetId()] = answer.GetResponse().GetReply().GetText().GetContent() + answer.GetFailure().GetReason()
	}
	if out.GetDraining() {
		got[0] = "draining"
	}
	return got
}

func want(t *testing.T, call conversation, want map[uint64]string) {
	t.Helper()
	if diff := cmp.Diff(want, receive(t, call)); diff != "" {
		t.Error(diff)
	}
}

// end closes our side and waits until the other has closed its own.
func end(t *testing.T, call conversation) {
	t.Helper()
	if err := call.CloseSend(); err != nil {
		t.Error(err)
	}
	if out, err := call.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("%v, %v after the end", out, err)
	}
}

func TestPromptRulesAnswerTogether(t *testing.T) {
	t.Parallel()
	subject := server.New(fixed{
		{Name: "text", Match: route.Match{Types: []string{"text"}}, Handler: promptly{answers("x")}},
		{Name: "panics", Match: route.Match{Types: []string{"image"}}, Handler: promptly{func(context.Context) (route.Answer, error) {
			panic("secret detail")
		}}},
	}, &recorder{}, telemetry.Discard())
	call := converse(t, subject)
	send(t, call, &logicv1.ConverseRequest{Questions: []*logicv1.Question{
		question(1, "text"), question(2, "image"), question(3, ""), question(4, "text"),
	}})
	want(t, call, map[uint64]string{1: "x", 2: "INTERNAL", 3: "INVALID", 4: "x"})
	end(t, call)
}

// slowly returns rules of which those for images wait until they may, and say how they ended.
func slowly(may <-chan struct{}, ended chan<- error) fixed {
	return fixed{
		{Name: "fast", Match: route.Match{Types: []string{"text"}}, Handler: answers("fast")},
		{Name: "panics", Match: route.Match{Types: []string{"link"}}, Handler: handler(func(context.Context) (route.Answer, error) {
			panic("secret detail")
		})},
		{Name: "slow", Match: route.Match{Types: []string{"image"}}, Handler: handler(func(ctx context.Context) (route.Answer, error) {
			select {
			case <-may:
				return answers("slow")(ctx)
			case <-ctx.Done():
				ended <- ctx.Err()
				return route.Answer{}, ctx.Err()
			}
		})},
	}
}

func TestASlowRuleHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		may := make(chan struct{})
		call := converse(t, server.New(slowly(may, nil), &recorder{}, telemetry.Discard()))
		send(t, call, &logicv1.ConverseRequest{Questions: []*logicv1.Question{question(1, "image"), question(2, "text")}})
		want(t, call, map[uint64]string{2: "fast"})
		send(t, call, &logicv1.ConverseRequest{Questions: []*logicv1.Question{question(3, "link")}})
		want(t, call, map[uint64]string{3: "INTERNAL"})
		close(may)
		want(t, call, map[uint64]string{1: "slow"})
		end(t, call)
	})
}

func TestEachQuestionHasItsOwnEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 2)
		call := converse(t, server.New(slowly(nil, ended), &recorder{}, telemetry.Discard()))
		tooLate := question(3, "text")
		tooLate.TimeLeft = durationpb.New(20 * time.Millisecond)
		send(t, call, &logicv1.ConverseRequest{Questions: []*logicv1.Question{question(1, "image"), question(2, "image"), tooLate}})
		want(t, call, map[uint64]string{3: "DEADLINE"})
		start := time.Now()
		send(t, call, &logicv1.ConverseRequest{Cancelled: []uint64{1, 77}})
		if err := <-ended; !errors.Is(err, context.Canceled) || time.Since(start) != 0 {
			t.Errorf("the cancelled one ended with %v after %v", err, time.Since(start))
		}
		want(t, call, map[uint64]string{1: "DEADLINE"})
		want(t, call, map[uint64]string{2: "DEADLINE"})
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) || time.Since(start) >= 10*time.Second {
			t.Errorf("the other ended with %v after %v, want it within its time", err, time.Since(start))
		}
		end(t, call)
	})
}

func TestABrokenConversationEndsItsWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		client := connect(t, server.New(slowly(nil, ended), &recorder{}, telemetry.Discard()), telemetry.Discard())
		ctx, cancel := context.WithCancel(t.Context())
		call, err := client.Converse(ctx)
		if err != nil {
			t.Fatal(err)
		}
		send(t, call, &logicv1.ConverseRequest{Questions: []*logicv1.Question{question(1, "image")}})
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// TestTooManyQuestionsAreRefused: refusing holds up nobody, waiting would.
func TestTooManyQuestionsAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 4096
		may := make(chan struct{})
		call := converse(t, server.New(slowly(may, nil), &recorder{}, telemetry.Discard()))
		in := &logicv1.ConverseRequest{}
		for id := range uint64(limit + 1) {
			in.Questions = append(in.Questions, question(id+1, "image"))
		}
		send(t, call, in)
		out, err := call.Recv()
		if err != nil || len(out.GetAnswers()) != 1 {
			t.Fatalf("%v, %v", out, err)
		}
		failure := out.GetAnswers()[0].GetFailure()
		if failure.GetReason() != string(fault.Throttled) || failure.GetRetryAfter().AsDuration() <= 0 {
			t.Errorf("refused with %v", failure)
		}
		close(may)
		for answered := 0; answered < limit; {
			answered += len(receive(t, call))
		}
		end(t, call)
	})
}

func TestDrainTellsAndAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		may := make(chan struct{})
		subject := server.New(slowly(may, nil), &recorder{}, telemetry.Discard())
		client := connect(t, subject, telemetry.Discard())
		call, err := client.Converse(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		send(t, call, &logicv1.ConverseRequest{Questions: []*logicv1.Question{question(1, "image")}})
		synctest.Wait()
		subject.Drain()
		want(t, call, map[uint64]string{0: "draining"})
		// What was on its way meanwhile is answered all the same.
		send(t, call, &logicv1.ConverseRequest{Questions: []*logicv1.Question{question(2, "text")}})
		want(t, call, map[uint64]string{2: "fast"})
		close(may)
		want(t, call, map[uint64]string{1: "slow"})
		end(t, call)

		late, err := client.Converse(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want(t, late, map[uint64]string{0: "draining"})
		end(t, late)
	})
}

// TestBothWaysSayTheSame asks the same by call and by conversation.
func TestBothWaysSayTheSame(t *testing.T) {
	t.Parallel()
	failing := func(err error) handler {
		return func(context.Context) (route.Answer, error) { return route.Answer{}, err }
	}
	var log bytes.Buffer
	tel := telemetry.ForTest(&log)
	subject := server.New(fixed{
		{Name: "text", Match: route.Match{Types: []string{"text"}}, Handler: answers("x")},
		{Name: "fails", Match: route.Match{Types: []string{"link"}}, Handler: failing(errors.New("no luck"))},
		{Name: "panics", Match: route.Match{Types: []string{"image"}}, Handler: handler(func(context.Context) (route.Answer, error) {
			panic("secret detail")
		})},
	}, &recorder{}, tel)
	client := connect(t, subject, tel)
	call, err := client.Converse(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"text", "image", "link", "voice", ""} {
		q := question(1, kind)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		response, byCall := client.Reply(ctx, q.GetRequest())
		cancel()
		send(t, call, &logicv1.ConverseRequest{Questions: []*logicv1.Question{q}})
		out, err := call.Recv()
		if err != nil {
			t.Fatal(err)
		}
		answer := out.GetAnswers()[0]
		if byCall == nil {
			if diff := cmp.Diff(response.String(), answer.GetResponse().String()); diff != "" {
				t.Errorf("%s: %s", kind, diff)
			}
			continue
		}
		byCall = fault.FromStatus(byCall)
		known, ok := errors.AsType[*fault.Error](byCall)
		if !ok || string(known.Kind()) != answer.GetFailure().GetReason() || known.Message() != answer.GetFailure().GetMessage() {
			t.Errorf("%q: by call %v, by conversation %v", kind, byCall, answer.GetFailure())
		}
	}
	end(t, call)
	if strings.Count(log.String(), "secret detail") < 2 {
		t.Errorf("the log lacks a cause: %s", log.String())
	}
}
