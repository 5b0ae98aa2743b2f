package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
)

// clusterVersions opens a store in a Cluster that keeps versions, and follows it.
func clusterVersions(t *testing.T, options store.RedisOptions) *versioned {
	t.Helper()
	r, err := store.NewRedis(origin, options, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { r.Close() })
	store.Hurry(r)
	v, _ := keepVersions(t, r)
	return v
}

// writer changes the zone without a pause, and knows what was acknowledged.
type writer struct {
	*versioned
	name   string
	ids    []uuid.UUID
	known  map[uuid.UUID]map[string]bool // whether a value is there; none: not known, after an error
	done   int
	errors map[string]int
}

func (w *writer) run(ctx context.Context, t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	w.known, w.errors = map[uuid.UUID]map[string]bool{}, map[string]int{}
	for i := 0; ctx.Err() == nil; i++ {
		id, value := w.ids[random.IntN(len(w.ids))], fmt.Sprint(w.name, " ", i%4)
		if random.IntN(4) == 0 { // as a new challenge has it
			id = uuid.New()
			w.ids = append(w.ids, id)
		}
		if w.known[id] == nil {
			w.known[id] = map[string]bool{}
		}
		add := random.IntN(3) > 0
		change := w.Remove
		if add {
			change = w.Add
		}
		if err := change(context.Background(), id, value); err != nil {
			delete(w.known[id], value)
			w.errors[err.Error()]++
			if !strings.HasPrefix(err.Error(), "redis: ") || !strings.Contains(store.Explain(err), "moving") {
				t.Errorf("%v, which is explained by %q", err, store.Explain(err))
			}
			continue
		}
		w.known[id][value] = add
		w.done++
	}
}

// While the slot with the zone's keys moves from one server of a Cluster to the other and
// back, with pauses in which some keys are here and some there, nothing that was
// acknowledged is lost, no serial stands for two contents, serials only rise, and a
// replica that begins meanwhile has everything.
func TestVersionsWhileAClusterMovesTheSlot(t *testing.T) {
	c := redistest.StartCluster(t)
	options := clusterOptions(t, c)
	var writers []*writer
	var ids []uuid.UUID
	for range 20 {
		ids = append(ids, uuid.New())
	}
	for _, name := range []string{"one", "two"} {
		writers = append(writers, &writer{versioned: clusterVersions(t, options), name: name, ids: slices.Clone(ids)})
	}
	readers := []*versioned{writers[0].versioned, writers[1].versioned}
	for _, v := range readers {
		eventually(t, "a first version", func() bool { _, ok := v.journal.Serial(); return ok })
	}
	lasting := map[uuid.UUID]string{} // stays as it is
	for i := range 300 {
		id := uuid.New()
		lasting[id] = fmt.Sprint("lasting ", i)
		must(t, readers[i%2].Add(t.Context(), id, lasting[id]))
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i, w := range writers {
		wg.Go(func() { w.run(ctx, t, uint64(i)) })
	}
	for round := range 4 {
		move := c.BeginMove("{" + origin + "}")
		for range 3 {
			move.Keys(100)
			time.Sleep(100 * time.Millisecond)
		}
		if round < 2 {
			begin := time.Now()
			late := clusterVersions(t, options)
			readers = append(readers, late)
			eventually(t, "a replica that begins has read all", func() bool { _, ok := late.journal.Serial(); return ok && late.copy.Fresh() })
			t.Logf("a replica that begins has read all after %v", time.Since(begin))
			for id, value := range lasting {
				if got, _, _ := late.copy.Lookup(id); !slices.Equal(got, []string{value}) {
					t.Fatalf("a replica that begins while the slot moves has %q where %q was presented", got, value)
				}
			}
		}
		if round == 3 { // longer than a change can wait
			time.Sleep(4 * time.Second)
		}
		move.End()
		time.Sleep(500 * time.Millisecond)
	}
	stop()
	wg.Wait()
	for _, w := range writers {
		t.Logf("%d changes were acknowledged; errors: %v", w.done, w.errors)
		if w.done < 100 {
			t.Errorf("only %d changes", w.done)
		}
	}
	last := uuid.New()
	must(t, readers[0].Add(t.Context(), last, "last"))
	eventually(t, "all have the last change", func() bool {
		return !slices.ContainsFunc(readers, func(v *versioned) bool {
			_, names, ok := v.journal.Current()
			return !ok || len(names[last]) == 0
		})
	})
	for i, v := range readers {
		_, names, _ := v.journal.Current()
		for _, w := range writers {
			w.check(t, i, names)
		}
		for id, value := range lasting {
			if !slices.Equal(names[id], []string{value}) {
				t.Fatalf("reader %d has %q where %q was presented", i, names[id], value)
			}
		}
	}
	oneContent(t, readers)
}

// check compares what is there with what was acknowledged.
func (w *writer) check(t *testing.T, reader int, names map[uuid.UUID][]string) {
	t.Helper()
	for id, values := range w.known {
		for value, there := range values {
			if slices.Contains(names[id], value) != there {
				t.Errorf("reader %d has %q at %s; %q was acknowledged to be there: %v", reader, names[id], id, value, there)
			}
		}
	}
}
