package forward_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/wxstack/wxstack/chassis/config"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/forward"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// backend is the one that docs/forward.md shows.
func backend(secret string) (http.HandlerFunc, error) {
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil || webhook.Verify(body, r.Header) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var asked struct {
			Message struct{ Text struct{ Content string } }
		}
		if err := json.Unmarshal(body, &asked); err != nil || asked.Message.Text.Content == "" {
			_, _ = io.WriteString(w, `{"pass": true}`)
			return
		}
		text := map[string]any{"content": "收到：" + asked.Message.Text.Content}
		_ = json.NewEncoder(w).Encode(map[string]any{"reply": map[string]any{"text": text}})
	}, nil
}

func TestDocumentedBackend(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("backend_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if shown := block(t, "go"); !strings.Contains(string(source), "\n"+shown) {
		t.Errorf("this file does not have what docs/forward.md shows:\n%s", shown)
	}
	subject, err := backend(secret)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := serve(t, forward.Config{Secret: config.NewSecret(secret)}, subject).Answer(t.Context(), request())
	if err != nil || answer.Reply.GetText().GetContent() != "收到：秘密 <&>" {
		t.Errorf("%v, %v", answer, err)
	}
	picture := request()
	picture.Message.Content = &messagev1.Message_Image{Image: &messagev1.Image{MediaId: "P"}}
	if _, err := serve(t, forward.Config{Secret: config.NewSecret(secret)}, subject).Answer(t.Context(), picture); !errors.Is(err, route.ErrPass) {
		t.Errorf("a picture: %v", err)
	}
	other := config.NewSecret("b3RoZXIgc2VjcmV0")
	if _, err := serve(t, forward.Config{Secret: other}, subject).Answer(t.Context(), request()); err == nil || !strings.Contains(err.Error(), "same secret") {
		t.Errorf("signed with another secret: %v", err)
	}
}

// block is the first block of docs/forward.md in a language.
func block(t *testing.T, language string) string {
	t.Helper()
	page, err := os.ReadFile("../../../../docs/forward.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, has := strings.Cut(string(page), "```"+language+"\n")
	text, _, ends := strings.Cut(rest, "```\n")
	if !has || !ends {
		t.Fatalf("docs/forward.md has no block in %s", language)
	}
	return text
}

// wire is the request of docs/forward.md, as it went over the wire.
func wire(t *testing.T) (body string, header http.Header) {
	t.Helper()
	head, body, _ := strings.Cut(strings.TrimSpace(block(t, "http")), "\n\n")
	header = http.Header{}
	for line := range strings.Lines(head) {
		if name, value, is := strings.Cut(strings.TrimSpace(line), ": "); is {
			header.Set(name, value)
		}
	}
	return body, header
}

// TestDocumentedRequest: whoever writes a check of the signature can try it on the page's request.
func TestDocumentedRequest(t *testing.T) {
	t.Parallel()
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	body, header := wire(t)
	if err := verifier.VerifyIgnoringTimestamp([]byte(body), header); err != nil {
		t.Error(err)
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(body), &fields); err != nil || fields["rule"] != "shop" {
		t.Errorf("%v: %v", fields, err)
	}
}

func TestDocumentedAnswer(t *testing.T) {
	t.Parallel()
	answer, err := forward.Decode([]byte(block(t, "json")), false)
	if err != nil || answer.Reply.GetText() == nil || len(answer.Send) != 1 || answer.Send[0].KfAccount == "" {
		t.Errorf("%v, %v", answer, err)
	}
}

// TestDocumentedCheckInPython asks the function of docs/forward.md about the page's request and others like it.
func TestDocumentedCheckInPython(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED, not tested here: python3 is not installed")
	}
	body, header := wire(t)
	stamp, signature := header.Get("Webhook-Timestamp"), header.Get("Webhook-Signature")
	requests := []map[string]string{
		{"body": body, "now": stamp, "webhook-timestamp": stamp, "webhook-signature": signature},
		{"body": body, "now": stamp, "webhook-timestamp": stamp, "webhook-signature": "v1,b3RoZXI= v2,x " + signature},
		{"body": body, "now": stamp, "webhook-timestamp": stamp, "webhook-signature": "v1,b3RoZXI= é"},
		{"body": body, "now": "1000000000", "webhook-timestamp": stamp, "webhook-signature": signature},
		{"body": body, "now": stamp, "webhook-timestamp": stamp + "x", "webhook-signature": signature},
		{"body": body, "now": stamp, "webhook-timestamp": stamp},
		{"body": body, "now": stamp, "webhook-signature": signature},
		{"body": body + " ", "now": stamp, "webhook-timestamp": stamp, "webhook-signature": signature},
	}
	for _, r := range requests {
		r["secret"], r["webhook-id"] = secret, header.Get("Webhook-Id")
	}
	data, err := json.Marshal(requests)
	if err != nil {
		t.Fatal(err)
	}
	const asking = `
import json, sys
for r in json.load(sys.stdin):
    time.time = lambda: float(r["now"])
    print(signed(r["secret"], r, r["body"].encode()))
`
	command := exec.CommandContext(t.Context(), python, "-c", block(t, "python")+asking)
	command.Stdin = strings.NewReader(string(data))
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if diff := cmp.Diff("True True False False False False False False", strings.Join(strings.Fields(string(out)), " ")); diff != "" {
		t.Error(diff)
	}
}
