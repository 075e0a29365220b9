package decide_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/redisconn/redistest"
	"github.com/wxstack/wxstack/chassis/telemetry"

	"github.com/wxstack/wxstack/services/logic/internal/assistant"
	"github.com/wxstack/wxstack/services/logic/internal/bulkhead"
	"github.com/wxstack/wxstack/services/logic/internal/decide"
	"github.com/wxstack/wxstack/services/logic/internal/dialogue"
	"github.com/wxstack/wxstack/services/logic/internal/live"
	"github.com/wxstack/wxstack/services/logic/internal/rule"
)

// world is what the rules of a scenario live in.
type world struct {
	source   live.Source
	tags     tags
	sessions decide.Sessions
}

// backendURL stands in rules for the address of the scenario's backend.
const backendURL = "http://backend"

func newWorld(t *testing.T, sections []section, tel *telemetry.Telemetry) *world {
	t.Helper()
	w := &world{tags: tags{}}
	w.source.BuiltIn = builtIn(t)
	w.source.Runtime = rule.Runtime{
		Log: tel.Log, Handlers: bulkhead.NewMetrics(tel.Metrics), Assistants: assistant.NewMetrics(tel.Metrics),
	}
	address := backendURL
	for _, section := range sections {
		switch section.name {
		case "rules":
			w.source.BuiltIn = []byte(section.body)
		case "tags":
			read(t, section, &w.tags)
		case "redis":
			client := redistest.Start(t).Client(t)
			w.source.Runtime.Redis, w.sessions = client, dialogue.NewStore(client)
		case "backend":
			b := backend{}
			read(t, section, &b)
			address = w.serve(t, b)
		}
	}
	w.source.BuiltIn = []byte(strings.ReplaceAll(string(w.source.BuiltIn), backendURL, address))

	return w
}

func read(t *testing.T, from section, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(from.body), into); err != nil {
		t.Fatalf("section %s: %v", from.name, err)
	}
}

// serve starts a backend and returns its address.
func (w *world) serve(t *testing.T, b backend) string {
	t.Helper()
	server, transport := httptest.NewServer(b), &http.Transport{}
	w.source.Runtime.Transport = transport
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})

	return server.URL
}

// tags are those of followers, by OpenID. Of whom it has no entry nobody knows any.
type tags map[string][]string

func (t tags) Of(_ context.Context, _, openID string) ([]string, error) {
	known, ok := t[openID]
	if !ok {
		return nil, errors.New("WeChat cannot be asked")
	}

	return known, nil
}

// backend is what a service answers, by the text that the follower wrote: JSON to forward, words to an assistant.
// To all else it has no answer.
type backend map[string]json.RawMessage

func (b backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Message struct {
			Text struct {
				Content string `json:"content"`
			} `json:"text"`
		} `json:"message"`
		Messages []struct {
			Content string `json:"content"`
		} `json:"messages"`
		Answers map[string]string `json:"answers"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	question := asked.Message.Text.Content
	if chat := len(asked.Messages); chat > 0 {
		question = asked.Messages[chat-1].Content
	}
	answer, known := b[question]
	switch {
	case !known:
		w.WriteHeader(http.StatusInternalServerError)
	case len(asked.Messages) > 0:
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"choices\": [{\"delta\": {\"content\": %s}, \"finish_reason\": \"stop\"}]}\n\ndata: [DONE]\n\n", answer)
	default:
		_, _ = w.Write([]byte(strings.ReplaceAll(string(answer), "ANSWERS", fmt.Sprint(asked.Answers))))
	}
}
