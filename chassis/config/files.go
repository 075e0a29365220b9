package config

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"path/filepath"
)

// Files reads files and remembers which, and what was in them, so that Live finds out when one of them
// changes. The zero value is ready to use; it is for one goroutine.
type Files struct {
	// states holds, by path, what identifies the contents, or the error of reading them.
	states map[string]string
}

// Read reads a file as ReadFile does.
func (f *Files) Read(path string) ([]byte, error) {
	data, err := ReadFile(path)
	if f.states == nil {
		f.states = map[string]string{}
	}
	f.states[path] = state(data, err)
	return data, err
}

// ReadSecret reads a secret as the function ReadSecret does.
func (f *Files) ReadSecret(what, path string) (Secret, error) {
	return readSecret(what, path, f.Read)
}

// changed reports whether any of the files would now be read otherwise.
func (f *Files) changed() bool {
	for path, before := range f.states {
		if state(ReadFile(path)) != before {
			return true
		}
	}
	return false
}

// same reports whether other read the same contents from the same paths.
func (f *Files) same(other *Files) bool { return maps.Equal(f.states, other.states) }

// folders returns the folders that the files are in.
func (f *Files) folders() map[string]bool {
	folders := map[string]bool{}
	for path := range f.states {
		folders[filepath.Dir(path)] = true
	}
	return folders
}

// state identifies what reading a file brought, without keeping a secret.
func state(data []byte, err error) string {
	if err != nil {
		return "unreadable: " + err.Error()
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
