package store

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Memory is a Store inside this process, for a single replica: it is lost with
// the process. Use NewMemory.
type Memory struct {
	now    func() time.Time
	limits limits

	mu       sync.Mutex
	values   map[uuid.UUID]map[string]time.Time // value to expiry
	replicas map[string]time.Time               // address to expiry
	copies   map[*Copy]struct{}                 // that follow
	asked    map[uuid.UUID]map[string]uint64    // network to number
	journal  *Journal                           // nil where changes have no versions
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		now:      time.Now,
		limits:   limits{total: MaxTotal},
		values:   map[uuid.UUID]map[string]time.Time{},
		replicas: map[string]time.Time{},
		copies:   map[*Copy]struct{}{},
		asked:    map[uuid.UUID]map[string]uint64{},
	}
}

// KeepVersions has every change raise the version, and keeps j. It must be called
// before anything else.
func (m *Memory) KeepVersions(j *Journal) {
	m.journal = j
	j.replace(m.now().Unix(), map[uuid.UUID][]string{})
}

// Add implements Store.
func (m *Memory) Add(_ context.Context, id uuid.UUID, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	values, total := m.live(id), 0
	for _, set := range m.values {
		total += len(set)
	}
	if !slices.Contains(values, value) {
		if err := m.limits.check(value, len(values), total); err != nil {
			return err
		}
	}
	if m.values[id] == nil {
		m.values[id] = map[string]time.Time{}
	}
	m.values[id][value] = m.now().Add(Lifetime)
	m.tell(id)
	return nil
}

// Remove implements Store.
func (m *Memory) Remove(_ context.Context, id uuid.UUID, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values[id], value)
	delete(m.asked, id)
	m.tell(id)
	return nil
}

// Values implements Store.
func (m *Memory) Values(_ context.Context, id uuid.UUID) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.live(id), nil
}

// Announce implements Store.
func (m *Memory) Announce(_ context.Context, address string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.replicas[address] = m.now().Add(HeartbeatLifetime)
	return nil
}

// Withdraw implements Store.
func (m *Memory) Withdraw(_ context.Context, address string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.replicas, address)
	return nil
}

// Replicas implements Store.
func (m *Memory) Replicas(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dropExpired(m.replicas, m.now())
	return slices.Sorted(maps.Keys(m.replicas)), nil
}

// AddAsked implements Store.
func (m *Memory) AddAsked(_ context.Context, id uuid.UUID, counts map[string]uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.live(id)) == 0 {
		return nil
	}
	if m.asked[id] == nil {
		m.asked[id] = map[string]uint64{}
	}
	for network, n := range counts {
		m.asked[id][network] += n
	}
	return nil
}

// Asked implements Store.
func (m *Memory) Asked(_ context.Context, id uuid.UUID) (map[string]uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.asked[id]), nil
}

// Follow implements Store.
func (m *Memory) Follow(ctx context.Context, c *Copy) {
	m.sweep(c)
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			m.mu.Lock()
			delete(m.copies, c)
			m.mu.Unlock()
			return
		case <-ticker.C:
			m.sweep(c)
		}
	}
}

// Close implements Store.
func (m *Memory) Close() error { return nil }

// sweep drops what has expired and hands everything else to c.
func (m *Memory) sweep(c *Copy) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.copies[c] = struct{}{}
	c.beginRead()
	for id := range m.values {
		values := m.live(id)
		c.putRead([]uuid.UUID{id}, [][]string{values}, false)
		m.version(id, values)
	}
	c.endRead(true, false)
	c.setFresh(true)
}

// tell hands what is under id to the copies that follow. The caller holds mu.
func (m *Memory) tell(id uuid.UUID) {
	values := m.live(id)
	for c := range m.copies {
		c.put(id, values, false)
	}
	m.version(id, values)
}

// version gives a version to what is under id now, if that is something else than
// before. The caller holds mu.
func (m *Memory) version(id uuid.UUID, values []string) {
	if m.journal == nil || slices.Equal(m.journal.values(id), values) {
		return
	}
	at, _ := m.journal.at()
	m.journal.apply(max(at+1, m.now().Unix()), map[uuid.UUID][]string{id: values})
}

// live returns the unexpired values under id, sorted, and forgets the others.
// The caller holds mu.
func (m *Memory) live(id uuid.UUID) []string {
	dropExpired(m.values[id], m.now())
	if len(m.values[id]) == 0 {
		delete(m.values, id)
		delete(m.asked, id)
		return nil
	}
	return slices.Sorted(maps.Keys(m.values[id]))
}

func dropExpired(set map[string]time.Time, now time.Time) {
	maps.DeleteFunc(set, func(_ string, expiry time.Time) bool { return !expiry.After(now) })
}
