package web

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/zone"
)

// domainView is a domain with its state.
type domainView struct {
	status.Domain
	Now      time.Time
	Mark     Mark
	Expiry   time.Time
	Outlook  status.Outlook
	Findings findings
	Certs    []certificateView
	Link     string // to it, from the first page: Path, or where it is on that page
	Invite   string // the link that its owner is sent; empty for none
}

func newDomainView(r *Row, now time.Time) domainView {
	d := domainView{Domain: *r.Domain, Now: now, Mark: r.Mark, Expiry: r.Expiry, Outlook: r.Outlook, Findings: newFindings(r.Domain.Checks)}
	for _, c := range d.Certificates {
		d.Certs = append(d.Certs, certificateView{c, c.Mark(now)})
	}
	d.Link = d.Path()
	return d
}

// ID is the domain's anchor.
func (d domainView) ID() string { return "domain-" + d.Scope + "-" + d.Name }

// Path is where its own page is, from the first page.
func (d domainView) Path() string {
	return "domain/" + url.PathEscape(d.Scope) + "/" + url.PathEscape(d.Name)
}

// Danger is what is said of its renewal beside its state; empty if that is no reason to
// look at it.
func (d domainView) Danger() string {
	switch d.Outlook {
	case status.Expired:
		return "expired"
	case status.AtRisk:
		return "renewal at risk"
	}
	return ""
}

// Elsewhere says which other domain its Certificate waits for; empty for none.
func (d domainView) Elsewhere() string { return elsewhere(&d.Domain) }

// Awaits says which record a request waits for.
func (d domainView) Awaits(r status.Request) string {
	for _, c := range d.Certificates {
		if other := c.Forecast.Domain; c.Namespace == r.Namespace && c.Name == r.Certificate && other != "" && other != d.Name {
			return "the record of " + zone.Unicode(other)
		}
	}
	return "its record"
}

// Short is a short ID, the same for every snapshot.
func (d domainView) Short() string { return hash(d.Scope + "/" + d.Name) }

// Namespaces are those of its Certificates.
func (d domainView) Namespaces() string {
	var list []string
	for _, c := range d.Certificates {
		if !slices.Contains(list, c.Namespace) {
			list = append(list, c.Namespace)
		}
	}
	return strings.Join(list, ", ")
}

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
		if m := status.MarkOf(r); m.State == OK && r.Hint == "" {
			f.Passed = append(f.Passed, finding{r, m})
		} else {
			f.Open = append(f.Open, finding{r, m})
		}
	}
	return f
}

// newOne is the view of one domain, nil if it does not exist. Its name may be written
// as people write it.
func newOne(x *Index, scope, name string, now time.Time) *view {
	r := x.find(scope, name)
	if r == nil {
		canonical, err := zone.Domain(name)
		if err != nil {
			return nil
		}
		if r = x.find(scope, canonical); r == nil {
			return nil
		}
	}
	v := newView(x, now)
	one := newDomainView(r, now)
	v.Base, v.One, v.Title = "../../", &one, one.Name+": "+one.Mark.Text
	if one.Unicode != "" {
		v.Title = one.Unicode + ": " + one.Mark.Text
	}
	return &v
}
