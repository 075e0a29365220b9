package decide_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/decide"
	"github.com/wxstack/wxstack/services/logic/internal/followup"
	"github.com/wxstack/wxstack/services/logic/internal/live"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata/scenarios from what the code does")

// TestScenarios runs every file of testdata/scenarios: optional rules (the built-in ones without), tags of
// followers, a Redis of the scenario's own for rules that remember, and a backend for rules that ask one; then messages, each followed by the
// answer and what is sent after it. The section again asks for the message before once more, as a gateway does
// whose replica died.
func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios found: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			runScenario(t, file)
		})
	}
}

func runScenario(t *testing.T, file string) {
	t.Helper()
	sections := readSections(t, file)
	tel := telemetry.Discard()
	w := newWorld(t, sections, tel)
	rules, err := live.Open(w.source, telemetry.Discard())
	if err != nil {
		t.Fatal(err)
	}
	outbox := &recorder{}
	subject := decide.New(decide.Options{Rules: rules, Outbox: outbox, Tags: w.tags, Sessions: w.sessions, Log: tel.Log, Metrics: tel.Metrics})
	message, got, messages, answers := "", "", 0, 0
	for i := range sections {
		switch sections[i].name {
		case "message":
			messages++
			message = sections[i].body
			got = ask(t, subject, outbox, message, strconv.Itoa(messages))
		case "again":
			got = ask(t, subject, outbox, message, strconv.Itoa(messages))
		case "answer":
			answers++
			if *update {
				sections[i].body = got
			} else if diff := cmp.Diff(sections[i].body, got); diff != "" {
				t.Errorf("answer %d (-want +got):\n%s", answers, diff)
			}
		}
	}
	if answers == 0 {
		t.Error("the scenario has no answer")
	}
	if *update {
		writeSections(t, file, sections)
	}
}

// ask returns the answer to a message in JSON, with what is sent after it under the key send.
func ask(t *testing.T, subject *decide.Decider, outbox *recorder, message, key string) string {
	t.Helper()
	msg := &messagev1.Message{}
	if err := protojson.Unmarshal([]byte(message), msg); err != nil {
		t.Fatalf("message: %v\n%s", err, message)
	}
	before := proto.Clone(msg)
	outbox.jobs = nil
	resp, err := subject.Reply(t.Context(), &logicv1.ReplyRequest{Message: msg, MessageKey: key})
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(before, msg) {
		t.Error("the message was changed")
	}
	answer := map[string]any{"answer": asJSON(t, resp)}
	var send []json.RawMessage
	for _, job := range outbox.jobs {
		for _, message := range job.Messages {
			send = append(send, asJSON(t, followup.Request(job, message)))
		}
	}
	if send != nil {
		answer["send"] = send
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(answer); err != nil {
		t.Fatal(err)
	}

	return out.String()
}

func asJSON(t *testing.T, m proto.Message) json.RawMessage {
	t.Helper()
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}

	return data
}

func builtIn(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../../rules/default.yaml")
	if err != nil {
		t.Fatal(err)
	}

	return data
}

// recorder is an Outbox that keeps what it is given.
type recorder struct{ jobs []followup.Job }

func (r *recorder) Enqueue(job followup.Job) { r.jobs = append(r.jobs, job) }

type section struct{ name, body string }

// readSections splits a file at lines of the form "-- name --"; what stands before the first is a comment.
func readSections(t *testing.T, file string) []section {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sections := []section{{name: "comment"}}
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok {
			sections = append(sections, section{name: strings.TrimSuffix(name, " --")})

			continue
		}
		sections[len(sections)-1].body += line
	}

	return sections
}

func writeSections(t *testing.T, file string, sections []section) {
	t.Helper()
	var text strings.Builder
	text.WriteString(sections[0].body)
	for _, s := range sections[1:] {
		text.WriteString("-- " + s.name + " --\n" + s.body)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}
