package status

import (
	"cmp"
	"slices"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
)

// Outlook is what becomes of a certificate if nobody does anything.
type Outlook string

// The outlooks, the worst first.
const (
	Expired  Outlook = "expired"  // it has been an outage since Forecast.Outage
	AtRisk   Outlook = "at-risk"  // it is valid, and its next renewal would not pass, or is overdue
	Untold   Outlook = "unknown"  // it is valid, and whether its next renewal would pass cannot be told
	Waiting  Outlook = "waiting"  // it has not been issued yet, so there is nothing to lose
	Renewing Outlook = "renewing" // its next renewal would pass
)

// Outlooks are all of them, the worst first.
var Outlooks = []Outlook{Expired, AtRisk, Untold, Waiting, Renewing}

// Worse reports whether o is worse than other.
func (o Outlook) Worse(other Outlook) bool {
	return slices.Index(Outlooks, o) < slices.Index(Outlooks, other)
}

// InDanger reports whether a certificate is an outage, or becomes one.
func (o Outlook) InDanger() bool { return o == Expired || o == AtRisk }

// Forecast says what is to be expected of a certificate: would its next renewal, or its
// first issuance, pass, as the records of all its domains are now; when is it; and when
// is it too late.
type Forecast struct {
	Outlook Outlook    `json:"outlook"`
	Because string     `json:"because,omitempty"` // the finding that decides, such as "cname-missing", or "overdue" or "refused"; empty for Renewing
	Domain  string     `json:"domain,omitempty"`  // whose finding that is
	Renewal *time.Time `json:"renewal,omitempty"` // when it is due; absent before the first issuance
	Outage  *time.Time `json:"outage,omitempty"`  // when the certificate that there is expires; absent where nothing is to be lost
}

// Causes of an outlook that are no finding.
const (
	becauseOverdue   = "overdue"
	becauseRefused   = "refused"     // a request of its can never pass the gate
	becauseNotLooked = "not-checked" // a record has not been looked up yet
)

// verdict is whether the renewal of a certificate would pass.
type verdict struct {
	state   State // OK, Unknown or Failed
	because string
	domain  string
}

// verdictOf says what the findings about one domain mean for a renewal. A warning lets
// one pass, and what cannot be told is never taken for good.
func verdictOf(d *Domain) verdict {
	v := verdict{state: OK}
	if len(d.Checks) == 0 {
		v = verdict{Unknown, becauseNotLooked, d.Name}
	}
	for _, f := range d.Checks {
		state := stateOf(f)
		if state == Warning {
			continue
		}
		if state.Worse(v.state) {
			v = verdict{state, f.Check, d.Name}
		}
	}
	return v
}

// stateOf is the state of a finding about a domain. What a resolver alone says of a
// record decides nothing: the domain's own servers could not be asked, and it may be out
// of date. That it is wrong is as little known as that it is right.
func stateOf(f check.Finding) State {
	state := MarkOf(f).State
	if state == Failed && f.Check == "cname-resolver" {
		return Unknown
	}
	return state
}

// forecast puts a verdict and the dates of a certificate together.
func forecast(c *Certificate, v verdict, now time.Time) Forecast {
	f := Forecast{Outlook: Renewing, Renewal: c.RenewalTime, Outage: c.NotAfter}
	if v.state != OK {
		f.Because, f.Domain = v.because, v.domain
	}
	switch {
	case c.NotAfter == nil:
		f.Outlook = Waiting
	case c.expired(now):
		f.Outlook = Expired
	case v.state == Failed:
		f.Outlook = AtRisk
	case c.overdue(now):
		f.Outlook, f.Because, f.Domain = AtRisk, becauseOverdue, ""
	case v.state != OK:
		f.Outlook = Untold
	}
	return f
}

// Foresee makes the forecast of every certificate in a list of domains, from what is
// known of all the domains that each is for. Of a certificate for several domains every
// copy gets the same.
func Foresee(domains []Domain, now time.Time) { foresee(domains, now, true) }

// foresee is Foresee for lists of certificates that may be changed, if they are own, and
// may not, if somebody reads them.
func foresee(domains []Domain, now time.Time, own bool) {
	verdicts := map[certificateKey]verdict{}
	worsen := func(k certificateKey, v verdict) {
		if known, ok := verdicts[k]; !ok || v.state.Worse(known.state) {
			verdicts[k] = v
		}
	}
	for i := range domains {
		d := &domains[i]
		v := verdictOf(d)
		for _, c := range d.Certificates {
			worsen(certificateKey{c.Namespace, c.Name}, v)
		}
		for _, r := range d.Requests {
			if r.Refused != "" && r.Certificate != "" {
				worsen(certificateKey{r.Namespace, r.Certificate}, verdict{Failed, becauseRefused, d.Name})
			}
		}
	}
	for i := range domains {
		d := &domains[i]
		for j, copied := 0, own; j < len(d.Certificates); j++ {
			f := forecast(&d.Certificates[j], verdicts[certificateKey{d.Certificates[j].Namespace, d.Certificates[j].Name}], now)
			if f == d.Certificates[j].Forecast {
				continue
			}
			if !copied {
				d.Certificates, copied = slices.Clone(d.Certificates), true
			}
			d.Certificates[j].Forecast = f
		}
	}
}

// Outlook is the worst of a domain's certificates; Waiting for a domain that has none.
func (d Domain) Outlook() Outlook {
	if len(d.Certificates) == 0 {
		return Waiting
	}
	worst := Renewing
	for _, c := range d.Certificates {
		if o := cmp.Or(c.Forecast.Outlook, Untold); o.Worse(worst) {
			worst = o
		}
	}
	return worst
}

// Risk returns when the first of a domain's certificates that are at risk becomes an
// outage; zero if none is at risk. One that has expired already counts.
func (d Domain) Risk() (first time.Time) {
	for _, c := range d.Certificates {
		f := c.Forecast
		if f.Outlook.InDanger() && f.Outage != nil && (first.IsZero() || f.Outage.Before(first)) {
			first = *f.Outage
		}
	}
	return first
}

// String says it in a sentence without dates, which stand beside it.
func (f Forecast) String() string {
	because := f.Because
	if f.Domain != "" {
		because += " at " + f.Domain
	}
	switch f.Outlook {
	case Expired:
		return "it has expired" + and(f.Because, "; see "+because)
	case AtRisk:
		if f.Because == becauseOverdue {
			return "its renewal is overdue"
		}
		return "its renewal would not pass: " + because
	case Waiting:
		return "it has not been issued yet" + and(f.Because, "; see "+because)
	case Renewing:
		return "its renewal would pass"
	}
	return "whether its renewal would pass cannot be told" + and(f.Because, ": "+because)
}

// and returns text, unless there is nothing that it is about.
func and(about, text string) string {
	if about == "" {
		return ""
	}
	return text
}
