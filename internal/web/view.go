package web

import (
	"time"

	"github.com/signpost-acme/signpost/internal/status"
)

// maxLinks is how many domains the head of the page names.
const maxLinks = 6

// view is a snapshot with everything that follows from it.
type view struct {
	status.Snapshot
	live
	listView
	Base       string // from this page to the first one: "" or "../../"
	Now        time.Time
	Mark       Mark   // the worst of all; its text is the headline
	Title      string // of the page
	Problem    string // what cannot be answered; empty for a page
	Tiles      []Tile
	Attention  []domainView // the first domains that are not ready
	More       int          // how many more are not
	Tally      *status.Tally
	ServerMark Mark
	Findings   findings
	One        *domainView // the domain that the page is about; nil for all
	Form       form
	Refresh    bool // reload the page if the browser has no JavaScript
}

// newView derives what every page says at the time now. Nothing in it is better
// than the worst of what it is made of.
func newView(x *Index, now time.Time) view {
	s := x.Snapshot
	if s.At.IsZero() {
		s.At = now
	}
	v := view{Snapshot: s, Now: now, Tiles: x.Tiles(), Mark: x.Headline(now), ServerMark: x.ServerMark(), Findings: newFindings(s.Server)}
	v.Title = v.Mark.Text
	return v
}

// newList is the view of those domains that a filter wants. With lenient, a page that
// is not there any more is the last one: the list gets shorter while somebody reads.
func newList(x *Index, f Filter, now time.Time, lenient bool) (view, error) {
	v := newView(x, now)
	v.Tally = &x.tally
	var err error
	if v.listView, err = x.list(f, now, lenient); err != nil {
		return v, err
	}
	inline := map[string]bool{}
	for _, d := range v.Shown {
		inline[d.ID()] = v.Inline
	}
	for _, i := range x.byState() {
		r := &x.entries[i]
		if r.Mark.State == OK {
			break
		}
		if len(v.Attention) == maxLinks {
			v.More = len(x.entries) - x.tally.Domains[OK] - maxLinks
			break
		}
		d := newDomainView(r, now)
		if inline[d.ID()] {
			d.Link = "#" + d.ID()
		}
		v.Attention = append(v.Attention, d)
	}
	return v, nil
}
