// Package menu keeps the custom menu (自定义菜单) of an account in a file: it reads the file, compares it with the
// menu that the account has, and brings the account what differs, through api-proxy.
//
// Source of the protocol's facts: 微信公众平台 “自定义菜单” and “个性化菜单”.
package menu

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Menu is all that followers may see as the menu of an account.
type Menu struct {
	// Buttons are the default menu (默认菜单). Without any the account has no menu at all.
	Buttons []Button
	// Conditional are the menus for some followers only (个性化菜单). The first that matches is shown.
	Conditional []Conditional
}

// Conditional is a menu for the followers that match.
type Conditional struct {
	// ID is WeChat's menuid; empty in a menu that comes from a file.
	ID      string
	Match   Match
	Buttons []Button
}

// Match are WeChat's conditions (matchrule), each name with its value as it is sent. All must hold.
type Match map[string]string

// The names of conditions that can be set.
const (
	keyTagID    = "tag_id"
	keyPlatform = "client_platform_type"
)

// privateKeys are conditions that were about the person. WeChat refuses new menus with them (65320) and matches the
// old ones no more, but still lists them.
var privateKeys = []string{"sex", "country", "province", "city", "language"}

// platforms are the values of client_platform_type and their names in a file.
var platforms = map[string]string{"1": "ios", "2": "android", "3": "other"}

// String is the match as it stands in a file.
func (m Match) String() string {
	parts := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, key+": "+m.shown(key))
	}

	return "{" + strings.Join(parts, ", ") + "}"
}

// shown is the value of a condition as it stands in a file.
func (m Match) shown(key string) string {
	if key == keyPlatform {
		return cmp.Or(platforms[m[key]], m[key])
	}

	return m[key]
}

// overlaps reports whether one follower can match both. Of several tags WeChat looks at the one that was given
// last, so two tags are two kinds of follower.
func (m Match) overlaps(other Match) bool {
	for key, value := range m {
		if second, both := other[key]; both && second != value {
			return false
		}
	}

	return true
}

// Button is one entry of a menu, as WeChat writes it.
type Button struct {
	// Type is what happens when the button is tapped; empty for a button with others below it.
	Type      string   `json:"type,omitempty"`
	Name      string   `json:"name"`
	Key       string   `json:"key,omitempty"`
	URL       string   `json:"url,omitempty"`
	MediaID   string   `json:"media_id,omitempty"`
	ArticleID string   `json:"article_id,omitempty"`
	AppID     string   `json:"appid,omitempty"`
	PagePath  string   `json:"pagepath,omitempty"`
	Buttons   []Button `json:"sub_button,omitempty"`
}

// miniProgram is the one type that takes more than one value.
const miniProgram = "miniprogram"

// simpleTypes are the types that take one value.
var simpleTypes = []string{
	"click", "view", "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin",
	"location_select", "media_id", "view_limited", "article_id", "article_view_limited",
}

// value is where a button of a simple type has its value.
func (b *Button) value() *string {
	switch b.Type {
	case "view":
		return &b.URL
	case "media_id", "view_limited":
		return &b.MediaID
	case "article_id", "article_view_limited":
		return &b.ArticleID
	default:
		return &b.Key
	}
}

// action is what the button does, as it stands in a file; empty for one with others below it.
func (b *Button) action() string {
	switch b.Type {
	case "":
		return ""
	case miniProgram:
		return strings.TrimSpace(miniProgram + ": " + b.AppID + " " + b.PagePath + " " + b.URL)
	default:
		return b.Type + ": " + *b.value()
	}
}
