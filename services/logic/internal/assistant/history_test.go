package assistant_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/wxstack/wxstack/chassis/redisconn/redistest"

	"github.com/wxstack/wxstack/services/logic/internal/assistant"
)

const conversation = "wx:{wx1}:assistant:ai:o1"

func TestHistory(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	limits := assistant.Limits{Turns: 2, TTL: time.Hour}
	turn := func(i int) assistant.Turn {
		n := strconv.Itoa(i)
		return assistant.Turn{Key: "key" + n, Question: "问" + n, Answer: "答" + n}
	}
	tests := map[string]func(t *testing.T, h *assistant.History, of string){
		"nothing yet": func(t *testing.T, h *assistant.History, of string) { expectTurns(t, h, of) },
		"the last turns are kept": func(t *testing.T, h *assistant.History, of string) {
			for i := range 4 {
				add(t, h, of, turn(i), turn(i).Answer)
			}
			expectTurns(t, h, of, turn(2), turn(3))
		},
		"the first answer to a message counts": func(t *testing.T, h *assistant.History, of string) {
			add(t, h, of, turn(1), turn(1).Answer)
			add(t, h, of, assistant.Turn{Key: "key1", Question: "问1", Answer: "another"}, turn(1).Answer)
			expectTurns(t, h, of, turn(1))
		},
		"messages without a key are different ones": func(t *testing.T, h *assistant.History, of string) {
			for range 2 {
				add(t, h, of, assistant.Turn{Question: "问", Answer: "答"}, "答")
			}
			expectTurns(t, h, of, assistant.Turn{Question: "问", Answer: "答"}, assistant.Turn{Question: "问", Answer: "答"})
		},
		"it is forgotten": func(t *testing.T, h *assistant.History, of string) {
			add(t, h, of, turn(1), turn(1).Answer)
			if err := h.Forget(t.Context(), of); err != nil {
				t.Fatal(err)
			}
			expectTurns(t, h, of)
		},
		"what somebody else wrote is an error that does not quote it": func(t *testing.T, h *assistant.History, of string) {
			if err := client.RPush(t.Context(), of, "hunter2").Err(); err != nil {
				t.Fatal(err)
			}
			if _, err := h.Turns(t.Context(), of); err == nil || cmp.Equal(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
			client.Expire(t.Context(), of, time.Hour)
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, assistant.NewHistory(client, limits), "wx:{wx1}:"+name) })
	}
	redistest.Age(t, client, time.Hour) // every key has an end.
}

// Two replicas that answer the same message at the same time give the same answer.
func TestTwoReplicasAgree(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	h := assistant.NewHistory(client, assistant.Limits{Turns: 5, TTL: time.Hour})
	answers := make([]string, 8)
	var replicas sync.WaitGroup
	for i := range answers {
		replicas.Go(func() {
			answers[i], _ = h.Add(t.Context(), conversation, assistant.Turn{Key: "k", Answer: strconv.Itoa(i)})
		})
	}
	replicas.Wait()
	for _, answer := range answers {
		if answer == "" || answer != answers[0] {
			t.Errorf("different answers: %q", answers)
		}
	}
}

// Without turns nobody looks for Redis.
func TestNoHistory(t *testing.T) {
	t.Parallel()
	h := assistant.NewHistory(nil, assistant.Limits{})
	add(t, h, conversation, assistant.Turn{Answer: "答"}, "答")
	expectTurns(t, h, conversation)
	if err := h.Forget(t.Context(), conversation); err != nil {
		t.Error(err)
	}
}

// nowhere is a Redis that isn't there.
func nowhere(t *testing.T) redis.UniversalClient {
	t.Helper()
	return redistest.Connect(t, &redis.Options{Network: "unix", Addr: t.TempDir() + "/none", MaxRetries: -1})
}

func add(t *testing.T, h *assistant.History, of string, turn assistant.Turn, want string) {
	t.Helper()
	if got, err := h.Add(t.Context(), of, turn); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func expectTurns(t *testing.T, h *assistant.History, of string, want ...assistant.Turn) {
	t.Helper()
	got, err := h.Turns(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	if len(got)+len(want) > 0 && !cmp.Equal(want, got) {
		t.Error(cmp.Diff(want, got))
	}
}
