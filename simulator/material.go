package simulator

import (
	"encoding/json"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// maxPermanentVideo is the limit of a permanent video. The real limits differ: the
// documents say 10 MB, the console takes more. The simulator's is high, so that
// large uploads can be tested.
const maxPermanentVideo = 32 << 20

// maxMaterialPage is how many materials one page of a list has at most.
const maxMaterialPage = 20

// permanentRules are the limits of permanent material (新增永久素材).
var permanentRules = map[string]mediaRule{
	kindImage: {maxBytes: 10 << 20, prefixes: []string{typePNG, typeJPEG, typeGIF, "image/bmp"}},
	kindThumb: {maxBytes: 64 << 10, prefixes: []string{typeJPEG}},
	kindVoice: {maxBytes: 2 << 20, prefixes: []string{typeAMR, "audio/mpeg", "audio/wave"}, playtime: maxPlaytime},
	kindVideo: {maxBytes: maxPermanentVideo, prefixes: []string{typeMP4}},
}

// maxLibrary is how many materials of a kind the library takes by the older documents; newer ones say 100,000 of pictures
// and articles. The simulator's own memory ends before (maxMediaItems).
var maxLibrary = map[string]int{kindImage: 5000, kindThumb: 5000, kindVoice: 1000, kindVideo: 1000}

// DefaultNewsID is the media_id of an article (图文素材) that every account has in its
// library from the start, because the simulator has no drafts to make one from.
const DefaultNewsID = "MEDIA_NEWS_00000000000000000000000000000001"

// newLibrary is the permanent material of an account that never added any.
func newLibrary(now time.Time) *mediaStore {
	library := newMediaStore(0)
	library.add(&mediaItem{id: DefaultNewsID, kind: kindNews, title: "欢迎", introduction: "模拟器自带的图文", stored: now})

	return library
}

func materialEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/cgi-bin/material/add_material":      post((*Platform).addMaterial),
		"/cgi-bin/material/get_material":      post((*Platform).getMaterial),
		"/cgi-bin/material/del_material":      post((*Platform).deleteMaterial),
		"/cgi-bin/material/batchget_material": post((*Platform).listMaterial),
		"/cgi-bin/material/get_materialcount": get((*Platform).countMaterial).orPost(),
	}
}

// addMaterial serves POST /cgi-bin/material/add_material.
func (p *Platform) addMaterial(r *apiRequest) apiAnswer {
	form, contentType, code := r.uploadOf(permanentRules)
	if code != errcode.OK {
		return refuse(code)
	}
	item := &mediaItem{
		id: p.newMediaID(), kind: form.kind, name: form.name, contentType: contentType, data: form.media, stored: r.now,
	}
	if item.kind == kindVideo {
		if code := item.describe(form.description); code != errcode.OK {
			return refuse(code)
		}
	}
	if len(r.state.library.list(item.kind)) >= maxLibrary[item.kind] {
		return refuse(errcode.LibraryFull)
	}
	r.state.library.add(item)
	if item.kind == kindImage {
		return answer(map[string]string{fieldMediaID: item.id, "url": p.pictureURL(item)})
	}

	return answer(map[string]string{fieldMediaID: item.id})
}

// describe reads the description that a permanent video must bring. That a title
// is needed is documented; the code of its absence isn't.
func (i *mediaItem) describe(description string) errcode.Code {
	var video struct {
		Title        string `json:"title"`
		Introduction string `json:"introduction"`
	}
	switch {
	case description == "":
		return errcode.Arguments
	case hasUnicodeEscape([]byte(description)):
		return errcode.Charset
	}
	if err := json.Unmarshal([]byte(description), &video); err != nil {
		return errcode.JSON
	}
	if video.Title == "" {
		return errcode.Arguments
	}
	i.title, i.introduction = video.Title, video.Introduction

	return errcode.OK
}

