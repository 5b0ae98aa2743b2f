package web

import (
	"fmt"
	"slices"
	"time"

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

// outdated is how old a snapshot may be.
const outdated = time.Minute

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
	return mark
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

// markDomains counts the domains in their worst state; of is what they are called.
func markDomains(counts map[State]int, total int, cluster, of string) Mark {
	if cluster != "" {
		return Mark{State: Unknown, Text: "Not known"}
	}
	if total == 0 {
		return Mark{State: OK, Text: "None yet"}
	}
	worst := OK
	for state, n := range counts {
		if n > 0 && state.Worse(worst) {
			worst = state
		}
	}
	same := counts[worst]
	return Mark{State: worst, Text: fmt.Sprintf("%s of %s%s %s", count(same), count(total), of, map[State]string{
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
