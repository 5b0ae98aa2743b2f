package ownerpage

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/signpost-acme/signpost/internal/invite"
)

//go:embed assets/*
var assets embed.FS

var templates = template.Must(template.ParseFS(assets, "assets/*.html"))

// files are what a page fetches beside itself, by path.
var files = map[string]file{
	"/style.css": {"text/css; charset=utf-8", mustRead("assets/style.css")},
	"/page.js":   {"text/javascript; charset=utf-8", mustRead("assets/page.js")},
	"/icon.svg":  {"image/svg+xml", mustRead("assets/icon.svg")},
}

type file struct {
	kind string
	data []byte
}

func mustRead(name string) []byte {
	b, err := assets.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return b
}

// ServeHTTP answers with a page, one of its files, or a refusal. There are no
// redirects, no cookies, and nothing of the request is in an answer but what the
// link's signature covers: not the host, not the query, not a path that is not valid.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "clipboard-write=(self)")
	h.Set("Cache-Control", "no-store, private")
	h.Set("Vary", "Accept-Language")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	path := strings.TrimPrefix(r.URL.EscapedPath(), p.base) // some proxies take the base away
	if f, ok := files[path]; ok {
		h.Set("Content-Type", f.kind)
		_, _ = w.Write(f.data)
		return
	}
	query, _ := url.ParseQuery(r.URL.RawQuery) // what cannot be read is not there
	language := p.Texts.choose(query.Get("language"), r.Header.Get("Accept-Language"))
	l, err := p.Keys().Open(p.Zone, path, p.now())
	if err != nil {
		p.refuse(w, language, refusalOf(err))
		return
	}
	p.serve(w, r, language, l, path, query.Has("live"))
}

// serve writes the page of a link that is valid, or those of its parts that change and
// that the browser does not have.
func (p *Page) serve(w http.ResponseWriter, r *http.Request, language string, l invite.Link, path string, live bool) {
	sight, known, ok := p.looks.of(l.Scope, l.Domain)
	if !ok {
		w.Header().Set("Retry-After", "2")
		p.refuse(w, language, refusal{language, busy})
		return
	}
	v, err := p.newView(language, l, path, sight, known, p.Certificates(l.Scope, l.Domain))
	if err != nil {
		p.refuse(w, language, refusal{language, invalid})
		return
	}
	name := "page.html"
	if live {
		name = "live.html"
	}
	status, err1 := part("status", v)
	where, err2 := part("where", v)
	if err := errors.Join(err1, err2); err != nil {
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	etag := `"` + status.Hash + where.Hash + `"`
	if live {
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, struct {
		*view
		Status, Place piece
	}{v, status, where}); err != nil {
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", language)
	_, _ = w.Write(b.Bytes())
}

// piece is a part of the page that changes while somebody looks at it.
type piece struct {
	HTML template.HTML
	Hash string
}

func part(name string, v *view) (piece, error) {
	var b bytes.Buffer
	err := templates.ExecuteTemplate(&b, name, v)
	sum := sha256.Sum256(b.Bytes())
	return piece{template.HTML(b.String()), hex.EncodeToString(sum[:6])}, err //nolint:gosec // a template's
}

// refusal is a page that says why there is none, and nothing else.
type refusal struct{ language, why string }

// Why a page is refused, as keys of the texts.
const (
	invalid = "invalid"
	expired = "expired"
	busy    = "busy"
)

var refusalCodes = map[string]int{invalid: http.StatusNotFound, expired: http.StatusGone, busy: http.StatusTooManyRequests}

func refusalOf(err error) refusal {
	if errors.Is(err, invite.ErrExpired) {
		return refusal{why: expired}
	}
	return refusal{why: invalid}
}

// prepareRefusals makes all refusals beforehand: they are what a flood gets.
func (p *Page) prepareRefusals() error {
	p.refused = map[refusal][]byte{}
	for _, language := range p.Texts.Languages() {
		for why := range refusalCodes {
			var b bytes.Buffer
			err := templates.ExecuteTemplate(&b, "refused.html", map[string]string{
				"Language": language, "Direction": p.Texts.say(language, "direction"), "Base": p.base,
				"Title": p.Texts.say(language, why+"-title"), "Text": p.Texts.say(language, why),
			})
			if err != nil {
				return fmt.Errorf("%s: %w", why, err)
			}
			p.refused[refusal{language, why}] = b.Bytes()
		}
	}
	return nil
}

func (p *Page) refuse(w http.ResponseWriter, language string, r refusal) {
	r.language = language
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", language)
	w.WriteHeader(refusalCodes[r.why])
	_, _ = w.Write(p.refused[r])
}
