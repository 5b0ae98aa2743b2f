package store

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/zone"
)

// Journal is the zone's content by version, for secondaries: the current version, and
// the last changes that led to it. All replicas have the same content under the same
// version, and versions only rise; the store decides on them (see KeepVersions). It
// is beside the Copy, which answers queries: a Copy may be ahead of it, and keeps
// what the store has lost, while a Journal then stays at the version that it shows.
// The zero Journal shows nothing. Its methods may be called concurrently.
type Journal struct {
	mu      sync.Mutex
	version int64 // the serial is its last 32 bits
	shown   bool
	names   map[uuid.UUID][]string // sorted values, never none
	changes []zone.Change          // that led to version, the oldest first
	octets  int                    // of the values in changes
	changed chan struct{}          // closed at the next version

	latest func(context.Context) (version int64, err error) // in the store; nil: the current one

	serial atomic.Uint64 // hasSerial and the serial, once there is one: every negative answer has it
}

const hasSerial = 1 << 32

// What a Journal keeps of the past. Who asks for more gets the whole zone.
const (
	journalChanges = 10_000
	journalOctets  = 4 << 20
)

// Serial returns the serial of the current version. It returns ok false before the
// store has been read.
func (j *Journal) Serial() (serial uint32, ok bool) {
	s := j.serial.Load()
	return uint32(s), s&hasSerial != 0
}

// Current returns the current version: its serial and the sorted values of each name,
// which must not be changed.
func (j *Journal) Current() (serial uint32, names map[uuid.UUID][]string, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return uint32(j.version), maps.Clone(j.names), j.shown
}

// Since returns the changes that lead from the version with that serial to the
// current one, the oldest first; none if it is the current one. It returns ok false
// if they are not known.
func (j *Journal) Since(serial uint32) (changes []zone.Change, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.shown || serial == uint32(j.version) {
		return nil, j.shown
	}
	for i := len(j.changes) - 1; i >= 0; i-- {
		if j.changes[i].From == serial {
			return slices.Clone(j.changes[i:]), true
		}
	}
	return nil, false
}

// Changed returns a channel that is closed when there is another version than now.
func (j *Journal) Changed() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.changed == nil {
		j.changed = make(chan struct{})
	}
	return j.changed
}

// CatchUp returns when the current version is at least what any replica has shown before
// the call, or when ctx is done. It returns at once when the store does not answer.
func (j *Journal) CatchUp(ctx context.Context) {
	if j.latest == nil {
		return
	}
	latest, err := j.latest(ctx)
	for err == nil && ctx.Err() == nil {
		changed := j.Changed()
		if at, shown := j.at(); !shown || at >= latest {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// at returns the current version, and whether there is one.
func (j *Journal) at() (version int64, shown bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.version, j.shown
}

// values returns the values of a name.
func (j *Journal) values(id uuid.UUID) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.names[id]
}

// replace makes names, with sorted values, the content of a version. What it must not
// have in it are names without values.
func (j *Journal) replace(version int64, names map[uuid.UUID][]string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.shown {
		j.names, j.shown = names, true
		j.move(version)
		return
	}
	after := maps.Clone(names)
	for id := range j.names {
		if _, ok := names[id]; !ok {
			after[id] = nil
		}
	}
	j.change(version, after)
}

// apply makes a version of the current one by giving some names other values, sorted.
func (j *Journal) apply(version int64, after map[uuid.UUID][]string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.change(version, after)
}

// change is apply with mu held.
func (j *Journal) change(version int64, after map[uuid.UUID][]string) {
	c := zone.Change{From: uint32(j.version), To: uint32(version)}
	if j.names == nil {
		j.names = map[uuid.UUID][]string{}
	}
	for id, values := range after {
		n := zone.NameChange{ID: id, Removed: without(j.names[id], values), Added: without(values, j.names[id])}
		if len(n.Removed)+len(n.Added) > 0 {
			c.Names = append(c.Names, n)
		}
		if j.names[id] = values; len(values) == 0 {
			delete(j.names, id)
		}
	}
	slices.SortFunc(c.Names, func(a, b zone.NameChange) int { return slices.Compare(a.ID[:], b.ID[:]) })
	j.changes = append(j.changes, c)
	j.octets += size(c)
	for len(j.changes) > journalChanges || j.octets > journalOctets {
		j.octets -= size(j.changes[0])
		j.changes = j.changes[1:]
	}
	j.move(version)
}

// move sets the version, and says so. The caller holds mu.
func (j *Journal) move(version int64) {
	j.version = version
	j.serial.Store(hasSerial | uint64(uint32(version)))
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// size is about how much memory a change takes, in octets.
func size(c zone.Change) (n int) {
	for _, name := range c.Names {
		n += 64
		for _, v := range slices.Concat(name.Removed, name.Added) {
			n += 16 + len(v)
		}
	}
	return n + 64
}

// without returns what is in a and not in b, of two sorted lists.
func without(a, b []string) (out []string) {
	for _, v := range a {
		if _, ok := slices.BinarySearch(b, v); !ok {
			out = append(out, v)
		}
	}
	return out
}
