package gate

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
)

const (
	watchInterval = 500 * time.Millisecond // between two rounds in which nothing has changed
	settleTime    = 20 * time.Millisecond  // in which changes are taken together
	looksAtOnce   = 64                     // requests that are looked at
	slowAtOnce    = 32                     // beside those, requests whose zones did not answer
	nudgesASecond = 20                     // so that a start after a long outage is no storm
	renudge       = 2 * time.Second        // after the first nudge of a request, before the second; then four times as long
	idleInterval  = time.Minute            // for a request that waits for something else than a record
	slowest       = time.Minute            // between looks at zones that do not answer
	retell        = time.Hour              // after which the API server has forgotten an event
)

// Requests is what the watcher needs of the cluster. See cluster.Cluster.
type Requests interface {
	Requests() []cluster.Request
	Issuing() []cluster.Wanted
	Changed() <-chan struct{}
	NudgeRequest(ctx context.Context, r cluster.Request) error
	TellRequest(ctx context.Context, r cluster.Request, reason, message string) error
}

// Watcher follows the requests whose Orders the gate decides on. It looks at their
// records as soon as a request, or its Certificate, is seen, so that there is a
// fresh look when cert-manager creates the Order. Where a record is missing it says
// so in events, looks again with back-off, and makes cert-manager retry at once when
// the record appears. Each request is followed by one replica.
type Watcher struct {
	Others *Looks // see NewOthers; needed where requests have cluster.Wanted.Others

	requests Requests
	looks    *Looks
	mine     func(key string) bool
	log      *slog.Logger
	nudges   *rate.Limiter

	mu      sync.Mutex
	entries map[types.UID]*entry
	early   map[uuid.UUID]bool // targets that are looked at before there is a request
	waiting int                // requests that were denied, of all replicas
}

// NewWatcher returns one. mine reports whether this replica follows the request with
// that key; of all replicas one says yes.
func NewWatcher(requests Requests, looks *Looks, mine func(key string) bool, log *slog.Logger) *Watcher {
	return &Watcher{requests: requests, looks: looks, mine: mine, log: log,
		nudges: rate.NewLimiter(nudgesASecond, nudgesASecond), entries: map[types.UID]*entry{}, early: map[uuid.UUID]bool{}}
}

// Waiting returns how many requests wait for a record, in the whole cluster.
func (w *Watcher) Waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting
}

// hands run the looks: some for requests whose zones answer, some for the others, so
// that zones that do not answer hold up nobody else.
type hands struct{ quick, slow errgroup.Group }

func (h *hands) of(e *entry) *errgroup.Group {
	if e.slow > 0 {
		return &h.slow
	}
	return &h.quick
}

// Run watches until ctx is done.
func (w *Watcher) Run(ctx context.Context) {
	var h hands
	h.quick.SetLimit(looksAtOnce)
	h.slow.SetLimit(slowAtOnce)
	defer func() { _, _ = h.quick.Wait(), h.slow.Wait() }() // none of them returns an error
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		w.round(ctx, &h)
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

func (w *Watcher) round(ctx context.Context, h *hands) {
	for _, wanted := range w.requests.Issuing() { // there will be a request in a moment
		if w.mine(slices.Concat(wanted.Targets, wanted.Others)[0].ID.String()) {
			w.ahead(ctx, w.looks, wanted.Targets, h)
			w.ahead(ctx, w.Others, wanted.Others, h)
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
		news := r.Denied && !e.denied || r.Refused != e.refused
		if e.running || now.Before(e.next) && !news || !w.mine(string(r.UID)) {
			continue
		}
		if e.running = h.of(e).TryGo(func() error { w.look(ctx, r, e); return nil }); !e.running {
			continue // all hands are busy; it is due in the next round
		}
		e.denied, e.refused = r.Denied, r.Refused
	}
	for uid, e := range w.entries {
		if !seen[uid] && !e.running {
			delete(w.entries, uid)
		}
	}
}

// ahead looks at records before there is a request, unless a look is under way or
// recent.
func (w *Watcher) ahead(ctx context.Context, looks *Looks, targets []zone.Target, h *hands) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range targets {
		if s, ok := looks.recall(t.ID); w.early[t.ID] || ok && time.Since(s.at) < fresh-time.Second {
			continue
		}
		w.early[t.ID] = h.quick.TryGo(func() error {
			looks.Within(ctx, t, time.Second)
			w.mu.Lock()
			defer w.mu.Unlock()
			delete(w.early, t.ID)
			return nil
		})
		if !w.early[t.ID] {
			delete(w.early, t.ID)
			return // all hands are busy
		}
	}
}
