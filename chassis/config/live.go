package config

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settleTime is how long a change has to stay as it is before it counts. Editors, shells and Kubernetes
	// change files in several steps, and half an accounts file may well be a valid one.
	settleTime = 50 * time.Millisecond

	// lookInterval is how often the files are looked at even when the system reports no change: network
	// volumes and the bind mounts of desktop container engines report none.
	lookInterval = 2 * time.Second
)

// Live is a value that is made of files and follows their changes, while the process runs. It is replaced
// as a whole, and only by one that is right: a change that is wrong leaves the value as it was.
//
// Every file that is read through Files is followed, and which ones these are may change with their
// contents: a file of accounts names files of secrets. They may be written in place, renamed over, or
// swapped behind a symlink as Kubernetes does.
type Live[T any] struct {
	load    func(*Files) (T, error)
	current atomic.Pointer[T]

	// What follows belongs to the one goroutine that looks.

	// told are the files as of the last reading whose outcome was told.
	told *Files
	// settling is a newer reading, which counts once the files have stayed as they are.
	settling *reading[T]
}

// reading is what came out of reading the files once.
type reading[T any] struct {
	files *Files
	value T
	err   error
}

// NewLive reads the files for the first time. It fails when they are wrong: there is no older value to go
// on with.
func NewLive[T any](load func(*Files) (T, error)) (*Live[T], error) {
	l := &Live[T]{load: load}
	first := l.read()
	if first.err != nil {
		return nil, first.err
	}
	l.told = first.files
	l.current.Store(&first.value)
	return l, nil
}

// Current returns the value in force. It may be called from any goroutine; it neither locks nor allocates.
func (l *Live[T]) Current() T { return *l.current.Load() }

// Run follows the files until ctx is done. Each change is told once: with the new value, which is in force
// by then, or with the reason why the old one stays. The log is told when the system gives no notice of
// changes; they are found by looking then.
func (l *Live[T]) Run(ctx context.Context, log *slog.Logger, tell func(T, error)) error {
	notices := newNotices(log)
	defer notices.close()
	l.follow(ctx, notices, tell)
	return nil
}

func (l *Live[T]) follow(ctx context.Context, from *notices, tell func(T, error)) {
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	settled := time.NewTimer(0) // the files may have changed since NewLive.
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-from.events:
			settled.Reset(settleTime)
		case <-from.lost: //nolint:errcheck // whatever the reason, there may have been one that did not come through.
			settled.Reset(settleTime)
		case <-look.C:
			l.lookNow(from, tell, settled)
		case <-settled.C:
			l.lookNow(from, tell, settled)
		}
	}
}

func (l *Live[T]) lookNow(from *notices, tell func(T, error), settled *time.Timer) {
	if l.look(tell) {
		settled.Reset(settleTime)
	}
	from.about(l.told)
}

// Look does at once what Run would do about the files as they are now. It is for tests, which need not wait
// for a change to settle; it must not be called beside Run.
func (l *Live[T]) Look(tell func(T, error)) {
	for l.look(tell) {
	}
}

// look looks at the files, and reports whether there is a change that has to settle, to be looked at again.
func (l *Live[T]) look(tell func(T, error)) (settling bool) {
	newest := l.told
	if l.settling != nil {
		newest = l.settling.files
	}
	if newest.changed() {
		l.settling = l.read()
		return true
	}
	if l.settling != nil {
		l.adopt(l.settling, tell)
	}
	return false
}

func (l *Live[T]) read() *reading[T] {
	r := &reading[T]{files: &Files{}}
	r.value, r.err = l.load(r.files)
	return r
}

func (l *Live[T]) adopt(r *reading[T], tell func(T, error)) {
	l.settling = nil
	if r.files.same(l.told) {
		return // it went back while it was settling.
	}
	l.told = r.files
	if r.err == nil {
		l.current.Store(&r.value)
	}
	tell(r.value, r.err)
}

// notices are what the operating system says about changes in the folders of files. Folders are watched,
// because files are replaced more often than written.
type notices struct {
	events  <-chan fsnotify.Event
	lost    <-chan error      // some notices didn't come through.
	watcher *fsnotify.Watcher // nil: the system gives none.
	log     *slog.Logger
}

func newNotices(log *slog.Logger) *notices {
	n := &notices{log: log}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("changes of files are found by looking only", "interval", lookInterval.String(), "error", err)
		return n
	}
	n.watcher, n.events, n.lost = watcher, watcher.Events, watcher.Errors
	return n
}

// about asks for notices about the folders of files, and no others.
func (n *notices) about(files *Files) {
	if n.watcher == nil {
		return
	}
	wanted := files.folders()
	// The list is asked for each time, because a folder that is removed falls off it.
	for _, folder := range n.watcher.WatchList() {
		if !wanted[folder] {
			_ = n.watcher.Remove(folder) // gone already, at worst.
		}
		delete(wanted, folder)
	}
	for folder := range wanted {
		if err := n.watcher.Add(folder); err != nil {
			// Often it just doesn't exist yet; it is tried again at the next look.
			n.log.Debug("no notice of changes in a folder", "folder", folder, "error", err)
		}
	}
}

func (n *notices) close() {
	if n.watcher != nil {
		_ = n.watcher.Close() // nothing depends on it any more.
	}
}
