package store

import (
	"iter"
	"maps"
	"slices"

	"github.com/google/uuid"
)

// Returned returns the values that came back: that were in the store after it may
// have lost writes, and not in this copy before. Most were removed, and Redis loaded
// an older snapshot; some were added just then. The watch, which knows the
// Challenges, removes the others from the store. A value is forgotten here when it is
// gone from the store.
func (c *Copy) Returned() map[uuid.UUID][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.returned)
}

// All returns all names with their values. The slices must not be changed.
func (c *Copy) All() iter.Seq2[uuid.UUID, []string] {
	return func(yield func(uuid.UUID, []string) bool) {
		for i := range c.shards {
			s := &c.shards[i]
			s.RLock()
			records := maps.Clone(s.records)
			s.RUnlock()
			for id, r := range records {
				if !yield(id, r.Values) {
					return
				}
			}
		}
	}
}

// noteReturned notes those of values that are not in r. The caller holds mu.
func (c *Copy) noteReturned(id uuid.UUID, r *Record, values []string) {
	for _, v := range values {
		if r != nil && slices.Contains(r.Values, v) || slices.Contains(c.returned[id], v) {
			continue
		}
		if c.returned == nil {
			c.returned = map[uuid.UUID][]string{}
		}
		c.returned[id] = append(slices.Clip(c.returned[id]), v)
	}
}

// stillReturned forgets what is not in the store any more, where values are what is
// under id there. The caller holds mu.
func (c *Copy) stillReturned(id uuid.UUID, values []string) {
	if len(c.returned[id]) == 0 {
		return
	}
	left := slices.DeleteFunc(slices.Clone(c.returned[id]), func(v string) bool { return !slices.Contains(values, v) })
	if c.returned[id] = left; len(left) == 0 {
		delete(c.returned, id)
	}
}
