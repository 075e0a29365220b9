package simulator

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
)

//go:embed web
var web embed.FS

// contentPolicy keeps the page to its own resources. Pictures of news may come
// from anywhere.
const contentPolicy = "default-src 'self'; img-src * data: blob:; frame-ancestors 'none'; base-uri 'none'"

// pageData is what the page knows before its script runs.
type pageData struct {
	Account  accountView
	Follower string
	Notice   string
	Accounts []accountView
}

// routePage registers the chat page and its script and style.
func (p *Platform) routePage(mux *http.ServeMux) {
	page := template.Must(template.ParseFS(web, "web/index.html")) // Embedded, so that a test can't miss its failure.
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { p.servePage(w, r, page) })
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	files, err := fs.Sub(web, "web")
	if err != nil {
		p.options.Logger.Error("embedded files are missing", "error", err)

		return
	}
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(files)))
}

func (p *Platform) servePage(w http.ResponseWriter, r *http.Request, page *template.Template) {
	views := p.accountViews()
	data := pageData{Account: views[0], Accounts: views, Follower: DefaultFollower, Notice: Notice}
	for _, view := range views {
		if view.AppID == r.URL.Query().Get("account") {
			data.Account = view
		}
	}
	if from := r.URL.Query().Get("from"); openIDPattern.MatchString(from) {
		data.Follower = from
	}
	var rendered bytes.Buffer
	if err := page.Execute(&rendered, data); err != nil {
		p.options.Logger.ErrorContext(r.Context(), "page can't be rendered", "error", err)
		http.Error(w, "页面暂时无法显示", http.StatusInternalServerError)

		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", contentPolicy)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(rendered.Bytes())
}
