package simulator

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPushMany(t *testing.T) {
	t.Parallel()
	platform := startAccount(t, ModeCompatible, answerWith("success"))
	const count = 60
	summary, err := platform.PushMany(t.Context(), Load{
		Push: Push{Content: "x", ReuseConnections: true}, Count: count, Concurrency: 8, Followers: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	if summary.Sent != count || summary.Answered+summary.Failed != count || summary.Answered == 0 {
		t.Errorf("summary = %+v", summary)
	}
	if got := len(platform.Followers()); got != 11 {
		t.Errorf("%d followers, want the default one and ten senders", got)
	}
	if pending := platform.PendingPushes(); len(pending) != 0 {
		t.Errorf("%d pushes of a load are listed as pending", len(pending))
	}
}

func TestLoadRefusals(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	for says, load := range map[string]Load{
		"count is 0":           {},
		"count is 1000001":     {Count: maxPushCount + 1},
		"concurrency is -1":    {Count: 1, Concurrency: -1},
		"followers is 9999":    {Count: 1, Followers: 9999},
		"rate is -1":           {Count: 1, Rate: -1},
		"rate is 1e-12":        {Count: 1, Rate: 1e-12},
		"repeat is 1.5":        {Count: 1, Repeat: 1.5},
		"settle must not be":   {Count: 1, Settle: -1},
		`expect is "nonsense"`: {Count: 1, Expect: "nonsense"},
		"weight is -1":         {Count: 1, Mix: []Share{{Weight: -1}}},
	} {
		if _, err := platform.PushMany(t.Context(), load); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v", says, err)
		}
	}
	if _, err := platform.PushMany(t.Context(), Load{Count: 3, Mix: []Share{{Push: Push{Type: TypeEvent, Event: EventClick}}}}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a push that can't be sent: error %v", err)
	}
}

// An open loop sends at its rate whether answers come or not, and latency counts from when a message was due.
func TestOpenLoop(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	arrived := 0
	all := make(chan struct{})
	platform := startAccount(t, ModePlain, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		if arrived++; arrived == 20 {
			close(all)
		}
		mu.Unlock()
		<-all // Nobody is answered before the last has come: a closed loop of one would never get there.
		_, _ = io.WriteString(w, "success")
	})
	platform.options.Delivery.Timeout = 5 * time.Second
	summary, err := platform.PushMany(t.Context(), Load{Push: Push{Content: "x"}, Count: 20, Rate: 1000})
	if err != nil || summary.Answered != 20 || summary.Attempts["1"] != 20 {
		t.Errorf("summary %+v, error %v", summary, err)
	}
	if summary.Latency.Max < summary.Latency.P50 || summary.Latency.P50 <= 0 {
		t.Errorf("latency %+v", summary.Latency)
	}
}

// A load ends with its duration.
func TestLoadByDuration(t *testing.T) {
	t.Parallel()
	platform := startAccount(t, ModePlain, answerWith("success"))
	summary, err := platform.PushMany(t.Context(), Load{Push: Push{Content: "x"}, Duration: 50 * time.Millisecond, Concurrency: 2})
	if err != nil || summary.Sent == 0 || summary.Sent > 100_000 || summary.Answered != summary.Sent {
		t.Errorf("summary %+v, error %v", summary, err)
	}
}

// What was due and couldn't be sent is told, or a server that hangs would look well.
func TestLoadTellsWhatWasNotSent(t *testing.T) {
	t.Parallel()
	hangs := make(chan struct{})
	platform := startAccount(t, ModePlain, func(w http.ResponseWriter, _ *http.Request) {
		<-hangs
		_, _ = io.WriteString(w, "success")
	})
	platform.options.Delivery.Timeout = time.Minute
	time.AfterFunc(400*time.Millisecond, func() { close(hangs) })
	summary, err := platform.PushMany(t.Context(), Load{Push: Push{Content: "x"}, Duration: 200 * time.Millisecond, Rate: 100, Concurrency: 4})
	if err != nil || summary.Sent != 4 || summary.Answered != 4 || summary.NotSent != 14 || summary.OK() {
		t.Errorf("summary %+v, error %v", summary, err)
	}
}

