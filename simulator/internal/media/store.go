// Package media knows what files WeChat takes as material (素材), and keeps them.
package media

import (
	"bytes"
	"io"
	"slices"
	"time"
)

// Item is one file in a store.
type Item struct {
	ID, Kind     string
	Name         string // Of the file that was uploaded.
	ContentType  string
	Data         []byte
	Stored       time.Time
	Title        string // Of a permanent video, as is the introduction.
	Introduction string

	synthetic *synthetic // Instead of data, if there is one.
}

// Content writes the file, in pieces.
func (i *Item) Content() io.WriterTo {
	if i.synthetic != nil {
		return i.synthetic
	}

	return bytes.NewReader(i.Data)
}

// Synthetic reports whether the file is made while it is written.
func (i *Item) Synthetic() bool { return i.synthetic != nil }

// Size is the file's length in bytes.
func (i *Item) Size() int64 {
	if i.synthetic != nil {
		return i.synthetic.length
	}

	return int64(len(i.Data))
}

// maxBytes bounds the memory of a store.
const maxBytes = 64 << 20

// Store keeps the files of one account, as long as there is room. Synthetic
// files take none.
type Store struct {
	shelfLife time.Duration // How long a file is kept, in the books' time; 0 means for ever.
	maxItems  int
	items     map[string]*Item
	order     []string // Oldest first.
	bytes     int
}

// NewStore returns an empty store, which keeps so many files, each for so long; 0 means for ever.
func NewStore(shelfLife time.Duration, maxItems int) *Store {
	return &Store{shelfLife: shelfLife, maxItems: maxItems, items: make(map[string]*Item)}
}

// HasRoom reports whether a file can be added without forgetting another.
func (s *Store) HasRoom(item *Item) bool {
	return len(s.order) < s.maxItems && s.bytes+len(item.Data) <= maxBytes
}

// Add keeps a file and forgets the oldest ones that there is no room for.
func (s *Store) Add(item *Item) {
	s.items[item.ID] = item
	s.order = append(s.order, item.ID)
	s.bytes += len(item.Data)
	for len(s.order) > s.maxItems || s.bytes > maxBytes {
		s.Remove(s.order[0])
	}
}

// Remove forgets a file that is there.
func (s *Store) Remove(id string) {
	s.bytes -= len(s.items[id].Data)
	delete(s.items, id)
	s.order = slices.DeleteFunc(s.order, func(one string) bool { return one == id })
}

// Find returns the file if it is of one of the kinds and not too old; no kinds mean
// any.
func (s *Store) Find(id string, now time.Time, kinds ...string) *Item {
	item, ok := s.items[id]
	switch {
	case !ok, len(kinds) > 0 && !slices.Contains(kinds, item.Kind):
		return nil
	case s.shelfLife > 0 && now.Sub(item.Stored) > s.shelfLife:
		return nil
	default:
		return item
	}
}

// List returns the files of a kind, newest first, as the library shows them.
func (s *Store) List(kind string) []*Item {
	var found []*Item
	for _, id := range slices.Backward(s.order) {
		if item := s.items[id]; item.Kind == kind {
			found = append(found, item)
		}
	}

	return found
}
