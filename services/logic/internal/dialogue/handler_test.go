package dialogue_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/chassis/redisconn/redistest"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/dialogue"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

const key = "wx:{wx1}:dialogue:o1"

// talk is a handler as the rules ask it.
type talk struct {
	*dialogue.Handler

	store  *dialogue.Store
	client *redis.Client
}

func newTalk(t *testing.T, client *redis.Client, script dialogue.Script) talk {
	t.Helper()
	store := dialogue.NewStore(client)

	return talk{Handler: dialogue.New("form", script, store), store: store, client: client}
}

// hears returns what is said to a message; "pass" if the rules are asked.
func (s talk) hears(t *testing.T, messageKey string, msg *messagev1.Message) string {
	t.Helper()
	holder, err := s.store.Holder(t.Context(), msg.GetAppId(), msg.GetFromUserName())
	if err != nil {
		t.Fatal(err)
	}
	ask := s.Answer
	if holder != "" {
		ask = s.Resume
	}
	answer, err := ask(t.Context(), &logicv1.ReplyRequest{Message: msg, MessageKey: messageKey})
	if errors.Is(err, route.ErrPass) {
		return "pass"
	}
	if err != nil {
		t.Fatal(err)
	}

	return answer.Reply.GetText().GetContent()
}

func (s talk) hearsAll(t *testing.T, messages ...*messagev1.Message) []string {
	t.Helper()
	said := make([]string, 0, len(messages))
	for i, msg := range messages {
		said = append(said, s.hears(t, strconv.Itoa(i), msg))
	}

	return said
}

func TestDialogue(t *testing.T) {
	t.Parallel()
	s := newTalk(t, redistest.Start(t).Client(t), form())
	got := s.hearsAll(t, text("begin"), text("张三"), text("13800000000"), text("am"), image("P"), text("afterwards"))
	if diff := cmp.Diff([]string{"name?", "phone?", "half?", "photo?", "end", "pass"}, got); diff != "" {
		t.Error(diff)
	}
	kept, err := s.client.Get(t.Context(), key).Result()
	if err != nil || strings.Contains(kept, "13800000000") {
		t.Errorf("what was answered is kept when nobody needs it any more: %s, %v", kept, err)
	}
}

// TestAskedAgain: the same message advances nothing, whether it begins, goes on or ends.
func TestAskedAgain(t *testing.T) {
	t.Parallel()
	script := form()
	script.Steps = script.Steps[:2]
	s := newTalk(t, redistest.Start(t).Client(t), script)
	for i, msg := range []*messagev1.Message{text("begin"), text("张三"), image("no phone"), text("13800000000")} {
		messageKey := strconv.Itoa(i)
		first, again := s.hears(t, messageKey, msg), s.hears(t, messageKey, msg)
		if first != again {
			t.Errorf("message %d: first %q, then %q", i, first, again)
		}
	}
	// An event is not brought to Resume, so Answer has to know it again as well.
	s.client.Del(t.Context(), key)
	event := &logicv1.ReplyRequest{Message: text("event"), MessageKey: "event"}
	for range 2 {
		if answer, err := s.Answer(t.Context(), event); err != nil || answer.Reply.GetText().GetContent() != "name?" {
			t.Errorf("%v, %v", answer, err)
		}
	}
}

// TestSentOnce: what follows the reply may have arrived before the replica died.
func TestSentOnce(t *testing.T) {
	t.Parallel()
	script := form()
	script.Steps, script.End = script.Steps[:1], sends{}
	s := newTalk(t, redistest.Start(t).Client(t), script)
	s.hears(t, "begin", text("begin"))
	for _, want := range []int{1, 0} {
		answer, err := s.Resume(t.Context(), &logicv1.ReplyRequest{Message: text("张三"), MessageKey: "last"})
		if err != nil || len(answer.Send) != want || answer.Reply != nil {
			t.Errorf("want %d messages after a silent reply, got %v, %v", want, answer, err)
		}
	}
}

