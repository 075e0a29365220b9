package simulator

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"strings"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/audio"
	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/token"
)

// mediaShelfLife is how long temporary material (临时素材) is kept.
const mediaShelfLife = 3 * 24 * time.Hour

// The kinds of material, which are also types of messages.
const (
	kindImage = "image"
	kindThumb = "thumb"
	kindVoice = "voice"
	kindVideo = "video"
	kindNews  = "news" // Permanent material only.
)

// fieldMediaID is the name of a file's id in requests and answers, and of the type of a menu's button.
const fieldMediaID = "media_id"

// The content types of material.
const (
	typePNG  = "image/png"
	typeJPEG = "image/jpeg"
	typeGIF  = "image/gif"
	typeAMR  = "audio/amr"
	typeMP4  = "video/mp4"
)

// mediaRule is what WeChat takes of one kind of material.
type mediaRule struct {
	maxBytes int
	prefixes []string      // Of the content type that the bytes look like; none means any.
	playtime time.Duration // That a voice may have; 0 means any.
}

// maxPlaytime is how long a voice (语音) may play.
const maxPlaytime = time.Minute

// temporaryRules are the limits of temporary material (新增临时素材).
var temporaryRules = map[string]mediaRule{
	kindImage: {maxBytes: 10 << 20, prefixes: []string{typePNG, typeJPEG, typeGIF}},
	kindThumb: {maxBytes: 64 << 10, prefixes: []string{typeJPEG}},
	kindVoice: {maxBytes: 2 << 20, prefixes: []string{typeAMR, "audio/mpeg"}, playtime: maxPlaytime},
	kindVideo: {maxBytes: 10 << 20, prefixes: []string{typeMP4}},
}

// contentTypeOf tells a file's type by its first bytes; the standard library knows no AMR, and MP3 only with a tag.
func contentTypeOf(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("#!AMR")):
		return typeAMR
	case len(data) > 1 && data[0] == 0xFF && data[1]&0xE6 == 0xE2: // The sync of a frame of layer III.
		return "audio/mpeg"
	default:
		return http.DetectContentType(data)
	}
}

// checkMedia returns the content type of a file that the rules allow for a kind, or
// WeChat's refusal.
func checkMedia(rules map[string]mediaRule, kind string, data []byte) (string, errcode.Code) {
	rule, known := rules[kind]
	switch {
	case !known:
		return "", errcode.MediaType
	case len(data) == 0:
		return "", errcode.MediaMissing
	case len(data) > rule.maxBytes:
		return "", errcode.FileSize
	}
	contentType := contentTypeOf(data)
	matches := len(rule.prefixes) == 0
	for _, prefix := range rule.prefixes {
		matches = matches || strings.HasPrefix(contentType, prefix)
	}
	switch {
	case !matches:
		return "", errcode.FileType
	case rule.playtime > 0 && audio.Playtime(data) > rule.playtime:
		return "", errcode.Playtime
	default:
		return contentType, errcode.OK
	}
}

// newMediaID makes a media_id that was never there.
func (p *Platform) newMediaID() string { return "MEDIA_" + p.newID() + "_" + token.NewValue(1)[2:34] }

// hasMedia returns the test whether an account has a file of a kind, temporary or
// permanent. The caller of either doesn't hold the lock.
func (p *Platform) hasMedia(account *accountState) func(id, kind string) bool {
	return func(id, kind string) bool {
		p.mu.Lock()
		defer p.mu.Unlock()

		return account.media(id, p.state.clock.now(), kind) != nil
	}
}

// media returns a file of the account, temporary or permanent, if it is of one of
// the kinds; no kinds mean any.
func (a *accountState) media(id string, now time.Time, kinds ...string) *mediaItem {
	return cmp.Or(a.temporary.find(id, now, kinds...), a.library.find(id, now, kinds...))
}

