package solver

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
)

// Challenges is what the watcher needs of the cluster. See cluster.Cluster.
type Challenges interface {
	Challenges() []cluster.Challenge
	Current(ctx context.Context, c cluster.Challenge) (cluster.Challenge, error)
	Nudge(ctx context.Context, c cluster.Challenge) error
	Tell(ctx context.Context, c cluster.Challenge, reason, message string) error
}

// Watcher looks after the challenges that are under way. One that could not be
// presented because its CNAME is missing is looked up again and again, and when
// the CNAME is there cert-manager is nudged to present it. One that was presented,
// but whose record Redis has lost, gets it back: the Challenges in the API server
// are the truth. Every replica may run one.
type Watcher struct {
	Challenges Challenges
	Store      Store
	Zone       *zone.Zone
	LookUp     LookUp
	Presented  func(cluster.Challenge) bool // by this replica: see Solver.Presented
	Log        *slog.Logger

	waiting map[string]*waiting // by UID; touched by Run alone
}

// waiting is a challenge whose CNAME was not there when it was last looked up.
type waiting struct {
	next   time.Time // when it is looked up again
	told   string    // the last message in an event
	nudged bool      // since the CNAME was missing last
}

const (
	watchInterval = time.Second
	watchTimeout  = 10 * time.Second // of one round
	watchAtOnce   = 16               // lookups
)

// pause returns how long to wait before the next look at a domain whose owner
// has been asked for a record since then: seconds while somebody may be sitting
// at it, a minute when it has been days.
func pause(asked time.Duration) time.Duration {
	switch {
	case asked < 15*time.Minute:
		return 2 * time.Second
	case asked < 2*time.Hour:
		return 10 * time.Second
	default:
		return time.Minute
	}
}

// Run watches until ctx is done.
func (w *Watcher) Run(ctx context.Context) {
	w.waiting = map[string]*waiting{}
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		round, cancel := context.WithTimeout(ctx, watchTimeout)
		challenges := w.Challenges.Challenges()
		w.lookAgain(round, challenges)
		w.restore(round, challenges)
		cancel()
	}
}

// lookAgain looks up the CNAMEs that are due, of challenges that wait for one:
// cert-manager has a reason why they are not presented.
func (w *Watcher) lookAgain(ctx context.Context, challenges []cluster.Challenge) {
	now := time.Now()
	seen := map[string]bool{}
	var wg sync.WaitGroup
	slots := make(chan struct{}, watchAtOnce)
	for _, c := range challenges {
		if c.Presented || c.Reason == "" {
			continue
		}
		seen[string(c.UID)] = true
		entry := w.waiting[string(c.UID)]
		if entry == nil {
			entry = &waiting{}
			w.waiting[string(c.UID)] = entry
		}
		if now.Before(entry.next) {
			continue
		}
		entry.next = now.Add(pause(now.Sub(c.Since)))
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			w.look(ctx, c, entry)
		})
	}
	wg.Wait()
	for uid := range w.waiting {
		if !seen[uid] {
			delete(w.waiting, uid)
		}
	}
}

// look looks up one CNAME, and tells the result: to people by an event, to
// cert-manager by a nudge.
func (w *Watcher) look(ctx context.Context, c cluster.Challenge, entry *waiting) {
	log := w.logAbout(c)
	r := w.LookUp(ctx, c.Scope, c.Domain)
	switch {
	case r.Status == check.Failed:
		entry.nudged = false
		if entry.told == r.Hint {
			return
		}
		if err := w.Challenges.Tell(ctx, c, "CNAMENeeded", r.Hint); err != nil {
			log.Warn("an event cannot be made; the record to add is in the Challenge's status all the same", "err", err)
		}
		entry.told = r.Hint
	case (r.Status == check.OK || r.Status == check.Warning) && !entry.nudged:
		if err := w.Challenges.Nudge(ctx, c); err != nil {
			log.Warn("cert-manager cannot be told that the CNAME is there; it finds out by itself, after its back-off", "err", err)
			return
		}
		entry.nudged, entry.told = true, ""
		log.Info("the CNAME is there; cert-manager is told to go on")
	}
}

// logAbout returns the log for what is said about a challenge.
func (w *Watcher) logAbout(c cluster.Challenge) *slog.Logger {
	return w.Log.With("challenge", traceID(c.Scope, c.Domain, c.Key), "domain", c.Domain, "namespace", c.Namespace, "object", c.Name)
}

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
