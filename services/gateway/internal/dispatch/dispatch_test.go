package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/wechat/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logic is a logic service that answers with its name, once it may.
type logic struct {
	logicv1.UnimplementedLogicServiceServer

	name string
	addr string
	// converses says that it takes many questions in one call.
	converses bool
	// may is nil if it always may.
	may   chan struct{}
	asked chan struct{}
	stop  func()
}

func (l *logic) Reply(ctx context.Context, _ *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	select {
	case l.asked <- struct{}{}:
	default:
	}
	if l.may != nil {
		select {
		case <-l.may:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return &logicv1.ReplyResponse{Rule: l.name, Reply: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: l.name}}}}, nil
}

// Converse asks Reply.
func (l *logic) Converse(call grpc.BidiStreamingServer[logicv1.ConverseRequest, logicv1.ConverseResponse]) error {
	if !l.converses {
		return l.UnimplementedLogicServiceServer.Converse(call)
	}
	for {
		in, err := call.Recv()
		if err != nil {
			return nil //nolint:nilerr // the gateway has ended the call.
		}
		for _, question := range in.GetQuestions() {
			response, err := l.Reply(call.Context(), question.GetRequest())
			if err != nil {
				return err
			}
			answer := &logicv1.Answer{Id: question.GetId(), Result: &logicv1.Answer_Response{Response: response}}
			if err := call.Send(&logicv1.ConverseResponse{Answers: []*logicv1.Answer{answer}}); err != nil {
				return err
			}
		}
	}
}

// serve serves a logic service until the test ends, or it is stopped.
func serve(t *testing.T, name string, may chan struct{}) *logic {
	t.Helper()
	return serveAs(t, &logic{name: name, may: may})
}

func serveAs(t *testing.T, l *logic) *logic {
	t.Helper()
	lis, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.addr, l.asked = lis.Addr().String(), make(chan struct{}, 1000)
	server := grpc.NewServer()
	logicv1.RegisterLogicServiceServer(server, l)
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(lis) })
	l.stop = sync.OnceFunc(func() {
		server.Stop()
		served.Wait()
	})
	t.Cleanup(l.stop)
	return l
}

// unreachable is an address where nobody serves.
func unreachable(t *testing.T) string {
	t.Helper()
	l := serve(t, "gone", nil)
	l.stop()
	return l.addr
}

// main is the logic service of LOGIC_ADDR.
type mainLogic struct{}

func (mainLogic) Reply(context.Context, string, message.Message, time.Time, time.Time) (message.Reply, string, error) {
	return message.TextReply{Content: "main"}, "main", nil
}

func (mainLogic) Begin(string, message.Message, time.Time, time.Time, time.Time, func(message.Reply, string, bool, error)) func() {
	return nil
}

// house is a Router that runs.
type house struct {
	*Router

	t    *testing.T
	file string
	tel  *telemetry.Telemetry
}

