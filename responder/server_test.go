package responder_test

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
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/responder"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// byType asks a handler for each MsgType. What has none is shown nothing.
type byType map[string]func(ctx context.Context) (*logicv1.ReplyResponse, error)

func (b byType) Reply(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	if handler, ok := b[req.GetMessage().GetMsgType()]; ok {
		return handler(ctx)
	}
	return &logicv1.ReplyResponse{}, nil
}

// promptly answers everything at once but images, which it leaves to byType.
type promptly struct{ byType }

func (p promptly) ReplyAtOnce(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, bool, error) {
	if req.GetMessage().GetMsgType() == "image" {
		return nil, false, nil
	}
	resp, err := p.Reply(ctx, req)
	return resp, true, err
}

func answers(content string) func(context.Context) (*logicv1.ReplyResponse, error) {
	return func(context.Context) (*logicv1.ReplyResponse, error) {
		return &logicv1.ReplyResponse{Reply: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: content}}}}, nil
	}
}

func panics(context.Context) (*logicv1.ReplyResponse, error) { panic("secret detail") }

func newServer(handler responder.Handler) *responder.Server {
	return responder.NewServer(handler, telemetry.Discard().Log)
}

// conversation is a call of Converse.
type conversation = grpc.BidiStreamingClient[logicv1.ConverseRequest, logicv1.ConverseResponse]

// connect serves subject in memory with the house's equipment and returns a client of it.
func connect(t *testing.T, subject *responder.Server, tel *telemetry.Telemetry) logicv1.LogicServiceClient {
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

func converse(t *testing.T, subject *responder.Server) conversation {
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

func TestRefused(t *testing.T) {
	t.Parallel()
	subject := newServer(byType{})
	for want, msg := range map[string]*messagev1.Message{
		"message is missing":              nil,
		"message.from_user_name is empty": {MsgType: "text"},
		"message.msg_type is empty":       {FromUserName: "o"},
	} {
		_, err := subject.Reply(t.Context(), &logicv1.ReplyRequest{Message: msg})
		if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("want an invalid request with %q, got %v", want, err)
		}
	}
	notice := &messagev1.Message{Content: &messagev1.Message_Notice{Notice: &messagev1.Notice{InfoType: "authorized"}}}
	if _, err := subject.Reply(t.Context(), &logicv1.ReplyRequest{Message: notice}); err != nil {
		t.Errorf("a notice has no sender: %v", err)
	}
}

func TestPromptAnswersComeTogether(t *testing.T) {
	t.Parallel()
	call := converse(t, newServer(promptly{byType{"text": answers("x"), "link": panics}}))
	send(t, call, &logicv1.ConverseRequest{Questions: []*logicv1.Question{
		question(1, "text"), question(2, "link"), question(3, ""), question(4, "text"),
	}})
	want(t, call, map[uint64]string{1: "x", 2: "INTERNAL", 3: "INVALID", 4: "x"})
	end(t, call)
}

// TestWhatIsNotPromptComesLater: one question that has to wait does not hold up those beside it.
func TestWhatIsNotPromptComesLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		may := make(chan struct{})
		call := converse(t, newServer(promptly{slowly(may, nil)}))
		send(t, call, &logicv1.ConverseRequest{Questions: []*logicv1.Question{
			question(1, "image"), question(2, "text"), question(3, "text"),
		}})
		want(t, call, map[uint64]string{2: "fast", 3: "fast"})
		close(may)
		want(t, call, map[uint64]string{1: "slow"})
		end(t, call)
	})
}

// slowly returns a handler that waits with images until it may, and says how they ended.
func slowly(may <-chan struct{}, ended chan<- error) byType {
	return byType{
		"text": answers("fast"),
		"link": panics,
		"image": func(ctx context.Context) (*logicv1.ReplyResponse, error) {
			select {
			case <-may:
				return answers("slow")(ctx)
			case <-ctx.Done():
				ended <- ctx.Err()
				return nil, ctx.Err()
			}
		},
	}
}

func TestASlowAnswerHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		may := make(chan struct{})
		call := converse(t, newServer(slowly(may, nil)))
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
		call := converse(t, newServer(slowly(nil, ended)))
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
		client := connect(t, newServer(slowly(nil, ended)), telemetry.Discard())
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
		call := converse(t, newServer(slowly(may, nil)))
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
		subject := newServer(slowly(may, nil))
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
	var log bytes.Buffer
	tel := telemetry.ForTest(&log)
	subject := responder.NewServer(byType{
		"text": answers("x"), "image": panics,
		"link": func(context.Context) (*logicv1.ReplyResponse, error) { return nil, errors.New("no luck") },
	}, tel.Log)
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
