package simulator

import (
	"net/http"
	"slices"
)

// The limits of a custom menu (自定义菜单).
const (
	maxMenuButtons = 3
	maxSubButtons  = 5
	defaultMenuID  = 400000001
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
	AppID     string   `json:"appid,omitempty"`
	PagePath  string   `json:"pagepath,omitempty"`
	SubButton []Button `json:"sub_button"`
}

// defaultMenu is the menu of an account that never made one.
func defaultMenu() *Menu {
	return &Menu{Button: []Button{
		{Type: "click", Name: "帮助", Key: "MENU_HELP", SubButton: []Button{}},
		{Type: "click", Name: "通知我", Key: "MENU_NOTIFY", SubButton: []Button{}},
		{Name: "更多", SubButton: []Button{
			{Type: "view", Name: "官网", URL: "https://example.com/", SubButton: []Button{}},
		}},
	}}
}

// valid checks what the platform checks: numbers of buttons and that a button
// without entries of its own does something.
func (m Menu) valid() bool {
	if len(m.Button) == 0 || len(m.Button) > maxMenuButtons {
		return false
	}
	for _, button := range m.Button {
		if len(button.SubButton) > maxSubButtons || button.Name == "" || (len(button.SubButton) == 0 && button.Type == "") {
			return false
		}
	}

	return true
}

// usesMedia reports whether a button answers with that material.
func usesMedia(buttons []Button, mediaID string) bool {
	return slices.ContainsFunc(buttons, func(button Button) bool {
		return button.MediaID == mediaID || usesMedia(button.SubButton, mediaID)
	})
}

// createMenu serves POST /cgi-bin/menu/create.
func (p *Platform) createMenu(r *apiRequest) apiAnswer {
	var created Menu
	if code := r.decode(&created); code != codeOK {
		return refuse(code)
	}
	switch {
	case hasUnicodeEscape(r.body):
		return refuse(codeCharset)
	case !created.valid():
		return refuse(codeButtons)
	}
	for position := range created.Button {
		created.Button[position].normalize()
	}
	r.state.menu = &created
	p.state.hub.publish(topicState)

	return refuse(codeOK)
}

// normalize writes an absent list of entries as an empty one, as WeChat returns it.
func (b *Button) normalize() {
	if b.SubButton == nil {
		b.SubButton = []Button{}
	}
	for position := range b.SubButton {
		b.SubButton[position].normalize()
	}
}

// getMenu serves GET /cgi-bin/menu/get.
func (p *Platform) getMenu(r *apiRequest) apiAnswer {
	if r.state.menu == nil {
		return refuse(codeNoMenu)
	}

	return answer(map[string]any{"menu": r.state.menu})
}

// deleteMenu serves GET /cgi-bin/menu/delete.
func (p *Platform) deleteMenu(r *apiRequest) apiAnswer {
	r.state.menu = nil
	p.state.hub.publish(topicState)

	return refuse(codeOK)
}

// showMenu gives the page the menu that followers see.
func (p *Platform) showMenu(_ http.ResponseWriter, r *http.Request) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(r.URL.Query().Get("account"))
	if err != nil {
		return nil, err
	}
	if account.menu == nil {
		return Menu{Button: []Button{}}, nil
	}

	return account.menu, nil // Menus are replaced, never changed.
}
