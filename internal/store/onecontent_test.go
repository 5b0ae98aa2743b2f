package store_test

import (
	"hash/fnv"
	"maps"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/zone"
)

// oneContent fails the test if a serial stands for two contents at the replicas, or one
// went back. The contents are what they have shown, and those that the changes of the
// first lead to.
func oneContent(t *testing.T, replicas []*versioned) {
	t.Helper()
	for _, v := range replicas {
		v.note()
	}
	all, shared := contents(t, replicas[0]), 0
	for i, v := range replicas {
		v.mu.Lock()
		defer v.mu.Unlock()
		for n, serial := range v.serials {
			if n > 0 && !zone.SerialLess(v.serials[n-1], serial) {
				t.Errorf("replica %d showed %d after %d", i, serial, v.serials[n-1])
			}
			want, seen := all[serial]
			got := fingerprint(v.shown[serial])
			if seen {
				shared++
			}
			if seen && got != want {
				t.Errorf("serial %d is something else at replica %d:\n%s", serial, i, v.shown[serial])
			}
			all[serial] = got
		}
	}
	if shared < 100 {
		t.Errorf("only %d versions were seen twice", shared)
	}
}

// contents follows the changes since the first version that v has shown, which is
// empty, and fails the test if they do not lead to the current one. It returns what they lead to.
func contents(t *testing.T, v *versioned) map[uint32]uint64 {
	t.Helper()
	last, want := v.now()
	v.mu.Lock()
	defer v.mu.Unlock()
	at := v.serials[0]
	changes, ok := v.journal.Since(at)
	if !ok || len(changes) < 50 || v.shown[at] != "" {
		t.Fatalf("%d changes are known since the first version, which is %q", len(changes), v.shown[at])
	}
	all, names := map[uint32]uint64{}, map[uuid.UUID][]string{}
	for _, c := range changes {
		if c.From != at {
			t.Fatalf("a change from %d follows one to %d", c.From, at)
		}
		for _, n := range c.Names {
			for _, value := range n.Removed {
				i := slices.Index(names[n.ID], value)
				if i < 0 {
					t.Fatalf("%d removes %q, which is not there", c.To, value)
				}
				names[n.ID] = slices.Delete(names[n.ID], i, i+1)
			}
			names[n.ID] = slices.Sorted(slices.Values(append(names[n.ID], n.Added...)))
		}
		maps.DeleteFunc(names, func(_ uuid.UUID, values []string) bool { return len(values) == 0 })
		at = c.To
		all[at] = fingerprint(content(names))
	}
	if at != last || content(names) != want {
		t.Error("the changes do not lead to the current version")
	}
	return all
}

func fingerprint(text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return h.Sum64()
}
