package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

// File keeps the last known credentials of one replica on its own disk, sealed, for a start while Redis is
// away. It is no store: it neither fences nor tells.
type File struct {
	path string
	seal Sealer

	mu sync.Mutex
	// entries hold the fields of a credential as they are in Redis, by redisKey.
	entries map[string]map[string]string
}

// OpenFile reads the file, which need not exist yet; its folder must. A file that cannot be understood is
// ErrUnreadable, together with a File that is empty and will replace it.
func OpenFile(path string, seal Sealer) (*File, error) {
	f := &File{path: path, seal: seal, entries: map[string]map[string]string{}}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return nil, err
		}
		return f, nil
	case err != nil:
		return nil, err
	}
	if err := json.Unmarshal(data, &f.entries); err != nil || f.entries == nil {
		f.entries = map[string]map[string]string{}
		return f, fmt.Errorf("%w: %s is not the JSON that token-center writes", ErrUnreadable, path)
	}
	return f, nil
}

// Load returns the last known credential, the zero one when there is none, and ErrUnreadable when it cannot
// be read.
func (f *File) Load(key credential.Key) (credential.Credential, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fields := f.entries[redisKey(key)]
	if len(fields) == 0 {
		return credential.Credential{}, nil
	}
	return decode(f.seal, key, fields)
}

// Save writes c. The file is replaced as a whole, so that a crash leaves the former one.
func (f *File) Save(c credential.Credential) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries[redisKey(c.Key)] = map[string]string{
		fieldGeneration: strconv.FormatUint(uint64(c.Generation), 10),
		fieldValue:      f.seal.seal(c),
		fieldObtainedAt: strconv.FormatInt(c.ObtainedAt.UnixMilli(), 10),
		fieldExpiresAt:  strconv.FormatInt(c.ExpiresAt.UnixMilli(), 10),
	}
	data, err := json.Marshal(f.entries)
	if err != nil {
		return err
	}
	return replaceFile(f.path, data)
}

// replaceFile writes beside path and renames. Only the owner may read it.
func replaceFile(path string, data []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}
