package media

import (
	"bytes"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// TestSyntheticFilesLookLikeTheirKind keeps the openings and their content types in
// step with what others recognise.
func TestSyntheticFilesLookLikeTheirKind(t *testing.T) {
	t.Parallel()
	for kind, opening := range openings {
		item, digest, err := NewSynthetic("1", kind, 1000)
		if err != nil || item.Size() != 1000 || item.ContentType != opening.contentType || len(digest) != 64 {
			t.Fatalf("%s: %+v, digest %q, %v", kind, item, digest, err)
		}
		var file bytes.Buffer
		if _, err := item.Content().WriteTo(&file); err != nil || file.Len() != 1000 {
			t.Errorf("%s: %d bytes, %v", kind, file.Len(), err)
		}
		if found := http.DetectContentType(file.Bytes()); kind != Voice && found != opening.contentType {
			t.Errorf("%s is seen as %s", kind, found)
		}
	}
}

func TestTheStoreForgetsTheOldest(t *testing.T) {
	t.Parallel()
	const most = 5
	now := time.Now()
	store := NewStore(0, most)
	for number := range most + 2 {
		item := &Item{ID: strconv.Itoa(number), Kind: Voice, Data: []byte("x")}
		if room := store.HasRoom(item); room != (number < most) {
			t.Errorf("room for file %d: %t", number, room)
		}
		store.Add(item)
	}
	if store.Find("1", now) != nil || store.Find("2", now) == nil || store.bytes != most {
		t.Errorf("%d files with %d bytes remain", len(store.order), store.bytes)
	}
	large := &Item{ID: "large", Data: make([]byte, maxBytes)}
	if store.HasRoom(large) {
		t.Error("there is room for a file that fills the store")
	}
	store.Add(large)
	if len(store.order) != 1 || store.Find("large", now, Voice) != nil {
		t.Errorf("%d files remain beside one that fills the store", len(store.order))
	}
}

// Files that are made while they are written take no room.
func TestSyntheticFilesTakeNoMemory(t *testing.T) {
	t.Parallel()
	item, _, err := NewSynthetic("1", Video, maxSyntheticBytes/8)
	if err != nil {
		t.Fatal(err)
	}
	store := NewStore(0, 2)
	store.Add(item)
	if store.bytes != 0 || !store.HasRoom(&Item{Data: make([]byte, maxBytes)}) {
		t.Errorf("it takes %d bytes", store.bytes)
	}
}
