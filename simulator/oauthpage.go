package simulator

import (
	"embed"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
)

//go:embed pages/*.html
var pages embed.FS

// pageTemplates are the pages that WeChat shows to users and administrators.
func pageTemplates() *template.Template {
	return template.Must(template.ParseFS(pages, "pages/*.html")) // Embedded, so that a test can't miss its failure.
}

// consent is what a user is asked on the OAuth2 page (网页授权).
type consent struct {
	Account    string
	Platform   string // The third-party platform that asks for the account; empty if it asks itself.
	Scope      string
	Followers  []string
	Parameters url.Values // Of the request, to be sent again with the answer.
	target     *url.URL   // The redirect_uri.
	state      string
}

// routeOAuthPage serves GET /connect/oauth2/authorize of open.weixin.qq.com, step 1 of 网页授权: for snsapi_base the browser
// goes on at once, for snsapi_userinfo the user is asked first. Whose browser it is tells the parameter openid, which
// WeChat's own page doesn't have.
func (p *Platform) routeOAuthPage(mux *http.ServeMux) {
	templates := pageTemplates()
	mux.HandleFunc("GET /connect/oauth2/authorize", func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		asked, problem := p.readConsent(query)
		switch {
		case problem != "":
			showPage(w, templates, "message.html", problem)
		case query.Get("agree") == "no":
			showPage(w, templates, "message.html", "用户拒绝了授权，浏览器不会跳转")
		case asked.Scope == ScopeUserInfo && query.Get("agree") != "yes":
			showPage(w, templates, "oauth.html", asked)
		default:
			p.sendBack(w, r, templates, asked)
		}
	})
}

// sendBack leads the browser to the redirect_uri with a code.
func (p *Platform) sendBack(w http.ResponseWriter, r *http.Request, templates *template.Template, asked consent) {
	code, err := p.IssueOAuthCode(asked.Account, r.URL.Query().Get("openid"), asked.Scope)
	if err != nil {
		showPage(w, templates, "message.html", err.Error())

		return
	}
	answered := asked.target.Query()
	answered.Set("code", code)
	answered.Set("state", asked.state)
	asked.target.RawQuery = answered.Encode()
	http.Redirect(w, r, asked.target.String(), http.StatusFound)
}

// readConsent checks the parameters in the order in which the page complains, in its words where they are known.
func (p *Platform) readConsent(query url.Values) (consent, string) {
	target, valid := redirectURI(query)
	p.mu.Lock()
	defer p.mu.Unlock()
	account, known := p.state.accounts[query.Get("appid")]
	switch {
	case !known || account.Kind != KindAccount:
		return consent{}, "AppID 参数错误"
	case !valid:
		return consent{}, "redirect_uri 参数错误"
	case query.Get("response_type") != "code":
		return consent{}, "response_type 参数错误：须为 code"
	case query.Get("scope") != ScopeBase && query.Get("scope") != ScopeUserInfo:
		return consent{}, "Scope 参数错误或没有 Scope 权限"
	}
	if component := query.Get("component_appid"); component != "" {
		platform, err := p.state.component(component)
		if err != nil {
			return consent{}, "component_appid 参数错误"
		}
		if _, authorized := platform.component.refresh[account.AppID]; !authorized {
			return consent{}, "该公众号没有授权给此第三方平台"
		}
	}

	return consent{
		Account: account.AppID, Platform: query.Get("component_appid"), Scope: query.Get("scope"), Parameters: query, target: target,
		Followers: slices.Sorted(maps.Keys(account.followers)), state: query.Get("state"),
	}, ""
}

// redirectURI is where the browser goes on: an address of a page.
func redirectURI(query url.Values) (*url.URL, bool) {
	target, err := url.Parse(query.Get("redirect_uri"))

	return target, err == nil && (target.Scheme == "http" || target.Scheme == "https") && target.Host != ""
}

// showPage writes a page that needs no script.
func showPage(w http.ResponseWriter, templates *template.Template, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", contentPolicy)
	w.Header().Set("Cache-Control", "no-store")
	_ = templates.ExecuteTemplate(w, name, data) // The browser may be gone.
}
