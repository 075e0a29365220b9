package simulator

import (
	"net/http"
	"net/url"
	"strconv"
)

// login is what an administrator is asked on the page of a third-party platform (第三方平台授权页).
type login struct {
	Platform    string
	Accounts    []string
	Permissions []PermissionSet
	Parameters  url.Values
}

// routeLoginPage serves GET /cgi-bin/componentloginpage of mp.weixin.qq.com: an administrator chooses the account that
// authorises the platform, whose browser then goes on to redirect_uri with the auth_code; the platform is told as well.
func (p *Platform) routeLoginPage(mux *http.ServeMux) {
	templates := pageTemplates()
	mux.HandleFunc("GET /cgi-bin/componentloginpage", func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		target, valid := redirectURI(query)
		if !valid {
			showPage(w, templates, "message.html", "redirect_uri 参数错误")

			return
		}
		if p.accountOf(query.Get("component_appid")).Kind != KindPlatform {
			showPage(w, templates, "message.html", "component_appid 参数错误：不是第三方平台")

			return
		}
		chosen := query.Get("authorizer_appid")
		if chosen == "" {
			showPage(w, templates, "login.html", login{
				Platform: query.Get("component_appid"), Accounts: p.officialAccounts(), Permissions: allPermissions, Parameters: query,
			})

			return
		}
		granted, problem := grantedBy(query)
		if problem != "" {
			showPage(w, templates, "message.html", problem)

			return
		}
		code, err := p.Authorize(query.Get("component_appid"), query.Get("pre_auth_code"), chosen, granted...)
		if err != nil {
			showPage(w, templates, "message.html", err.Error())

			return
		}
		if err := p.PushAuthorized(r.Context(), query.Get("component_appid"), chosen, code); err != nil {
			p.options.Logger.WarnContext(r.Context(), "the platform didn't take the notice of the authorisation", "error", err)
		}
		answered := target.Query()
		answered.Set("auth_code", code)
		answered.Set("expires_in", strconv.Itoa(int(authCodeLifetime.Seconds())))
		target.RawQuery = answered.Encode()
		http.Redirect(w, r, target.String(), http.StatusFound) //nolint:gosec // Where the platform's own page asked to go on.
	})
}

// grantedBy reads which permission sets were ticked. An address that names none grants all, a form with none is refused.
func grantedBy(query url.Values) (granted []PermissionSet, problem string) {
	for _, text := range query["func_info"] {
		number, err := strconv.Atoi(text)
		switch {
		case text == "":
		case err != nil:
			return nil, "func_info 参数错误：须为权限集的编号"
		default:
			granted = append(granted, PermissionSet(number))
		}
	}
	if query.Has("func_info") && len(granted) == 0 {
		return nil, "请至少选择一个权限集"
	}

	return granted, ""
}

// officialAccounts are the AppIDs of those that can authorise a platform.
func (p *Platform) officialAccounts() []string {
	var found []string
	for _, account := range p.accountViews() {
		if account.Kind == KindAccount {
			found = append(found, account.AppID)
		}
	}

	return found
}
