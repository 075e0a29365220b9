package store_test

import (
	"testing"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/redistest"
	"github.com/wxstack/wxstack/services/token-center/internal/store"
)

// Defects of other token services; the table of all of them is in services/token-center/peers_test.go.

// A time of 32 bits ends on 2038-01-19.
func TestATokenOfTheYear2039IsKeptAsItIs(t *testing.T) {
	t.Parallel()
	client, _ := redistest.Mini(t)
	s := store.NewRedis(client, sealer(t, "k"))
	start := time.UnixMilli(1 << 41) // 2039-09-07
	want := credential.Credential{
		Key: key, Value: config.NewSecret("late"), Generation: 1 << 41, ObtainedAt: start, ExpiresAt: start.Add(2 * time.Hour),
	}
	if err := s.Save(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load(t.Context(), key); err != nil || got != want {
		t.Errorf("loaded %v, %v", got, err)
	}
	if next, err := s.NextGeneration(t.Context(), key, 0); err != nil || next != want.Generation+1 {
		t.Errorf("next generation %d, %v", next, err)
	}
}

// One place for all tokens mixes the accounts up.
func TestAccountsDoNotShareATokenOrACounter(t *testing.T) {
	t.Parallel()
	client, _ := redistest.Mini(t)
	s := store.NewRedis(client, sealer(t, "k"))
	mine := made(5, "mine")
	theirs := made(3, "theirs")
	theirs.AppID = "wx2"
	for _, c := range []credential.Credential{mine, theirs} {
		if err := s.Save(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []credential.Credential{mine, theirs} {
		if got, err := s.Load(t.Context(), want.Key); err != nil || got != want {
			t.Errorf("%s has %v, %v", want.AppID, got, err)
		}
		if next, err := s.NextGeneration(t.Context(), want.Key, 0); err != nil || next != want.Generation+1 {
			t.Errorf("%s: next generation %d, %v", want.AppID, next, err)
		}
	}
}
