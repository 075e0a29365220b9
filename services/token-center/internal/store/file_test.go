package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/store"
)

func openFile(t *testing.T, path, key string) *store.File {
	t.Helper()
	f, err := store.OpenFile(path, sealer(t, key))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAFileKeepsTheLastOfEachCredentialSealed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cache")
	f := openFile(t, path, "k")
	if c, err := f.Load(key); err != nil || c.Exists() {
		t.Errorf("a new file has %v, %v", c, err)
	}
	other := made(1, "the other account's")
	other.AppID = "wx2"
	for _, c := range []credential.Credential{made(1, "first-token"), other, made(2, "second-token")} {
		if err := f.Save(c); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []credential.Credential{made(2, "second-token"), other} {
		if got, err := openFile(t, path, "k").Load(want.Key); err != nil || got != want {
			t.Errorf("after a restart: %v, %v", got, err)
		}
	}
	if _, err := openFile(t, path, "x").Load(key); !errors.Is(err, store.ErrUnreadable) {
		t.Errorf("with another key: %v", err)
	}
	content, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(content), "-token") {
		t.Errorf("the file shows a token, or %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}

func TestAFileThatIsGarbageIsReplaced(t *testing.T) {
	t.Parallel()
	for _, garbage := range []string{"", "{", "null", `{"a":1}`} {
		path := filepath.Join(t.TempDir(), "cache")
		if err := os.WriteFile(path, []byte(garbage), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := store.OpenFile(path, sealer(t, "k"))
		if !errors.Is(err, store.ErrUnreadable) {
			t.Errorf("%q: %v", garbage, err)
		}
		if err := f.Save(made(1, "x")); err != nil {
			t.Errorf("%q: %v", garbage, err)
		}
	}
	if _, err := store.OpenFile(filepath.Join(t.TempDir(), "none", "cache"), store.Sealer{}); err == nil || errors.Is(err, store.ErrUnreadable) {
		t.Errorf("a folder that does not exist: %v", err)
	}
}

// FuzzOpenFile: whatever is in the file, there is a File to go on with.
func FuzzOpenFile(f *testing.F) {
	f.Add([]byte(`{"wx:{wx1}:token:access_token":{"generation":"1","value":"plain:x","obtained_at":"1","expires_at":"2"}}`))
	f.Add([]byte(`{"wx:{wx1}:token:access_token":null}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "cache")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := store.OpenFile(path, store.Sealer{})
		if file == nil || (err != nil && !errors.Is(err, store.ErrUnreadable)) {
			t.Fatalf("no file, %v", err)
		}
		if c, err := file.Load(key); err != nil && (c.Exists() || !errors.Is(err, store.ErrUnreadable)) {
			t.Errorf("loaded %v, %v", c, err)
		}
	})
}
