package spool_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/wxstack/wxstack/services/api-proxy/internal/spool"
)

func TestReadKeepsEveryByteForEveryReader(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{
		"empty": 0, "short": 10, "just in memory": spool.MaxMemory, "just in a file": spool.MaxMemory + 1,
		"long": 5 << 20, "longest": spool.MaxBytes,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := bytes.Repeat([]byte("0123456789abcdef\n"), size/17+1)[:size]
			dir := t.TempDir()
			body, err := spool.Read(bytes.NewReader(want), dir)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				got, err := io.ReadAll(body.Reader())
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("got %d bytes and %v, want the %d written", len(got), err, size)
				}
			}
			if body.Size() != int64(size) {
				t.Errorf("Size() = %d, want %d", body.Size(), size)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("folder holds %v (%v); a body must have no name", left, err)
			}
			if err := body.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReadRefusesTooMuch(t *testing.T) {
	t.Parallel()
	endless := io.LimitReader(zeros{}, spool.MaxBytes+1)
	if _, err := spool.Read(endless, t.TempDir()); !errors.Is(err, spool.ErrTooLarge) {
		t.Errorf("error = %v, want ErrTooLarge", err)
	}
}

func TestReadTellsAFullDiskFromABrokenCaller(t *testing.T) {
	t.Parallel()
	var file *spool.FileError
	_, err := spool.Read(io.LimitReader(zeros{}, spool.MaxMemory+1), filepath.Join(t.TempDir(), "absent"))
	if !errors.As(err, &file) {
		t.Errorf("missing folder: error = %v, want a FileError", err)
	}
	broken := errors.New("reset")
	for _, before := range []int64{0, spool.MaxMemory + 1} {
		r := io.MultiReader(io.LimitReader(zeros{}, before), iotest.ErrReader(broken))
		if _, err := spool.Read(r, t.TempDir()); !errors.Is(err, broken) || errors.As(err, &file) {
			t.Errorf("after %d bytes: error = %v, want the reader's own", before, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
