package simulator

import (
	"bytes"
	"io"
	"slices"
	"time"
)

// mediaItem is one file in a store.
type mediaItem struct {
	id, kind     string
	name         string // Of the file that was uploaded.
	contentType  string
	data         []byte
	synthetic    *synthetic // Instead of data, if there is one.
	stored       time.Time
	title        string // Of a permanent video, as is introduction.
	introduction string
}

// content writes the file, in pieces.
func (i *mediaItem) content() io.WriterTo {
	if i.synthetic != nil {
		return i.synthetic
	}

	return bytes.NewReader(i.data)
}

// size is the file's length in bytes.
func (i *mediaItem) size() int64 {
	if i.synthetic != nil {
		return i.synthetic.length
	}

	return int64(len(i.data))
}

// mediaStore keeps the files of one account, as long as there is room. Synthetic
// files take none.
type mediaStore struct {
	shelfLife time.Duration // How long a file is kept, in the books' time; 0 means for ever.
	items     map[string]*mediaItem
	order     []string // Oldest first.
	bytes     int
}

func newMediaStore(shelfLife time.Duration) *mediaStore {
	return &mediaStore{shelfLife: shelfLife, items: make(map[string]*mediaItem)}
}

// add keeps a file and forgets the oldest ones that there is no room for.
func (s *mediaStore) add(item *mediaItem) {
	s.items[item.id] = item
	s.order = append(s.order, item.id)
	s.bytes += len(item.data)
	for len(s.order) > maxMediaItems || s.bytes > maxMediaBytes {
		s.remove(s.order[0])
	}
}

// remove forgets a file that is there.
func (s *mediaStore) remove(id string) {
	s.bytes -= len(s.items[id].data)
	delete(s.items, id)
	s.order = slices.DeleteFunc(s.order, func(one string) bool { return one == id })
}

// find returns the file if it is of one of the kinds and not too old; no kinds mean
// any.
func (s *mediaStore) find(id string, now time.Time, kinds ...string) *mediaItem {
	item, ok := s.items[id]
	switch {
	case !ok, len(kinds) > 0 && !slices.Contains(kinds, item.kind):
		return nil
	case s.shelfLife > 0 && now.Sub(item.stored) > s.shelfLife:
		return nil
	default:
		return item
	}
}

// list returns the files of a kind, newest first, as the library shows them.
func (s *mediaStore) list(kind string) []*mediaItem {
	var found []*mediaItem
	for _, id := range slices.Backward(s.order) {
		if item := s.items[id]; item.kind == kind {
			found = append(found, item)
		}
	}

	return found
}
