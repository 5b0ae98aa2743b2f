package status

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/store"
)

const (
	// tellInterval is how often the other replicas are told that a domain is as it was.
	tellInterval = time.Minute

	// rereadInterval is how often everything may be read again because there are domains
	// that nothing has been heard of.
	rereadInterval = time.Minute
)

// report is what one replica tells the others about a domain.
type report struct {
	At       time.Time       `json:"at"`
	Bad      time.Time       `json:"bad,omitzero"`
	Findings []check.Finding `json:"findings"`
	Doubt    *Doubt          `json:"doubt,omitempty"`
}

// tell tells the other replicas. It is best effort: one that is not told shows what it
// was told before, with its date.
func (c *Collector) tell(ctx context.Context, w wish, r report) {
	data, err := json.Marshal(r)
	if err != nil || len(data) > store.MaxFound {
		return
	}
	_ = c.Store.PutFound(ctx, c.ClusterID, w.target.ID, data) // already logged by the store
}

// hear takes over what other replicas have found.
func (c *Collector) hear(ctx context.Context) {
	c.mu.Lock()
	if c.strangers && time.Since(c.reread) > rereadInterval {
		c.heard, c.strangers, c.reread = time.Time{}, false, time.Now()
	}
	since := c.heard
	c.mu.Unlock()
	found, err := c.Store.Found(ctx, c.ClusterID, since)
	if err != nil {
		return // already logged by the store
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = found.Until
	for id, data := range found.New {
		var r report
		key, wanted := c.keys[id]
		if !wanted || json.Unmarshal(data, &r) != nil || !r.At.After(c.domain[key].at) {
			continue
		}
		known := c.domain[key]
		c.news = c.news || !slices.Equal(known.findings, r.Findings) || (r.Doubt == nil) != (c.memory.doubt(key) == nil)
		known.findings, known.at, known.bad = r.Findings, r.At, r.Bad
		c.domain[key] = known
		c.memory.take(key, r)
	}
}
