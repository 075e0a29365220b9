package teach

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/chassis/redisconn/redistest"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// school is a handler that followers write to.
type school struct {
	*Handler

	client   *redis.Client
	messages int
}

func newSchool(t *testing.T, c Course) *school {
	t.Helper()
	client := redistest.Start(t).Client(t)

	return &school{Handler: New("learn", c, NewStore(client)), client: client}
}

// hears returns what is answered to a text; "pass" if the next rule is asked.
func (s *school) hears(t *testing.T, openID, text string) string {
	t.Helper()
	s.messages++

	return s.hearsAgain(t, openID, text)
}

// hearsAgain is for the message before.
func (s *school) hearsAgain(t *testing.T, openID, text string) string {
	t.Helper()
	answer, err := s.Answer(t.Context(), question(openID, text, strconv.Itoa(s.messages)))
	if errors.Is(err, route.ErrPass) {
		return "pass"
	}
	if err != nil {
		t.Fatal(err)
	}

	return answer.Reply.GetText().GetContent()
}

func question(openID, text, key string) *logicv1.ReplyRequest {
	return &logicv1.ReplyRequest{MessageKey: key, Message: &messagev1.Message{
		AppId: "wx1", FromUserName: openID, MsgType: "text", Content: &messagev1.Message_Text{Text: &messagev1.Text{Content: text}},
	}}
}

// said is what is expected of one message.
type said struct{ openID, text, want string }

func (s *school) plays(t *testing.T, scene []said) {
	t.Helper()
	for i, line := range scene {
		if got := s.hears(t, line.openID, line.text); got != line.want {
			t.Errorf("message %d, %s: %.40s: want %q, got %q", i+1, line.openID, line.text, line.want, got)
		}
	}
}

const (
	learned, pending = "学会了！", "已提交，等待审核。"
	waiting, full    = "待审核的内容太多，请稍后再试。", "学到的问题已达上限，暂时学不了新的。"
)

// TestAskedAgain: the same message says the same and changes nothing, whatever has happened since.
func TestAskedAgain(t *testing.T) {
	t.Parallel()
	s := newSchool(t, course())
	for _, line := range []said{
		{"o1", "问：a 答：b", pending},
		{"oMODERATOR", "通过 1", "已通过第 1 条。"},
		{"o2", "问：c 答：d", pending},
		{"oMODERATOR", "拒绝 2", "已拒绝第 2 条。"},
		{"oMODERATOR", "忘记 a", "已忘记。"},
		{"oMODERATOR", "忘记 a", "没有学过这个问题。"},
		{"oMODERATOR", "通过 2", "没有待审核的第 2 条；回复「待审」查看。"},
	} {
		first, again := s.hears(t, line.openID, line.text), s.hearsAgain(t, line.openID, line.text)
		if first != line.want || again != line.want {
			t.Errorf("%s: want %q, got %q and then %q", line.text, line.want, first, again)
		}
	}
	// The lesson's message once more, long after the moderator has decided.
	if answer, err := s.Answer(t.Context(), question("o1", "问：a 答：b", "1")); err != nil || answer.Reply.GetText().GetContent() != pending {
		t.Errorf("%v, %v", answer, err)
	}
	if got := s.hears(t, "oMODERATOR", "待审"); got != "没有待审核的内容。" {
		t.Errorf("a message that was asked for again waits again: %s", got)
	}
}

// TestWhatIsLetThroughWasSeen: a lesson that is taught again gets a new number.
func TestWhatIsLetThroughWasSeen(t *testing.T) {
	t.Parallel()
	s := newSchool(t, course())
	s.plays(t, []said{
		{"o1", "问：a 答：harmless", pending},
		{"o1", "问：A？ 答：harmful", pending},
		{"oMODERATOR", "通过 1", "没有待审核的第 1 条；回复「待审」查看。"},
		{"o2", "a", "pass"},
		{"oMODERATOR", "待审", "2. 问：A？\n答：harmful\n回复「通过 编号」或「拒绝 编号」"},
		{"oMODERATOR", "拒绝 2", "已拒绝第 2 条。"},
		{"o2", "a", "pass"},
		// What is known stays until something else is let through.
		{"o1", "问：a 答：harmless", pending},
		{"oMODERATOR", "通过 3", "已通过第 3 条。"},
		{"o2", "问：a 答：better", pending},
		{"o1", "a", "harmless"},
		{"oMODERATOR", "通过 4", "已通过第 4 条。"},
		{"o1", "a", "better"},
	})
}

func TestBounds(t *testing.T) {
	t.Parallel()
	c := course()
	c.Limit = 2
	s := newSchool(t, c)
	for i := range MaxWaitingEach {
		s.plays(t, []said{{"o1", "问：" + strconv.Itoa(i) + " 答：x", pending}})
	}
	s.plays(t, []said{
		{"o1", "问：new 答：x", waiting},
		{"o1", "问：0 答：y", pending}, // in the place of the one before
		{"o2", "问：new 答：x", pending},
		{"oMODERATOR", "拒绝 2", "已拒绝第 2 条。"},
		{"o1", "问：new 答：x", pending},
		{"oMODERATOR", "通过 3", "已通过第 3 条。"},
		{"oMODERATOR", "通过 4", "已通过第 4 条。"},
		{"oMODERATOR", "通过 5", full},
		{"o3", "问：x 答：x", full},
		{"o3", "问：2 答：other", pending}, // known already
		{"oMODERATOR", "忘记 3", "已忘记。"},
		{"oMODERATOR", "通过 5", "已通过第 5 条。"},
	})
	few := &redis.Z{Score: 1, Member: "{}"}
	for i := range MaxWaiting {
		few.Score, few.Member = float64(1000+i), `{"question":"`+strconv.Itoa(i)+`"}`
		s.client.ZAdd(t.Context(), "wx:{wx1}:teach:learn:pending", *few)
	}
	s.plays(t, []said{{"o4", "问：2 答：other", waiting}})
}

