package menu

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// clientPlatform is what every simulated follower uses: neither iOS (1) nor Android (2).
const clientPlatform = 3

// Book holds the menus of an account. Menus are replaced, never changed.
type Book struct {
	Standard    *Menu         // The default menu (默认菜单); nil if there is none.
	Conditional []Conditional // Oldest first.
	lastID      int64
}

// Conditional is a menu for some followers only (个性化菜单).
type Conditional struct {
	Button []Button `json:"button"`
	Rule   Rule     `json:"matchrule"`
	ID     int64    `json:"menuid"`
}

// NewBook returns the book of an account that never made a menu.
func NewBook() *Book { return &Book{Standard: initial(), lastID: DefaultID} }

// Rule are the conditions of a menu. They are listed as texts, as SDKs in wide use read them (the document of the
// interface shows numbers), and the tag under its old name.
type Rule struct {
	TagID    int `json:"group_id,omitempty,string"`
	Platform int `json:"client_platform_type,omitempty,string"`
}

// privateConditions are those that WeChat takes no more.
var privateConditions = []string{"sex", "country", "province", "city", "language"}

// ReadRule reads the conditions of a request: numbers or their digits as text, and empty texts for none.
func ReadRule(given map[string]any) (Rule, errcode.Code) {
	var rule Rule
	for name, value := range given {
		text := fmt.Sprint(value)
		number, err := strconv.Atoi(text)
		switch {
		case text == "":
		case slices.Contains(privateConditions, name):
			return rule, errcode.PrivateRule
		case err != nil:
			return rule, errcode.Arguments
		case name == "tag_id":
			rule.TagID = number
		case name == "client_platform_type":
			rule.Platform = number
		}
	}
	if rule == (Rule{}) {
		return rule, errcode.NoMatchRule
	}

	return rule, errcode.OK
}

// matches reports whether a follower with those tags sees the menu. Of several tags the last one counts.
func (r Rule) matches(tags []int) bool {
	if r.TagID != 0 && (len(tags) == 0 || tags[len(tags)-1] != r.TagID) {
		return false
	}

	return r.Platform == 0 || r.Platform == clientPlatform
}

// ShownTo returns the menu that a follower with those tags sees, and its id. The newest is asked first.
func (b *Book) ShownTo(tags []int) (Menu, int64) {
	for _, menu := range slices.Backward(b.Conditional) {
		if menu.Rule.matches(tags) {
			return Menu{Button: menu.Button}, menu.ID
		}
	}

	return b.Shown()
}

// Shown returns the menu that is seen where no other is, and its id.
func (b *Book) Shown() (Menu, int64) {
	if b.Standard == nil {
		return Menu{Button: []Button{}}, 0
	}

	return *b.Standard, DefaultID
}

// Add makes a conditional menu, beside the default one that must be there.
func (b *Book) Add(buttons []Button, rule Rule) int64 {
	b.lastID++
	b.Conditional = append(b.Conditional, Conditional{Button: buttons, Rule: rule, ID: b.lastID})

	return b.lastID
}

// Remove deletes a conditional menu.
func (b *Book) Remove(id int64) errcode.Code {
	position := slices.IndexFunc(b.Conditional, func(menu Conditional) bool { return menu.ID == id })
	if position < 0 {
		return errcode.MenuID
	}
	b.Conditional = slices.Delete(slices.Clone(b.Conditional), position, position+1)

	return errcode.OK
}

// Clear deletes all menus.
func (b *Book) Clear() { b.Standard, b.Conditional = nil, nil }

// Uses reports whether a button answers with that material.
func (b *Book) Uses(mediaID string) bool {
	return (b.Standard != nil && usesMedia(b.Standard.Button, mediaID)) ||
		slices.ContainsFunc(b.Conditional, func(menu Conditional) bool { return usesMedia(menu.Button, mediaID) })
}
