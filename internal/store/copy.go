package store

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
)

// Record is what is known under one name. It is never changed, only replaced.
type Record struct {
	Values   []string // never empty
	Prepared []byte   // what Copy.Prepare has made of them

	generation uint64 // of the last full read that saw it; guarded by the shard's lock
	asked      atomic.Pointer[tally]
}

// Copy is the store's content in this process's memory. Reading it never
// blocks on the store. The zero Copy is empty and not yet synced.
type Copy struct {
	// Prepare, if set, is called with a name's values whenever they change; what it
	// returns is kept beside them. It must not be changed once Follow runs.
	Prepare func(values []string) []byte

	// Changed, if set, is told of every change to a name's values once the store has been
	// read in full: the values from now on, and how often this replica was asked for those
	// of before, by network. It is called with locks held, so it must be quick, and must
	// not call the Copy. It must not be changed once Follow runs.
	Changed func(id uuid.UUID, values []string, asked map[string]uint64)

	synced atomic.Bool // once
	fresh  atomic.Bool // what freshness says, told by the loops of Follow: Lookup only reads it, which costs nothing
	shards [64]shard
	total  atomic.Int64 // of values

	mu         sync.Mutex             // serialises writers
	generation uint64                 // counts full reads
	removed    map[uuid.UUID]struct{} // what was removed during the full read under way; nil outside of one
	returned   map[uuid.UUID][]string // see Returned

	askedMu   sync.Mutex
	asked     []uuid.UUID // names that were asked for since TakeAsked
	askedFull atomic.Bool
}

type shard struct {
	sync.RWMutex
	records map[uuid.UUID]*Record
	_       [24]byte // keeps neighbours' locks off one cache line
}

// Lookup returns the values under id, nil if there are none, and what Prepare has
// made of them. Unless the copy is fresh, no values means "unknown": before the
// store has been read in full, and when it has been out of reach for some seconds.
// The slices must not be changed.
func (c *Copy) Lookup(id uuid.UUID) (values []string, prepared []byte, fresh bool) {
	s := c.shard(id)
	s.RLock()
	r := s.records[id]
	s.RUnlock()
	if r != nil {
		values, prepared = r.Values, r.Prepared
	}
	return values, prepared, c.fresh.Load()
}

// Synced reports whether the store has been read in full at least once.
func (c *Copy) Synced() bool { return c.synced.Load() }

// Fresh reports whether the copy may be believed when it has nothing: see Lookup.
func (c *Copy) Fresh() bool { return c.fresh.Load() }

// Len returns the number of names that have values.
func (c *Copy) Len() int {
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.RLock()
		n += len(s.records)
		s.RUnlock()
	}
	return n
}

// Total returns the number of values under all names.
func (c *Copy) Total() int { return int(c.total.Load()) }

// put makes values what is under id, as just read from the store. While what the
// store may have lost is kept, it adds to what is there, unless all values are gone.
func (c *Copy) put(id uuid.UUID, values []string, keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stillReturned(id, values)
	if len(values) == 0 {
		if c.removed != nil {
			c.removed[id] = struct{}{}
		}
		c.delete(id)
		return
	}
	delete(c.removed, id)
	c.store(id, c.kept(id, values, keep))
}

// beginRead starts a full read. Until endRead, what put says is newer than what
// the full read brings: the read may have seen a key before it changed.
func (c *Copy) beginRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	c.removed = map[uuid.UUID]struct{}{}
}

// putRead adds what the full read under way found under some names. While what the
// store may have lost is kept, nothing is taken away, and what the copy did not have
// is noted as returned.
func (c *Copy) putRead(ids []uuid.UUID, values [][]string, keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, id := range ids {
		c.stillReturned(id, values[i])
		if _, gone := c.removed[id]; gone || len(values[i]) == 0 {
			continue
		}
		r := c.record(id)
		if r != nil && r.generation == c.generation {
			continue // put wrote it during this read, or SCAN returned it twice
		}
		if keep && c.Synced() {
			c.noteReturned(id, r, values[i])
		}
		c.store(id, c.kept(id, values[i], keep))
	}
}

// kept returns what is under id when values were read: with what is there already,
// if that is kept.
func (c *Copy) kept(id uuid.UUID, values []string, keep bool) []string {
	r := c.record(id)
	if !keep || r == nil {
		return values
	}
	all := sorted(slices.Concat(r.Values, values))
	return slices.Compact(all)
}

// endRead ends a full read. If it was whole, names that it did not see are gone,
// unless they are to be kept. Whether the copy is fresh then is the caller's to say.
func (c *Copy) endRead(whole, keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removed = nil
	if !whole {
		return
	}
	if !keep {
		c.dropUnseen()
	}
	c.synced.Store(true)
}

func (c *Copy) dropUnseen() {
	for i := range c.shards {
		s := &c.shards[i]
		s.Lock()
		for id, r := range s.records {
			if r.generation != c.generation {
				c.total.Add(-int64(len(r.Values)))
				delete(s.records, id)
				c.tell(id, nil, r)
			}
		}
		s.Unlock()
	}
}

// unseen returns the names that the full read under way has not seen.
func (c *Copy) unseen() (ids []uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.shards {
		s := &c.shards[i]
		s.RLock()
		for id, r := range s.records {
			if r.generation != c.generation {
				ids = append(ids, id)
			}
		}
		s.RUnlock()
	}
	return ids
}

// setFresh says whether the copy is fresh.
func (c *Copy) setFresh(fresh bool) { c.fresh.Store(fresh) }

func (c *Copy) shard(id uuid.UUID) *shard { return &c.shards[id[15]%uint8(len(c.shards))] }

func (c *Copy) record(id uuid.UUID) *Record {
	s := c.shard(id)
	s.RLock()
	defer s.RUnlock()
	return s.records[id]
}

func (c *Copy) store(id uuid.UUID, values []string) {
	s := c.shard(id)
	s.Lock()
	defer s.Unlock()
	before := s.records[id]
	if before != nil && slices.Equal(before.Values, values) {
		before.generation = c.generation
		return
	}
	if s.records == nil {
		s.records = map[uuid.UUID]*Record{}
	}
	r := &Record{Values: values, generation: c.generation}
	c.total.Add(int64(len(values)))
	if before != nil {
		c.total.Add(-int64(len(before.Values)))
		r.asked.Store(before.asked.Load())
	}
	if c.Prepare != nil {
		r.Prepared = c.Prepare(values)
	}
	s.records[id] = r
	c.tell(id, values, before)
}

// tell tells Changed, if it is to know; before is nil for a name that is new.
func (c *Copy) tell(id uuid.UUID, values []string, before *Record) {
	if c.Changed == nil || !c.Synced() {
		return
	}
	var asked map[string]uint64
	if before != nil {
		asked = before.asked.Load().sum()
	}
	c.Changed(id, values, asked)
}

func (c *Copy) delete(id uuid.UUID) {
	s := c.shard(id)
	s.Lock()
	defer s.Unlock()
	if r := s.records[id]; r != nil {
		c.total.Add(-int64(len(r.Values)))
		delete(s.records, id)
		c.tell(id, nil, r)
	}
}
