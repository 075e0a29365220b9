package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/fault"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logic answers a text with the text, after a while; it fails for the text fail.
type logic struct {
	takes func(text string) time.Duration

	mu       sync.Mutex
	asked    []*logicv1.ReplyRequest
	underWay int
	most     int
}

func (l *logic) Reply(ctx context.Context, in *logicv1.ReplyRequest, _ ...grpc.CallOption) (*logicv1.ReplyResponse, error) {
	l.mu.Lock()
	l.asked = append(l.asked, in)
	l.underWay++
	l.most = max(l.most, l.underWay)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.underWay--
	}()
	text := in.GetMessage().GetText().GetContent()
	if l.takes != nil {
		select {
		case <-time.After(l.takes(text)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if text == "fail" {
		return nil, errors.New("it failed")
	}
	if text == "" {
		return &logicv1.ReplyResponse{Rule: "silent"}, nil
	}
	return &logicv1.ReplyResponse{Rule: "echo", Reply: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: text}}}}, nil
}

// texts is a recording.
func texts(appID string, all ...string) string {
	var lines strings.Builder
	for _, text := range all {
		fmt.Fprintf(&lines, `{"message":{"app_id":%q,"msg_type":"text","text":{"content":%q}},"message_key":"k"}`+"\n", appID, text)
	}
	return lines.String()
}

func TestReplay(t *testing.T) {
	t.Parallel()
	l := &logic{}
	recorded := texts("wxA", "你好") + "broken\n" + texts("wxB", "foreign") + texts("wxA", "fail", "") +
		`{"message":{"app_id":"wxA","msg_type":"event","event":{"name":"subscribe"}}}` + "\n" + texts("wxA", "one too many")
	var got []string
	var sum Summary
	for r := range Run(t.Context(), l, strings.NewReader(recorded), Options{Account: "wxA", Limit: 4}) {
		got = append(got, fmt.Sprint(r.Line, " ", r.What, " ", r.Rule, " ", r.Reply.GetText().GetContent(), " ", r.Err != nil))
		sum.Add(r)
	}
	want := []string{"1 text echo 你好 false", "2 ?   true", "4 text   true", "5 text silent  false", "6 subscribe silent  false"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if err := sum.Err(); err == nil || err.Error() != "2 of 5 messages failed" || sum.Rules["silent"] != 2 {
		t.Errorf("summary %+v: %v", sum, err)
	}
	keys := map[string]bool{}
	for _, asked := range l.asked {
		keys[asked.GetMessageKey()] = true
		if !asked.GetShadow() || asked.GetDeliveryTimeLeft().AsDuration() != 5*time.Second || asked.GetBudgetTimeLeft().AsDuration() != 14500*time.Millisecond {
			t.Errorf("asked %v", asked)
		}
	}
	if len(l.asked) != 4 || len(keys) != 4 || keys["k"] {
		t.Errorf("%d questions, keys %v", len(l.asked), keys)
	}
	for range Run(t.Context(), l, strings.NewReader(texts("wxA", "a")), Options{Act: true}) {
		if l.asked[4].GetShadow() {
			t.Error("logic is told not to act")
		}
	}
}

func TestResultsComeInOrderThoughAnswersDoNot(t *testing.T) {
	t.Parallel()
	var all []string
	for i := range 20 {
		all = append(all, strconv.Itoa(i))
	}
	for _, concurrency := range []int{0, 1, 2, 7} {
		synctest.Test(t, func(t *testing.T) {
			l := &logic{takes: func(text string) time.Duration {
				return time.Duration(len(all)-slices.Index(all, text)) * time.Second / 2
			}}
			line := 0
			for r := range Run(t.Context(), l, strings.NewReader(texts("wxA", all...)), Options{Concurrency: concurrency}) {
				if line++; r.Line != line || r.Err != nil || r.Took != l.takes(all[line-1]) {
					t.Errorf("line %d took %v: %v", r.Line, r.Took, r.Err)
				}
			}
			if line != len(all) || l.most != max(1, concurrency) {
				t.Errorf("%d results, %d at once, want %d", line, l.most, concurrency)
			}
		})
	}
}

func TestReplayEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &logic{takes: func(string) time.Duration { return time.Hour }}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		recorded := texts("wxA", "a", "b", "c", "d")
		for r := range Run(ctx, l, strings.NewReader(recorded), Options{Concurrency: 2}) {
			if r.Err == nil {
				t.Error("answered")
			}
		}
		for r := range Run(t.Context(), l, strings.NewReader(recorded), Options{Concurrency: 2}) {
			if r.Took != budgetTime {
				t.Errorf("given up after %v", r.Took)
			}
			break // which must end it.
		}
	})
}

func results() []Result {
	text := func(content string) *messagev1.Reply {
		return &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: content}}}
	}
	return []Result{
		{Line: 1, What: "text", Rule: "help", Reply: text("帮助\n" + strings.Repeat("长", 80)), Took: 12345 * time.Microsecond},
		{Line: 3, What: "subscribe", Rule: "greet", Reply: &messagev1.Reply{Content: &messagev1.Reply_Image{Image: &messagev1.ImageReply{MediaId: "m"}}}, Took: time.Second},
		{Line: 4, What: "text", Rule: "help", Took: time.Millisecond},
		{Line: 5, What: "?", Err: fault.Wrap(fault.Invalid, errors.New("the same, from gRPC"), "no message")},
	}
}

func printed(t *testing.T, printer func(*bytes.Buffer) Printer) string {
	t.Helper()
	var out bytes.Buffer
	p, sum := printer(&out), Summary{}
	for _, r := range results() {
		sum.Add(r)
		if err := p.Print(r); err != nil {
			t.Error(err)
		}
	}
	if err := p.Sum(sum); err != nil {
		t.Error(err)
	}
	return out.String()
}

func TestForPeople(t *testing.T) {
	t.Parallel()
	got := printed(t, func(out *bytes.Buffer) Printer { return ForPeople(out) })
	want := "     1  text              12.3ms  rule help  帮助 " + strings.Repeat("长", 56) + "…\n" +
		"     3  subscribe             1s  rule greet  {\"image\":{\"media_id\":\"m\"}}\n" +
		"     4  text                 1ms  rule help  (nothing)\n" +
		"     5  ?                     0s  failed: no message\n" +
		"\n4 messages, 1 failed\n     2  rule help\n     1  rule greet\n"
	if strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") { // the library puts blanks into JSON at random.
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

func TestForPrograms(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(printed(t, func(out *bytes.Buffer) Printer { return ForPrograms(out) })), "\n")
	want := []string{
		`{"line":1,"what":"text","rule":"help","reply":{"text":{"content":"帮助\n` + strings.Repeat("长", 80) + `"}},"duration_ms":12.345}`,
		`{"line":3,"what":"subscribe","rule":"greet","reply":{"image":{"media_id":"m"}},"duration_ms":1000}`,
		`{"line":4,"what":"text","rule":"help","duration_ms":1}`,
		`{"line":5,"what":"?","duration_ms":0,"error":"no message"}`,
		`{"summary":{"messages":4,"failed":1,"rules":{"greet":1,"help":2}}}`,
	}
	if !slices.Equal(lines, want) {
		t.Errorf("printed %q\nwant %q", lines, want)
	}
}
