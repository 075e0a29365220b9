package tokencenter_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/redistest"
)

// The storage key is changed while two replicas serve, restarted one after the other: nobody fetches because
// of it, and after each step both have the newest token, whichever of them obtained it.
func TestTheStorageKeyIsChangedUnderTwoReplicas(t *testing.T) {
	t.Parallel()
	const former, next = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="
	_, server := redistest.Real(t)
	p, ctx := newPlatform(t), testContext(t)
	start := func(keys ...string) *replica {
		cfg := testConfig(t, p, server.URL(), "stable")
		cfg.StorageKeyFile = file(t, "storage_key", strings.Join(keys, "\n"))
		return startReplica(t, cfg)
	}
	replicas := []*replica{start(former), start(former)}
	wanted := 1
	same := func(step string) {
		t.Helper()
		var values []string
		for _, r := range replicas {
			got, err := r.GetToken(ctx, &tokenv1.GetTokenRequest{})
			if err != nil {
				t.Fatalf("%s: %v", step, err)
			}
			values = append(values, got.GetToken().GetValue())
		}
		if fetches, _ := p.counts(); values[0] != values[1] || fetches != wanted {
			t.Fatalf("%s: the same token on both is %v, %d fetches, want %d", step, values[0] == values[1], fetches, wanted)
		}
	}
	same("former key")
	for _, keys := range [][]string{{former, next}, {next, former}, {next}} {
		for i := range replicas {
			replicas[i].stop()
			replicas[i] = start(keys...)
			same(strings.Join(keys, ", then "))
			if i == 1 {
				continue // the first to be restarted renews, while the other has the keys of the step before.
			}
			old, err := replicas[i].GetToken(ctx, &tokenv1.GetTokenRequest{})
			if err != nil {
				t.Fatal(err)
			}
			p.rotate()
			wanted++
			for _, r := range replicas {
				if _, err := r.RefreshToken(ctx, &tokenv1.RefreshTokenRequest{Rejected: &tokenv1.RefreshTokenRequest_RejectedGeneration{
					RejectedGeneration: old.GetToken().GetGeneration(),
				}}); err != nil {
					t.Fatal(err)
				}
			}
			same("renewed with " + strings.Join(keys, ", then "))
		}
	}
}

// A replica that is started while Redis is away serves what it knew before, and nobody fetches.
func TestAStartWithoutRedisServesTheCachedToken(t *testing.T) {
	t.Parallel()
	_, server := redistest.Real(t)
	p, ctx := newPlatform(t), testContext(t)
	cfg := testConfig(t, p, server.URL(), "stable")
	cfg.StorageKeyFile = file(t, "storage_key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	cfg.CacheFile = filepath.Join(t.TempDir(), "tokens")
	first := startReplica(t, cfg)
	before, err := first.GetToken(ctx, &tokenv1.GetTokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	first.stop()
	server.Stop()
	again := startReplica(t, cfg)
	got, err := again.GetToken(ctx, &tokenv1.GetTokenRequest{})
	if err != nil || got.GetToken().GetValue() != before.GetToken().GetValue() || got.GetToken().GetGeneration() != before.GetToken().GetGeneration() {
		t.Fatalf("generation %d, %v", got.GetToken().GetGeneration(), err)
	}
	_, err = again.RefreshToken(ctx, &tokenv1.RefreshTokenRequest{
		Rejected: &tokenv1.RefreshTokenRequest_RejectedGeneration{RejectedGeneration: got.GetToken().GetGeneration()},
	})
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a report without Redis got %v", err)
	}
	if fetches, _ := p.counts(); fetches != 1 {
		t.Errorf("%d fetches", fetches)
	}
	content, err := os.ReadFile(cfg.CacheFile)
	if err != nil || strings.Contains(string(content), "live-token") {
		t.Errorf("the cache file shows the token, or %v", err)
	}
}
