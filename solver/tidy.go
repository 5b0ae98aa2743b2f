package solver

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/cluster"
)

// tidy removes values that nobody needs any more and no CleanUp removes: those that
// the store has brought back, and those that came after their CleanUp.
func (w *Watcher) tidy(ctx context.Context, challenges []cluster.Challenge) {
	if !w.Challenges.FollowsChallenges() {
		return
	}
	wanted := map[value]bool{}
	for _, c := range challenges {
		if target, err := w.Zone.Target(c.Scope, c.Domain); err == nil {
			v := value{target.ID, c.Key}
			wanted[v] = true
			w.had.note(v, c)
		}
	}
	if w.Returned != nil {
		w.removeReturned(ctx, wanted, w.Returned())
	}
	w.removeLeft(ctx)
}

// removeReturned removes the values that the store has brought back, with an older
// snapshot say, and that a Challenge of this cluster had and none has: they were
// cleaned up. One whose Present may be under way has a Challenge, presented or not.
// What no Challenge of this cluster had may be another cluster's; it stays.
func (w *Watcher) removeReturned(ctx context.Context, wanted map[value]bool, returned map[uuid.UUID][]string) {
	for id, keys := range returned {
		for _, key := range keys {
			v := value{id, key}
			if wanted[v] || !w.had.knows(v) {
				continue
			}
			if err := w.Store.Remove(ctx, id, key); err != nil {
				return // already logged by the store
			}
			w.Log.Info("a value that the store has brought back, and that no Challenge has any more, is removed", "target", w.Zone.Name(id))
		}
	}
}

// removeLeft removes values that are still there some time after their Challenge has
// ended: a Present was late, and added after CleanUp, or nobody called CleanUp.
func (w *Watcher) removeLeft(ctx context.Context) {
	for v, h := range w.had.due() {
		values, err := w.Store.Values(ctx, v.id)
		if err != nil {
			return // already logged by the store
		}
		if slices.Contains(values, v.key) {
			found, err := w.Challenges.Find(ctx, h.domain, v.key)
			if err != nil {
				w.Log.Warn("a value that may not be needed any more stays, since the Challenges cannot be read", "target", w.Zone.Name(v.id), "err", err)
				return
			}
			if slices.ContainsFunc(found, func(c cluster.Challenge) bool { return !c.Ended && c.Scope == h.scope }) {
				continue // the watch is late
			}
			if err := w.Store.Remove(ctx, v.id, v.key); err != nil {
				return // already logged by the store
			}
			w.Log.Info("a value that was left behind, and that no Challenge has any more, is removed", "challenge", traceID(h.scope, h.domain, v.key), "target", w.Zone.Name(v.id))
		}
		w.had.checked(v)
	}
}
