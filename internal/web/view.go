package web

import (
	"fmt"
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
	Tiles      []tile
	Attention  []domainView // the first domains that are not ready
	More       int          // how many more are not
	Tally      *status.Tally
	ServerMark Mark
	Findings   findings
	One        *domainView // the domain that the page is about; nil for all
	Form       form
	Refresh    bool // reload the page if the browser has no JavaScript
}

// tile is one part of the page in short.
type tile struct {
	ID, Title string
	Mark      Mark
	Headline  string // what it makes of the headline if nothing is worse
}

// newView derives what every page says at the time now. Nothing in it is better
// than the worst of what it is made of.
func newView(x *Index, now time.Time) view {
	s := x.Snapshot
	if s.At.IsZero() {
		s.At = now
	}
	v := view{Snapshot: s, Now: now, ServerMark: markServer(s.Server), Findings: newFindings(s.Server)}
	domains := markDomains(x.tally.Domains, len(x.entries), s.Cluster, "")
	v.Tiles = []tile{
		{"server", "DNS server", v.ServerMark, map[State]string{
			Warning: "The DNS server works, with a warning",
			Unknown: "Whether the DNS server is reachable is not known",
			Failed:  "The DNS server is not delegated or not reachable",
		}[v.ServerMark.State]},
		{"domains", "Domains", domains, domainsHeadline(x, s.Cluster)},
		{"store", "Record store", markStore(s.Store), map[State]string{
			Pending: "The records are being read",
			Failed:  "The record store does not work",
		}[markStore(s.Store).State]},
		{"replicas", "Replicas", markReplicas(s.Replicas), map[State]string{
			Warning: "The replicas differ in their secondaries",
			Unknown: "The replicas are not known",
		}[markReplicas(s.Replicas).State]},
	}
	v.Mark = headline(v.Tiles, len(x.entries), now.Sub(s.At))
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

func domainsHeadline(x *Index, cluster string) string {
	if cluster != "" {
		return "The domains are not known"
	}
	return markDomains(x.tally.Domains, len(x.entries), "", plural(len(x.entries), " domain", " domains")).Text
}

// headline is the worst state of all in one sentence.
func headline(tiles []tile, domains int, age time.Duration) Mark {
	mark := Mark{State: OK, Text: "Everything works"}
	if domains == 0 {
		mark.Text = "Ready for the first domain"
	}
	for _, t := range tiles {
		mark.Worsen(Mark{State: t.Mark.State, Text: t.Headline})
	}
	if age > outdated {
		mark.Worsen(Mark{State: Unknown, Text: fmt.Sprintf("What is known is %s old", span(age))})
	}
	return mark
}