// uploadMedia serves POST /cgi-bin/media/upload.
func (p *Platform) uploadMedia(r *apiRequest) apiAnswer {
	form, contentType, code := r.uploadOf(temporaryRules)
	if code != errcode.OK {
		return refuse(code)
	}
	kind := form.kind
	item := &mediaItem{id: p.newMediaID(), kind: kind, name: form.name, contentType: contentType, data: form.media, stored: r.now}
	r.state.temporary.add(item)
	if kind == kindThumb {
		return answer(map[string]any{"type": kind, "thumb_media_id": item.id, "created_at": r.now.Unix()})
	}

	return answer(map[string]any{"type": kind, fieldMediaID: item.id, "created_at": r.now.Unix()})
}

// getMedia serves GET /cgi-bin/media/get: the file itself, or, of a video, its address. A synthetic video comes itself,
// because it is there for tests of large downloads.
func (p *Platform) getMedia(r *apiRequest) apiAnswer {
	item := r.state.temporary.find(r.query.Get(fieldMediaID), r.now)
	switch {
	case item == nil:
		return refuse(errcode.MediaID)
	case item.kind == kindVideo && item.synthetic == nil:
		return answer(map[string]string{"video_url": p.pictureURL(item)})
	default:
		return answerFile(item)
	}
}

// getVoice serves GET /cgi-bin/media/get/jssdk: the 16 kHz version of a voice that the JS-SDK uploaded. The simulator has
// one version of each.
func (p *Platform) getVoice(r *apiRequest) apiAnswer {
	item := r.state.temporary.find(r.query.Get(fieldMediaID), r.now, kindVoice)
	if item == nil {
		return refuse(errcode.MediaID)
	}

	return answerFile(item)
}

// maxArticlePicture is the limit of a picture within an article (上传图文消息内的图片).
const maxArticlePicture = 1 << 20

// uploadPicture serves POST /cgi-bin/media/uploadimg: the picture has an address and
// no media_id.
func (p *Platform) uploadPicture(r *apiRequest) apiAnswer {
	form, code := r.upload()
	if code != errcode.OK {
		return refuse(code)
	}
	contentType := http.DetectContentType(form.media)
	switch {
	case contentType != typePNG && contentType != typeJPEG:
		return refuse(errcode.FileType)
	case len(form.media) >= maxArticlePicture:
		return refuse(errcode.PictureSize)
	}
	item := &mediaItem{id: p.newMediaID(), contentType: contentType, data: form.media, stored: r.now}
	r.state.pictures.add(item)

	return answer(map[string]string{"url": p.pictureURL(item)})
}

// pictureURL is where a picture opens in a browser.
func (p *Platform) pictureURL(item *mediaItem) string {
	return p.publicURL() + "/sim/v1/media/" + item.id
}

// servePicture shows a file to the page and to whoever follows a PicUrl.
func (p *Platform) servePicture(w http.ResponseWriter, r *http.Request) {
	item := p.anyMedia(r.PathValue("id"))
	if item == nil {
		http.NotFound(w, r)

		return
	}
	w.Header().Set("Content-Type", item.contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = item.content().WriteTo(w) // The caller may be gone.
}

// anyMedia returns a file of whichever account.
func (p *Platform) anyMedia(id string) *mediaItem {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.state.clock.now()
	for _, account := range p.state.accounts {
		if item := cmp.Or(account.media(id, now), account.pictures.find(id, now)); item != nil {
			return item
		}
	}

	return nil
}

// sampleFile is the file of a push that brings none.
func sampleFile(kind string) []byte {
	const frames, frame = 50, 32 // One second of AMR-NB at 12.2 kbit/s.
	switch kind {
	case kindImage:
		return samplePicture()
	case kindThumb:
		var encoded bytes.Buffer
		_ = jpeg.Encode(&encoded, image.NewGray(image.Rect(0, 0, 16, 16)), nil) // A buffer takes everything.

		return encoded.Bytes()
	case kindVoice:
		return append([]byte(openings[kindVoice].bytes), bytes.Repeat(append([]byte{0x3c}, make([]byte, frame-1)...), frames)...)
	default:
		return append([]byte(openings[kind].bytes), make([]byte, 1<<10)...)
	}
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
