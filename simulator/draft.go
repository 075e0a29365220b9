package simulator

import (
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
)

// The limits of drafts (草稿箱).
const (
	maxDraftArticles = 8
	maxDraftTitle    = 64      // Characters.
	maxDraftContent  = 20_000  // Characters, of which there must be fewer.
	maxDraftBytes    = 1 << 20 // Bytes of content.
	maxDraftPage     = 20
)

// draft is one article or several, as the account wrote them (图文草稿).
type draft struct {
	id       string
	articles []newsItem
	updated  time.Time
}

// publication is a draft on its way to everybody, or there (发布).
type publication struct {
	job       int64
	articleID string
	articles  []publishedItem
	published time.Time
}

// publishedItem is an article that was published.
type publishedItem struct {
	newsItem

	Deleted bool `json:"is_deleted"`
}

// draftBook holds the drafts of an account and what became of them. It is told the time.
type draftBook struct {
	drafts    []*draft
	published []*publication
}

func newDraftBook() *draftBook { return new(draftBook) }

func (b *draftBook) find(id string) *draft {
	return firstOf(b.drafts, func(one *draft) bool { return one.id == id })
}

// publication returns what that article id stands for, unless it was deleted.
func (b *draftBook) publication(articleID string) *publication {
	return firstOf(b.published, func(one *publication) bool { return one.articleID == articleID })
}

func draftEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/cgi-bin/draft/add":      post((*Platform).addDraft),
		"/cgi-bin/draft/get":      post((*Platform).getDraft),
		"/cgi-bin/draft/update":   post((*Platform).updateDraft),
		"/cgi-bin/draft/delete":   post((*Platform).deleteDraft),
		"/cgi-bin/draft/count":    get((*Platform).countDrafts),
		"/cgi-bin/draft/batchget": post((*Platform).listDrafts),

		"/cgi-bin/freepublish/submit":     post((*Platform).publish),
		"/cgi-bin/freepublish/get":        post((*Platform).getPublication),
		"/cgi-bin/freepublish/getarticle": post((*Platform).getPublished),
		"/cgi-bin/freepublish/delete":     post((*Platform).deletePublished),
		"/cgi-bin/freepublish/batchget":   post((*Platform).listPublished),
	}
}

// checkArticle returns the refusal of an article of a draft.
func (r *apiRequest) checkArticle(article newsItem) errcode.Code {
	characters := utf8.RuneCountInString(article.Content)
	switch {
	case article.Title == "" || utf8.RuneCountInString(article.Title) > maxDraftTitle:
		return errcode.TitleSize
	case article.Content == "":
		return errcode.EmptyArticle
	case characters >= maxDraftContent || len(article.Content) > maxDraftBytes:
		return errcode.TextTooLong
	case r.state.library.Find(article.ThumbMediaID, r.now, media.Image, media.Thumb) == nil:
		return errcode.MediaID
	default:
		return errcode.OK
	}
}

// addDraft serves POST /cgi-bin/draft/add.
func (p *Platform) addDraft(r *apiRequest) apiAnswer {
	var asked struct {
		Articles []newsItem `json:"articles"`
	}
	if code := r.decodeText(&asked); code != errcode.OK {
		return refuse(code)
	}
	if len(asked.Articles) == 0 || len(asked.Articles) > maxDraftArticles {
		return refuse(errcode.Articles)
	}
	for _, article := range asked.Articles {
		if code := r.checkArticle(article); code != errcode.OK {
			return refuse(code)
		}
	}
	created := &draft{id: p.newMediaID(), articles: asked.Articles, updated: r.now}
	r.state.drafts.drafts = appendNewest(r.state.drafts.drafts, created, maxDrafts)

	return answer(map[string]string{fieldMediaID: created.id})
}

// draft finds the draft that a call is about.
func (r *apiRequest) draft(into any, id *string) (*draft, errcode.Code) {
	if code := r.decodeText(into); code != errcode.OK {
		return nil, code
	}
	found := r.state.drafts.find(*id)
	if found == nil {
		return nil, errcode.MediaID
	}

	return found, errcode.OK
}

