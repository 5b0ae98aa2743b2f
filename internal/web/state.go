package web

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/status"
)

// State is that of internal/status, which all that is shown has.
type State = status.State

// Mark is likewise.
type Mark = status.Mark

// The states: see status.State.
const (
	OK      = status.OK
	Pending = status.Pending
	Warning = status.Warning
	Unknown = status.Unknown
	Failed  = status.Failed
)

// markServer is the state of the delegation and of our DNS server.
func markServer(results []check.Finding) Mark {
	if len(results) == 0 {
		return Mark{State: Unknown, Text: "Not checked yet"}
	}
	mark := Mark{State: OK, Text: "Delegated and reachable"}
	for _, r := range results {
		mark.Worsen(map[State]Mark{
			Warning: {State: Warning, Text: "Works, with a warning"},
			Unknown: {State: Unknown, Text: "Cannot be told"},
			Failed:  {State: Failed, Text: "Not delegated or not reachable as it must be"},
		}[status.MarkOf(r).State])
	}
	if mark.State == Failed && onlyGateFails(results) {
		mark.Text = "Works, but the order gate is not set up as it must be"
	}
	return mark
}

// onlyGateFails reports whether the failures are about the gate's registration in the
// cluster alone.
func onlyGateFails(results []check.Finding) bool {
	return !slices.ContainsFunc(results, func(f check.Finding) bool {
		return status.MarkOf(f).State == Failed && !strings.HasPrefix(f.Check, "gate-")
	})
}

// serverHeadline is what the mark of the DNS server makes of the headline.
func serverHeadline(results []check.Finding, mark Mark) string {
	if mark.State == Failed && onlyGateFails(results) {
		return "The order gate is not set up as it must be"
	}
	return map[State]string{
		Warning: "The DNS server works, with a warning",
		Unknown: "Whether the DNS server is reachable is not known",
		Failed:  "The DNS server is not delegated or not reachable",
	}[mark.State]
}

func markStore(s status.StoreState) Mark {
	switch {
	case !s.OK:
		return Mark{State: Failed, Text: "Does not work"}
	case !s.Synced:
		return Mark{State: Pending, Text: "Being read"}
	}
	return Mark{State: OK, Text: "Works"}
}

func markReplicas(list []status.Replica) Mark {
	switch len(list) {
	case 0:
		return Mark{State: Unknown, Text: "None known"}
	case 1:
		return Mark{State: OK, Text: "1 replica"}
	}
	if slices.ContainsFunc(list, func(r status.Replica) bool { return r.Others }) {
		return Mark{State: Warning, Text: "With other secondaries than this one"}
	}
	return Mark{State: OK, Text: fmt.Sprintf("%d replicas", len(list))}
}

// markDomains counts the domains in their worst state, and beside it those that wait for
// their first record: a hundred of these are no fault. of is what domains are called.
func markDomains(t *status.Tally, total int, cluster, of string) Mark {
	if cluster != "" {
		return Mark{State: Unknown, Text: "Not known"}
	}
	if total == 0 {
		return Mark{State: OK, Text: "None yet"}
	}
	worst, same := OK, t.Domains[OK]
	for state, n := range t.Domains {
		if state == Failed {
			n -= t.Waits
		}
		if n > 0 && state.Worse(worst) {
			worst, same = state, n
		}
	}
	wait := plural(t.Waits, "waits for its record", "wait for their record")
	if worst == OK && t.Waits > 0 {
		return Mark{State: Pending, Text: fmt.Sprintf("%s of %s%s %s", count(t.Waits), count(total), of, wait)}
	}
	text := fmt.Sprintf("%s of %s%s %s", count(same), count(total), of, map[State]string{
		OK:      plural(same, "is ready", "are ready"),
		Pending: plural(same, "is being issued", "are being issued"),
		Warning: plural(same, "has a warning", "have a warning"),
		Unknown: plural(same, "is not known", "are not known"),
		Failed:  plural(same, "needs a change", "need a change"),
	}[worst])
	if t.Waits > 0 {
		text += ", " + count(t.Waits) + " " + wait
	}
	return Mark{State: worst, Text: text}
}

// danger says how many certificates are an outage, or become one; empty for none.
func danger(t *status.Tally) string {
	expired, atRisk := t.Expired(), t.AtRisk()
	certificates := func(n int) string { return count(n) + plural(n, " certificate ", " certificates ") }
	switch {
	case expired > 0 && atRisk > 0:
		return certificates(expired) + plural(expired, "has", "have") + " expired, " + count(atRisk) + plural(atRisk, " is", " are") + " at risk"
	case expired > 0:
		return certificates(expired) + plural(expired, "has", "have") + " expired"
	case atRisk > 0:
		return certificates(atRisk) + plural(atRisk, "is", "are") + " at risk"
	}
	return ""
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
