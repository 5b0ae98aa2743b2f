package web

import (
	"bytes"
	"encoding/base32"
	"hash/fnv"
	"html/template"
	"strings"
)

// part is a piece of a page. A browser that has it already is sent only its place.
type part struct {
	ID   string
	HTML template.HTML
	Hash string
	Same bool
}

// live are the parts of a page that change while somebody looks at it.
type live struct {
	Overview, ServerPart, Pager, Inside, Details part

	Before, Rows []part // of the list
}

// hash is short, and the same for the same text. It keeps no secret: two texts with
// one hash would show an old row until the next change.
func hash(text string) string {
	h := fnv.New64a()
	h.Write([]byte(text))
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)))[:8]
}

// parts makes those of a view. have are the hashes of those that the browser has, by
// ID. It returns what tells one state of the page from another: the hash of all.
func (v *view) parts(have map[string]string) (etag string, err error) {
	var all strings.Builder
	var b bytes.Buffer
	make := func(id, name string, data any) (p part) {
		b.Reset()
		if e := templates.ExecuteTemplate(&b, name, data); e != nil {
			err = e
			return p
		}
		text := strings.TrimSpace(b.String())
		p.ID = id
		p.Hash = hash(strings.NewReplacer(seconds(v.At), "", iso(v.At), "").Replace(text)) // they change with every look, and go beside
		all.WriteString(p.ID + p.Hash)
		if p.Same = have[id] == p.Hash; !p.Same {
			p.HTML = template.HTML(text) //nolint:gosec // what a template made
		}
		return p
	}
	if v.One != nil {
		v.Overview, v.Details = make("p-overview", "one-overview", v), make("p-details", "one-details", v)
		return hash(all.String()), err
	}
	v.Overview, v.ServerPart = make("p-overview", "overview", v), make("p-server", "server", v)
	for _, name := range []string{"head", "states", "strip", "search", "shown"} {
		v.Before = append(v.Before, make("p-"+name, name, v))
	}
	v.Pager, v.Inside = make("p-pager", "pager", v), make("p-inside", "inside", v)
	name := "row"
	if v.Inline {
		name = "inline"
	}
	for _, d := range v.Shown {
		v.Rows = append(v.Rows, make("r-"+d.Short(), name, d))
	}
	return hash(all.String()), err
}

// maxHave is how long the list of parts may be that a browser says it has.
const maxHave = 8 << 10

// parseHave reads that list: "id=hash id=hash".
func parseHave(header string) map[string]string {
	if len(header) > maxHave {
		return nil
	}
	have := map[string]string{}
	for field := range strings.FieldsSeq(header) {
		id, hash, _ := strings.Cut(field, "=")
		have[id] = hash
	}
	return have
}