// TestDelivered: the answers reach the backend before the follower is told so, and while it is away the last
// question waits.
func TestDelivered(t *testing.T) {
	t.Parallel()
	own := route.Answer{Reply: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: "order 7"}}}}
	for name, test := range map[string]struct {
		says route.Answer
		err  error
		want string
	}{
		"says nothing": {route.Answer{}, nil, "end"},
		"passes":       {route.Answer{}, route.ErrPass, "end"},
		"says more":    {own, nil, "order 7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := &backend{away: true, says: test.says, err: test.err}
			script := form()
			script.Steps, script.End = script.Steps[:1], dialogue.Delivered{To: to, Otherwise: script.End}
			s := newTalk(t, redistest.Start(t).Client(t), script)
			s.hears(t, "begin", text("begin"))
			_, err := s.Resume(t.Context(), &logicv1.ReplyRequest{Message: text("张三"), MessageKey: "1"})
			if route.ReasonOf(err) != route.ReasonBackend {
				t.Errorf("while the backend is away: %v", err)
			}
			to.away = false
			if got := s.hears(t, "2", text("李四")); got != test.want {
				t.Errorf("said %q, want %q", got, test.want)
			}
			if again := s.hears(t, "2", text("李四")); again != test.want || len(to.taken) != 1 {
				t.Errorf("asked again: %q, delivered %d times", again, len(to.taken))
			}
			if diff := cmp.Diff([]map[string]string{{"name": "李四"}}, to.taken); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestOneOfManyAtOnceAdvances takes messages that have all read the same record: one counts, and all are told
// what that one was told.
func TestOneOfManyAtOnceAdvances(t *testing.T) {
	t.Parallel()
	const crowd = 20
	script := form()
	var read sync.WaitGroup
	read.Add(crowd)
	script.Steps[1].Ask = repeatsTheMessage{func() {
		read.Done()
		read.Wait()
	}}
	s := newTalk(t, redistest.Start(t).Client(t), script)
	s.hears(t, "begin", text("begin"))
	said := make([]string, crowd)
	var all sync.WaitGroup
	for i := range said {
		all.Go(func() { said[i] = s.hears(t, strconv.Itoa(i), text("name "+strconv.Itoa(i))) })
	}
	all.Wait()
	slices.Sort(said)
	if told := slices.Compact(said); len(told) != 1 || !strings.HasPrefix(told[0], "name ") {
		t.Errorf("told %q", told)
	}
	if next := s.hears(t, "next", text("13800000000")); next != "half?" {
		t.Errorf("the dialogue goes on with %q", next)
	}
}

// TestOnlyOneOfTwoAdvances takes two messages that have both read the same record.
func TestOnlyOneOfTwoAdvances(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	script := form()
	script.Steps[1].Ask = &meanwhile{says: "phone?"}
	s := newTalk(t, client, script)
	s.hears(t, "begin", text("begin"))
	// While the first is being answered, the second goes by.
	meanwhile, _ := script.Steps[1].Ask.(*meanwhile)
	meanwhile.happens = func() {
		meanwhile.happens = func() {}
		if said := s.hears(t, "second", image("no name")); said != "name again" {
			t.Errorf("the second is told %q", said)
		}
	}
	if said := s.hears(t, "first", text("张三")); said != "name again" {
		t.Errorf("the slower one is told %q instead of what the faster one was told", said)
	}
	if said := s.hears(t, "third", text("李四")); said != "phone?" {
		t.Errorf("the dialogue goes on with %q", said)
	}
}

func TestLapse(t *testing.T) {
	t.Parallel()
	s := newTalk(t, redistest.Start(t).Client(t), form())
	s.hearsAll(t, text("begin"), text("张三"))
	redistest.Age(t, s.client, 59*time.Second)
	if said := s.hears(t, "in time", text("13800000000")); said != "half?" {
		t.Errorf("said %q", said)
	}
	redistest.Age(t, s.client, time.Minute)
	if said := s.hears(t, "too late", text("AM")); said != "name?" {
		t.Errorf("a dialogue that has lapsed says %q", said)
	}
	// Lapsed between the question who holds the follower, and Resume.
	s.client.Del(t.Context(), key)
	if _, err := s.Resume(t.Context(), &logicv1.ReplyRequest{Message: text("x"), MessageKey: "x"}); !errors.Is(err, route.ErrPass) {
		t.Errorf("want the rules to be asked, got %v", err)
	}
}

// TestChangedRules: the file may change while a dialogue is under way.
func TestChangedRules(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	s := newTalk(t, client, form())
	s.hearsAll(t, text("begin"), text("张三"), text("13800000000"))
	turned := form()
	turned.Steps[1], turned.Steps[2] = turned.Steps[2], turned.Steps[1]
	if said := newTalk(t, client, turned).hears(t, "turned", text("pm")); said != "phone?" {
		t.Errorf("in another order the answer leads to %q", said)
	}
	shorter := form()
	shorter.Steps = shorter.Steps[:1]
	if said := newTalk(t, client, shorter).hears(t, "shorter", text("13800000000")); said != "goodbye" {
		t.Errorf("without its question the dialogue says %q", said)
	}
	renamed := dialogue.New("renamed", form(), s.store)
	if _, err := renamed.Resume(t.Context(), &logicv1.ReplyRequest{Message: text("x"), MessageKey: "shorter"}); !errors.Is(err, route.ErrPass) {
		t.Errorf("another rule's dialogue: want the rules to be asked, got %v", err)
	}
}

// TestStrangeRecord: what cannot be read holds nobody, and a new dialogue takes its place.
func TestStrangeRecord(t *testing.T) {
	t.Parallel()
	s := newTalk(t, redistest.Start(t).Client(t), form())
	for _, record := range []string{"", "?", "[]", `{"rule": 1}`, "null"} {
		if err := s.client.Set(t.Context(), key, record, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		if said := s.hears(t, "k"+record, text("begin")); said != "name?" {
			t.Errorf("%q: said %q", record, said)
		}
	}
	if err := s.client.Set(t.Context(), key, `{"rule": "form", "message_key": "k", "reply": "/////w=="}`, time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Resume(t.Context(), &logicv1.ReplyRequest{Message: text("x"), MessageKey: "k"}); route.ReasonOf(err) != route.ReasonState {
		t.Errorf("want a failure of the state, got %v", err)
	}
}

func TestRedisIsAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	options := server.Options()
	options.MaxRetries = -1
	s := newTalk(t, redistest.Connect(t, options), form())
	s.hears(t, "begin", text("begin"))
	if err := server.Process().Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Process().Wait(); err != nil {
		t.Log(err) // the server's own clean-up may have waited first.
	}
	req := &logicv1.ReplyRequest{Message: text("张三"), MessageKey: "k"}
	if _, err := s.store.Holder(t.Context(), "wx1", "o1"); route.ReasonOf(err) != route.ReasonState {
		t.Errorf("Holder: %v", err)
	}
	for _, ask := range []func() (route.Answer, error){
		func() (route.Answer, error) { return s.Answer(t.Context(), req) },
		func() (route.Answer, error) { return s.Resume(t.Context(), req) },
	} {
		_, err := ask()
		if route.ReasonOf(err) != route.ReasonState || strings.Contains(err.Error(), "o1") || strings.Contains(err.Error(), "张三") {
			t.Errorf("want a failure of the state without what the follower wrote, got %v", err)
		}
	}
}
