package simulator

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"
)

// mediaShelfLife is how long temporary material (临时素材) is kept.
const mediaShelfLife = 3 * 24 * time.Hour

// The kinds of temporary material, which are also types of messages.
const (
	kindImage = "image"
	kindThumb = "thumb"
	kindVoice = "voice"
	kindVideo = "video"
)

// mediaRules are the limits of the kinds of temporary material (新增临时素材).
var mediaRules = map[string]struct {
	maxBytes int
	prefixes []string // Of the content type that the bytes look like; none means any.
}{
	kindImage: {10 << 20, []string{"image/png", "image/jpeg", "image/gif"}},
	kindThumb: {64 << 10, []string{"image/jpeg"}},
	kindVoice: {2 << 20, nil},
	kindVideo: {10 << 20, nil},
}

// mediaItem is one file in the store.
type mediaItem struct {
	id, kind    string
	contentType string
	data        []byte
	stored      time.Time
}

// mediaStore keeps files for three days of the books' time, as long as there is room.
type mediaStore struct {
	items map[string]*mediaItem
	order []string
	bytes int
}

func newMediaStore() *mediaStore { return &mediaStore{items: make(map[string]*mediaItem)} }

func (s *mediaStore) add(item *mediaItem) {
	s.items[item.id] = item
	s.order = append(s.order, item.id)
	s.bytes += len(item.data)
	for len(s.order) > maxMediaItems || s.bytes > maxMediaBytes {
		oldest := s.order[0]
		s.order = s.order[1:]
		s.bytes -= len(s.items[oldest].data)
		delete(s.items, oldest)
	}
}

// find returns the file if it is of that kind and not too old; the empty kind
// means any.
func (s *mediaStore) find(id, kind string, now time.Time) *mediaItem {
	item, ok := s.items[id]
	if !ok || (kind != "" && item.kind != kind) || now.Sub(item.stored) > mediaShelfLife {
		return nil
	}

	return item
}

// storeMedia checks a file and keeps it. The caller holds the lock.
func (p *Platform) storeMedia(kind string, data []byte, now time.Time) (*mediaItem, errcode) {
	rule, known := mediaRules[kind]
	if !known {
		return nil, codeMediaType
	}
	if len(data) == 0 {
		return nil, codeMediaMissing
	}
	if len(data) > rule.maxBytes {
		return nil, codeFileSize
	}
	contentType := http.DetectContentType(data)
	matches := len(rule.prefixes) == 0
	for _, prefix := range rule.prefixes {
		matches = matches || strings.HasPrefix(contentType, prefix)
	}
	if !matches {
		return nil, codeFileType
	}
	item := &mediaItem{
		id: "MEDIA_" + p.newID() + "_" + newTokenValue(1)[2:34], kind: kind, contentType: contentType, data: data, stored: now,
	}
	p.state.media.add(item)

	return item, codeOK
}

// hasMedia reports whether the platform knows a file of that kind.
func (p *Platform) hasMedia(id, kind string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.state.media.find(id, kind, p.state.clock.now()) != nil
}

// uploadMedia serves POST /cgi-bin/media/upload.
func (p *Platform) uploadMedia(r *apiRequest) apiAnswer {
	kind := r.query.Get("type")
	if _, known := mediaRules[kind]; !known {
		return refuse(codeMediaType)
	}
	data, ok := readPart(r.header.Get("Content-Type"), r.body, "media")
	if !ok {
		return refuse(codeMediaMissing)
	}
	item, code := p.storeMedia(kind, data, r.now)
	if code != codeOK {
		return refuse(code)
	}
	if kind == kindThumb {
		return answer(map[string]any{"type": kind, "thumb_media_id": item.id, "created_at": r.now.Unix()})
	}

	return answer(map[string]any{"type": kind, "media_id": item.id, "created_at": r.now.Unix()})
}

// readPart returns the bytes of one part of a multipart body.
func readPart(contentType string, body []byte, name string) ([]byte, bool) {
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || parameters["boundary"] == "" {
		return nil, false
	}
	reader := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
	for {
		part, err := reader.NextPart()
		if err != nil {
			return nil, false
		}
		if part.FormName() != name || part.FileName() == "" {
			continue
		}
		data, err := io.ReadAll(part)

		return data, err == nil
	}
}

// getMedia serves GET /cgi-bin/media/get.
func (p *Platform) getMedia(r *apiRequest) apiAnswer {
	item := p.state.media.find(r.query.Get("media_id"), "", r.now)
	if item == nil {
		return refuse(codeMediaID)
	}

	return apiAnswer{status: http.StatusOK, body: item.data, header: http.Header{
		"Content-Type":        {item.contentType},
		"Content-Disposition": {fmt.Sprintf("attachment; filename=%q", item.id)},
	}}
}

// servePicture shows a file to the page and to whoever follows a PicUrl.
func (p *Platform) servePicture(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	item := p.state.media.find(r.PathValue("id"), "", p.state.clock.now())
	p.mu.Unlock()
	if item == nil {
		http.NotFound(w, r)

		return
	}
	w.Header().Set("Content-Type", item.contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(item.data)
}

// attachPicture stores the picture of an image push. The caller holds the lock.
func (p *Platform) attachPicture(push *Push, now time.Time) error {
	data := push.Media
	if len(data) == 0 {
		data = samplePicture()
	}
	item, code := p.storeMedia(kindImage, data, now)
	if code != codeOK {
		return fmt.Errorf("%w: media must be a PNG, JPEG or GIF of at most 10 MB (%d %s)", ErrInvalid, code, code.text())
	}
	push.mediaID = item.id
	push.picURL = p.publicURL() + "/sim/v1/media/" + item.id

	return nil
}

// samplePicture paints the picture of an image push that brings none.
func samplePicture() []byte {
	const width, height, scale = 240, 160, 255
	canvas := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			shade := color.RGBA{R: uint8(x * scale / width), G: 0xC1, B: uint8(y * scale / height), A: scale}
			canvas.SetRGBA(x, y, shade)
		}
	}
	var encoded bytes.Buffer
	_ = png.Encode(&encoded, canvas) // A buffer takes everything.

	return encoded.Bytes()
}
