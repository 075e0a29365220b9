package simulator

import (
	"cmp"
	"net/http"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
	"github.com/wxstack/wxstack/simulator/internal/token"
)

// mediaShelfLife is how long temporary material (临时素材) is kept.
const mediaShelfLife = 3 * 24 * time.Hour

// fieldMediaID is the name of a file's id in requests and answers, and of the type of a menu's button.
const fieldMediaID = "media_id"

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
func (a *accountState) media(id string, now time.Time, kinds ...string) *media.Item {
	return cmp.Or(a.temporary.Find(id, now, kinds...), a.library.Find(id, now, kinds...))
}

// uploadMedia serves POST /cgi-bin/media/upload.
func (p *Platform) uploadMedia(r *apiRequest) apiAnswer {
	form, contentType, code := r.uploadOf(media.Temporary)
	if code != errcode.OK {
		return refuse(code)
	}
	kind := form.kind
	item := &media.Item{ID: p.newMediaID(), Kind: kind, Name: form.name, ContentType: contentType, Data: form.media, Stored: r.now}
	r.state.temporary.Add(item)
	if kind == media.Thumb {
		return answer(map[string]any{"type": kind, "thumb_media_id": item.ID, "created_at": r.now.Unix()})
	}

	return answer(map[string]any{"type": kind, fieldMediaID: item.ID, "created_at": r.now.Unix()})
}

// getMedia serves GET /cgi-bin/media/get: the file itself, or, of a video, its address. A synthetic video comes itself,
// because it is there for tests of large downloads.
func (p *Platform) getMedia(r *apiRequest) apiAnswer {
	item := r.state.temporary.Find(r.query.Get(fieldMediaID), r.now)
	switch {
	case item == nil:
		return refuse(errcode.MediaID)
	case item.Kind == media.Video && !item.Synthetic():
		return answer(map[string]string{"video_url": p.pictureURL(item)})
	default:
		return answerFile(item)
	}
}

// getVoice serves GET /cgi-bin/media/get/jssdk: the 16 kHz version of a voice that the JS-SDK uploaded. The simulator has
// one version of each.
func (p *Platform) getVoice(r *apiRequest) apiAnswer {
	item := r.state.temporary.Find(r.query.Get(fieldMediaID), r.now, media.Voice)
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
	case contentType != media.TypePNG && contentType != media.TypeJPEG:
		return refuse(errcode.FileType)
	case len(form.media) >= maxArticlePicture:
		return refuse(errcode.PictureSize)
	}
	item := &media.Item{ID: p.newMediaID(), ContentType: contentType, Data: form.media, Stored: r.now}
	r.state.pictures.Add(item)

	return answer(map[string]string{"url": p.pictureURL(item)})
}

// pictureURL is where a picture opens in a browser.
func (p *Platform) pictureURL(item *media.Item) string {
	return p.publicURL() + "/sim/v1/media/" + item.ID
}

// servePicture shows a file to the page and to whoever follows a PicUrl.
func (p *Platform) servePicture(w http.ResponseWriter, r *http.Request) {
	item := p.anyMedia(r.PathValue("id"))
	if item == nil {
		http.NotFound(w, r)

		return
	}
	w.Header().Set("Content-Type", item.ContentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = item.Content().WriteTo(w) // The caller may be gone.
}

// anyMedia returns a file of whichever account.
func (p *Platform) anyMedia(id string) *media.Item {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.state.clock.now()
	for _, account := range p.state.accounts {
		if item := cmp.Or(account.media(id, now), account.pictures.Find(id, now)); item != nil {
			return item
		}
	}

	return nil
}
