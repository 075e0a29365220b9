package replier

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strconv"
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
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/wxstack/wxstack/chassis/fault"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/wechat/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// filler sets every field to a value that occurs once.
type filler struct {
	next   int
	values []string
}

func (f *filler) fill(v reflect.Value, depth int) {
	switch v.Type() {
	case reflect.TypeFor[message.Secret](), reflect.TypeFor[message.Format]():
		return // are not for logic
	case reflect.TypeFor[[]byte]():
		f.next++
		raw := []byte("raw-" + strconv.Itoa(f.next))
		v.SetBytes(raw)
		f.values = append(f.values, base64.StdEncoding.EncodeToString(raw)) // as JSON has it
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), depth)
	case reflect.Struct:
		for _, field := range v.Fields() {
			f.fill(field, depth)
		}
	case reflect.Slice:
		if depth == 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			f.fill(v.Index(i), depth-1)
		}
	case reflect.String:
		v.SetString("value-" + f.number())
	case reflect.Int64:
		v.SetInt(f.whole())
	case reflect.Uint64:
		v.SetUint(uint64(f.whole()))
	case reflect.Float64:
		v.SetFloat(float64(f.whole()))
	default:
		panic("a kind the test can't fill: " + v.Kind().String())
	}
}

func (f *filler) whole() int64 {
	n, _ := strconv.ParseInt(f.number(), 10, 64)
	return n
}

func (f *filler) number() string {
	f.next++
	text := strconv.Itoa(700000 + f.next)
	f.values = append(f.values, text)
	return text
}

// TestNothingOfAMessageIsLost fails when somebody adds a field to the codec and forgets the mapping. A
// message has one content, and an event one detail: each has its turn.
func TestNothingOfAMessageIsLost(t *testing.T) {
	t.Parallel()
	for content := range reflect.TypeFor[message.Message]().Fields() {
		if content.Type.Kind() != reflect.Pointer {
			continue
		}
		details := []string{""}
		if content.Name == "Event" {
			details = alternatives(reflect.TypeFor[message.Event]())
		}
		for _, detail := range details {
			t.Run(content.Name+detail, func(t *testing.T) {
				t.Parallel()
				var in message.Message
				var f filler
				f.fillOne(reflect.ValueOf(&in).Elem(), content.Name, detail)
				out, err := protojson.Marshal(toProto("app", in))
				if err != nil {
					t.Fatal(err)
				}
				for _, value := range f.values {
					if !strings.Contains(string(out), value) {
						t.Errorf("%s is lost in %s", value, out)
					}
				}
			})
		}
	}
}

// alternatives are the fields of a type of which one at most is set.
func alternatives(kind reflect.Type) []string {
	var names []string
	for field := range kind.Fields() {
		if field.Type.Kind() == reflect.Pointer || field.Type.Kind() == reflect.Slice {
			names = append(names, field.Name)
		}
	}
	return names
}

// fillOne fills all of a struct except the pointers that are not called content. Of what content points to
// it leaves out the alternatives that are not called detail.
func (f *filler) fillOne(v reflect.Value, content, detail string) {
	const depth = 2
	for field, value := range v.Fields() {
		switch {
		case field.Name == content && detail != "":
			value.Set(reflect.New(field.Type.Elem()))
			for inner, value := range value.Elem().Fields() {
				if inner.Name == detail || !slices.Contains(alternatives(field.Type.Elem()), inner.Name) {
					f.fill(value, depth)
				}
			}
		case field.Name == content || field.Type.Kind() != reflect.Pointer:
			f.fill(value, depth)
		}
	}
}

// TestLogicGetsNoSecretOfANotice reads a real one: the ticket must not be in a field of its own nor in raw.
func TestLogicGetsNoSecretOfANotice(t *testing.T) {
	t.Parallel()
	const secret = "SECRET"
	in, err := message.Parse([]byte("<xml><AppId>wx1</AppId><CreateTime>1</CreateTime><InfoType>authorized</InfoType><New>x</New>" +
		"<ComponentVerifyTicket>" + secret + "</ComponentVerifyTicket><AuthorizationCode>" + secret + "</AuthorizationCode>" +
		"<PreAuthCode>" + secret + "</PreAuthCode></xml>"))
	if err != nil {
		t.Fatal(err)
	}
	out := toProto("app", in)
	if out.GetNotice().GetComponentAppId() != "wx1" || len(out.GetFields()) != 1 {
		t.Errorf("notice is %v", out)
	}
	inWire, err := proto.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(inWire), secret) {
		t.Errorf("secrets are in %v", out)
	}
}

