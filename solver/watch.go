package solver

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/types"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/schedule"
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

// Presenting reports whether a challenge is being presented now.
type Presenting func(ctx context.Context, c cluster.Challenge) bool

// Watcher follows the challenges that are under way. Where the CNAME is missing it
// looks it up with back-off, and nudges cert-manager when the CNAME appears. A record
// that was presented, and that Redis has lost, is put back, and a value that is left
// although its Challenge has ended is removed: the Challenges in the API server are the
// truth. Every replica may run one; all that it does is idempotent. A challenge that
// waits is followed by the replica whose it is.
type Watcher struct {
	Challenges Challenges
	Store      Store
	Zone       *zone.Zone
	LookUp     LookUp
	Presented  func(cluster.Challenge) bool  // by this replica: see Solver.Presented
	Presenting Presenting                    // by any replica: see Solver.Presenting; nil for none
	Returned   func() map[uuid.UUID][]string // values that a store has brought back: see store.Copy; nil for none
	Gate       bool                          // Orders wait at the gate, so a Challenge that cannot succeed ends
	Mine       func(key string) bool         // by UID: of all replicas one says yes, but while they change; nil for all
	Log        *slog.Logger

	endings endings
	had     had

	turns   *schedule.Schedule[types.UID]
	mu      sync.Mutex
	waiting map[types.UID]*waiting
}

const (
	watchInterval = time.Second
	watchTimeout  = 10 * time.Second // of one round, and of one lookup

	// With the gate, a challenge that has waited for so long ends: see EndOrder. The
	// CNAME was there when its Order was created, so something else is wrong.
	endAfter = 10 * time.Minute
	// heldAfter is when it is said that another Challenge holds the name.
	heldAfter = 10 * time.Second
)

// watchAtOnce is how many lookups there are at the same time.
var watchAtOnce = schedule.Limits{Urgent: 8, Regular: 16, Slow: 64}

// Run watches until ctx is done. Restoring has a loop of its own, so that no look,
// however slow, keeps a value away that Redis has lost.
func (w *Watcher) Run(ctx context.Context) {
	w.waiting = map[types.UID]*waiting{}
	w.turns = schedule.New(watchAtOnce, w.lookAgain)
	var wg sync.WaitGroup
	wg.Go(func() { w.turns.Run(ctx) })
	wg.Go(func() { w.every(ctx, w.follow) })
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

// follow takes over which challenges wait: cert-manager has a reason why they are not
// presented, or works on another one of the same name.
func (w *Watcher) follow(_ context.Context, challenges []cluster.Challenge) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := map[types.UID]bool{}
	for _, c := range challenges {
		held := c.Reason == "" && !c.Processing && c.State == "" && time.Since(c.Since) > heldAfter
		if c.Presented || c.Reason == "" && !held || w.Mine != nil && !w.Mine(string(c.UID)) {
			continue
		}
		seen[c.UID] = true
		entry := w.waiting[c.UID]
		if entry == nil {
			entry = &waiting{}
			w.waiting[c.UID] = entry
			w.turns.Urge(c.UID)
		} else if entry.held != held {
			w.turns.Urge(c.UID)
		}
		entry.challenge, entry.held = c, held
	}
	maps.DeleteFunc(w.waiting, func(uid types.UID, _ *waiting) bool { return !seen[uid] })
	w.turns.Keep(func(uid types.UID) bool { return seen[uid] })
}

// lookAgain is the turn of a challenge that waits.
func (w *Watcher) lookAgain(ctx context.Context, uid types.UID) (next schedule.Next) {
	w.mu.Lock()
	entry := w.waiting[uid]
	if entry == nil {
		w.mu.Unlock()
		return schedule.Next{Done: true}
	}
	c, held := entry.challenge, entry.held
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	if held {
		w.tellHolder(ctx, c, entry)
	} else {
		next.Slow = w.look(ctx, c, entry)
	}
	next.In = pause(time.Since(c.Since))
	return next
}

// look looks up one CNAME, and reports the result: to people by an event, to
// cert-manager by a nudge. It reports whether the DNS could not tell.
func (w *Watcher) look(ctx context.Context, c cluster.Challenge, entry *waiting) (silent bool) {
	r := w.LookUp(ctx, c.Scope, c.Domain)
	silent = r.Status == check.Unknown
	if r.Status == check.Failed {
		entry.spent()
		w.tell(ctx, c, entry, "CNAMENeeded", r.Hint)
	}
	if w.Gate && (r.Status == check.Failed || time.Since(c.Since) > endAfter) && w.end(ctx, c) || !r.Permits() {
		return silent
	}
	if _, err := w.Store.Replicas(ctx); err != nil { // already logged by the store; a nudge would be spent
		entry.spent()
		return silent
	}
	if time.Now().Before(entry.again) || w.Presenting != nil && w.Presenting(ctx, c) {
		return silent
	}
	log := w.logAbout(c)
	if err := w.Challenges.Nudge(ctx, c); err != nil {
		log.Warn("cert-manager cannot be told that the CNAME is there; it retries after its back-off", "err", err)
		return silent
	}
	entry.nudged()
	entry.told = ""
	log.Info("the CNAME is there; cert-manager is told to go on")
	return silent
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
