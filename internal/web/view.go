package web

import (
	"fmt"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/status"
)

// maxLinks is how many domains the head of the page names.
const maxLinks = 10

// view is a snapshot with everything that follows from it.
type view struct {
	status.Snapshot
	Now        time.Time
	Mark       Mark // the worst of all; its text is the headline
	Tiles      []tile
	Attention  []domainView // the first domains that are not ready
	More       int          // how many more are not
	ServerMark Mark
	Findings   findings
	List       []domainView
	Form       form
	Refresh    bool // reload the page if the browser has no JavaScript
}

// tile is one part of the page in short.
type tile struct {
	ID, Title string
	Mark      Mark
	Headline  string // what it makes of the headline if nothing is worse
}

// domainView is a domain with its state.
type domainView struct {
	status.Domain
	Mark     Mark
	Findings findings
	Certs    []certificateView
}

// ID is the domain's anchor.
func (d domainView) ID() string { return "domain-" + d.Scope + "-" + d.Name }

type certificateView struct {
	status.Certificate
	Mark Mark
}

// findings are those first that somebody has to look at.
type findings struct{ Open, Passed []finding }

type finding struct {
	check.Finding
	Mark Mark
}

func newFindings(results []check.Finding) (f findings) {
	for _, r := range results {
		if m := markOf(r); m.State == OK && r.Hint == "" {
			f.Passed = append(f.Passed, finding{r, m})
		} else {
			f.Open = append(f.Open, finding{r, m})
		}
	}
	return f
}

// newView derives what the page says at the time now. Nothing in it is better
// than the worst of what it is made of.
func newView(s status.Snapshot, now time.Time) view {
	if s.At.IsZero() {
		s.At = now
	}
	v := view{Snapshot: s, Now: now, ServerMark: markServer(s.Server), Findings: newFindings(s.Server)}
	var marks []Mark
	for _, d := range s.Domains {
		dv := domainView{Domain: d, Mark: markDomain(d, now), Findings: newFindings(d.Checks)}
		for _, c := range d.Certificates {
			dv.Certs = append(dv.Certs, certificateView{c, markCertificate(c, now)})
		}
		v.List = append(v.List, dv)
		marks = append(marks, dv.Mark)
		switch {
		case dv.Mark.State == OK:
		case len(v.Attention) < maxLinks:
			v.Attention = append(v.Attention, dv)
		default:
			v.More++
		}
	}
	domains := markDomains(marks, s.Cluster, "")
	v.Tiles = []tile{
		{"server", "DNS server", v.ServerMark, map[State]string{
			Warning: "The DNS server works, with a warning",
			Unknown: "Whether the DNS server is reachable is not known",
			Failed:  "The DNS server is not delegated or not reachable",
		}[v.ServerMark.State]},
		{"domains", "Domains", domains, domainsHeadline(marks, s.Cluster)},
		{"store", "Record store", markStore(s.Store), map[State]string{
			Pending: "The records are being read",
			Failed:  "The record store does not work",
		}[markStore(s.Store).State]},
		{"replicas", "Replicas", markReplicas(s.Replicas), "The replicas are not known"},
	}
	v.Mark = headline(v.Tiles, len(s.Domains), now.Sub(s.At))
	return v
}

func domainsHeadline(marks []Mark, cluster string) string {
	if cluster != "" {
		return "The domains are not known"
	}
	return markDomains(marks, "", plural(len(marks), " domain", " domains")).Text
}

// headline is the worst state of all in one sentence.
func headline(tiles []tile, domains int, age time.Duration) Mark {
	mark := Mark{OK, "Everything works"}
	if domains == 0 {
		mark.Text = "Ready for the first domain"
	}
	for _, t := range tiles {
		mark.worsen(Mark{t.Mark.State, t.Headline})
	}
	if age > outdated {
		mark.worsen(Mark{Unknown, fmt.Sprintf("What is known is %s old", span(age))})
	}
	return mark
}
