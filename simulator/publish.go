package simulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/token"
)

// The states of a publication (发布状态).
const (
	publishDone    = 0
	publishDeleted = 5
)

// publish serves POST /cgi-bin/freepublish/submit. It succeeds at once, which PUBLISHJOBFINISH tells. The id of the job is
// a number, as SDKs in wide use read it; the documents show its digits in quotes.
func (p *Platform) publish(r *apiRequest) apiAnswer {
	var asked draftID
	found, code := r.draft(&asked, &asked.MediaID)
	if code != errcode.OK {
		return refuse(code)
	}
	created := &publication{job: p.messages.Add(1), articleID: "ARTICLE_" + p.newID() + "_" + token.NewValue(1)[2:18], published: r.now}
	for number, article := range found.articles {
		article.URL = articleURL(created.articleID, number+1)
		created.articles = append(created.articles, publishedItem{newsItem: article})
	}
	book := r.state.drafts
	book.drafts = slices.DeleteFunc(book.drafts, func(one *draft) bool { return one == found })
	book.published = appendNewest(book.published, created, maxDrafts)
	p.report(r.state, Push{Event: "PUBLISHJOBFINISH", Fields: created.told()})

	return answerOK(map[string]any{"publish_id": created.job})
}

// told are the fields of the event about a publication.
func (p *publication) told() map[string]string {
	const info, detail = "PublishEventInfo/", "PublishEventInfo/article_detail/"
	fields := map[string]string{
		info + "publish_id": formatID(p.job), info + "article_id": p.articleID, detail + "count": strconv.Itoa(len(p.articles)),
	}
	for position, article := range p.articles {
		item := detail + "item"
		if position > 0 {
			item += fmt.Sprintf("[%d]", position+1)
		}
		fields[item+"/idx"], fields[item+"/article_url"] = strconv.Itoa(position+1), article.URL
	}

	return fields
}

// getPublication serves POST /cgi-bin/freepublish/get.
func (p *Platform) getPublication(r *apiRequest) apiAnswer {
	var asked struct {
		ID json.RawMessage `json:"publish_id"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	id := strings.Trim(string(asked.ID), `"`)
	found := firstOf(r.state.drafts.published, func(one *publication) bool { return formatID(one.job) == id })
	if found == nil {
		return refuse(errcode.PublishID)
	}
	if !slices.ContainsFunc(found.articles, func(one publishedItem) bool { return !one.Deleted }) {
		return answer(map[string]any{"publish_id": found.job, "publish_status": publishDeleted, "fail_idx": []int{}})
	}
	type article struct {
		Index int    `json:"idx"`
		URL   string `json:"article_url"`
	}
	list := make([]article, 0, len(found.articles))
	for number, one := range found.articles {
		list = append(list, article{number + 1, one.URL})
	}

	return answer(map[string]any{
		"publish_id": found.job, "publish_status": publishDone, "article_id": found.articleID,
		"article_detail": map[string]any{"count": len(list), "item": list}, "fail_idx": []int{},
	})
}

// articleRequest is the body of the calls about something that was published.
type articleRequest struct {
	ID    string `json:"article_id"`
	Index int    `json:"index"` // From 1; 0 means all.
}

func (r *apiRequest) article() (articleRequest, *publication, errcode.Code) {
	var asked articleRequest
	if code := r.decode(&asked); code != errcode.OK {
		return asked, nil, code
	}
	found := r.state.drafts.publication(asked.ID)
	if found == nil {
		return asked, nil, errcode.ArticleID
	}

	return asked, found, errcode.OK
}

// getPublished serves POST /cgi-bin/freepublish/getarticle.
func (p *Platform) getPublished(r *apiRequest) apiAnswer {
	_, found, code := r.article()
	if code != errcode.OK {
		return refuse(code)
	}

	return answer(map[string]any{"news_item": found.articles})
}

// deletePublished serves POST /cgi-bin/freepublish/delete.
func (p *Platform) deletePublished(r *apiRequest) apiAnswer {
	asked, found, code := r.article()
	switch {
	case code != errcode.OK:
		return refuse(code)
	case asked.Index < 0 || asked.Index > len(found.articles):
		return refuse(errcode.Arguments)
	}
	for position := range found.articles {
		if asked.Index == 0 || asked.Index == position+1 {
			found.articles[position].Deleted = true
		}
	}

	return refuse(errcode.OK)
}

// listPublished serves POST /cgi-bin/freepublish/batchget.
func (p *Platform) listPublished(r *apiRequest) apiAnswer {
	asked, code := r.page()
	if code != errcode.OK {
		return refuse(code)
	}

	return pageOf(r.state.drafts.published, asked, func(one *publication) map[string]any {
		entry := map[string]any{"article_id": one.articleID, "update_time": one.published.Unix()}
		if asked.withContent() {
			entry["content"] = map[string]any{"news_item": one.articles}
		}

		return entry
	})
}
