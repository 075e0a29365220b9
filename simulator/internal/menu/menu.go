// Package menu knows an account's custom menus (自定义菜单): what may stand in one, and which of them a follower sees.
package menu

import "slices"

// The limits of a custom menu (自定义菜单).
const (
	maxButtons    = 3
	maxSubButtons = 5
	DefaultID     = 400000001
)

// Menu is a custom menu (自定义菜单).
type Menu struct {
	Button []Button `json:"button"`
}

// Button is an entry of a menu. Types that the page can't act out are kept and
// returned all the same.
type Button struct {
	Type      string   `json:"type,omitempty"`
	Name      string   `json:"name"`
	Key       string   `json:"key,omitempty"`
	URL       string   `json:"url,omitempty"`
	MediaID   string   `json:"media_id,omitempty"`
	ArticleID string   `json:"article_id,omitempty"`
	AppID     string   `json:"appid,omitempty"`
	PagePath  string   `json:"pagepath,omitempty"`
	SubButton []Button `json:"sub_button"`
}

// initial is the menu of an account that never made one.
func initial() *Menu {
	return &Menu{Button: []Button{
		{Type: "click", Name: "帮助", Key: "MENU_HELP", SubButton: []Button{}},
		{Type: "click", Name: "通知我", Key: "MENU_NOTIFY", SubButton: []Button{}},
		{Name: "更多", SubButton: []Button{
			{Type: "view", Name: "官网", URL: "https://example.com/", SubButton: []Button{}},
		}},
	}}
}

// usesMedia reports whether a button answers with that material.
func usesMedia(buttons []Button, mediaID string) bool {
	return slices.ContainsFunc(buttons, func(button Button) bool {
		return button.MediaID == mediaID || usesMedia(button.SubButton, mediaID)
	})
}

// Normalize writes the absent lists of entries as empty ones, as WeChat returns them.
func (m *Menu) Normalize() { normalize(m.Button) }

func normalize(buttons []Button) {
	for position := range buttons {
		if buttons[position].SubButton == nil {
			buttons[position].SubButton = []Button{}
		}
		normalize(buttons[position].SubButton)
	}
}
