package simulator

import (
	"net/http"
	"strconv"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/menu"
)

// createMenu serves POST /cgi-bin/menu/create. Conditional menus stay.
func (p *Platform) createMenu(r *apiRequest) apiAnswer {
	created, code := r.menu()
	if code != errcode.OK {
		return refuse(code)
	}
	r.state.menus.Standard = &created.Menu
	p.state.hub.publish(topicState)

	return refuse(errcode.OK)
}

// menuRequest is the body of the calls that make a menu.
type menuRequest struct {
	menu.Menu

	Rule map[string]any `json:"matchrule"` // Of a conditional menu only.
}

// menu reads a menu that a call brings.
func (r *apiRequest) menu() (menuRequest, errcode.Code) {
	var asked menuRequest
	if code := r.decodeText(&asked); code != errcode.OK {
		return asked, code
	}
	if code := asked.Check(func(mediaID string) bool { return r.knownMedia(mediaID) }); code != errcode.OK {
		return asked, code
	}
	asked.Normalize()

	return asked, errcode.OK
}

// getMenu serves GET /cgi-bin/menu/get. Ids are shown only beside conditional menus.
func (p *Platform) getMenu(r *apiRequest) apiAnswer {
	menus := r.state.menus
	switch {
	case menus.Standard == nil:
		return refuse(errcode.NoMenu)
	case len(menus.Conditional) == 0:
		return answer(map[string]any{"menu": menus.Standard})
	default:
		return answer(map[string]any{
			"menu":            map[string]any{"button": menus.Standard.Button, "menuid": menu.DefaultID},
			"conditionalmenu": menus.Conditional,
		})
	}
}

// deleteMenu serves GET /cgi-bin/menu/delete, which deletes the conditional menus too.
func (p *Platform) deleteMenu(r *apiRequest) apiAnswer {
	r.state.menus.Clear()
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
	rule, code := menu.ReadRule(asked.Rule)
	switch {
	case r.state.menus.Standard == nil:
		return refuse(errcode.NoDefaultMenu)
	case code != errcode.OK:
		return refuse(code)
	}
	id := r.state.menus.Add(asked.Button, rule)
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
	code := r.state.menus.Remove(int64(asked.ID))
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
	seen, _ := r.state.menuOf(known)

	return answer(seen)
}

// menuOf returns the menu that a follower sees, and its id. Nobody in particular sees the default one.
func (a *accountState) menuOf(one *follower) (menu.Menu, int64) {
	if one == nil {
		return a.menus.Shown()
	}

	return a.menus.ShownTo(one.tags)
}

// showMenu gives the page the menu that a follower sees.
func (p *Platform) showMenu(_ http.ResponseWriter, r *http.Request) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(r.URL.Query().Get("account"))
	if err != nil {
		return nil, err
	}
	seen, _ := account.menuOf(account.followers[r.URL.Query().Get("from")])

	return seen, nil // Menus are replaced, never changed.
}
