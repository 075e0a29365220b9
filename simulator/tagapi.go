package simulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/tag"
)

func tagEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/cgi-bin/tags/get":                    get((*Platform).listTags),
		"/cgi-bin/tags/create":                 post((*Platform).createTag),
		"/cgi-bin/tags/update":                 post((*Platform).renameTag),
		"/cgi-bin/tags/delete":                 post((*Platform).deleteTag),
		"/cgi-bin/tags/members/batchtagging":   post((*Platform).tagFollowers),
		"/cgi-bin/tags/members/batchuntagging": post((*Platform).untagFollowers),
		"/cgi-bin/tags/getidlist":              post((*Platform).listTagsOf),
		"/cgi-bin/user/tag/get":                post((*Platform).listTagged),
	}
}

// listTags serves GET /cgi-bin/tags/get.
func (p *Platform) listTags(r *apiRequest) apiAnswer {
	type counted struct {
		tag.Tag

		Count int `json:"count"`
	}
	list := make([]counted, 0, len(r.state.tags.Tags))
	for _, one := range r.state.tags.Tags {
		entry := counted{Tag: one}
		for _, known := range r.state.followers {
			if known.following && known.tagged(one.ID) {
				entry.Count++
			}
		}
		list = append(list, entry)
	}

	return answer(map[string]any{"tags": list})
}

// numericID is the id of a tag in a request, a number or, as an SDK in wide use sends
// it, its digits as text.
type numericID int

// UnmarshalJSON reads either form.
func (n *numericID) UnmarshalJSON(data []byte) error {
	value, err := strconv.Atoi(strings.Trim(string(data), `"`))
	if err != nil {
		return fmt.Errorf("id of a tag: %w", err)
	}
	*n = numericID(value)

	return nil
}

// tagRequest is the body of the calls that change a tag.
type tagRequest struct {
	Tag struct {
		ID   numericID `json:"id"`
		Name string    `json:"name"`
	} `json:"tag"`
}

func (r tagRequest) id() int { return int(r.Tag.ID) }

// createTag serves POST /cgi-bin/tags/create.
func (p *Platform) createTag(r *apiRequest) apiAnswer {
	var asked tagRequest
	if code := r.decodeText(&asked); code != errcode.OK {
		return refuse(code)
	}
	created, code := r.state.tags.Create(asked.Tag.Name)
	if code != errcode.OK {
		return refuse(code)
	}

	return answer(map[string]tag.Tag{"tag": created})
}

// renameTag serves POST /cgi-bin/tags/update.
func (p *Platform) renameTag(r *apiRequest) apiAnswer {
	var asked tagRequest
	if code := r.decodeText(&asked); code != errcode.OK {
		return refuse(code)
	}

	return refuse(r.state.tags.Rename(asked.id(), asked.Tag.Name))
}

// deleteTag serves POST /cgi-bin/tags/delete. Whoever bore the tag loses it.
func (p *Platform) deleteTag(r *apiRequest) apiAnswer {
	var asked tagRequest
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	code := r.state.tags.Remove(asked.id())
	if code == errcode.OK {
		for _, known := range r.state.followers {
			known.untag(asked.id())
		}
	}

	return refuse(code)
}

// members reads which followers a call wants to tag or untag, and with what.
func (r *apiRequest) members() ([]*follower, int, errcode.Code) {
	var asked struct {
		OpenIDs []string  `json:"openid_list"`
		TagID   numericID `json:"tagid"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return nil, 0, code
	}
	if len(asked.OpenIDs) == 0 || len(asked.OpenIDs) > tag.MaxAtOnce {
		return nil, 0, errcode.OpenIDs
	}
	if r.state.tags.Find(int(asked.TagID)) < 0 {
		return nil, 0, errcode.TagID
	}
	members := make([]*follower, 0, len(asked.OpenIDs))
	for _, openID := range asked.OpenIDs {
		known, ok := r.state.followers[openID]
		if !ok || !known.following {
			return nil, 0, errcode.OpenID
		}
		members = append(members, known)
	}

	return members, int(asked.TagID), errcode.OK
}

// tagFollowers serves POST /cgi-bin/tags/members/batchtagging: all of them or none.
func (p *Platform) tagFollowers(r *apiRequest) apiAnswer {
	members, id, code := r.members()
	if code != errcode.OK {
		return refuse(code)
	}
	if slices.ContainsFunc(members, func(one *follower) bool { return !one.tagged(id) && len(one.tags) >= tag.MaxOfOne }) {
		return refuse(errcode.TagsOfOne)
	}
	for _, one := range members {
		if !one.tagged(id) {
			one.tags = append(one.tags, id)
		}
	}
	p.state.hub.publish(topicState) // Another menu may match.

	return refuse(errcode.OK)
}

// untagFollowers serves POST /cgi-bin/tags/members/batchuntagging.
func (p *Platform) untagFollowers(r *apiRequest) apiAnswer {
	members, id, code := r.members()
	if code != errcode.OK {
		return refuse(code)
	}
	for _, one := range members {
		one.untag(id)
	}
	p.state.hub.publish(topicState) // Another menu may match.

	return refuse(errcode.OK)
}

// listTagsOf serves POST /cgi-bin/tags/getidlist.
func (p *Platform) listTagsOf(r *apiRequest) apiAnswer {
	var asked struct {
		OpenID string `json:"openid"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	known, ok := r.state.followers[asked.OpenID]
	if !ok {
		return refuse(errcode.OpenID)
	}

	return answer(map[string]any{"tagid_list": append([]int{}, known.tags...)})
}

// listTagged serves POST /cgi-bin/user/tag/get. One page of WeChat's holds 10,000,
// more than the simulator keeps.
func (p *Platform) listTagged(r *apiRequest) apiAnswer {
	var asked struct {
		TagID numericID `json:"tagid"`
		Next  string    `json:"next_openid"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	if r.state.tags.Find(int(asked.TagID)) < 0 {
		return refuse(errcode.TagID)
	}
	ids, _ := r.state.openIDs(asked.Next, func(one *follower) bool { return one.tagged(int(asked.TagID)) })

	return answer(pageOfOpenIDs(ids))
}

// tagged reports whether the follower bears a tag.
func (f *follower) tagged(id int) bool { return slices.Contains(f.tags, id) }

// untag takes a tag from the follower.
func (f *follower) untag(id int) {
	f.tags = slices.DeleteFunc(f.tags, func(one int) bool { return one == id })
}
