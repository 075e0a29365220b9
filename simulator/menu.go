package simulator

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
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
	ArticleID string   `json:"article_id,omitempty"`
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

// usesMedia reports whether a button answers with that material.
func usesMedia(buttons []Button, mediaID string) bool {
	return slices.ContainsFunc(buttons, func(button Button) bool {
		return button.MediaID == mediaID || usesMedia(button.SubButton, mediaID)
	})
}

// createMenu serves POST /cgi-bin/menu/create. Conditional menus stay.
func (p *Platform) createMenu(r *apiRequest) apiAnswer {
	created, code := r.menu()
	if code != errcode.OK {
		return refuse(code)
	}
	r.state.menus.standard = &created.Menu
	p.state.hub.publish(topicState)

	return refuse(errcode.OK)
}

// menuRequest is the body of the calls that make a menu.
type menuRequest struct {
	Menu

	Rule map[string]any `json:"matchrule"` // Of a conditional menu only.
}

// menu reads a menu that a call brings.
func (r *apiRequest) menu() (menuRequest, errcode.Code) {
	var asked menuRequest
	if code := r.decodeText(&asked); code != errcode.OK {
		return asked, code
	}
	if code := asked.check(r.knownMedia); code != errcode.OK {
		return asked, code
	}
	for position := range asked.Button {
		asked.Button[position].normalize()
	}

	return asked, errcode.OK
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

// getMenu serves GET /cgi-bin/menu/get. Ids are shown only beside conditional menus.
func (p *Platform) getMenu(r *apiRequest) apiAnswer {
	menus := r.state.menus
	switch {
	case menus.standard == nil:
		return refuse(errcode.NoMenu)
	case len(menus.conditional) == 0:
		return answer(map[string]any{"menu": menus.standard})
	default:
		return answer(map[string]any{
			"menu":            map[string]any{"button": menus.standard.Button, "menuid": defaultMenuID},
			"conditionalmenu": menus.conditional,
		})
	}
}

// deleteMenu serves GET /cgi-bin/menu/delete, which deletes the conditional menus too.
func (p *Platform) deleteMenu(r *apiRequest) apiAnswer {
	r.state.menus.clear()
	p.state.hub.publish(topicState)

	return refuse(errcode.OK)
}

// addConditionalMenu serves POST /cgi-bin/menu/addconditional (创建个性化菜单). In which order WeChat checks is
// not known.
func (p *Platform) addConditionalMenu(r *apiRequest) apiAnswer {
	asked, code := r.menu()
	if code != errcode.OK {
		return refuse(code)
	}
	rule, code := readRule(asked.Rule)
	switch {
	case r.state.menus.standard == nil:
		return refuse(errcode.NoDefaultMenu)
	case code != errcode.OK:
		return refuse(code)
	}
	id := r.state.menus.add(asked.Button, rule)
	p.state.hub.publish(topicState)

	return answer(map[string]string{"menuid": strconv.FormatInt(id, 10)})
}

// deleteConditionalMenu serves POST /cgi-bin/menu/delconditional (删除个性化菜单).
func (p *Platform) deleteConditionalMenu(r *apiRequest) apiAnswer {
	var asked struct {
		ID numericID `json:"menuid"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	code := r.state.menus.remove(int64(asked.ID))
	p.state.hub.publish(topicState)

	return refuse(code)
}

// tryMenu serves POST /cgi-bin/menu/trymatch (测试个性化菜单匹配结果). WeChat takes a WeChat ID too.
func (p *Platform) tryMenu(r *apiRequest) apiAnswer {
	var asked struct {
		User string `json:"user_id"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	known, ok := r.state.followers[asked.User]
	if !ok {
		return refuse(errcode.NoMenuUser)
	}
	seen, _ := r.state.menus.of(known)

	return answer(seen)
}

// showMenu gives the page the menu that a follower sees.
func (p *Platform) showMenu(_ http.ResponseWriter, r *http.Request) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(r.URL.Query().Get("account"))
	if err != nil {
		return nil, err
	}
	seen, _ := account.menus.of(account.followers[r.URL.Query().Get("from")])

	return seen, nil // Menus are replaced, never changed.
}