// draftID is the body of the calls about one draft.
type draftID struct {
	MediaID string `json:"media_id"`
}

// getDraft serves POST /cgi-bin/draft/get.
func (p *Platform) getDraft(r *apiRequest) apiAnswer {
	var asked draftID
	found, code := r.draft(&asked, &asked.MediaID)
	if code != errcode.OK {
		return refuse(code)
	}

	return answer(newsItems{Items: found.articles})
}

// updateDraft serves POST /cgi-bin/draft/update: one article is replaced.
func (p *Platform) updateDraft(r *apiRequest) apiAnswer {
	var asked struct {
		draftID

		Index   int      `json:"index"`
		Article newsItem `json:"articles"`
	}
	found, code := r.draft(&asked, &asked.MediaID)
	switch {
	case code != errcode.OK:
		return refuse(code)
	case asked.Index < 0 || asked.Index >= len(found.articles):
		return refuse(errcode.Arguments)
	}
	if code := r.checkArticle(asked.Article); code != errcode.OK {
		return refuse(code)
	}
	found.articles[asked.Index], found.updated = asked.Article, r.now

	return refuse(errcode.OK)
}

// deleteDraft serves POST /cgi-bin/draft/delete.
func (p *Platform) deleteDraft(r *apiRequest) apiAnswer {
	var asked draftID
	found, code := r.draft(&asked, &asked.MediaID)
	if code != errcode.OK {
		return refuse(code)
	}
	r.state.drafts.drafts = slices.DeleteFunc(r.state.drafts.drafts, func(one *draft) bool { return one == found })

	return refuse(errcode.OK)
}

// countDrafts serves GET /cgi-bin/draft/count.
func (p *Platform) countDrafts(r *apiRequest) apiAnswer {
	return answer(map[string]int{"total_count": len(r.state.drafts.drafts)})
}

// pageRequest asks for a part of a list.
type pageRequest struct {
	Offset    int `json:"offset"`
	Count     int `json:"count"`
	NoContent any `json:"no_content"` // 1, or, as SDKs in wide use send it, true.
}

func (a pageRequest) withContent() bool { return a.NoContent != true && a.NoContent != 1.0 }

// page reads what part of a list a call wants.
func (r *apiRequest) page() (pageRequest, errcode.Code) {
	var asked pageRequest
	if code := r.decode(&asked); code != errcode.OK {
		return asked, code
	}
	if asked.Offset < 0 || asked.Count < 1 || asked.Count > maxDraftPage {
		return asked, errcode.Arguments
	}

	return asked, errcode.OK
}

// pageOf is a part of a list, newest first, as both lists of articles are answered.
func pageOf[T any](all []T, asked pageRequest, entry func(T) map[string]any) apiAnswer {
	newest := slices.Clone(all)
	slices.Reverse(newest)
	part := newest[min(asked.Offset, len(newest)):]
	part = part[:min(asked.Count, len(part))]
	entries := make([]map[string]any, 0, len(part))
	for _, one := range part {
		entries = append(entries, entry(one))
	}

	return answer(map[string]any{"total_count": len(all), "item_count": len(entries), "item": entries})
}

// listDrafts serves POST /cgi-bin/draft/batchget.
func (p *Platform) listDrafts(r *apiRequest) apiAnswer {
	asked, code := r.page()
	if code != errcode.OK {
		return refuse(code)
	}

	return pageOf(r.state.drafts.drafts, asked, func(one *draft) map[string]any {
		entry := map[string]any{fieldMediaID: one.id, "update_time": one.updated.Unix()}
		if asked.withContent() {
			entry["content"] = newsItems{Items: one.articles}
		}

		return entry
	})
}

// articleURL is where an article is read.
func articleURL(articleID string, index int) string {
	return "https://mp.weixin.qq.com/s/" + articleID + "_" + strconv.Itoa(index)
}
