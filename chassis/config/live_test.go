package config_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
)

// folder is a folder of files that a test changes.
type folder struct {
	t    *testing.T
	path string
}

func newFolder(t *testing.T) folder {
	t.Helper()
	return folder{t, t.TempDir()}
}

func (f folder) file(name string) string { return filepath.Join(f.path, name) }

func (f folder) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// write writes in place, as editors may and shells do.
func (f folder) write(name, content string) {
	f.t.Helper()
	f.must(os.WriteFile(f.file(name), []byte(content), 0o600))
}

// replace renames a new file over the old one.
func (f folder) replace(name, content string) {
	f.t.Helper()
	f.write(name+".new", content)
	f.must(os.Rename(f.file(name+".new"), f.file(name)))
}

// swap points the symlink at another folder, as Kubernetes does with the link ..data of a volume.
func (f folder) swap(link, target string) {
	f.t.Helper()
	f.must(os.Symlink(target, f.file(link+".new")))
	f.must(os.Rename(f.file(link+".new"), f.file(link)))
}

func (f folder) mkdir(name string) {
	f.t.Helper()
	f.must(os.Mkdir(f.file(name), 0o700))
}

var errWrong = errors.New("the list says wrong")

// list is a value of two kinds of files: the file list names others, whose contents make the value.
func (f folder) list() func(*config.Files) (string, error) {
	return func(files *config.Files) (string, error) {
		names, err := files.Read(f.file("list"))
		if err != nil {
			return "", err
		}
		var contents []string
		for name := range strings.FieldsSeq(string(names)) {
			if name == "wrong" {
				return "", errWrong
			}
			content, err := files.ReadSecret("secret", f.file(name))
			if err != nil {
				return "", err
			}
			contents = append(contents, content.Reveal())
		}
		return strings.Join(contents, " "), nil
	}
}

// changes is what happens to the files one after the other, and what comes of it.
func (f folder) changes() []change {
	return []change{
		{"nothing", func() {}, "a", ""},
		{"a file that is named, written in place", func() { f.write("a", "a2") }, "a2", "a2"},
		{"a file that is named, renamed over", func() { f.replace("a", "a3") }, "a3", "a3"},
		{"the list, with one more", func() { f.write("b", "b"); f.write("list", "a b") }, "a3 b", "a3 b"},
		{"the new one", func() { f.replace("b", "b2") }, "a3 b2", "a3 b2"},
		{"a wrong list", func() { f.replace("list", "wrong") }, "a3 b2", errWrong.Error()},
		{"still wrong", func() {}, "a3 b2", ""},
		{"a list that is right", func() { f.replace("list", "a") }, "a3", "a3"},
		{"one that is named no more", func() { f.write("b", "b3") }, "a3", ""},
		{"a file that is gone", func() { f.must(os.Remove(f.file("a"))) }, "a3", "secret: open " + f.file("a") + ": no such file or directory"},
		{"made again", func() { f.write("a", "a4") }, "a4", "a4"},
		{"the same contents again", func() { f.replace("a", "a4") }, "a4", ""},
		{"a volume of Kubernetes", func() {
			f.mkdir("1")
			f.write("1/secret", "k1")
			f.swap("..data", "1")
			f.must(os.Symlink("..data/secret", f.file("secret")))
			f.write("list", "secret")
		}, "k1", "k1"},
		{"its next version", func() {
			f.mkdir("2")
			f.write("2/secret", "k2")
			f.swap("..data", "2")
			f.must(os.RemoveAll(f.file("1")))
		}, "k2", "k2"},
		{"a folder that is removed and made again", func() {
			f.mkdir("sub")
			f.write("sub/c", "c")
			f.write("list", "sub/c")
		}, "c", "c"},
		{"that folder, one more time", func() {
			f.must(os.RemoveAll(f.file("sub")))
			f.mkdir("sub")
			f.write("sub/c", "c2")
		}, "c2", "c2"},
	}
}

type change struct {
	name  string
	make  func()
	value string // in force afterwards
	told  string // empty: nothing was told
}

func (f folder) open() *config.Live[string] {
	f.t.Helper()
	f.write("a", "a")
	f.write("list", "a")
	live, err := config.NewLive(f.list())
	f.must(err)
	return live
}

func outcome(value string, err error) string {
	if err != nil {
		return err.Error()
	}
	return value
}

// TestLiveFindsChangesByLooking has nothing but the clock: the system's notices don't reach into a bubble.
func TestLiveFindsChangesByLooking(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	live := f.open()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		told := make(chan string, 10)
		go live.Follow(ctx, func(value string, err error) { told <- outcome(value, err) })
		for _, c := range f.changes() {
			c.make()
			time.Sleep(time.Minute)
			synctest.Wait()
			var got string
			if len(told) > 0 {
				got = <-told
			}
			if got != c.told || live.Current() != c.value || len(told) != 0 {
				t.Errorf("%s: told %q and then %d more, want %q; value %q, want %q", c.name, got, len(told), c.told, live.Current(), c.value)
			}
		}
	})
}

// TestLiveFindsChangesByNotice has no need to look by itself: it would take 2 s for each change.
func TestLiveFindsChangesByNotice(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	live := f.open()
	ctx, cancel := context.WithCancel(t.Context())
	told, stopped := make(chan string, 100), make(chan error, 1)
	go func() {
		stopped <- live.Run(ctx, slog.New(slog.DiscardHandler), func(value string, err error) { told <- outcome(value, err) })
	}()
	for _, c := range f.changes() {
		c.make()
		if c.told == "" {
			continue
		}
		// While a change is being made, a state between its steps may be told as well.
		for got := ""; got != c.told; {
			select {
			case got = <-told:
			case <-t.Context().Done():
				t.Fatalf("%s: %q was never told", c.name, c.told)
			}
		}
		if live.Current() != c.value {
			t.Errorf("%s: value %q, want %q", c.name, live.Current(), c.value)
		}
	}
	cancel()
	f.must(<-stopped)
}

func TestLiveWaitsUntilAChangeIsComplete(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	live := f.open()
	tell := func(value string, err error) { t.Errorf("told %q, %v before the change was complete", value, err) }
	f.write("b", "b")
	for _, half := range []string{"", "a b", "wrong"} {
		f.write("list", half)
		if !live.LookOnce(tell) || live.Current() != "a" {
			t.Errorf("%q counts at once", half)
		}
	}
	f.write("list", "a")
	live.Look(tell) // it went back, which is no change.
}

func TestLiveNeedsARightValueToBeginWith(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.write("list", "wrong")
	if _, err := config.NewLive(f.list()); !errors.Is(err, errWrong) {
		t.Errorf("error = %v", err)
	}
}

func TestCurrentDoesNotAllocate(t *testing.T) { // testing.AllocsPerRun cannot run in parallel.
	live := newFolder(t).open()
	if n := testing.AllocsPerRun(100, func() { _ = live.Current() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
