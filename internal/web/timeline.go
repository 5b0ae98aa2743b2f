package web

import (
	"fmt"
	"time"

	"github.com/signpost-acme/signpost/internal/status"
)

// timelineView is a challenge of the past in steps.
type timelineView struct {
	DNSName string
	Created time.Time
	Steps   []step
}

// step is something that has happened, and how long after what was before it.
type step struct{ What, After string }

// Timeline are the domain's last challenges, the latest first.
func (d domainView) Timeline() (list []timelineView) {
	for _, p := range d.History {
		list = append(list, timelineView{p.DNSName, p.Created, steps(p)})
	}
	return list
}

func steps(p status.Past) (list []step) {
	last := p.Created
	add := func(what string, at *time.Time) {
		if at == nil {
			return
		}
		list = append(list, step{what, "after " + took(at.Sub(last))})
		last = *at
	}
	if p.Presented == nil {
		list = append(list, step{What: "presented: not seen by this replica"})
	}
	add("presented: its value is served", p.Presented)
	list = append(list, step{What: askedText(p.Asked)})
	switch p.State {
	case "valid":
		add("valid: the CA has validated it", p.Decided)
	default:
		add(p.State+": the CA has refused it, or cert-manager has given up", p.Decided)
	}
	add("cleaned up: its value is served no more", p.Cleaned)
	if p.Cleaned == nil {
		add("the Challenge is deleted", p.Gone)
	}
	return list
}

func askedText(a status.Asked) string {
	switch n := len(a.Networks); {
	case a.Answered == 0:
		return "asked for by nobody, as far as is known"
	case n == 0:
		return fmt.Sprintf("asked for at least %d %s", a.Answered, plural64(a.Answered, "time", "times"))
	default:
		return fmt.Sprintf("asked for at least %d %s, from %d %s", a.Answered, plural64(a.Answered, "time", "times"), n, plural(n, "network", "networks"))
	}
}

// took is a duration to the tenth of a second, or from two minutes on as span has it.
func took(d time.Duration) string {
	if d >= 2*time.Minute {
		return span(d)
	}
	return fmt.Sprintf("%.1f s", max(d, 0).Seconds())
}
