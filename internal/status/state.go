package status

import (
	"time"

	"github.com/signpost-acme/signpost/internal/check"
)

// State is the state of a domain, or of a part of the installation: what a check can
// say, and Pending for what is under way. The page, JSON, CSV, metrics and the command
// line have no other.
type State string

// The states, the best first.
const (
	OK      = State(check.OK)
	Pending = State("pending")
	Warning = State(check.Warning)
	Unknown = State(check.Unknown) // worse than a warning: it may be a failure
	Failed  = State(check.Failed)
)

// States are all of them, the worst first.
var States = []State{Failed, Unknown, Warning, Pending, OK}

// Worse reports whether s is worse than other.
func (s State) Worse(other State) bool { return severity[s] > severity[other] }

var severity = map[State]int{OK: 0, Pending: 1, Warning: 2, Unknown: 3, Failed: 4}

// Severity orders states: higher is worse.
func (s State) Severity() int { return severity[s] }

// overdue is how long after its time a renewal may begin.
const overdue = time.Hour

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

// Worsen makes m the worse one of m and other; m if they are alike.
func (m *Mark) Worsen(other Mark) {
	if other.State.Worse(m.State) {
		*m = other
	}
}

// MarkOf is the state of one finding. A status that nobody knows is unknown.
func MarkOf(f check.Finding) Mark {
	switch f.Status {
	case check.OK:
		return Mark{OK, "OK"}
	case check.Warning:
		return Mark{Warning, "Warning"}
	case check.Failed:
		return Mark{Failed, "Failed"}
	}
	return Mark{Unknown, "Unknown"}
}

// Mark is the worst of what is known about a domain at the time now.
func (d Domain) Mark(now time.Time) Mark {
	mark := Mark{OK, "Ready"}
	if len(d.Checks) == 0 {
		mark = Mark{Unknown, "Not checked yet"}
	}
	for _, f := range d.Checks {
		m := MarkOf(f)
		if state := stateOf(f); state != m.State {
			m = Mark{state, "Unknown"}
		}
		switch {
		case f.Status == check.Failed && f.Check == MissingRecord:
			m.Text = "Add this record"
		case m.State == Failed:
			m.Text = "Needs a change"
		}
		mark.Worsen(m)
	}
	for _, c := range d.Challenges {
		mark.Worsen(c.mark())
	}
	for _, r := range d.Requests {
		mark.Worsen(r.mark())
	}
	if len(d.Certificates) == 0 {
		mark.Worsen(Mark{Warning, "No certificate"})
	}
	for _, c := range d.Certificates {
		m := c.Mark(now)
		if m.State == Warning && !c.Ready && len(d.Challenges) > 0 {
			m = Mark{Pending, "Being issued"}
		}
		mark.Worsen(m)
	}
	return mark
}

// mark is the state of a request that waits at the gate.
func (r Request) mark() Mark {
	if r.Refused != "" {
		return Mark{Failed, "Cannot be issued"}
	}
	return Mark{Pending, "Waits for its record"}
}

// mark knows the states of RFC 8555 that an order does not recover from.
func (c Challenge) mark() Mark {
	switch c.State {
	case "invalid", "errored", "expired":
		return Mark{Failed, "Validation failed"}
	}
	return Mark{Pending, "Being issued"}
}

// Mark is the state of one certificate, by what cert-manager says and by the clock.
func (c Certificate) Mark(now time.Time) Mark {
	switch {
	case c.expired(now):
		return Mark{Failed, "Certificate expired"}
	case !c.Ready && c.Forecast.Outlook == Waiting && c.Forecast.Because == MissingRecord:
		return Mark{Pending, "Waits for a record"}
	case !c.Ready:
		return Mark{Warning, "Not ready"}
	case c.overdue(now):
		return Mark{Warning, "Renewal overdue"}
	case c.Forecast.Outlook == AtRisk:
		return Mark{Warning, "Renewal at risk"}
	}
	return Mark{OK, "Ready"}
}

func (c Certificate) expired(now time.Time) bool {
	return c.NotAfter != nil && !now.Before(*c.NotAfter)
}

func (c Certificate) overdue(now time.Time) bool {
	return c.RenewalTime != nil && now.After(c.RenewalTime.Add(overdue))
}
