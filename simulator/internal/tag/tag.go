// Package tag keeps the tags that an account has made for its followers (用户标签).
package tag

import (
	"slices"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// The rules of tags (用户标签).
const (
	Max       = 100 // Tags of an account, WeChat's own not counted.
	MaxOfOne  = 20  // Tags that a follower bears.
	MaxAtOnce = 50  // Followers in one call.
	FirstID   = 100 // Id of the account's first tag; below are WeChat's own.
	maxName   = 30  // Bytes.
	starID    = 2   // 星标组, which every account has.
)

// Tag is one tag of an account.
type Tag struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// Book holds the tags of an account. Which followers bear them is with the
// followers.
type Book struct {
	Tags []Tag // In the order in which they were made.
	next int
}

// NewBook returns the book of an account that never made a tag.
func NewBook() *Book {
	return &Book{Tags: []Tag{{ID: starID, Name: "星标组"}}, next: FirstID}
}

// Find returns the position of a tag, -1 if there is none.
func (b *Book) Find(id int) int {
	return slices.IndexFunc(b.Tags, func(one Tag) bool { return one.ID == id })
}

// checkName returns the refusal of a name for the tag of that id, 0 for a new one.
func (b *Book) checkName(id int, name string) errcode.Code {
	switch {
	case name == "":
		return errcode.TagName
	case len(name) > maxName:
		return errcode.TagNameSize
	case slices.ContainsFunc(b.Tags, func(one Tag) bool { return one.Name == name && one.ID != id }):
		return errcode.TagName
	default:
		return errcode.OK
	}
}

// changeable returns the position of a tag that the account may change.
func (b *Book) changeable(id int) (int, errcode.Code) {
	if id >= 0 && id < FirstID {
		return 0, errcode.SystemTag
	}
	position := b.Find(id)
	if position < 0 {
		return 0, errcode.TagID
	}

	return position, errcode.OK
}

// Create makes a tag.
func (b *Book) Create(name string) (Tag, errcode.Code) {
	if code := b.checkName(0, name); code != errcode.OK {
		return Tag{}, code
	}
	if len(b.Tags) > Max { // WeChat's own isn't counted.
		return Tag{}, errcode.TooManyTags
	}
	created := Tag{ID: b.next, Name: name}
	b.next++
	b.Tags = append(b.Tags, created)

	return created, errcode.OK
}

// Rename changes a tag's name.
func (b *Book) Rename(id int, name string) errcode.Code {
	position, code := b.changeable(id)
	if code != errcode.OK {
		return code
	}
	if code := b.checkName(id, name); code != errcode.OK {
		return code
	}
	b.Tags[position].Name = name

	return errcode.OK
}

// Remove forgets a tag.
func (b *Book) Remove(id int) errcode.Code {
	position, code := b.changeable(id)
	if code == errcode.OK {
		b.Tags = slices.Delete(b.Tags, position, position+1)
	}

	return code
}
