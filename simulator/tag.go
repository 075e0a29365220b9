package simulator

import (
	"slices"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// The rules of tags (用户标签).
const (
	maxTags         = 100
	maxTagName      = 30 // Bytes.
	maxTagsOfOne    = 20
	maxTaggedAtOnce = 50
	firstTagID      = 100 // Below are WeChat's own.
	starTagID       = 2   // 星标组, which every account has.
)

// tag is one tag of an account.
type tag struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// tagBook holds the tags of an account. Which followers bear them is with the
// followers.
type tagBook struct {
	tags []tag
	next int
}

func newTagBook() *tagBook {
	return &tagBook{tags: []tag{{ID: starTagID, Name: "星标组"}}, next: firstTagID}
}

// find returns the position of a tag, -1 if there is none.
func (b *tagBook) find(id int) int {
	return slices.IndexFunc(b.tags, func(one tag) bool { return one.ID == id })
}

// checkName returns the refusal of a name for the tag of that id, 0 for a new one.
func (b *tagBook) checkName(id int, name string) errcode.Code {
	switch {
	case name == "":
		return errcode.TagName
	case len(name) > maxTagName:
		return errcode.TagNameSize
	case slices.ContainsFunc(b.tags, func(one tag) bool { return one.Name == name && one.ID != id }):
		return errcode.TagName
	default:
		return errcode.OK
	}
}

// changeable returns the position of a tag that the account may change.
func (b *tagBook) changeable(id int) (int, errcode.Code) {
	if id >= 0 && id < firstTagID {
		return 0, errcode.SystemTag
	}
	position := b.find(id)
	if position < 0 {
		return 0, errcode.TagID
	}

	return position, errcode.OK
}

// create makes a tag.
func (b *tagBook) create(name string) (tag, errcode.Code) {
	if code := b.checkName(0, name); code != errcode.OK {
		return tag{}, code
	}
	if len(b.tags) > maxTags { // WeChat's own isn't counted.
		return tag{}, errcode.TooManyTags
	}
	created := tag{ID: b.next, Name: name}
	b.next++
	b.tags = append(b.tags, created)

	return created, errcode.OK
}

// rename changes a tag's name.
func (b *tagBook) rename(id int, name string) errcode.Code {
	position, code := b.changeable(id)
	if code != errcode.OK {
		return code
	}
	if code := b.checkName(id, name); code != errcode.OK {
		return code
	}
	b.tags[position].Name = name

	return errcode.OK
}

// remove forgets a tag.
func (b *tagBook) remove(id int) errcode.Code {
	position, code := b.changeable(id)
	if code == errcode.OK {
		b.tags = slices.Delete(b.tags, position, position+1)
	}

	return code
}

// tagged reports whether the follower bears a tag.
func (f *follower) tagged(id int) bool { return slices.Contains(f.tags, id) }

// untag takes a tag from the follower.
func (f *follower) untag(id int) {
	f.tags = slices.DeleteFunc(f.tags, func(one int) bool { return one == id })
}
