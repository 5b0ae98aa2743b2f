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
	FollowsChallenges() bool
	Current(ctx context.Context, c cluster.Challenge) (cluster.Challenge, error)
	Nudge(ctx context.Context, c cluster.Challenge) error
	Tell(ctx context.Context, c cluster.Challenge, reason, message string) error
	EndOrder(ctx context.Context, c cluster.Challenge) (ended bool, err error)
	Holder(c cluster.Challenge) string
}

// Watcher follows the challenges that are under way. Where the CNAME is missing it
// looks it up with back-off, and nudges cert-manager when the CNAME appears. A record
// that was presented, and that Redis has lost, is put back: the Challenges in the API
// server are the truth. Every replica may run one; all that it does is idempotent.
type Watcher struct {
	Challenges Challenges
	Store      Store
	Zone       *zone.Zone
	LookUp     LookUp
	Presented  func(cluster.Challenge) bool  // by this replica: see Solver.Presented
	Returned   func() map[uuid.UUID][]string // values that a store has brought back: see store.Copy; nil for none
	Gate       bool                          // Orders wait at the gate, so a Challenge that cannot succeed ends
	Log        *slog.Logger

	waiting map[string]*waiting // by UID; touched by lookAgain alone
	endings endings
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

	// With the gate, a challenge that has waited for so long ends: see EndOrder. The
	// CNAME was there when its Order was created, so something else is wrong.
	endAfter = 10 * time.Minute
	// heldAfter is when it is said that another Challenge holds the name.
	heldAfter = 10 * time.Second
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

// Run watches until ctx is done. Restoring has a loop of its own, so that slow
// looks do not delay it.
func (w *Watcher) Run(ctx context.Context) {
	w.waiting = map[string]*waiting{}
	var wg sync.WaitGroup
	wg.Go(func() { w.every(ctx, w.lookAgain) })
	wg.Go(func() { w.every(ctx, w.restore) })
	wg.Go(func() { w.every(ctx, w.removeReturned) })
	wg.Wait()
}

// every calls do with the current Challenges, every watchInterval.
func (w *Watcher) every(ctx context.Context, do func(context.Context, []cluster.Challenge)) {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		round, cancel := context.WithTimeout(ctx, watchTimeout)
		do(round, w.Challenges.Challenges())
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
		held := c.Reason == "" && !c.Processing && c.State == "" && now.Sub(c.Since) > heldAfter
		if c.Presented || c.Reason == "" && !held {
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
			if held {
				w.tellHolder(ctx, c, entry)
				return
			}
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

// look looks up one CNAME, and reports the result: to people by an event, to
// cert-manager by a nudge.
func (w *Watcher) look(ctx context.Context, c cluster.Challenge, entry *waiting) {
	log := w.logAbout(c)
	r := w.LookUp(ctx, c.Scope, c.Domain)
	permits := r.Status == check.OK || r.Status == check.Warning
	if r.Status == check.Failed {
		entry.nudged = false
		w.tell(ctx, c, entry, "CNAMENeeded", r.Hint)
	}
	switch {
	case w.Gate && (r.Status == check.Failed || time.Since(c.Since) > endAfter) && w.endings.may(c.Scope+"/"+c.Domain, c.UID):
		ended, err := w.Challenges.EndOrder(ctx, c)
		switch {
		case err != nil:
			log.Warn("the Order of a challenge that cannot succeed cannot be deleted; it keeps its place in cert-manager's queue", "err", err)
		case ended:
			log.Info("the Order of a challenge that cannot succeed is deleted; its request waits at the gate")
		}
	case permits && !entry.nudged:
		if err := w.Challenges.Nudge(ctx, c); err != nil {
			log.Warn("cert-manager cannot be told that the CNAME is there; it retries after its back-off", "err", err)
			return
		}
		entry.nudged, entry.told = true, ""
		log.Info("the CNAME is there; cert-manager is told to go on")
	}
}

// tellHolder says which Challenge cert-manager works on instead: one per DNS name
// and type in the whole cluster.
func (w *Watcher) tellHolder(ctx context.Context, c cluster.Challenge, entry *waiting) {
	if holder := w.Challenges.Holder(c); holder != "" {
		w.tell(ctx, c, entry, "NameHeld", "cert-manager works on one challenge for "+c.Domain+" at a time, and that is "+holder+
			" now; if that does not end, delete its Certificate or CertificateRequest")
	}
}

func (w *Watcher) tell(ctx context.Context, c cluster.Challenge, entry *waiting, reason, message string) {
	if entry.told == message {
		return
	}
	if err := w.Challenges.Tell(ctx, c, reason, message); err != nil {
		w.logAbout(c).Warn("an event cannot be made; the record to add is in the Challenge's status all the same", "err", err)
	}
	entry.told = message
}

// logAbout returns the log for lines about a challenge.
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
			return // already logged by the store
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

// removeReturned removes the values that the store has brought back, with an older
// snapshot say, and that no Challenge has: they were cleaned up. One whose Present
// may be under way has a Challenge, presented or not.
func (w *Watcher) removeReturned(ctx context.Context, challenges []cluster.Challenge) {
	if w.Returned == nil || !w.Challenges.FollowsChallenges() {
		return
	}
	returned := w.Returned()
	if len(returned) == 0 {
		return
	}
	wanted := map[string]bool{}
	for _, c := range challenges {
		if target, err := w.Zone.Target(c.Scope, c.Domain); err == nil {
			wanted[target.ID.String()+" "+c.Key] = true
		}
	}
	for id, values := range returned {
		for _, value := range values {
			if wanted[id.String()+" "+value] {
				continue
			}
			if err := w.Store.Remove(ctx, id, value); err != nil {
				return // already logged by the store
			}
			w.Log.Info("a value that the store has brought back, and that no Challenge has, is removed", "target", w.Zone.Name(id))
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
