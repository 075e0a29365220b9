package grant_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/grant"
	"github.com/wxstack/wxstack/services/token-center/internal/store"
)

var errDown = errors.New("redis is down")

// flaky fails while down.
type flaky struct {
	*store.Memory

	mu   sync.Mutex
	down bool
}

func (f *flaky) set(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

func (f *flaky) Save(ctx context.Context, c credential.Credential) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return errDown
	}
	return f.Memory.Save(ctx, c)
}

func place(t *testing.T, k *grant.Keeper) credential.Generation {
	t.Helper()
	generation, err := k.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return generation
}

func put(t *testing.T, k *grant.Keeper, at credential.Generation, value string) {
	t.Helper()
	if err := k.Put(t.Context(), at, config.NewSecret(value)); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, k *grant.Keeper, value string) credential.Credential {
	t.Helper()
	c, err := k.Get(t.Context())
	if err != nil || c.Value.Reveal() != value {
		t.Errorf("have %q, %v, want %q", c.Value.Reveal(), err, value)
	}
	return c
}

func wantNone(t *testing.T, k *grant.Keeper, remedy string) {
	t.Helper()
	c, err := k.Get(t.Context())
	if err == nil || fault.KindOf(err) != fault.Precondition || !strings.Contains(err.Error(), remedy) || c.Exists() {
		t.Errorf("have %v, %v", c, err)
	}
}

func TestAnOlderTokenNeverReplacesANewerOne(t *testing.T) {
	t.Parallel()
	shared := store.NewMemory()
	one, other := grant.NewRefreshToken(shared, "wx1"), grant.NewRefreshToken(shared, "wx1")
	wantNone(t, one, "authorise")
	early := place(t, one)
	late := place(t, other)
	put(t, other, late, "newer")
	put(t, one, early, "older") // its answer came in last.
	want(t, one, "newer")
	want(t, other, "newer")
	want(t, grant.NewRefreshToken(shared, "wx1"), "newer") // after a restart.
	wantNone(t, grant.NewRefreshToken(shared, "wx2"), "authorise")
}

func TestAVoidedTokenStaysVoidUntilAnotherIsGranted(t *testing.T) {
	t.Parallel()
	shared := store.NewMemory()
	k := grant.NewRefreshToken(shared, "wx1")
	if err := k.Void(t.Context()); err != nil {
		t.Errorf("nothing to void: %v", err)
	}
	put(t, k, place(t, k), "first")
	inFlight := place(t, k) // a refresh is under way while the account withdraws.
	if err := k.Void(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, k, inFlight, "too late")
	wantNone(t, k, "authorise")
	wantNone(t, grant.NewRefreshToken(shared, "wx1"), "authorise")
	put(t, k, place(t, k), "again")
	want(t, k, "again")
}

func TestAStoreThatFailsOrForgetsIsGivenTheNewestBack(t *testing.T) {
	t.Parallel()
	shared := &flaky{Memory: store.NewMemory()}
	k := grant.NewRefreshToken(shared, "wx1")
	put(t, k, place(t, k), "first")
	at := place(t, k)
	shared.set(true)
	if err := k.Put(t.Context(), at, config.NewSecret("second")); !errors.Is(err, errDown) {
		t.Errorf("error = %v", err)
	}
	shared.set(false)
	want(t, k, "second")
	want(t, grant.NewRefreshToken(shared, "wx1"), "second")
	shared.Clear()
	want(t, k, "second")
	want(t, grant.NewRefreshToken(shared, "wx1"), "second")
}

func TestATicketEndsAndOnlyAnotherReplacesARejectedOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := grant.NewTicket(store.NewMemory(), "wx1")
		wantNone(t, k, "授权事件接收URL")
		put(t, k, place(t, k), "ticket-1")
		first := want(t, k, "ticket-1")
		rejected := credential.Rejected{Generation: first.Generation}
		if _, err := k.Refresh(t.Context(), rejected); fault.KindOf(err) != fault.Precondition {
			t.Errorf("the newest was rejected: %v", err)
		}
		time.Sleep(10 * time.Minute)
		put(t, k, place(t, k), "ticket-2")
		if c, err := k.Refresh(t.Context(), rejected); err != nil || c.Value.Reveal() != "ticket-2" {
			t.Errorf("another has arrived: %v, %v", c, err)
		}
		time.Sleep(grant.TicketLife)
		wantNone(t, k, "授权事件接收URL")
	})
}
