package rule

import (
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/wxstack/wxstack/services/logic/internal/reply"
	"github.com/wxstack/wxstack/services/logic/internal/yamlfile"
)

// content is a reply or an entry of send as it was read.
type content struct {
	// made is nil for silence.
	made      reply.Content
	kfAccount string
	node      ast.Node
}

// content reads one message to the follower. Silence and transfer are for replies only, kf_account for
// what is sent. It returns nil after a fault.
func (r *reader) content(node ast.Node, what string, isReply bool) *content {
	c := &content{node: node}
	before := r.Faults()
	kinds := map[string]func(entry){
		"text":  func(e entry) { c.made = reply.Text{Content: r.textTemplate(e, "text")} },
		"image": func(e entry) { c.made = reply.Image{MediaID: r.media(e, "image")} },
		"voice": func(e entry) { c.made = reply.Voice{MediaID: r.media(e, "voice")} },
		"video": func(e entry) { c.made = r.video(e) },
		"music": func(e entry) { c.made = r.music(e) },
		"news":  func(e entry) { c.made = r.news(e, isReply) },
	}
	if isReply {
		kinds["silence"] = r.silence
		kinds["transfer_customer_service"] = func(e entry) { c.made = r.transfer(e) }
		kinds["transfer_biz_ai_ivr"] = func(e entry) {
			c.made = reply.TransferAI{}
			r.Yes(e, "transfer_biz_ai_ivr")
		}
	}
	names := slices.Sorted(maps.Keys(kinds))
	keys := maps.Clone(kinds)
	if !isReply {
		keys["kf_account"] = func(e entry) { c.kfAccount = r.kfAccount(e) }
	}
	found, ok := r.Mapping(node, what, keys)
	if !ok {
		return nil
	}
	delete(found, "kf_account")
	switch {
	case r.Faults() > before:
		return nil
	case len(found) == 0:
		r.Faultf(node, "%s is empty; give it one of %s", what, strings.Join(names, ", "))

		return nil
	case len(found) > 1:
		r.Faultf(node, "%s has %s; it can be only one of them (further messages go into send)",
			what, strings.Join(slices.Sorted(maps.Keys(found)), " and "))

		return nil
	}

	return c
}

func (r *reader) silence(e entry) {
	if silent, ok := r.Resolve(e.Value).(*ast.BoolNode); !ok || !silent.Value {
		r.Faultf(e.Key, "silence can only be true; to answer something use text, image or another kind instead")
	}
}

// template reads a field that may have placeholders.
func (r *reader) template(e entry, what string) *reply.Template {
	source, ok := r.Text(e, what)
	if !ok {
		return nil
	}
	parsed, err := reply.ParseTemplate(source, r.answers...)
	if err != nil {
		r.Faultf(e.Value, "%s: %v", what, err)

		return nil
	}

	return parsed
}

// textTemplate is a template whose fixed text WeChat must be able to show.
func (r *reader) textTemplate(e entry, what string) *reply.Template {
	parsed := r.template(e, what)
	if parsed == nil {
		return nil
	}
	if text, static := parsed.Static(); static && len(text) > reply.MaxTextBytes {
		r.Faultf(e.Value, "%s is %d bytes long; WeChat shows %d, about 680 Chinese characters: move the rest into send", what, len(text), reply.MaxTextBytes)
	}

	return parsed
}

// media reads {media_id: …} or just the media id.
func (r *reader) media(e entry, what string) *reply.Template {
	if _, isMapping := r.Resolve(e.Value).(ast.MapNode); !isMapping {
		return r.template(e, what)
	}
	var mediaID *reply.Template
	found, _ := r.Mapping(e.Value, what, map[string]func(entry){
		"media_id": func(e entry) { mediaID = r.template(e, "media_id") },
	})
	r.Require(e, found, what, "media_id")

	return mediaID
}

func (r *reader) video(e entry) reply.Video {
	var v reply.Video
	found, _ := r.Mapping(e.Value, "video", map[string]func(entry){
		"media_id":    func(e entry) { v.MediaID = r.template(e, "media_id") },
		"title":       func(e entry) { v.Title = r.template(e, "title") },
		"description": func(e entry) { v.Description = r.template(e, "description") },
	})
	r.Require(e, found, "video", "media_id")

	return v
}

func (r *reader) music(e entry) reply.Music {
	var m reply.Music
	found, _ := r.Mapping(e.Value, "music", map[string]func(entry){
		"title":          func(e entry) { m.Title = r.template(e, "title") },
		"description":    func(e entry) { m.Description = r.template(e, "description") },
		"music_url":      func(e entry) { m.MusicURL = r.address(e, "music_url") },
		"hq_music_url":   func(e entry) { m.HQMusicURL = r.address(e, "hq_music_url") },
		"thumb_media_id": func(e entry) { m.ThumbMediaID = r.template(e, "thumb_media_id") },
	})
	r.Require(e, found, "music", "thumb_media_id")

	return m
}

func (r *reader) news(e entry, isReply bool) reply.News {
	nodes, ok := r.List(e, "news")
	if !ok {
		return reply.News{}
	}
	limit := reply.MaxArticlesToSend
	if isReply {
		limit = reply.MaxArticlesToEvent
	}
	switch {
	case len(nodes) == 0:
		r.Faultf(e.Key, "news is empty; it needs at least one article")
	case len(nodes) > limit:
		r.Faultf(e.Key, "news has %d articles; %d is the most here", len(nodes), limit)
	}
	var news reply.News
	for _, node := range nodes {
		var article reply.Article
		found, _ := r.Mapping(node, "an article", map[string]func(entry){
			"title":       func(e entry) { article.Title = r.template(e, "title") },
			"description": func(e entry) { article.Description = r.template(e, "description") },
			"pic_url":     func(e entry) { article.PicURL = r.address(e, "pic_url") },
			"url":         func(e entry) { article.URL = r.address(e, "url") },
		})
		r.Require(entry{Key: node, Value: node}, found, "an article", "title")
		news.Articles = append(news.Articles, article)
	}

	return news
}

// address is a template that, where it is a fixed text, must be a web address.
func (r *reader) address(e entry, what string) *reply.Template {
	parsed := r.template(e, what)
	if parsed == nil {
		return nil
	}
	text, static := parsed.Static()
	if !static {
		return parsed
	}
	if _, isWeb := yamlfile.WebAddress(text); !isWeb {
		r.Faultf(e.Value, "%s %q is not a web address; it begins with https:// or http://", what, text)
	}

	return parsed
}

func (r *reader) transfer(e entry) reply.Transfer {
	var t reply.Transfer
	switch yes := r.Resolve(e.Value).(type) {
	case *ast.BoolNode:
		if !yes.Value {
			r.Faultf(e.Key, "transfer_customer_service: false says nothing; remove it")
		}
	case *ast.NullNode:
	default:
		r.Mapping(e.Value, "transfer_customer_service", map[string]func(entry){
			"kf_account": func(e entry) { t.KfAccount = r.kfAccount(e) },
		})
	}

	return t
}

// kfAccount reads the full account of an agent: name@account.
func (r *reader) kfAccount(e entry) string {
	account, ok := r.Text(e, "kf_account")
	if !ok {
		return ""
	}
	name, owner, found := strings.Cut(account, "@")
	if !found || name == "" || owner == "" {
		r.Faultf(e.Value, "kf_account %q: write the agent's full account, name@ and the WeChat ID of the official account", account)
	}

	return account
}
