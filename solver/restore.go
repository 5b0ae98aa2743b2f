package solver

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/cluster"
)

// restore puts back what the store has lost. cert-manager works on few challenges
// at a time (60 by default), so the store is asked for each. Of a Challenge only
// the status counts, which cert-manager alone writes, or what this replica knows
// itself: the rest may be a forgery.
func (w *Watcher) restore(ctx context.Context, challenges []cluster.Challenge) {
	for _, c := range challenges {
		if !c.Presented && !w.Presented(c) {
			continue
		}
		target, err := w.Zone.Target(c.Scope, c.Domain)
		if err != nil {
			continue // cert-manager cannot have had it presented
		}
		values, err := w.Store.Values(ctx, target.ID)
		if err != nil {
			return // the store has said it in the log
		}
		if slices.Contains(values, c.Key) {
			continue
		}
		log := w.logAbout(c)
		switch done, err := w.putBack(ctx, target.ID, c); {
		case err != nil:
			log.Warn("a record that the store has lost cannot be put back yet", "err", err)
		case done:
			log.Info("a record that the store had lost is put back from its Challenge")
		}
	}
}

// putBack puts one record back, if it is still needed: the watch may be late.
// The Challenge is read from the API server before, so that nothing comes back
// that cert-manager has cleaned up, and after, because it may have done so
// meanwhile: it marks a Challenge as ended first, and then cleans up.
func (w *Watcher) putBack(ctx context.Context, id uuid.UUID, c cluster.Challenge) (done bool, err error) {
	now, err := w.Challenges.Current(ctx, c)
	if err != nil || now.Ended || !now.Presented && !w.Presented(now) {
		return false, err
	}
	if err := w.Store.Add(ctx, id, c.Key); err != nil {
		return false, err
	}
	if now, err = w.Challenges.Current(ctx, c); err == nil && now.Ended {
		return false, w.Store.Remove(ctx, id, c.Key)
	}
	return err == nil, err
}