// TestManyAtOnce: two replicas together let no more wait than one would.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := newSchool(t, course())
	const crowd = 30
	var all sync.WaitGroup
	answers := make([]string, crowd)
	for i := range answers {
		all.Go(func() {
			answer, err := s.Answer(t.Context(), question("o1", "问："+strconv.Itoa(i/2)+" 答：x", strconv.Itoa(i/2)))
			if err != nil {
				t.Error(err)
			}
			answers[i] = answer.Reply.GetText().GetContent()
		})
	}
	all.Wait()
	count := map[string]int{}
	for i, answer := range answers {
		count[answer]++
		if answer != answers[i/2*2] {
			t.Errorf("the same message was told %q and %q", answers[i/2*2], answer)
		}
	}
	if diff := cmp.Diff(map[string]int{pending: 2 * MaxWaitingEach, waiting: crowd - 2*MaxWaitingEach}, count); diff != "" {
		t.Error(diff)
	}
}

// TestPlaces: neither another account nor another rule knows what was taught.
func TestPlaces(t *testing.T) {
	t.Parallel()
	s := newSchool(t, course())
	s.plays(t, []said{{"oMODERATOR", "问：a 答：b", learned}})
	elsewhere := question("o1", "a", "x")
	elsewhere.Message.AppId = "wx2"
	if answer, err := s.Answer(t.Context(), elsewhere); !errors.Is(err, route.ErrPass) {
		t.Errorf("%v, %v", answer, err)
	}
	if answer, err := New("other", course(), NewStore(s.client)).Answer(t.Context(), question("o1", "a", "x")); !errors.Is(err, route.ErrPass) {
		t.Errorf("%v, %v", answer, err)
	}
	event := &logicv1.ReplyRequest{Message: &messagev1.Message{AppId: "wx1", MsgType: "event", Content: &messagev1.Message_Event{Event: &messagev1.Event{Name: "CLICK", Key: "a"}}}}
	if answer, err := s.Answer(t.Context(), event); !errors.Is(err, route.ErrPass) {
		t.Errorf("%v, %v", answer, err)
	}
}

// TestWhatHasAnEnd: what is taught stays, what is only remembered for a while does not.
func TestWhatHasAnEnd(t *testing.T) {
	t.Parallel()
	s := newSchool(t, course())
	s.plays(t, []said{
		{"oMODERATOR", "问：a 答：b", learned}, {"o1", "问：c 答：d", pending}, {"oMODERATOR", "拒绝 1", "已拒绝第 1 条。"}, {"oMODERATOR", "忘记 x", "没有学过这个问题。"},
	})
	keys, err := s.client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		left, err := s.client.TTL(t.Context(), key).Result()
		ends := strings.Contains(key, ":said:")
		if err != nil || ends != (left > 0) {
			t.Errorf("%s: ends in %v, %v", key, left, err)
		}
		if strings.Contains(key, ":of:") {
			t.Errorf("%s: nothing waits any more", key)
		}
	}
	// A message without a key cannot be asked for again, and leaves no trace.
	if _, err := s.Answer(t.Context(), question("oMODERATOR", "问：e 答：f", "")); err != nil {
		t.Error(err)
	}
	if n := s.client.Exists(t.Context(), Place{"wx1", "learn"}.saidTo("")).Val(); n != 0 {
		t.Error("the outcome is filed under no key")
	}
}

func TestRedisFails(t *testing.T) {
	t.Parallel()
	s := newSchool(t, course())
	place := Place{"wx1", "learn"}
	for _, key := range []string{place.prefix(), place.pending(), place.waitingOf("o1")} {
		s.client.Set(t.Context(), key, "of another type", 0)
	}
	for _, line := range []said{
		{openID: "o1", text: "secret"}, {openID: "o1", text: "问：secret 答：b"}, {openID: "oMODERATOR", text: "待审"},
		{openID: "oMODERATOR", text: "通过 1"}, {openID: "oMODERATOR", text: "忘记 secret"},
	} {
		_, err := s.Answer(t.Context(), question(line.openID, line.text, line.text))
		if route.ReasonOf(err) != route.ReasonState || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: want a failure of the state without the text, got %v", line.text, err)
		}
	}
	s.client.FlushAll(t.Context())
	s.client.HSet(t.Context(), place.prefix(), "a", "?")
	s.client.ZAdd(t.Context(), place.pending(), redis.Z{Score: 1, Member: "?"})
	for _, line := range []said{{openID: "o1", text: "a"}, {openID: "oMODERATOR", text: "待审"}, {openID: "oMODERATOR", text: "通过 1"}} {
		if _, err := s.Answer(t.Context(), question(line.openID, line.text, "")); route.ReasonOf(err) != route.ReasonState {
			t.Errorf("%s: want a failure of the state, got %v", line.text, err)
		}
	}
}