// open runs a Router with that file until the test ends.
func open(t *testing.T, file string) *house {
	t.Helper()
	h := &house{t: t, file: filepath.Join(t.TempDir(), "routes.yaml"), tel: telemetry.Discard()}
	h.write(file)
	var err error
	h.Router, err = Open(h.file, mainLogic{}, func(addr string, repeat rpc.Repeat) (*grpc.ClientConn, error) {
		return rpc.Dial(addr, h.tel, rpc.TLS{}, repeat)
	}, h.tel)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	stopped := make(chan error, 1)
	go func() { stopped <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *house) write(file string) {
	h.t.Helper()
	next := h.file + ".next"
	if err := errors.Join(os.WriteFile(next, []byte(file), 0o600), os.Rename(next, h.file)); err != nil {
		h.t.Fatal(err)
	}
}

// routes is a file with one route of everything to each address.
func routes(addrs ...string) string {
	var file strings.Builder
	file.WriteString("routes:\n")
	for i, addr := range addrs {
		fmt.Fprintf(&file, "  - {name: r%d, accounts: [wx%d], logic_addr: %q}\n", i, i, addr)
	}
	return file.String()
}

// changeTo changes the file and waits until that counts.
func (h *house) changeTo(file string) {
	h.t.Helper()
	before := h.plan.Load()
	h.write(file)
	h.until("the new routes are in force", func() bool { return h.plan.Load() != before })
}

// until waits for what others bring about, and fails with the test's own time.
func (h *house) until(what string, is func() bool) {
	h.t.Helper()
	for !is() {
		select {
		case <-h.t.Context().Done():
			h.t.Fatal("not so: " + what)
		case <-time.After(time.Millisecond):
		}
	}
}

// ask asks as the gateway does: without waiting if possible.
func (h *house) ask(ctx context.Context, appID string) (string, error) {
	type got struct {
		reply message.Reply
		again bool
		err   error
	}
	in := message.Message{FromUserName: "oA", MsgType: message.TypeText, MsgID: 1, Text: &message.Text{}}
	ends := time.Now().Add(time.Minute)
	came := make(chan got, 1)
	cancel := h.Begin(appID, in, ends, ends, ends, func(reply message.Reply, _ string, again bool, err error) {
		came <- got{reply, again, err}
	})
	if cancel != nil {
		defer cancel()
		select {
		case g := <-came:
			if !g.again {
				return content(g.reply), g.err
			}
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	reply, _, err := h.Reply(ctx, appID, in, ends, ends)
	return content(reply), err
}

func content(reply message.Reply) string {
	text, _ := reply.(message.TextReply)
	return text.Content
}

func (h *house) wants(appID, want string) {
	h.t.Helper()
	if got, err := h.ask(h.t.Context(), appID); err != nil || got != want {
		h.t.Errorf("%s was answered by %q, want %q: %v", appID, got, want, err)
	}
}

// components are the names of those in the health.
func (h *house) component(name string) string {
	report, _ := h.tel.Health.Report()
	return report.Components[name]
}

func TestMessagesGoByTheirRoute(t *testing.T) {
	t.Parallel()
	a, b := serve(t, "a", nil), serve(t, "b", nil)
	h := open(t, routes(a.addr, b.addr, a.addr))
	for appID, want := range map[string]string{"wx0": "a", "wx1": "b", "wx2": "a", "wx3": "main"} {
		h.wants(appID, want)
	}
	if n := len(h.plan.Load().services); n != 2 {
		t.Errorf("%d connections to two services", n)
	}
	h.until("both are up", func() bool { return h.component("logic "+a.addr) == "up" && h.component("logic "+b.addr) == "up" })
}

func TestChangesOfTheFile(t *testing.T) {
	t.Parallel()
	a, b := serve(t, "a", nil), serve(t, "b", nil)
	h := open(t, routes(a.addr))
	h.wants("wx0", "a")
	service := h.plan.Load().services[place{addr: a.addr}]
	h.changeTo(routes(a.addr, b.addr))
	h.wants("wx1", "b")
	if h.plan.Load().services[place{addr: a.addr}] != service {
		t.Error("the connection to a service that is still named was made anew")
	}
	h.changeTo(routes(b.addr))
	h.wants("wx0", "b")
	if h.component("logic "+a.addr) != "" {
		t.Error("a service that is not named any more is watched")
	}
	h.write("routes: 1")
	h.until("the file is refused", func() bool { return strings.Contains(h.component("routes"), "the old routes stay in force") })
	h.wants("wx0", "b")
	h.changeTo("")
	h.wants("wx0", "main")
	if h.component("routes") != "up" {
		t.Errorf("routes are %s", h.component("routes"))
	}
}

// TestWhatIsWithAnOldServiceIsAnsweredByIt though the file names it no more, and nobody is asked twice.
func TestWhatIsWithAnOldServiceIsAnsweredByIt(t *testing.T) {
	t.Parallel()
	a, b := serve(t, "a", make(chan struct{})), serve(t, "b", nil)
	h := open(t, routes(a.addr))
	old := h.plan.Load().services[place{addr: a.addr}]
	answered := make(chan error, 1)
	go func() {
		got, err := h.ask(t.Context(), "wx0")
		if got != "a" {
			err = errors.Join(err, fmt.Errorf("answered by %q", got))
		}
		answered <- err
	}()
	<-a.asked
	h.changeTo(routes(b.addr))
	h.wants("wx0", "b")
	close(a.may)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	<-old.idle
	if len(a.asked) != 0 {
		t.Error("asked twice")
	}
}

// TestWhatWaitsForAServiceThatIsGoneGoesElsewhere when the file says so, and not before.
func TestWhatWaitsForAServiceThatIsGoneGoesElsewhere(t *testing.T) {
	t.Parallel()
	gone, b := unreachable(t), serve(t, "b", nil)
	h := open(t, routes(gone))
	h.until("it is known to be gone", func() bool { return strings.Contains(h.component("logic "+gone), "no logic service can be reached") })
	answered := make(chan string, 1)
	go func() {
		got, err := h.ask(t.Context(), "wx0")
		if err != nil {
			t.Error(err)
		}
		answered <- got
	}()
	service := h.plan.Load().services[place{addr: gone}]
	h.until("the question is there", func() bool {
		service.mu.Lock()
		defer service.mu.Unlock()
		return service.users == 1
	})
	h.changeTo(routes(b.addr))
	if got := <-answered; got != "b" {
		t.Errorf("answered by %q", got)
	}
}

func TestAServiceThatIsGoneIsWaitedFor(t *testing.T) {
	t.Parallel()
	gone := unreachable(t)
	h := open(t, routes(gone))
	ctx, cancel := context.WithCancel(t.Context())
	service := h.plan.Load().services[place{addr: gone}]
	go func() {
		h.until("the question is there", func() bool {
			service.mu.Lock()
			defer service.mu.Unlock()
			return service.users == 1
		})
		cancel()
	}()
	if got, err := h.ask(ctx, "wx0"); err == nil || !strings.Contains(err.Error(), "route r0") {
		t.Errorf("answered by %q, %v", got, err)
	}
}

// TestNoMessageIsLostWhileRoutesChange has messages flow through all changes, to services of both kinds.
func TestNoMessageIsLostWhileRoutesChange(t *testing.T) {
	t.Parallel()
	a, b := serveAs(t, &logic{name: "a", converses: true}), serve(t, "b", nil)
	h := open(t, routes(a.addr))
	var (
		stop    atomic.Bool
		asking  sync.WaitGroup
		answers atomic.Int64
	)
	for range 8 {
		asking.Go(func() {
			for !stop.Load() {
				if got, err := h.ask(t.Context(), "wx0"); err != nil || got != "a" && got != "b" {
					t.Errorf("answered by %q: %v", got, err)
					return
				}
				answers.Add(1)
			}
		})
	}
	for i := range 20 {
		before := answers.Load()
		h.changeTo(routes([]string{b.addr, a.addr}[i%2]))
		h.until("messages flow", func() bool { return answers.Load() >= before+20 })
	}
	stop.Store(true)
	asking.Wait()
}

// TestManyQuestionsGoInOneCall where the service of the route takes that.
func TestManyQuestionsGoInOneCall(t *testing.T) {
	t.Parallel()
	a := serveAs(t, &logic{name: "a", converses: true})
	h := open(t, routes(a.addr))
	service := h.plan.Load().services[place{addr: a.addr}]
	ends := time.Now().Add(time.Minute)
	in := message.Message{MsgType: message.TypeText, Text: &message.Text{}}
	came := make(chan string, 1)
	var cancel func()
	h.until("there is a call to ask on", func() bool {
		cancel = h.Begin("wx0", in, ends, ends, ends, func(reply message.Reply, rule string, again bool, err error) {
			came <- fmt.Sprint(content(reply), " ", rule, " ", again, " ", err)
		})
		return cancel != nil
	})
	if got := <-came; got != "a a false <nil>" {
		t.Errorf("answered %s", got)
	}
	cancel() // as everybody does in the end, too late.
	service.mu.Lock()
	defer service.mu.Unlock()
	if service.users != 0 {
		t.Errorf("%d questions are with the service", service.users)
	}
}

func TestShadowsHaveConnectionsOfTheirOwn(t *testing.T) {
	t.Parallel()
	a := serve(t, "a", nil)
	h := open(t, routes(a.addr)+fmt.Sprintf("shadows: [{name: s1, logic_addr: %[1]q}, {name: s2, accounts: [wx1], logic_addr: %[1]q}]", a.addr))
	if n := len(h.plan.Load().services); n != 2 {
		t.Errorf("%d connections", n)
	}
	targets := h.Shadows("wx0", "oA")
	if len(targets) != 1 || targets[0].Name != "s1" {
		t.Fatalf("copies go to %v", targets)
	}
	h.until("it is up", func() bool { return h.component("shadow "+a.addr) == "up" })
	reply, rule, err := targets[0].Service.Copy(t.Context(), "wx0", message.Message{MsgType: message.TypeText, Text: &message.Text{}}, time.Second, time.Second)
	if content(reply) != "a" || rule != "a" || err != nil {
		t.Errorf("replied %v by %q: %v", reply, rule, err)
	}
	old := h.plan.Load().services[place{addr: a.addr, shadow: true}]
	h.changeTo(routes(a.addr))
	if len(h.Shadows("wx0", "oA")) != 0 {
		t.Error("a shadow that is not named any more gets copies")
	}
	targets[0].Release()
	<-old.idle
}

func TestAnAddressThatCannotBeDialled(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	h := &house{t: t, file: filepath.Join(t.TempDir(), "routes.yaml"), tel: telemetry.Discard()}
	h.write(routes("a:1", "b:1"))
	_, err := Open(h.file, mainLogic{}, func(addr string, repeat rpc.Repeat) (*grpc.ClientConn, error) {
		if addr == "b:1" {
			return nil, refused
		}
		return rpc.Dial(addr, h.tel, rpc.TLS{}, repeat)
	}, h.tel)
	if !errors.Is(err, refused) || h.component("logic a:1") != "" {
		t.Errorf("error %v, component %q", err, h.component("logic a:1"))
	}
}
