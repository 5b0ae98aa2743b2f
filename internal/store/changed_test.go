package store

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/uuid"
)

// Changed is told what changes from the first full read on, and who had asked; a read
// that finds the same tells nothing.
func TestCopyTellsChanges(t *testing.T) {
	var got []string
	a, b, old := uuid.New(), uuid.New(), uuid.New()
	names := map[uuid.UUID]string{a: "a", b: "b", old: "old"}
	c := &Copy{Changed: func(id uuid.UUID, values []string, asked map[string]uint64) {
		got = append(got, fmt.Sprint(names[id], values, asked))
	}}
	told := func(what string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: told %q, want %q", what, got, want)
		}
		got = nil
	}
	c.beginRead()
	c.putRead([]uuid.UUID{old, a}, [][]string{{"x"}, {"x"}}, false)
	c.endRead(true, false)
	told("the first read")
	c.put(b, []string{"1"}, false)
	c.put(b, []string{"1", "2"}, false)
	told("a change", "b[1] map[]", "b[1 2] map[]")
	c.Note(b, netip.MustParseAddr("192.0.2.1"))
	c.TakeAsked() // what others have heard of counts all the same
	c.Note(b, netip.MustParseAddr("192.0.2.2"))
	c.Note(b, netip.MustParseAddr("198.51.100.1"))
	c.put(b, []string{"2"}, false)
	c.put(b, nil, false)
	counts := " map[192.0.2.0/24:2 198.51.100.0/24:1]"
	told("a removal", "b[2]"+counts, "b[]"+counts)
	c.put(b, nil, false)
	told("nothing to remove")
	c.beginRead()
	c.putRead([]uuid.UUID{a}, [][]string{{"x"}}, false)
	c.endRead(true, false)
	told("a read that misses one", "old[] map[]")
}
