package caller_test

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/wxstack/wxstack/chassis/callers"
	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/token-center/internal/caller"
)

func TestACallersKeyIsReplacedWhileTheServiceRuns(t *testing.T) {
	t.Parallel()
	path := write(t, "callers:\n  - {name: a, key_file: DIR/a, accounts: \"*\"}\n")
	tel := telemetry.Discard()
	live, err := caller.Open(path, tel)
	if err != nil {
		t.Fatal(err)
	}
	admitted := func(key string) bool {
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer "+key))
		ctx, err := callers.Admit(live.Identify)(ctx)
		return err == nil && caller.FromContext(ctx).Name == "a"
	}
	if !admitted(keyA) || admitted(keyB) {
		t.Fatal("the callers of the start are not in force")
	}
	keyFile := filepath.Join(filepath.Dir(path), "a")
	replace := func(key string) {
		if err := os.WriteFile(keyFile, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
		live.Look()
	}
	replace(keyB)
	if admitted(keyA) || !admitted(keyB) {
		t.Error("the new key is not in force")
	}
	replace("short")
	if !admitted(keyB) {
		t.Error("a key file that is wrong took the caller's right away")
	}
	if report, _ := tel.Health.Report(); len(report.Down()) != 1 {
		t.Errorf("health tells of %v, want callers", report.Down())
	}
}