// A load that is stopped blames nobody for what was under way: not the message, not its repetition, not a late answer.
func TestAStoppedLoadBlamesNobody(t *testing.T) {
	t.Parallel()
	for name, load := range map[string]Load{
		"delivery":    {Count: 100, Concurrency: 8},
		"repetition":  {Count: 1, Repeat: 1},
		"late answer": {Count: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			var deliveries atomic.Int64
			platform := startAccount(t, ModePlain, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // Or the server wouldn't see the end of the connection.
				if number := deliveries.Add(1); name == "delivery" || number > 1 {
					stop()
					<-r.Context().Done()
				}
				if name == "late answer" {
					time.AfterFunc(50*time.Millisecond, stop) // After the end of the deliveries, while late answers are waited for.
				}
				_, _ = io.WriteString(w, "success")
			})
			load.Push, load.Expect, load.Settle = Push{Content: "x"}, ExpectReply, time.Minute
			summary, _ := platform.PushMany(ctx, load)
			if !summary.OK() || summary.Sent == 0 {
				t.Errorf("summary %+v", summary)
			}
		})
	}
}

// buildBrokenServer builds the server with planted faults, once.
var buildBrokenServer = sync.OnceValues(func() (string, error) { //nolint:gochecknoglobals // One build for all tests.
	dir, err := os.MkdirTemp("", "brokenserver")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "brokenserver")

	return path, exec.Command("go", "build", "-o", path, "./testdata/brokenserver").Run()
})

// startBrokenServer starts it in one of its ways, as the server of the platform's account.
func startBrokenServer(t *testing.T, platform *Platform, way string) {
	t.Helper()
	path, err := buildBrokenServer()
	if err != nil {
		t.Fatal(err)
	}
	account := DefaultAccount()
	ctx, cancel := context.WithCancel(t.Context())
	server := exec.CommandContext(ctx, path, "--way", way, "--api", platform.URL(), "--app-id", account.AppID, "--app-secret", account.AppSecret)
	var said strings.Builder
	server.Stderr = &said
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = server.Wait()
		if said.Len() > 0 {
			t.Errorf("the server said: %s", said.String())
		}
	})
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := platform.SetCallback("", strings.TrimSpace(address), ModePlain); err != nil {
		t.Fatal(err)
	}
}

// The judge is judged: each planted fault is found, as often as it was planted, and nothing else; and nothing at all in
// servers that are right.
func TestLoadFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	type found struct{ Failed, Lost, Duplicates, Wrong, Inconsistent int }
	cases := map[string]struct {
		way    string
		repeat float64
		want   found
		says   string
	}{
		"right":                            {"right", 0.2, found{}, ""},
		"right, by late answers":           {"late", 0.2, found{}, ""},
		"right, at the second delivery":    {"second", 0, found{}, ""},
		"a duplicate":                      {"duplicate", 0, found{Duplicates: 10}, "two answers"},
		"a loss":                           {"loss", 0, found{Lost: 10}, "no answer"},
		"a wrong answer":                   {"wrong", 0, found{Wrong: 10}, "it answers message #"},
		"no deduplication":                 {"twice", 0.2, found{Duplicates: 20}, "two answers"},
		"no deduplication, never repeated": {"twice", 0, found{}, ""},
		"another answer to a repetition":   {"forgetful", 0.2, found{Inconsistent: 20}, "answered with nothing to show"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := Start(t, func(options *Options) { options.Delivery.Timeout = 500 * time.Millisecond })
			startBrokenServer(t, platform, test.way)
			summary, err := platform.PushMany(t.Context(), Load{
				Push: Push{Content: "你好"}, Count: 100, Concurrency: 1, Expect: ExpectEcho, Repeat: test.repeat, Settle: 300 * time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			got := found{summary.Failed, summary.Lost, summary.Duplicates, summary.Wrong, summary.Inconsistent}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\n%+v", diff, summary.Findings)
			}
			if summary.OK() != (test.want == found{}) || summary.Sent != 100 || summary.Repeated != int(100*test.repeat) {
				t.Errorf("summary %+v", summary)
			}
			if test.says != "" && (len(summary.Findings) == 0 || !strings.Contains(summary.Findings[0].Reason, test.says)) {
				t.Errorf("findings %+v", summary.Findings)
			}
		})
	}
}

// A mix is sent by its weights, each kind with its own expectation.
func TestLoadMix(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	startBrokenServer(t, platform, "right")
	summary, err := platform.PushMany(t.Context(), Load{Count: 40, Concurrency: 4, Expect: ExpectEcho, Settle: time.Millisecond, Mix: []Share{
		{Push: Push{Content: "你好"}, Weight: 2, Expect: "text:你说：{content}"},
		{Push: Push{Type: TypeImage}},
		{Push: Push{Type: TypeEvent, Event: EventClick, EventKey: "K"}, Expect: ExpectReply},
	}})
	if err != nil || !summary.OK() {
		t.Fatalf("summary %+v, error %v", summary, err)
	}
	want := map[string]TypeTally{"text": {20, 20, 0}, "image": {10, 10, 0}, "CLICK": {10, 10, 0}}
	if diff := cmp.Diff(want, summary.ByType); diff != "" {
		t.Errorf("by type (-want +got):\n%s", diff)
	}
}

