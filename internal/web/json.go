package web

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/signpost-acme/signpost/internal/status"
)

// programPage is how many domains a page has for programs.
const programPage = 500

// document is what /status.json shows: the snapshot, and what follows from it.
type document struct {
	State    State  `json:"state"`    // the worst of all
	Headline string `json:"headline"` // the same in words

	Now         time.Time              `json:"now"`                   // of the answer, by the same clock as At
	Outlooks    map[status.Outlook]int `json:"outlooks"`              // certificates
	FirstAtRisk *time.Time             `json:"firstAtRisk,omitempty"` // when the first certificate that is at risk expires
	status.Snapshot
	*Paging
	Domains []DomainDocument `json:"domains"` // instead of those of Snapshot; the last field
}

// Paging says which of the domains a document has.
type Paging struct {
	Total    int `json:"total"`    // domains that there are
	Matching int `json:"matching"` // that the filter wants
	Page     int `json:"page"`
	Pages    int `json:"pages"`
}

// DomainDocument is what programs are told of a domain.
type DomainDocument struct {
	State State  `json:"state"`
	Text  string `json:"text"` // the same in words

	Outlook status.Outlook `json:"outlook"` // of the certificate that has the worst
	status.Domain
}

// serveJSON writes everything; with parameters, the domains that they want.
func (p *page) serveJSON(w http.ResponseWriter, r *http.Request) {
	x := p.index()
	rows, paging, err := x.asked(r)
	if err != nil {
		refusePlainly(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = x.WriteJSON(w, rows, paging, p.now())
}

// asked returns what a request for programs wants: without parameters all domains, in
// the snapshot's order.
func (x *Index) asked(r *http.Request) ([]*Row, *Paging, error) {
	query, err := parseQuery(r)
	if err != nil {
		return nil, nil, err
	}
	if len(query) == 0 {
		return x.All(), nil, nil
	}
	f, err := ParseFilter(query)
	if err != nil {
		return nil, nil, err
	}
	rows := x.Select(f)
	paging := &Paging{Total: len(x.entries), Matching: len(rows), Page: max(1, f.Page), Pages: 1}
	if f.Page > 0 {
		rows, paging.Pages, err = pages(rows, f.Page, programPage)
	}
	return rows, paging, err
}

// All returns all domains, in the snapshot's order.
func (x *Index) All() []*Row {
	rows := make([]*Row, len(x.entries))
	for i := range rows {
		rows[i] = &x.entries[i]
	}
	return rows
}

// WriteJSON writes a document with those domains, one at a time.
func (x *Index) WriteJSON(w io.Writer, rows []*Row, paging *Paging, now time.Time) error {
	v := newView(x, now)
	d := document{State: v.Mark.State, Headline: v.Mark.Text, Now: now, Snapshot: v.Snapshot, Paging: paging, Outlooks: map[status.Outlook]int{}, Domains: []DomainDocument{}}
	for _, o := range status.Outlooks {
		d.Outlooks[o] = x.tally.Outlooks[o]
	}
	if at := x.tally.FirstAtRisk; !at.IsZero() {
		d.FirstAtRisk = &at
	}
	d.Doubt = listed(x.Doubt)
	d.Records, d.Server, d.Replicas = list(d.Records), list(d.Server), list(d.Replicas)
	head, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	head, ok := bytes.CutSuffix(head, []byte("]\n}"))
	if !ok {
		return errors.New("the domains are not the last field")
	}
	out := bufio.NewWriterSize(w, 32<<10)
	_, _ = out.Write(head) // the writer keeps its first error
	for i, r := range rows {
		text, err := json.MarshalIndent(r.Document(), "    ", "  ")
		if err != nil {
			return err
		}
		if i > 0 {
			_ = out.WriteByte(',')
		}
		_, _ = out.WriteString("\n    ")
		if _, err := out.Write(text); err != nil {
			return err // nobody reads any more
		}
	}
	if len(rows) > 0 {
		_, _ = out.WriteString("\n  ")
	}
	_, _ = out.WriteString("]\n}\n")
	return out.Flush()
}

// Document is the domain for programs. Its lists are never null.
func (r *Row) Document() DomainDocument {
	d := *r.Domain
	d.Checks, d.Certificates, d.Requests = list(d.Checks), list(d.Certificates), list(d.Requests)
	d.Doubt = listed(d.Doubt)
	d.History = list(slices.Clone(d.History))
	for i := range d.History {
		d.History[i].Asked.Networks = list(d.History[i].Asked.Networks)
	}
	d.Challenges = list(slices.Clone(d.Challenges))
	for i := range d.Challenges {
		d.Challenges[i].Asked.Networks = list(d.Challenges[i].Asked.Networks)
	}
	return DomainDocument{State: r.Mark.State, Text: r.Mark.Text, Outlook: r.Outlook, Domain: d}
}

// listed returns a doubt whose list is never null; nil for none.
func listed(d *status.Doubt) *status.Doubt {
	if d == nil {
		return nil
	}
	copied := *d
	copied.Known = list(d.Known)
	return &copied
}

// refusePlainly is for programs.
func refusePlainly(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	if why := (*problem)(nil); errors.As(err, &why) {
		code = why.Code
	}
	http.Error(w, err.Error(), code)
}

// list makes an empty list [] in JSON, where nil would be null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// ReadJSON reads what WriteJSON has written, of this version or another: what the other
// does not say is left empty. Forecasts that it does not have are made; those that it has
// stay, for they may be about domains that were not asked for. now is the time at which
// it was written, by the page's own clock; this machine's if the page does not say.
func ReadJSON(text []byte) (s status.Snapshot, now time.Time, err error) {
	var d struct {
		Now time.Time
		status.Snapshot
	}
	if err = json.Unmarshal(text, &d); err != nil {
		return s, now, fmt.Errorf("the status page is not as it should be: %w", err)
	}
	if now = d.Now; now.IsZero() {
		now = time.Now()
	}
	if slices.ContainsFunc(d.Domains, func(d status.Domain) bool {
		return slices.ContainsFunc(d.Certificates, func(c status.Certificate) bool { return c.Forecast.Outlook == "" })
	}) {
		status.Foresee(d.Domains, d.At)
	}
	return d.Snapshot, now, nil
}
