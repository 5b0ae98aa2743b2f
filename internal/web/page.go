package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"time"

	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/zone"
)

var (
	//go:embed assets/*.html
	assets embed.FS
	//go:embed assets/style.css
	style []byte
	//go:embed assets/page.js
	script []byte
	//go:embed assets/icon.svg
	icon []byte
)

var templates = template.Must(template.New("").Funcs(funcs).ParseFS(assets, "assets/*.html"))

// page serves the status page and what belongs to it.
type page struct {
	snapshot func() status.Snapshot
	zone     *zone.Zone
	now      func() time.Time
}

// routes adds the page to mux. Every link in it is relative, so that a proxy
// may serve it below a path of its own.
func (p *page) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", p.serve)
	mux.HandleFunc("GET /status.json", p.serveJSON)
	mux.Handle("GET /style.css", file("text/css; charset=utf-8", style))
	mux.Handle("GET /page.js", file("text/javascript; charset=utf-8", script))
	mux.Handle("GET /icon.svg", file("image/svg+xml", icon))
}

func file(contentType string, data []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(data)
	})
}

// serve writes the page, or with "?fragment" only the part of it that changes.
func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	s := p.snapshot()
	v := newView(s, p.now())
	name, code := "page.html", http.StatusOK
	if query.Has("fragment") {
		name = "live.html"
	} else {
		v.Form = newForm(p.zone, s, query)
		v.Refresh = !query.Has("domain") // it would take away what is typed
		if v.Form.Error != "" {
			code = http.StatusBadRequest
		}
	}
	var b bytes.Buffer // so that half a page never looks like a whole one
	if err := templates.ExecuteTemplate(&b, name, v); err != nil {
		http.Error(w, "the page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes())
}

// secure sets the headers with which a browser trusts a response as little as
// possible: nothing from elsewhere, nothing inline, no frame, nothing kept.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "+
			"base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
