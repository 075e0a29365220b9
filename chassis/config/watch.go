package config

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settleTime lets an editor or a Kubernetes volume finish its several steps before the file is read.
const settleTime = 50 * time.Millisecond

// Watch calls onChange after every change of the file at path, until ctx is done. It watches the
// folder, because editors and Kubernetes replace a file rather than write it.
func Watch(ctx context.Context, path string, onChange func()) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", path, err)
	}
	defer watcher.Close() //nolint:errcheck // nothing depends on it any more.
	if err := watcher.Add(filepath.Dir(path)); err != nil {
		return fmt.Errorf("watch %s: %w", path, err)
	}
	target := resolve(path)
	settled := time.NewTimer(0)
	<-settled.C
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-watcher.Events:
			now := resolve(path)
			if filepath.Clean(event.Name) == filepath.Clean(path) || now != target {
				target = now
				settled.Reset(settleTime)
			}
		case err := <-watcher.Errors:
			return fmt.Errorf("watch %s: %w", path, err)
		case <-settled.C:
			onChange()
		}
	}
}

// resolve follows symlinks, so that a swap of a link somewhere above the file counts as a change.
func resolve(path string) string {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path
	}
	return resolved
}