// material finds the permanent material that a call is about.
func (r *apiRequest) material() (*mediaItem, errcode.Code) {
	var asked struct {
		MediaID string `json:"media_id"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return nil, code
	}
	item := r.state.library.find(asked.MediaID, r.now)
	if item == nil {
		return nil, errcode.MediaID
	}

	return item, errcode.OK
}

// getMaterial serves POST /cgi-bin/material/get_material: JSON of videos and
// articles, the file itself of everything else.
func (p *Platform) getMaterial(r *apiRequest) apiAnswer {
	item, code := r.material()
	switch {
	case code != errcode.OK:
		return refuse(code)
	case item.kind == kindVideo:
		return answer(map[string]string{"title": item.title, "description": item.introduction, "down_url": p.pictureURL(item)})
	case item.kind == kindNews:
		return answer(item.articles())
	default:
		return answerFile(item)
	}
}

// newsItem is one article of a library's news.
type newsItem struct {
	Title        string `json:"title"`
	Author       string `json:"author"`
	Digest       string `json:"digest"`
	Content      string `json:"content"`
	SourceURL    string `json:"content_source_url"`
	ThumbMediaID string `json:"thumb_media_id"`
	ShowCover    int    `json:"show_cover_pic"`
	URL          string `json:"url"`
	OpenComment  int    `json:"need_open_comment"`
	FansComment  int    `json:"only_fans_can_comment"`
}

// newsItems is news as the library returns it.
type newsItems struct {
	Items []newsItem `json:"news_item"`
}

func (i *mediaItem) articles() newsItems {
	return newsItems{Items: []newsItem{{
		Title: i.title, Digest: i.introduction, Content: "<p>" + i.introduction + "</p>", URL: "https://mp.weixin.qq.com/s/" + i.id,
	}}}
}

// deleteMaterial serves POST /cgi-bin/material/del_material.
func (p *Platform) deleteMaterial(r *apiRequest) apiAnswer {
	item, code := r.material()
	if code != errcode.OK {
		return refuse(code)
	}
	if r.state.menus.Uses(item.id) {
		return refuse(errcode.MediaInUse)
	}
	r.state.library.remove(item.id)

	return refuse(errcode.OK)
}

// listedMaterial is one entry of a list of materials.
type listedMaterial struct {
	MediaID    string     `json:"media_id"`
	Name       string     `json:"name,omitempty"`
	UpdateTime int64      `json:"update_time"`
	URL        string     `json:"url,omitempty"`     // Of images.
	Content    *newsItems `json:"content,omitempty"` // Of news.
}

// listMaterial serves POST /cgi-bin/material/batchget_material.
func (p *Platform) listMaterial(r *apiRequest) apiAnswer {
	var asked struct {
		Type   string `json:"type"`
		Offset int    `json:"offset"`
		Count  int    `json:"count"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	switch asked.Type {
	case kindImage, kindVideo, kindVoice, kindNews:
	default:
		return refuse(errcode.MediaType)
	}
	if asked.Offset < 0 || asked.Count < 1 || asked.Count > maxMaterialPage {
		return refuse(errcode.Arguments)
	}
	all := r.state.library.list(asked.Type)
	page := all[min(asked.Offset, len(all)):]
	page = page[:min(asked.Count, len(page))]
	entries := make([]listedMaterial, 0, len(page))
	for _, item := range page {
		entries = append(entries, p.listed(item))
	}

	return answer(map[string]any{"total_count": len(all), "item_count": len(entries), "item": entries})
}

func (p *Platform) listed(item *mediaItem) listedMaterial {
	entry := listedMaterial{MediaID: item.id, Name: item.name, UpdateTime: item.stored.Unix()}
	switch item.kind {
	case kindImage:
		entry.URL = p.pictureURL(item)
	case kindNews:
		articles := item.articles()
		entry.Content = &articles
	}

	return entry
}

// countMaterial serves GET /cgi-bin/material/get_materialcount.
func (p *Platform) countMaterial(r *apiRequest) apiAnswer {
	counts := make(map[string]int)
	for _, kind := range []string{kindVoice, kindVideo, kindImage, kindNews} {
		counts[kind+"_count"] = len(r.state.library.list(kind))
	}

	return answer(counts)
}