// TestNothingOfAReplyIsLost does the same in the other direction, starting from the protocol buffers.
func TestNothingOfAReplyIsLost(t *testing.T) {
	t.Parallel()
	fields := (&messagev1.Reply{}).ProtoReflect().Descriptor().Oneofs().ByName("content").Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		t.Run(string(field.Name()), func(t *testing.T) {
			t.Parallel()
			in, values := &messagev1.Reply{}, []string{}
			fillProto(in.ProtoReflect().Mutable(field).Message(), &values)
			out, err := fromProto(in)
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("%+v", out)
			for _, value := range values {
				if !strings.Contains(text, value) {
					t.Errorf("%s is lost in %s", value, text)
				}
			}
		})
	}
}

func fillProto(m protoreflect.Message, values *[]string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		switch {
		case field.IsList():
			list := m.Mutable(field).List()
			for range 2 {
				fillProto(list.AppendMutable().Message(), values)
			}
		default:
			value := string(field.FullName()) + strconv.Itoa(len(*values))
			*values = append(*values, value)
			m.Set(field, protoreflect.ValueOfString(value))
		}
	}
}

func TestNoReply(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]*messagev1.Reply{"absent": nil, "without content": {}} {
		if out, err := fromProto(in); out != nil || err != nil {
			t.Errorf("%s: %v, %v", name, out, err)
		}
	}
}

func TestAReplyOfTomorrowsIsNotTakenForNone(t *testing.T) {
	t.Parallel()
	var in messagev1.Reply
	// Field 99, a text.
	if err := proto.Unmarshal([]byte{0x9a, 0x06, 0x01, 'x'}, &in); err != nil {
		t.Fatal(err)
	}
	if out, err := fromProto(&in); out != nil || fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v, %v", out, err)
	}
}

// fakeLogic answers each call with the next error, and then with a reply.
type fakeLogic struct {
	logicv1.UnimplementedLogicServiceServer

	mu     sync.Mutex
	errs   []error
	always error
	asked  []*logicv1.ReplyRequest
}

func (f *fakeLogic) Reply(_ context.Context, in *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, in)
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, err
	}
	if f.always != nil {
		return nil, f.always
	}
	return &logicv1.ReplyResponse{
		Reply: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: "test"}}}, Rule: "echo",
	}, nil
}

// dial serves logic in memory and returns a client of it.
func dial(t *testing.T, logic logicv1.LogicServiceServer) *Client {
	t.Helper()
	lis := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	logicv1.RegisterLogicServiceServer(server, logic)
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(lis) })
	conn, err := grpc.NewClient("passthrough:///logic",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	client := New(conn)
	t.Cleanup(func() {
		client.Close()
		_ = conn.Close()
		server.Stop()
		served.Wait()
	})
	return client
}

var hello = message.Message{
	ToUserName: "gh_1", FromUserName: "o1", CreateTime: 1700000000, MsgType: "text", MsgID: 42,
	Text: &message.Text{Content: "你好"},
}

func TestReplyTellsTheTimeThatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		logic := &fakeLogic{}
		client := dial(t, logic)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		reply, rule, err := client.Reply(ctx, "wx1", hello, time.Now().Add(5*time.Second), time.Now().Add(14500*time.Millisecond))
		if diff := cmp.Diff(message.Reply(message.TextReply{Content: "test"}), reply); diff != "" || rule != "echo" || err != nil {
			t.Errorf("rule %q, error %v\n%s", rule, err, diff)
		}
		got := logic.asked[0]
		if got.GetMessageKey() != "m42" || got.GetMessage().GetAppId() != "wx1" || got.GetMessage().GetText().GetContent() != "你好" {
			t.Errorf("asked %v", got)
		}
		if d := got.GetDeliveryTimeLeft().AsDuration(); d != 5*time.Second {
			t.Errorf("delivery_time_left %v, want 5 s", d)
		}
		if d := got.GetBudgetTimeLeft().AsDuration(); d != 14500*time.Millisecond {
			t.Errorf("budget_time_left %v, want 14.5 s", d)
		}
	})
}

func TestUnavailableLogicIsAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := fault.New(fault.Unavailable, "starting")
		busy := fault.New(fault.Throttled, "busy").WithRetryAfter(7 * time.Second)
		logic := &fakeLogic{errs: []error{down, down, busy}}
		client := dial(t, logic)
		ctx, cancel := context.WithTimeout(t.Context(), 14500*time.Millisecond)
		defer cancel()
		start := time.Now()
		reply, _, err := client.Reply(ctx, "wx1", hello, time.Now().Add(5*time.Second), time.Now().Add(14500*time.Millisecond))
		if reply == nil || err != nil {
			t.Fatalf("%v, %v", reply, err)
		}
		if took, want := time.Since(start), 150*time.Millisecond; took < want {
			t.Errorf("took %v, want %v at least", took, want)
		}
		last := logic.asked[len(logic.asked)-1]
		if len(logic.asked) != 4 || last.GetBudgetTimeLeft().AsDuration() >= 14500*time.Millisecond {
			t.Errorf("asked %d times, at last with %v left", len(logic.asked), last.GetBudgetTimeLeft().AsDuration())
		}
	})
}

func TestLogicThatStaysAwayIsATimeOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := dial(t, &fakeLogic{always: fault.New(fault.Unavailable, "down")})
		ctx, cancel := context.WithTimeout(t.Context(), 14500*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, _, err := client.Reply(ctx, "wx1", hello, time.Now().Add(5*time.Second), time.Now().Add(14500*time.Millisecond))
		if fault.KindOf(err) != fault.Deadline || time.Since(start) != 14500*time.Millisecond {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
	})
}

func TestARefusalIsFinal(t *testing.T) {
	t.Parallel()
	for _, kind := range []fault.Kind{fault.Invalid, fault.Internal, fault.NotFound, fault.Precondition} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			logic := &fakeLogic{always: fault.New(kind, "no")}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, _, err := dial(t, logic).Reply(ctx, "wx1", hello, time.Now(), time.Now())
			if fault.KindOf(err) != kind || len(logic.asked) != 1 {
				t.Errorf("error %v after %d calls", err, len(logic.asked))
			}
		})
	}
}

func TestCopyAsksOnceAndSaysThatItIsACopy(t *testing.T) {
	t.Parallel()
	logic := &fakeLogic{errs: []error{fault.New(fault.Unavailable, "it is about to stop")}}
	client := dial(t, logic)
	if _, _, err := client.Copy(t.Context(), "wx1", hello, 5*time.Second, -time.Second); err == nil {
		t.Errorf("error %v", err)
	}
	reply, rule, err := client.Copy(t.Context(), "wx1", hello, 5*time.Second, -time.Second)
	if diff := cmp.Diff(message.Reply(message.TextReply{Content: "test"}), reply); diff != "" || rule != "echo" || err != nil {
		t.Errorf("rule %q, error %v\n%s", rule, err, diff)
	}
	if len(logic.asked) != 2 {
		t.Fatalf("asked %d times", len(logic.asked))
	}
	got := logic.asked[1]
	if !got.GetShadow() || got.GetMessageKey() != "m42" || got.GetDeliveryTimeLeft().AsDuration() != 5*time.Second || got.GetBudgetTimeLeft().AsDuration() != 0 {
		t.Errorf("asked %v", got)
	}
}

func TestWatchTellsWhetherLogicIsThere(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	refuse := true
	lis := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(lis) })
	defer served.Wait()
	defer server.Stop()
	conn, err := grpc.NewClient("passthrough:///logic",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			if refuse {
				return nil, errors.New("connection refused")
			}
			return lis.DialContext(ctx)
		}),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(t.Context())
	reports := make(chan error, 100)
	stopped := make(chan error, 1)
	go func() { stopped <- New(conn).Watch(ctx, func(err error) { reports <- err }) }()
	if err := <-reports; !errors.Is(err, errUnreachable) {
		t.Errorf("reported %v while nobody is there", err)
	}
	mu.Lock()
	refuse = false
	mu.Unlock()
	conn.ResetConnectBackoff()
	for err := range reports {
		if err == nil {
			break
		}
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
