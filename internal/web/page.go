package web

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"
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

// What a browser says about the parts that it has, and what it is told when they are
// all as they were: when they were looked at.
const (
	haveHeader = "Signpost-Have"
	atHeader   = "Signpost-At"
)

// page serves the status page and what belongs to it.
type page struct {
	snapshot func() status.Snapshot
	zone     *zone.Zone
	link     func(scope, domain string) string // nil for none
	now      func() time.Time
	indexes  indexes
}

// routes adds the page to mux. Every link in it is relative, so that a proxy
// may serve it below a path of its own.
func (p *page) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", p.serve)
	mux.HandleFunc("GET /domain/{scope}/{name}", p.serveDomain)
	mux.HandleFunc("GET /", p.serveNothing)
	mux.HandleFunc("GET /status.json", p.serveJSON)
	mux.HandleFunc("GET /status.csv", p.serveCSV)
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

// index returns that of the snapshot as it is now.
func (p *page) index() *Index { return p.indexes.of(p.snapshot(), p.now()) }

// parseQuery reads the parameters of a request. One that cannot be read is an error:
// it is not as if it had not been given.
func parseQuery(r *http.Request) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, wrong("What follows the question mark in the address cannot be read.")
	}
	return query, nil
}

// serve writes the page, or with "?fragment" only the part of it that changes. With a
// domain it answers the form, whose fields are no filters.
func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	x, now := p.index(), p.now()
	query, err := parseQuery(r)
	var f Filter
	if err == nil && !query.Has("domain") {
		f, err = ParseFilter(query)
	}
	var v view
	if err == nil {
		v, err = newList(x, f, now, query.Has("fragment"))
	}
	for i := range v.Shown {
		p.invite(&v.Shown[i])
	}
	if err != nil {
		p.refuse(w, r, x, "", err)
		return
	}
	code := http.StatusOK
	if !query.Has("fragment") {
		v.Form = newForm(p.zone, x.Snapshot, query)
		v.Refresh = !query.Has("domain") // it would take away what is typed
		if v.Form.Error != "" {
			code = http.StatusBadRequest
		}
	}
	p.write(w, r, &v, code)
}

// serveDomain writes the page of one domain.
func (p *page) serveDomain(w http.ResponseWriter, r *http.Request) {
	x := p.index()
	v := newOne(x, r.PathValue("scope"), r.PathValue("name"), p.now())
	if v == nil {
		p.refuse(w, r, x, "../../", &problem{http.StatusNotFound, "No Certificate that uses Signpost is for the domain “" + shorten(r.PathValue("name")) +
			"” with the scope “" + shorten(r.PathValue("scope")) + "”. Its Certificate may have been deleted; the list of all domains can be searched."})
		return
	}
	p.invite(v.One)
	v.Refresh = true
	p.write(w, r, v, http.StatusOK)
}

// serveNothing says that there is no such page.
func (p *page) serveNothing(w http.ResponseWriter, r *http.Request) {
	base := strings.Repeat("../", strings.Count(r.URL.EscapedPath(), "/")-1)
	p.refuse(w, r, p.index(), base, &problem{http.StatusNotFound, "There is no page at this address."})
}

// invite gives a domain the link for its owner.
func (p *page) invite(d *domainView) {
	if p.link != nil {
		d.Invite = p.link(d.Scope, d.Name)
	}
}

// write writes a page. A fragment that the browser has is not sent again.
func (p *page) write(w http.ResponseWriter, r *http.Request, v *view, code int) {
	name, have := "page.html", map[string]string(nil)
	if isFragment(r) {
		name, have = "live.html", parseHave(r.Header.Get(haveHeader))
	}
	etag, err := v.parts(have)
	if err == nil && isFragment(r) {
		w.Header().Set("ETag", `"`+etag+`"`)
		w.Header().Set(atHeader, seconds(v.At))
		if r.Header.Get("If-None-Match") == `"`+etag+`"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	var b bytes.Buffer // so that half a page never looks like a whole one
	if err == nil {
		err = templates.ExecuteTemplate(&b, name, v)
	}
	if err != nil {
		http.Error(w, "the page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes())
}

func isFragment(r *http.Request) bool {
	return r.URL.Query().Has("fragment")
}

// refuse says why there is no such page: in a plain page, or for a fragment in a
// sentence.
func (p *page) refuse(w http.ResponseWriter, r *http.Request, x *Index, base string, err error) {
	why := &problem{Code: http.StatusInternalServerError, Text: err.Error()}
	errors.As(err, &why)
	if isFragment(r) {
		http.Error(w, why.Text, why.Code)
		return
	}
	v := view{Snapshot: x.Snapshot, Base: base, Problem: why.Text, Title: map[int]string{
		http.StatusBadRequest: "This cannot be asked", http.StatusNotFound: "This does not exist"}[why.Code]}
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, "page.html", &v); err != nil {
		http.Error(w, why.Text, why.Code)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(why.Code)
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
