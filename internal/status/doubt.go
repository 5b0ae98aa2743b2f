package status

import (
	"slices"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
)

// Doubt says since when something cannot be told, and what was known before.
type Doubt struct {
	Since   time.Time       `json:"since"`             // of the first look that could not tell
	KnownAt *time.Time      `json:"knownAt,omitempty"` // of the last look that could; absent if there was none
	Known   []check.Finding `json:"known"`             // what that look found
}

// memory keeps, for each subject, what the last look that could tell has found. It is
// one list of findings a subject beside the one that is shown, and none while they are
// the same.
type memory map[string]*remembered

type remembered struct {
	known   []check.Finding
	knownAt time.Time
	since   time.Time // since when it cannot be told; zero if it can
}

// note takes what a look has found. Findings of which one is unknown replace what is
// shown, but not what was known.
func (m memory) note(subject string, findings []check.Finding, now time.Time) {
	r := m[subject]
	if r == nil {
		r = &remembered{}
		m[subject] = r
	}
	switch {
	case !slices.ContainsFunc(findings, func(f check.Finding) bool { return MarkOf(f).State == Unknown }):
		*r = remembered{known: findings, knownAt: now}
	case r.since.IsZero():
		r.since = now
	}
}

// take takes what another replica knows.
func (m memory) take(subject string, r report) {
	if r.Doubt == nil {
		m[subject] = &remembered{known: r.Findings, knownAt: r.At}
		return
	}
	m[subject] = &remembered{known: r.Doubt.Known, since: r.Doubt.Since}
	if r.Doubt.KnownAt != nil {
		m[subject].knownAt = *r.Doubt.KnownAt
	}
}

// confirm takes that a look has found the same as the last one that could tell.
func (m memory) confirm(subject string, now time.Time) {
	if r := m[subject]; r != nil && r.since.IsZero() {
		r.knownAt = now
	}
}

// doubt returns the doubt about a subject; nil for none.
func (m memory) doubt(subject string) *Doubt {
	r := m[subject]
	if r == nil || r.since.IsZero() {
		return nil
	}
	d := &Doubt{Since: r.since, Known: r.known}
	if !r.knownAt.IsZero() {
		at := r.knownAt
		d.KnownAt = &at
	}
	return d
}

// forget drops all subjects but those that are wanted.
func (m memory) forget(wanted func(subject string) bool) {
	for subject := range m {
		if !wanted(subject) {
			delete(m, subject)
		}
	}
}

// note takes what a look has found; c.mu is held.
func (c *Collector) note(subject string, findings []check.Finding) {
	c.memory.note(subject, findings, time.Now())
	if subject == theServer {
		return
	}
	worst := OK
	for _, f := range findings {
		if state := MarkOf(f).State; state.Worse(worst) {
			worst = state
		}
	}
	c.looks.WithLabelValues(string(worst)).Inc()
}

// noteUnchanged takes that a look has found the same as before; c.mu is held.
func (c *Collector) noteUnchanged(subject string) {
	c.memory.confirm(subject, time.Now())
	c.looks.WithLabelValues(resultUnchanged).Inc()
}
