package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/store"
)

func TestLimits(t *testing.T) {
	forEachStore(t, func(t *testing.T, open func() store.Store) {
		ctx, id, s := t.Context(), uuid.New(), open()
		refused := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, store.ErrLimit) {
				t.Errorf("%s: %v, want ErrLimit", what, err)
			}
		}
		refused("a value too large", s.Add(ctx, id, strings.Repeat("x", store.MaxValueSize+1)))
		for i := range store.MaxValues {
			must(t, s.Add(ctx, id, fmt.Sprintf("%0*d", store.MaxValueSize, i)))
		}
		refused("a value too many", s.Add(ctx, id, "one more"))
		must(t, s.Add(ctx, id, fmt.Sprintf("%0*d", store.MaxValueSize, 0))) // again
		must(t, s.Remove(ctx, id, fmt.Sprintf("%0*d", store.MaxValueSize, 0)))
		must(t, s.Add(ctx, id, "one more"))
		got, err := s.Values(ctx, id)
		must(t, err)
		if len(got) != store.MaxValues {
			t.Errorf("%d values, want %d", len(got), store.MaxValues)
		}

		// In all. Redis knows by the copy that follows it.
		store.LimitTotal(s, store.MaxValues+10)
		c := follow(t, s)
		other := uuid.New()
		for i := range 10 {
			must(t, s.Add(ctx, other, fmt.Sprint(i)))
			eventually(t, "the copy has it", func() bool { return c.Total() == store.MaxValues+i+1 })
		}
		refused("a value too many in all", s.Add(ctx, uuid.New(), "one more"))
		refused("under a name that is there", s.Add(ctx, other, "one more"))
		must(t, s.Add(ctx, other, "0")) // again
		must(t, s.Remove(ctx, other, "0"))
		must(t, s.Remove(ctx, other, "1"))
		eventually(t, "the copy has lost them", func() bool { return c.Total() == store.MaxValues+8 })
		must(t, s.Add(ctx, other, "one more"))
		for _, v := range append(got, "2") {
			must(t, s.Remove(ctx, id, v))
		}
		eventually(t, "a whole name is gone", func() bool { return c.Total() == 9 })
	})
}