func TestParseMix(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]Share{
		"":                    nil,
		"text":                {{Push: Push{Type: TypeText, Content: "好"}, Weight: 1}},
		"text = 8 , image=1,": {{Push: Push{Type: TypeText, Content: "好"}, Weight: 8}, {Push: Push{Type: TypeImage}, Weight: 1}},
		"event:CLICK:HELP=2":  {{Push: Push{Type: TypeEvent, Event: EventClick, EventKey: "HELP"}, Weight: 2}},
		"event:CLICK":         {{Push: Push{Type: TypeEvent, Event: EventClick, EventKey: "KEY"}, Weight: 1}},
		"event:CLICK:":        {{Push: Push{Type: TypeEvent, Event: EventClick}, Weight: 1}},
		"event:subscribe":     {{Push: Push{Type: TypeEvent, Event: EventSubscribe}, Weight: 1}},
	} {
		got, err := ParseMix(text, "好")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, error %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"text=0", "text=-1", "text=x", "text="} {
		if _, err := ParseMix(text, ""); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "must be a positive number") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A load in the background is shown as it goes, one at a time, and can be stopped.
func TestLoadInTheBackground(t *testing.T) {
	t.Parallel()
	platform := startAccount(t, ModePlain, answerWith("success"))
	if got := platform.LoadProgress(); got.ID != 0 || got.Running {
		t.Errorf("before any: %+v", got)
	}
	started := steer(t, platform, http.MethodPost, "load", `{"content":"x","duration_ms":60000,"rate":200,"mix":[{"content":"a"},{"type":"image","weight":2}]}`, http.StatusOK)
	if refused := steer(t, platform, http.MethodPost, "load", `{"content":"x","count":1}`, http.StatusBadRequest); !strings.Contains(textOf(refused, "error"), "still going on") {
		t.Errorf("a second: %v", refused)
	}
	watcher, stop := platform.watch()
	defer stop()
	for platform.LoadProgress().Summary.Answered == 0 {
		<-watcher.wake
	}
	var got LoadProgress
	_, body := request(t, http.MethodDelete, platform.URL()+"/sim/v1/load", "")
	if err := json.Unmarshal(body, &got); err != nil || got.Running || float64(got.ID) != started["id"] || got.Summary.Sent == 0 {
		t.Errorf("stopped: %+v, error %v", got, err)
	}
	steer(t, platform, http.MethodPost, "load", `{"content":"x","count":5}`, http.StatusOK)
	platform.Reset()
	if got := platform.LoadProgress(); got.Running {
		t.Error("a load went on after a reset")
	}
	for body, says := range map[string]string{
		`{}`: "count is 0", `{"count":1,"expect":"x"}`: `expect is "x"`, `{"cuont":1}`: "cuont",
		`{"count":1,"mix":"text=x"}`: `weight "x" of text`, `{"count":1,"mix":[{"wieght":1}]}`: "wieght", `{"count":1,"mix":"smell"}`: `type "smell" is unknown`,
	} {
		if refused := steer(t, platform, http.MethodPost, "load", body, http.StatusBadRequest); !strings.Contains(textOf(refused, "error"), says) {
			t.Errorf("%s: %v", body, refused)
		}
	}
}

// A load doesn't outlive the platform, and none begins after its end.
func TestLoadsEndWithThePlatform(t *testing.T) {
	t.Parallel()
	platform := startAccount(t, ModePlain, answerWith("success"))
	if _, err := platform.StartLoad(Load{Push: Push{Content: "x"}, Duration: time.Minute, Rate: 10}); err != nil {
		t.Fatal(err)
	}
	if err := platform.Close(); err != nil {
		t.Fatal(err)
	}
	platform.background.Wait()
	if _, err := platform.StartLoad(Load{Push: Push{Content: "x"}, Count: 1}); !errors.Is(err, ErrStopped) {
		t.Errorf("after the end: %v", err)
	}
}

func BenchmarkLoad(b *testing.B) {
	platform := Start(b, func(options *Options) {
		account := DefaultAccount()
		account.Mode = ModePlain
		options.Accounts = []Account{account}
	})
	server := httptest.NewServer(answerWith("success"))
	b.Cleanup(server.Close)
	if err := platform.SetCallback("", server.URL, ModePlain); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	if _, err := platform.PushMany(b.Context(), Load{Push: Push{Content: "x", ReuseConnections: true}, Count: b.N, Concurrency: 16, Followers: 50}); err != nil {
		b.Fatal(err)
	}
}
