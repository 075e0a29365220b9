package simulator

import (
	"encoding/json"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
)

// maxMaterialPage is how many materials one page of a list has at most.
const maxMaterialPage = 20

// maxLibrary is how many materials of a kind the library takes by the older documents; newer ones say 100,000 of pictures
// and articles. Several large files fill the simulator's memory before.
var maxLibrary = map[string]int{media.Image: 5000, media.Thumb: 5000, media.Voice: 1000, media.Video: 1000}

// maxLibraryItems is above the sum of those.
const maxLibraryItems = 15_000

// DefaultNewsID is the media_id of an article (图文素材) that every account has in its
// library from the start, because the simulator has no drafts to make one from.
const DefaultNewsID = "MEDIA_NEWS_00000000000000000000000000000001"

// newLibrary is the permanent material of an account that never added any.
func newLibrary(now time.Time) *media.Store {
	library := media.NewStore(0, maxLibraryItems)
	library.Add(&media.Item{ID: DefaultNewsID, Kind: media.News, Title: "欢迎", Introduction: "模拟器自带的图文", Stored: now})

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
	form, contentType, code := r.uploadOf(media.Permanent)
	if code != errcode.OK {
		return refuse(code)
	}
	item := &media.Item{
		ID: p.newMediaID(), Kind: form.kind, Name: form.name, ContentType: contentType, Data: form.media, Stored: r.now,
	}
	if item.Kind == media.Video {
		if code := describeVideo(item, form.description); code != errcode.OK {
			return refuse(code)
		}
	}
	if len(r.state.library.List(item.Kind)) >= maxLibrary[item.Kind] || !r.state.library.HasRoom(item) {
		return refuse(errcode.LibraryFull)
	}
	r.state.library.Add(item)
	if item.Kind == media.Image {
		return answer(map[string]string{fieldMediaID: item.ID, "url": p.pictureURL(item)})
	}

	return answer(map[string]string{fieldMediaID: item.ID})
}

// describeVideo reads the description that a permanent video must bring. That a title
// is needed is documented; the code of its absence isn't.
func describeVideo(item *media.Item, description string) errcode.Code {
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
	item.Title, item.Introduction = video.Title, video.Introduction

	return errcode.OK
}

// material finds the permanent material that a call is about.
func (r *apiRequest) material() (*media.Item, errcode.Code) {
	var asked struct {
		MediaID string `json:"media_id"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return nil, code
	}
	item := r.state.library.Find(asked.MediaID, r.now)
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
	case item.Kind == media.Video:
		return answer(map[string]string{"title": item.Title, "description": item.Introduction, "down_url": p.pictureURL(item)})
	case item.Kind == media.News:
		return answer(articlesOf(item))
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

func articlesOf(item *media.Item) newsItems {
	return newsItems{Items: []newsItem{{
		Title: item.Title, Digest: item.Introduction, Content: "<p>" + item.Introduction + "</p>", URL: "https://mp.weixin.qq.com/s/" + item.ID,
	}}}
}

// deleteMaterial serves POST /cgi-bin/material/del_material.
func (p *Platform) deleteMaterial(r *apiRequest) apiAnswer {
	item, code := r.material()
	if code != errcode.OK {
		return refuse(code)
	}
	if r.state.menus.Uses(item.ID) {
		return refuse(errcode.MediaInUse)
	}
	r.state.library.Remove(item.ID)

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
	case media.Image, media.Video, media.Voice, media.News:
	default:
		return refuse(errcode.MediaType)
	}
	if asked.Offset < 0 || asked.Count < 1 || asked.Count > maxMaterialPage {
		return refuse(errcode.Arguments)
	}
	all := r.state.library.List(asked.Type)
	page := all[min(asked.Offset, len(all)):]
	page = page[:min(asked.Count, len(page))]
	entries := make([]listedMaterial, 0, len(page))
	for _, item := range page {
		entries = append(entries, p.listed(item))
	}

	return answer(map[string]any{"total_count": len(all), "item_count": len(entries), "item": entries})
}

func (p *Platform) listed(item *media.Item) listedMaterial {
	entry := listedMaterial{MediaID: item.ID, Name: item.Name, UpdateTime: item.Stored.Unix()}
	switch item.Kind {
	case media.Image:
		entry.URL = p.pictureURL(item)
	case media.News:
		articles := articlesOf(item)
		entry.Content = &articles
	}

	return entry
}

// countMaterial serves GET /cgi-bin/material/get_materialcount.
func (p *Platform) countMaterial(r *apiRequest) apiAnswer {
	counts := make(map[string]int)
	for _, kind := range []string{media.Voice, media.Video, media.Image, media.News} {
		counts[kind+"_count"] = len(r.state.library.List(kind))
	}

	return answer(counts)
}
