package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/redistest"
	"github.com/wxstack/wxstack/services/token-center/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type subject interface {
	NextGeneration(ctx context.Context, key credential.Key, above credential.Generation) (credential.Generation, error)
	Save(ctx context.Context, c credential.Credential) error
	Load(ctx context.Context, key credential.Key) (credential.Credential, error)
	Watch(ctx context.Context, keys []credential.Key, changed func(credential.Key)) error
}

var key = credential.Key{AppID: "wx1", Kind: credential.AccessToken}

func made(generation credential.Generation, value string) credential.Credential {
	start := time.UnixMilli(1_700_000_000_123)
	return credential.Credential{
		Key: key, Value: config.NewSecret(value), Generation: generation,
		ObtainedAt: start, ExpiresAt: start.Add(2 * time.Hour),
	}
}

// cmpSecrets compares secrets by what they hide.
func cmpSecrets() cmp.Option {
	return cmp.Comparer(func(a, b config.Secret) bool { return a == b })
}

func sealer(t *testing.T, fill string) store.Sealer {
	t.Helper()
	s, err := store.NewSealer([]byte(strings.Repeat(fill, store.StorageKeySize)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	implementations := map[string]func(t *testing.T) subject{
		"memory": func(*testing.T) subject { return store.NewMemory() },
		"miniredis": func(t *testing.T) subject {
			client, _ := redistest.Mini(t)
			return store.NewRedis(client, sealer(t, "k"))
		},
		"miniredis, plain text": func(t *testing.T) subject {
			client, _ := redistest.Mini(t)
			return store.NewRedis(client, store.Sealer{})
		},
		"redis": func(t *testing.T) subject {
			client, _ := redistest.Real(t)
			return store.NewRedis(client, sealer(t, "k"))
		},
	}
	cases := map[string]func(t *testing.T, s subject){
		"empty":                  testEmpty,
		"saved is loaded":        testSavedIsLoaded,
		"stale is refused":       testStaleIsRefused,
		"amendment":              testAmendment,
		"generations grow":       testGenerationsGrow,
		"generations are unique": testGenerationsAreUnique,
		"written back":           testWrittenBack,
		"watch":                  testWatch,
	}
	for implementation, open := range implementations {
		for name, run := range cases {
			t.Run(implementation+"/"+name, func(t *testing.T) {
				t.Parallel()
				run(t, open(t))
			})
		}
	}
}

func testEmpty(t *testing.T, s subject) {
	t.Helper()
	got, err := s.Load(t.Context(), key)
	if err != nil || got.Exists() {
		t.Errorf("load from an empty store = %v, %v", got, err)
	}
}

func mustSave(t *testing.T, s subject, c credential.Credential) {
	t.Helper()
	if err := s.Save(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func wantLoaded(t *testing.T, s subject, want credential.Credential) {
	t.Helper()
	got, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpSecrets()); diff != "" {
		t.Error(diff)
	}
}

func testSavedIsLoaded(t *testing.T, s subject) {
	t.Helper()
	long := made(1, strings.Repeat("x", 4096)) // WeChat asks for room for 512 characters at least.
	mustSave(t, s, long)
	wantLoaded(t, s, long)
	other := credential.Key{AppID: "wx2", Kind: credential.AccessToken}
	if got, err := s.Load(t.Context(), other); err != nil || got.Exists() {
		t.Errorf("another account has %v, %v", got, err)
	}
}

func testStaleIsRefused(t *testing.T, s subject) {
	t.Helper()
	newer := made(7, "new")
	mustSave(t, s, newer)
	if err := s.Save(t.Context(), made(6, "old")); !errors.Is(err, store.ErrStale) {
		t.Errorf("an older generation gave %v", err)
	}
	wantLoaded(t, s, newer)
}

func testAmendment(t *testing.T, s subject) {
	t.Helper()
	c := made(3, "v")
	mustSave(t, s, c)
	amended := c.Amended(c.ObtainedAt.Add(5 * time.Minute))
	mustSave(t, s, amended)
	wantLoaded(t, s, amended)
}

func next(t *testing.T, s subject, above credential.Generation) credential.Generation {
	t.Helper()
	got, err := s.NextGeneration(t.Context(), key, above)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func testGenerationsGrow(t *testing.T, s subject) {
	t.Helper()
	const seconds = 1_795_493_780 // a Unix time: the counter must hold more than 31 bits.
	got := []credential.Generation{next(t, s, 0), next(t, s, 0), next(t, s, 3*seconds), next(t, s, seconds)}
	want := []credential.Generation{1, 2, 3*seconds + 1, 3*seconds + 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func testGenerationsAreUnique(t *testing.T, s subject) {
	t.Helper()
	const takers = 50
	taken := make(chan credential.Generation, takers)
	for range takers {
		go func() {
			generation, err := s.NextGeneration(context.WithoutCancel(t.Context()), key, 100)
			if err != nil {
				t.Error(err)
			}
			taken <- generation
		}()
	}
	seen := map[credential.Generation]bool{}
	for range takers {
		seen[<-taken] = true
	}
	if len(seen) != takers {
		t.Errorf("%d takers got %d generations", takers, len(seen))
	}
}

func testWrittenBack(t *testing.T, s subject) {
	t.Helper()
	mustSave(t, s, made(40, "kept in memory while Redis lost its data"))
	if got := next(t, s, 0); got != 41 {
		t.Errorf("generation %d follows 40", got)
	}
}

func testWatch(t *testing.T, s subject) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	changes, done := make(chan credential.Key, 10), make(chan error, 1)
	go func() { done <- s.Watch(ctx, []credential.Key{key}, func(k credential.Key) { changes <- k }) }()
	receive := func(what string) {
		t.Helper()
		select {
		case k := <-changes:
			if k != key {
				t.Errorf("%s told of %v", what, k)
			}
		case <-ctx.Done():
			t.Fatalf("%s was not told", what)
		}
	}
	receive("the beginning")
	mustSave(t, s, made(1, "v"))
	receive("a change")
	other := made(1, "v")
	other.AppID = "wx2"
	mustSave(t, s, other)
	mustSave(t, s, made(2, "v"))
	receive("another change")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(changes) > 0 {
		t.Errorf("told of a change that was not one of ours: %v", <-changes)
	}
}

func TestRedisHoldsNoTokenInPlainText(t *testing.T) {
	t.Parallel()
	client, server := redistest.Mini(t)
	mustSave(t, store.NewRedis(client, sealer(t, "k")), made(1, "s3cret-token"))
	if dump := server.Dump(); strings.Contains(dump, "s3cret") {
		t.Errorf("the token is readable in Redis:\n%s", dump)
	}
}

func TestASealedValueOpensOnlyInItsPlaceAndWithItsKey(t *testing.T) {
	t.Parallel()
	const hash = "wx:{wx1}:token:access_token"
	tests := map[string]struct {
		tamper func(t *testing.T, client redis.UniversalClient)
		reader func(t *testing.T) store.Sealer
	}{
		"another key":      {nil, func(t *testing.T) store.Sealer { return sealer(t, "x") }},
		"no key":           {nil, func(*testing.T) store.Sealer { return store.Sealer{} }},
		"other generation": {set(hash, "generation", "9"), nil},
		"plain slipped in": {set(hash, "value", "plain:evil"), nil},
		"not base64":       {set(hash, "value", "aes256gcm:***"), nil},
		"cut short":        {set(hash, "value", "aes256gcm:AAAA"), nil},
		"no generation":    {set(hash, "generation", "x"), nil},
		"generation zero":  {set(hash, "generation", "0"), nil},
		"no expiry":        {set(hash, "expires_at", ""), nil},
		"no beginning":     {set(hash, "obtained_at", ""), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := redistest.Mini(t)
			reader := sealer(t, "k")
			mustSave(t, store.NewRedis(client, reader), made(1, "v"))
			if tt.tamper != nil {
				tt.tamper(t, client)
			}
			if tt.reader != nil {
				reader = tt.reader(t)
			}
			if got, err := store.NewRedis(client, reader).Load(t.Context(), key); !errors.Is(err, store.ErrUnreadable) || got.Exists() {
				t.Errorf("load = %v, %v", got, err)
			}
		})
	}
}

func set(hash, field, value string) func(*testing.T, redis.UniversalClient) {
	return func(t *testing.T, client redis.UniversalClient) {
		t.Helper()
		if err := client.HSet(t.Context(), hash, field, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARedisThatIsDownIsNotAnEmptyOne(t *testing.T) {
	t.Parallel()
	client, server := redistest.Mini(t)
	s := store.NewRedis(client, store.Sealer{})
	server.Close()
	if _, err := s.Load(t.Context(), key); err == nil || errors.Is(err, store.ErrUnreadable) {
		t.Errorf("load = %v", err)
	}
	if err := s.Save(t.Context(), made(1, "s3cret")); err == nil || errors.Is(err, store.ErrStale) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("save = %v", err)
	}
	if _, err := s.NextGeneration(t.Context(), key, 0); err == nil {
		t.Error("took a generation from nowhere")
	}
}

func TestAStorageKeyHasOneLength(t *testing.T) {
	t.Parallel()
	if _, err := store.NewSealer([]byte("short")); err == nil || !strings.Contains(err.Error(), "32") {
		t.Errorf("error = %v", err)
	}
}
