package gate

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
)

const (
	watchInterval = 500 * time.Millisecond // between two rounds in which nothing has changed
	settleTime    = 20 * time.Millisecond  // in which changes are taken together
	looksAtOnce   = 64                     // requests that are looked at
	nudgesASecond = 20                     // so that a start after a long outage is no storm
	renudge       = 2 * time.Second        // after a nudge, before the next one for the same request
	idleInterval  = time.Minute            // for a request that waits for something else than a record
	slowest       = time.Minute            // between looks at zones that do not answer
)

// pause returns how long to wait before the next look at a record that has been
// missing since then: seconds while somebody may be sitting at it, a minute when
// it has been days.
func pause(asked time.Duration) time.Duration {
	switch {
	case asked < time.Hour:
		return 2 * time.Second
	case asked < 6*time.Hour:
		return 15 * time.Second
	default:
		return time.Minute
	}
}

// Requests is what the watcher needs of the cluster. See cluster.Cluster.
type Requests interface {
	Requests() []cluster.Request
	Issuing() []cluster.Wanted
	Changed() <-chan struct{}
	NudgeRequest(ctx context.Context, r cluster.Request) error
	TellRequest(ctx context.Context, r cluster.Request, reason, message string) error
}

// Watcher looks after the requests whose Orders the gate decides on. It looks at
// their records as soon as a request, or its Certificate, is seen, so that the
// gate knows when cert-manager comes with the Order. Where a record is missing it
// says so in events, looks again and again, and makes cert-manager try at once
// when the record is there. Each request is looked after by one replica.
type Watcher struct {
	requests Requests
	looks    *Looks
	mine     func(key string) bool
	log      *slog.Logger
	nudges   *rate.Limiter

	mu      sync.Mutex
	entries map[types.UID]*entry
	waiting int // requests that were denied, of all replicas
}

// entry is what is known of one request. One look at a time has it.
type entry struct {
	running bool
	denied  bool      // when it was looked at last
	next    time.Time // when it is looked at again
	slow    time.Duration
	told    string        // the last message in an event
	nudged  time.Time     // last
	gap     time.Duration // before the next nudge; zero before the first
}

// NewWatcher returns one. mine reports whether this replica looks after the
// request with that key; all replicas together say yes once.
func NewWatcher(requests Requests, looks *Looks, mine func(key string) bool, log *slog.Logger) *Watcher {
	return &Watcher{requests: requests, looks: looks, mine: mine, log: log,
		nudges: rate.NewLimiter(nudgesASecond, nudgesASecond), entries: map[types.UID]*entry{}}
}

// Waiting returns how many requests wait for a record, whichever replica looks
// after them.
func (w *Watcher) Waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting
}

// Run watches until ctx is done.
func (w *Watcher) Run(ctx context.Context) {
	var looks errgroup.Group
	looks.SetLimit(looksAtOnce)
	defer func() { _ = looks.Wait() }() // none of them returns an error
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		w.round(ctx, &looks)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			continue
		case <-w.requests.Changed():
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(settleTime):
		}
	}
}

func (w *Watcher) round(ctx context.Context, looks *errgroup.Group) {
	for _, wanted := range w.requests.Issuing() { // there will be a request in a moment
		if w.mine(wanted.Targets[0].ID.String()) {
			w.ahead(ctx, wanted.Targets, looks)
		}
	}
	requests := w.requests.Requests()
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	seen := make(map[types.UID]bool, len(requests))
	w.waiting = 0
	for _, r := range requests {
		seen[r.UID] = true
		if r.Denied {
			w.waiting++
		}
		e := w.entries[r.UID]
		if e == nil {
			e = &entry{}
			w.entries[r.UID] = e
		}
		news := r.Denied && !e.denied
		if e.running || now.Before(e.next) && !news || !w.mine(string(r.UID)) {
			continue
		}
		if e.running = looks.TryGo(func() error { w.look(ctx, r, e); return nil }); !e.running {
			continue // all hands are busy; it is due in the next round
		}
		e.denied = r.Denied
	}
	for uid, e := range w.entries {
		if !seen[uid] && !e.running {
			delete(w.entries, uid)
		}
	}
}

// ahead looks at records before there is a request, if nobody has just done so.
func (w *Watcher) ahead(ctx context.Context, targets []zone.Target, looks *errgroup.Group) {
	for _, t := range targets {
		if s, ok := w.looks.recall(t.ID); ok && time.Since(s.began) < fresh-time.Second {
			continue
		}
		looks.TryGo(func() error { w.looks.Within(ctx, t, time.Second); return nil })
	}
}

// look looks at the records of one request, and tells the result: to people by an
// event, to cert-manager by a nudge.
func (w *Watcher) look(ctx context.Context, r cluster.Request, e *entry) {
	next := idleInterval
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		e.running, e.next = false, time.Now().Add(next)
	}()
	if r.Refused != "" {
		w.tell(ctx, r, e, "OrderRefused", r.Refused)
		return
	}
	if len(r.Targets) == 0 {
		return
	}
	f, ok := w.looks.All(ctx, r.Targets)
	if !ok {
		w.tell(ctx, r, e, "CNAMENeeded", f.Hint)
		next = pause(time.Since(r.Since))
		if f.Status == check.Unknown { // a zone that does not answer costs seconds
			e.slow = min(max(2*e.slow, next), slowest)
			next = e.slow
		}
		return
	}
	e.slow = 0
	switch {
	case !r.Denied && !r.Signing: // cert-manager has not come yet, or its Order exists
		e.gap = 0
	case time.Since(e.nudged) < e.gap:
		next = e.gap - time.Since(e.nudged)
	default:
		next = w.nudge(ctx, r, e)
	}
}

// nudge makes cert-manager try now, and returns when to look again. While the
// request goes on to say that it was denied it is nudged again, with back-off:
// cert-manager may not be running.
func (w *Watcher) nudge(ctx context.Context, r cluster.Request, e *entry) time.Duration {
	log := w.logAbout(r)
	if err := w.nudges.Wait(ctx); err != nil {
		return renudge
	}
	if _, ok := w.looks.All(ctx, r.Targets); !ok { // the wait may have been long
		return renudge
	}
	if err := w.requests.NudgeRequest(ctx, r); err != nil {
		log.Warn("cert-manager cannot be told that the CNAME is there; it finds out by itself, after its back-off", "err", err)
		return renudge
	}
	if e.gap == 0 {
		log.Info("the CNAME is there; cert-manager is told to go on")
	}
	e.nudged, e.told, e.gap = time.Now(), "", min(max(2*e.gap, renudge), idleInterval)
	if r.Signing { // whether it was denied cannot be seen on the object
		e.gap = idleInterval
	}
	return e.gap
}

func (w *Watcher) tell(ctx context.Context, r cluster.Request, e *entry, reason, message string) {
	if e.told == message {
		return
	}
	if err := w.requests.TellRequest(ctx, r, reason, message); err != nil {
		w.logAbout(r).Warn("an event cannot be made; which records are needed is in the status of the request all the same", "err", err)
	}
	e.told = message
}

func (w *Watcher) logAbout(r cluster.Request) *slog.Logger {
	return w.log.With("namespace", r.Namespace, "request", r.Name, "certificate", r.Certificate)
}
