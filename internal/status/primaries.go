package status

import (
	"context"
	"slices"
)

// markPrimaries says which replicas secondaries transfer the zone from, and which of
// all have other settings for that than this one. If that is not known
// nothing is said.
func (c *Collector) markPrimaries(ctx context.Context, list []Replica) {
	if c.Primaries == nil {
		return
	}
	marks, err := c.Primaries(ctx)
	if err != nil { // already logged by the store
		return
	}
	announced := slices.ContainsFunc(list, func(r Replica) bool { return r.Self })
	for i, r := range list {
		mark, primary := marks[r.Address]
		list[i].Primary = primary
		list[i].Others = announced && mark != marks[c.Address]
	}
}
