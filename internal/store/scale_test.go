package store

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/google/uuid"
)

// fill returns a Copy with n names, read as from Redis, and their names.
func fill(n int) (*Copy, []uuid.UUID) {
	const prepared = 12 + 1 + 43 // octets of the one TXT record of a challenge
	c := &Copy{Prepare: func([]string) []byte { return make([]byte, prepared) }}
	ids := make([]uuid.UUID, n)
	c.beginRead()
	for i := range ids {
		ids[i] = uuid.New()
		c.putRead(ids[i:i+1], [][]string{{fmt.Sprintf("%043d", i)}}, false)
	}
	c.endRead(true, false)
	c.setFresh(true)
	return c, ids
}

// A name costs a bounded amount of memory, however many there are.
func TestMemoryPerName(t *testing.T) {
	const bound = 500 // octets
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for _, n := range []int{1000, 10_000, 100_000} {
		before := heap()
		c, ids := fill(n)
		perName := (heap() - before) / float64(n)
		t.Logf("%d names: %.0f octets each", n, perName)
		if perName > bound {
			t.Errorf("%d names take %.0f octets each, want at most %d", n, perName, bound)
		}
		runtime.KeepAlive(c)
		runtime.KeepAlive(ids)
	}
}

// Looking up a name allocates nothing, whether it is there or not.
func TestLookupAllocatesNothing(t *testing.T) {
	c, ids := fill(100_000)
	absent, i := uuid.New(), 0
	allocations := testing.AllocsPerRun(10_000, func() {
		i++
		if values, prepared, complete := c.Lookup(ids[i%len(ids)]); len(values) != 1 || prepared == nil || !complete {
			t.Fatalf("Lookup = %q, %x, %v", values, prepared, complete)
		}
		if values, _, _ := c.Lookup(absent); values != nil {
			t.Fatal("values under a name that is not there")
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations for two lookups", allocations)
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1, 10_000, 100_000} {
		c, ids := fill(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i += 7919
				c.Lookup(ids[i%len(ids)])
			}
		})
	}
}
