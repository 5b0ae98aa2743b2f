package solver

import (
	"context"
	"log/slog"
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
	Find(ctx context.Context, domain, key string) ([]cluster.Challenge, error)
	Current(ctx context.Context, c cluster.Challenge) (cluster.Challenge, error)
	Nudge(ctx context.Context, c cluster.Challenge) error
	Tell(ctx context.Context, c cluster.Challenge, reason, message string) error
	EndOrder(ctx context.Context, c cluster.Challenge) (ended bool, err error)
	Holder(c cluster.Challenge) string
}

// Watcher follows the challenges that are under way. Where the CNAME is missing it
// looks it up with back-off, and nudges cert-manager when the CNAME appears. A record
// that was presented, and that Redis has lost, is put back, and a value that is left
// although its Challenge has ended is removed: the Challenges in the API server are the
// truth. Every replica may run one; all that it does is idempotent.
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
	had     had
}

// waiting is a challenge whose CNAME was not there when it was last looked up.
type waiting struct {
	next  time.Time     // when it is looked up again
	told  string        // the last message in an event
	again time.Time     // not nudged before; zero for at once
	gap   time.Duration // until then, at the last nudge; zero if the CNAME has been missing since
}

// nudged says that cert-manager was nudged. It tries once; if that fails for another
// reason than the CNAME, its back-off goes on, so the nudge is repeated.
func (w *waiting) nudged() {
	w.gap = min(max(2*w.gap, nudgeGap), maxNudgeGap)
	w.again = time.Now().Add(w.gap)
}

// spent says that a nudge before now has been in vain, so that the next is due.
func (w *waiting) spent() { w.again, w.gap = time.Time{}, 0 }

const (
	watchInterval = time.Second
	watchTimeout  = 10 * time.Second // of one round
	watchAtOnce   = 16               // lookups

	// cert-manager backs off for up to 30 minutes.
	nudgeGap    = 30 * time.Second
	maxNudgeGap = 5 * time.Minute

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

// Run watches until ctx is done. Restoring has a loop of its own, so that no look,
// however slow, keeps a value away that Redis has lost.
func (w *Watcher) Run(ctx context.Context) {
	w.waiting = map[string]*waiting{}
	var wg sync.WaitGroup
	wg.Go(func() { w.every(ctx, w.lookAgain) })
	wg.Go(func() { w.every(ctx, w.restore) })
	wg.Go(func() { w.every(ctx, w.tidy) })
	wg.Wait()
}

// every calls do with the Challenges of the moment, again and again.
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
	works := sync.OnceValue(func() bool {
		_, err := w.Store.Replicas(ctx)
		return err == nil // else already logged by the store
	})
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
			w.look(ctx, c, entry, works)
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
// cert-manager by a nudge. works reports whether the store does; without it the
// nudge would be spent.
func (w *Watcher) look(ctx context.Context, c cluster.Challenge, entry *waiting, works func() bool) {
	r := w.LookUp(ctx, c.Scope, c.Domain)
	if r.Status == check.Failed {
		entry.spent()
		w.tell(ctx, c, entry, "CNAMENeeded", r.Hint)
	}
	if w.Gate && (r.Status == check.Failed || time.Since(c.Since) > endAfter) && w.end(ctx, c) || !r.Permits() {
		return
	}
	if !works() {
		entry.spent()
		return
	}
	if time.Now().Before(entry.again) {
		return
	}
	log := w.logAbout(c)
	if err := w.Challenges.Nudge(ctx, c); err != nil {
		log.Warn("cert-manager cannot be told that the CNAME is there; it retries after its back-off", "err", err)
		return
	}
	entry.nudged()
	entry.told = ""
	log.Info("the CNAME is there; cert-manager is told to go on")
}

// end ends the Order of a challenge that cannot succeed, if that may be done now, and
// reports whether it has.
func (w *Watcher) end(ctx context.Context, c cluster.Challenge) bool {
	if !w.endings.may(c.Scope+"/"+c.Domain, c.UID) {
		return false
	}
	log := w.logAbout(c)
	ended, err := w.Challenges.EndOrder(ctx, c)
	switch {
	case err != nil:
		log.Warn("the Order of a challenge that cannot succeed cannot be deleted; it keeps its place in cert-manager's queue", "err", err)
	case ended:
		log.Info("the Order of a challenge that cannot succeed is deleted; its request waits at the gate")
	}
	return ended
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

// logAbout returns the log for what is said about a challenge.
func (w *Watcher) logAbout(c cluster.Challenge) *slog.Logger {
	return w.Log.With("challenge", traceID(c.Scope, c.Domain, c.Key), "domain", c.Domain, "namespace", c.Namespace, "object", c.Name)
}
