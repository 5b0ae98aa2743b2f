package status

import (
	"slices"
	"strings"
	"time"
)

// Tally counts what a list of domains comes to. The zero value counts none.
type Tally struct {
	Domains  map[State]int
	Outlooks map[Outlook]int // of certificates, each once
	Waits    int             // of Domains[Failed], those for which Domain.WaitsForRecord

	FirstAtRisk  time.Time // when the first certificate that is at risk expires; zero for none
	WaitingSince time.Time // since when the request waits that has waited the longest; zero for none

	seen map[certificateKey]bool // those for several domains
}

type certificateKey struct{ namespace, name string }

// only reports whether a certificate is for one domain, and its wildcard.
func (c *Certificate) only(domain string) bool {
	return !slices.ContainsFunc(c.DNSNames, func(name string) bool { return strings.TrimPrefix(name, "*.") != domain })
}

// Add counts a domain, whose state is mark.
func (t *Tally) Add(d *Domain, mark Mark) {
	if t.Domains == nil {
		t.Domains, t.Outlooks, t.seen = map[State]int{}, map[Outlook]int{}, map[certificateKey]bool{}
	}
	t.Domains[mark.State]++
	if mark.State == Failed && d.WaitsForRecord() {
		t.Waits++
	}
	for i := range d.Certificates {
		c := &d.Certificates[i]
		if !c.only(d.Name) {
			key := certificateKey{c.Namespace, c.Name}
			if t.seen[key] {
				continue
			}
			t.seen[key] = true
		}
		t.foresee(c.Forecast)
	}
	for _, r := range d.Requests {
		if r.Refused == "" && (t.WaitingSince.IsZero() || r.Since.Before(t.WaitingSince)) {
			t.WaitingSince = r.Since
		}
	}
}

func (t *Tally) foresee(f Forecast) {
	t.Outlooks[f.Outlook]++
	if f.Outlook == AtRisk && f.Outage != nil && (t.FirstAtRisk.IsZero() || f.Outage.Before(t.FirstAtRisk)) {
		t.FirstAtRisk = *f.Outage
	}
}

// AtRisk is how many certificates will expire before they are renewed.
func (t *Tally) AtRisk() int { return t.Outlooks[AtRisk] }

// Expired is how many certificates have.
func (t *Tally) Expired() int { return t.Outlooks[Expired] }

// InDanger is how many certificates have expired, or will before they are renewed.
func (t *Tally) InDanger() int { return t.Expired() + t.AtRisk() }
