package simulator

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// clientPlatform is what every simulated follower uses: neither iOS (1) nor Android (2).
const clientPlatform = 3

// menuBook holds the menus of an account. Menus are replaced, never changed.
type menuBook struct {
	standard    *Menu             // The default menu (默认菜单); nil if there is none.
	conditional []conditionalMenu // Oldest first.
	lastID      int64
}

// conditionalMenu is a menu for some followers only (个性化菜单).
type conditionalMenu struct {
	Button []Button  `json:"button"`
	Rule   matchRule `json:"matchrule"`
	ID     int64     `json:"menuid"`
}

func newMenuBook() *menuBook { return &menuBook{standard: defaultMenu(), lastID: defaultMenuID} }

// matchRule are the conditions of a menu. They are listed as texts, as SDKs in wide use read them (the document of the
// interface shows numbers), and the tag under its old name.
type matchRule struct {
	TagID    int `json:"group_id,omitempty,string"`
	Platform int `json:"client_platform_type,omitempty,string"`
}

// privateConditions are those that WeChat takes no more.
var privateConditions = []string{"sex", "country", "province", "city", "language"}

// readRule reads the conditions of a request: numbers or their digits as text, and empty texts for none.
func readRule(given map[string]any) (matchRule, errcode.Code) {
	var rule matchRule
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
	if rule == (matchRule{}) {
		return rule, errcode.NoMatchRule
	}

	return rule, errcode.OK
}

// matches reports whether a follower sees the menu. Of several tags the last one counts.
func (r matchRule) matches(one *follower) bool {
	if r.TagID != 0 && (len(one.tags) == 0 || one.tags[len(one.tags)-1] != r.TagID) {
		return false
	}

	return r.Platform == 0 || r.Platform == clientPlatform
}

// of returns the menu that a follower sees, and its id. The newest is asked first.
func (b *menuBook) of(one *follower) (Menu, int64) {
	for _, menu := range slices.Backward(b.conditional) {
		if one != nil && menu.Rule.matches(one) {
			return Menu{Button: menu.Button}, menu.ID
		}
	}
	if b.standard == nil {
		return Menu{Button: []Button{}}, 0
	}

	return *b.standard, defaultMenuID
}

// add makes a conditional menu, beside the default one that must be there.
func (b *menuBook) add(buttons []Button, rule matchRule) int64 {
	b.lastID++
	b.conditional = append(b.conditional, conditionalMenu{Button: buttons, Rule: rule, ID: b.lastID})

	return b.lastID
}

// remove deletes a conditional menu.
func (b *menuBook) remove(id int64) errcode.Code {
	position := slices.IndexFunc(b.conditional, func(menu conditionalMenu) bool { return menu.ID == id })
	if position < 0 {
		return errcode.MenuID
	}
	b.conditional = slices.Delete(slices.Clone(b.conditional), position, position+1)

	return errcode.OK
}

// clear deletes all menus.
func (b *menuBook) clear() { b.standard, b.conditional = nil, nil }

// uses reports whether a button answers with that material.
func (b *menuBook) uses(mediaID string) bool {
	return (b.standard != nil && usesMedia(b.standard.Button, mediaID)) ||
		slices.ContainsFunc(b.conditional, func(menu conditionalMenu) bool { return usesMedia(menu.Button, mediaID) })
}
