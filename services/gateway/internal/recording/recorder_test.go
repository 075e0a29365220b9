package recording

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/gateway/internal/late"
	"github.com/wxstack/wxstack/services/gateway/internal/routing"
	"github.com/wxstack/wxstack/wechat/message"
)

// question is what is asked about a text.
func question(content string) late.Question {
	now := time.Now()
	return late.Question{
		AppID:        "wxA",
		In:           message.Message{FromUserName: "oSENTINEL", MsgType: message.TypeText, MsgID: 1, Text: &message.Text{Content: content}},
		DeliveryEnds: now.Add(5 * time.Second), BudgetEnds: now.Add(14500 * time.Millisecond),
	}
}

// settings are those of a file in a new folder.
func settings(t *testing.T) *routing.Record {
	t.Helper()
	return &routing.Record{File: filepath.Join(t.TempDir(), "messages.jsonl"), Accounts: []string{"wxA"}, MaxBytes: 1 << 20, Texts: routing.TextsRedacted}
}

// record records questions and ends.
func record(t *testing.T, r *Recorder, questions ...late.Question) {
	t.Helper()
	for _, q := range questions {
		r.Asked(q)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Run(ctx); err != nil {
		t.Error(err)
	}
}

// contents are the texts in a recording.
func contents(t *testing.T, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []string
	for line := range Read(file) {
		if line.Err != nil {
			t.Errorf("line %d: %v", line.Number, line.Err)
		}
		all = append(all, line.Question.GetMessage().GetText().GetContent())
	}
	return all
}

func TestEachMessageIsALine(t *testing.T) {
	t.Parallel()
	to := settings(t)
	if err := os.WriteFile(to.File, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r := New(func() *routing.Record { return to }, telemetry.Discard())
		foreign, notice := question("foreign"), question("notice")
		foreign.AppID, notice.In.Notice = "wxB", &message.Notice{}
		record(t, r, question("一"), foreign, notice, question("电话13800138000"))
		if got := strings.Join(contents(t, to.File), " "); got != "一 电话***********" {
			t.Errorf("recorded %q", got)
		}
		if n := testutil.ToFloat64(r.recorded); n != 2 {
			t.Errorf("counted %v", n)
		}
	})
	data, err := os.ReadFile(to.File)
	if err != nil || strings.Contains(string(data), "SENTINEL") ||
		!strings.Contains(string(data), `"delivery_time_left":"5s","budget_time_left":"14.500s"}`) {
		t.Errorf("recorded %s, %v", data, err)
	}
	if info, err := os.Stat(to.File); err != nil || info.Mode().Perm() != fileMode {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestWithoutSettingsNothingIsRecorded(t *testing.T) {
	t.Parallel()
	r := New(func() *routing.Record { return nil }, telemetry.Discard())
	r.Asked(question("x"))
	if len(r.queue) != 0 {
		t.Error("something waits")
	}
}

func TestWhatComesTooFastIsDropped(t *testing.T) {
	t.Parallel()
	to := settings(t)
	r := New(func() *routing.Record { return to }, telemetry.Discard())
	for range maxWaiting + 3 {
		r.Asked(question("x"))
	}
	if n := testutil.ToFloat64(r.dropped); n != 3 {
		t.Errorf("dropped %v", n)
	}
	record(t, r)
	if n := len(contents(t, to.File)); n != maxWaiting {
		t.Errorf("recorded %d", n)
	}
}

func TestAFileThatIsFullIsBegunAnew(t *testing.T) {
	t.Parallel()
	to := settings(t)
	to.MaxBytes = 1700
	r := New(func() *routing.Record { return to }, telemetry.Discard())
	long := strings.Repeat("长", 100) // three lines to a file.
	for _, text := range []string{"1", "2", "3", "4"} {
		record(t, r, question(long+text))
	}
	now, before := contents(t, to.File), contents(t, to.File+".1")
	if len(now)+len(before) != 4 || len(before) == 0 || now[len(now)-1] != long+"4" {
		t.Errorf("%d and %d lines", len(before), len(now))
	}
	for _, path := range []string{to.File, to.File + ".1"} {
		if info, err := os.Stat(path); err != nil || info.Size() > to.MaxBytes {
			t.Errorf("%s: %v, %v", path, info.Size(), err)
		}
	}
}

// TestAFileThatCannotBeWrittenIsReported, once, and as soon as it can nothing is missing but what came meanwhile.
func TestAFileThatCannotBeWrittenIsReported(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	tel := telemetry.ForTest(&log)
	to := settings(t)
	folder := filepath.Dir(to.File)
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	r := New(func() *routing.Record { return to }, tel)
	record(t, r, question("lost"))
	record(t, r, question("lost too"))
	if n := testutil.ToFloat64(r.failed); n != 2 {
		t.Errorf("failed %v", n)
	}
	if n := strings.Count(log.String(), "component down"); n != 1 || strings.Contains(log.String(), "lost") {
		t.Errorf("reported %d times: %s", n, log.String())
	}
	report, ready := tel.Health.Report()
	if !ready || !strings.Contains(report.Components[component], "see that the folder is there") {
		t.Errorf("health: %+v, ready %v", report, ready)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	record(t, r, question("kept"))
	if got := contents(t, to.File); len(got) != 1 || got[0] != "kept" {
		t.Errorf("recorded %q", got)
	}
	if report, _ := tel.Health.Report(); report.Components[component] != "up" {
		t.Errorf("health: %+v", report)
	}
}

func TestADeviceThatIsFullIsReported(t *testing.T) {
	t.Parallel()
	if err := appendTo("/dev/full", []byte("x"), 1<<20); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error %v", err)
	}
}

func TestAnOldFailureIsForgottenWithTheRecording(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to, tel := &routing.Record{File: "/nonexistent/file", MaxBytes: 1 << 20}, telemetry.ForTest(io.Discard)
		now := to
		r := New(func() *routing.Record { return now }, tel)
		r.Asked(question("x"))
		now = nil
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- r.Run(ctx) }()
		synctest.Wait()
		if report, _ := tel.Health.Report(); report.Status != "degraded" {
			t.Errorf("health: %+v", report)
		}
		time.Sleep(lookInterval)
		synctest.Wait()
		if report, _ := tel.Health.Report(); report.Status != "ready" || len(report.Components) != 0 {
			t.Errorf("health: %+v", report)
		}
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

func TestChangedSettingsApplyToWhatComesThen(t *testing.T) {
	t.Parallel()
	first, second := settings(t), settings(t)
	now := first
	r := New(func() *routing.Record { return now }, telemetry.Discard())
	r.Asked(question("a"))
	now = second
	r.Asked(question("b"))
	record(t, r)
	if a, b := contents(t, first.File), contents(t, second.File); len(a) != 1 || a[0] != "a" || len(b) != 1 || b[0] != "b" {
		t.Errorf("recorded %q and %q", a, b)
	}
}
