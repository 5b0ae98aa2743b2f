package web

import (
	"fmt"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/status"
)

// State is the state of something on the page: what a check can say, and
// Pending for what is under way.
type State string

// The states, the best first.
const (
	OK      = State(check.OK)
	Pending = State("pending")
	Warning = State(check.Warning)
	Unknown = State(check.Unknown) // worse than a warning: it may be a failure
	Failed  = State(check.Failed)
)

var severity = map[State]int{OK: 0, Pending: 1, Warning: 2, Unknown: 3, Failed: 4}

// overdue is how long after its time a renewal may begin.
const overdue = time.Hour

// outdated is how old a snapshot may be.
const outdated = time.Minute

// Mark is a state in words.
type Mark struct {
	State State  `json:"state"`
	Text  string `json:"text"`
}

// Icon tells the states apart without colour.
func (m Mark) Icon() string {
	switch m.State {
	case OK:
		return "✓"
	case Pending:
		return "…"
	case Warning:
		return "!"
	case Failed:
		return "✕"
	}
	return "?"
}

// worsen makes m the worse one of m and other; m if they are alike.
func (m *Mark) worsen(other Mark) {
	if severity[other.State] > severity[m.State] {
		*m = other
	}
}

// markOf is the state of one finding. A status that nobody knows is unknown.
func markOf(r check.Finding) Mark {
	switch r.Status {
	case check.OK:
		return Mark{OK, "OK"}
	case check.Warning:
		return Mark{Warning, "Warning"}
	case check.Failed:
		return Mark{Failed, "Failed"}
	}
	return Mark{Unknown, "Unknown"}
}

// markServer is the state of the delegation and of our DNS server.
func markServer(results []check.Finding) Mark {
	if len(results) == 0 {
		return Mark{Unknown, "Not checked yet"}
	}
	mark := Mark{OK, "Delegated and reachable"}
	for _, r := range results {
		mark.worsen(map[State]Mark{
			Warning: {Warning, "Works, with a warning"},
			Unknown: {Unknown, "Cannot be told"},
			Failed:  {Failed, "Not delegated or not reachable as it must be"},
		}[markOf(r).State])
	}
	return mark
}

// markDomain is the worst of what is known about a domain.
func markDomain(d status.Domain, now time.Time) Mark {
	mark := Mark{OK, "Ready"}
	if len(d.Checks) == 0 {
		mark = Mark{Unknown, "Not checked yet"}
	}
	for _, r := range d.Checks {
		m := markOf(r)
		switch {
		case r.Status == check.Failed && r.Check == "cname-missing":
			m.Text = "Add this record"
		case m.State == Failed:
			m.Text = "Needs a change"
		}
		mark.worsen(m)
	}
	for _, c := range d.Challenges {
		mark.worsen(markChallenge(c))
	}
	for _, r := range d.Requests {
		mark.worsen(markRequest(r))
	}
	if len(d.Certificates) == 0 {
		mark.worsen(Mark{Warning, "No certificate"})
	}
	for _, c := range d.Certificates {
		m := markCertificate(c, now)
		if m.State == Warning && !c.Ready && len(d.Challenges) > 0 {
			m = Mark{Pending, "Being issued"}
		}
		mark.worsen(m)
	}
	return mark
}

// markRequest is the state of a request that waits at the gate.
func markRequest(r status.Request) Mark {
	if r.Refused != "" {
		return Mark{Failed, "Cannot be issued"}
	}
	return Mark{Pending, "Waits for its record"}
}

// markChallenge is the state of a challenge.
func markChallenge(c status.Challenge) Mark {
	if c.Failed() {
		return Mark{Failed, "Validation failed"}
	}
	return Mark{Pending, "Being issued"}
}

// markCertificate is the state of one certificate, by what cert-manager says
// and by the clock.
func markCertificate(c status.Certificate, now time.Time) Mark {
	switch {
	case c.NotAfter != nil && !now.Before(*c.NotAfter):
		return Mark{Failed, "Certificate expired"}
	case !c.Ready:
		return Mark{Warning, "Not ready"}
	case c.RenewalTime != nil && now.After(c.RenewalTime.Add(overdue)):
		return Mark{Warning, "Renewal overdue"}
	}
	return Mark{OK, "Ready"}
}

func markStore(s status.StoreState) Mark {
	switch {
	case !s.OK:
		return Mark{Failed, "Does not work"}
	case !s.Synced:
		return Mark{Pending, "Being read"}
	}
	return Mark{OK, "Works"}
}

func markReplicas(list []status.Replica) Mark {
	switch len(list) {
	case 0:
		return Mark{Unknown, "None known"}
	case 1:
		return Mark{OK, "1 replica"}
	}
	return Mark{OK, fmt.Sprintf("%d replicas", len(list))}
}

// markDomains counts the domains in their worst state; of is what they are called.
func markDomains(counts map[State]int, total int, cluster, of string) Mark {
	if cluster != "" {
		return Mark{Unknown, "Not known"}
	}
	if total == 0 {
		return Mark{OK, "None yet"}
	}
	worst := OK
	for state, n := range counts {
		if n > 0 && severity[state] > severity[worst] {
			worst = state
		}
	}
	same := counts[worst]
	return Mark{worst, fmt.Sprintf("%s of %s%s %s", count(same), count(total), of, map[State]string{
		OK:      plural(same, "is ready", "are ready"),
		Pending: plural(same, "is being issued", "are being issued"),
		Warning: plural(same, "has a warning", "have a warning"),
		Unknown: plural(same, "is not known", "are not known"),
		Failed:  plural(same, "needs a change", "need a change"),
	}[worst])}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
