package gate

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/schedule"
	"github.com/signpost-acme/signpost/internal/zone"
)

const (
	watchInterval = 2 * time.Second       // between two rounds in which nothing has changed
	settleTime    = 20 * time.Millisecond // in which changes are taken together
	nudgesASecond = 20                    // so that a start after a long outage is no storm
	renudge       = 2 * time.Second       // after the first nudge of a request, before the second; then four times as long
	idleInterval  = time.Minute           // for a request that waits for something else than a record
	slowest       = time.Minute           // between looks at zones that do not answer
	retell        = time.Hour             // after which the API server has forgotten an event

	// firstLook is how long what is new may have a place of the urgent ones: of a domain
	// that is new nobody knows that its servers are dead. The look goes on without it.
	firstLook = 2 * time.Second
)

// atOnce is how many looks there are at the same time. What is new, or was just denied,
// has places of its own: cert-manager comes within a tenth of a second.
var atOnce = schedule.Limits{Urgent: 32, Regular: 32, Slow: 128}

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

	turns *schedule.Schedule[work]

	mu      sync.Mutex
	entries map[types.UID]*entry
	early   map[work]zone.Target // that are looked at before there is a request
	waiting int                  // requests that were denied, of all replicas
}

// work is one request, or a target of which a request is expected.
type work struct {
	request types.UID
	target  uuid.UUID
	others  bool // it is looked at for what other namespaces have
}

// NewWatcher returns one. mine reports whether this replica follows the request with
// that key; of all replicas one says yes.
func NewWatcher(requests Requests, looks *Looks, mine func(key string) bool, log *slog.Logger) *Watcher {
	w := &Watcher{requests: requests, looks: looks, mine: mine, log: log,
		nudges: rate.NewLimiter(nudgesASecond, nudgesASecond), entries: map[types.UID]*entry{}, early: map[work]zone.Target{}}
	w.turns = schedule.New(atOnce, w.turn)
	return w
}

// Waiting returns how many requests wait for a record, in the whole cluster.
func (w *Watcher) Waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting
}

// Run watches until ctx is done.
func (w *Watcher) Run(ctx context.Context) {
	var turns sync.WaitGroup
	turns.Go(func() { w.turns.Run(ctx) })
	defer turns.Wait()
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		w.round()
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

// round takes in what the cluster says now.
func (w *Watcher) round() {
	issuing, requests := w.requests.Issuing(), w.requests.Requests()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, wanted := range issuing { // there will be a request in a moment
		if w.mine(slices.Concat(wanted.Targets, wanted.Others)[0].ID.String()) {
			w.ahead(w.looks, wanted.Targets, false)
			w.ahead(w.Others, wanted.Others, true)
		}
	}
	seen, mine := make(map[types.UID]bool, len(requests)), make(map[types.UID]bool, len(requests))
	w.waiting = 0
	for _, r := range requests {
		seen[r.UID] = true
		if r.Denied {
			w.waiting++
		}
		e := w.entries[r.UID]
		news := e == nil || r.Denied && !e.denied || r.Refused != e.refused
		if e == nil {
			e = &entry{}
			w.entries[r.UID] = e
		}
		e.request = r
		if mine[r.UID] = w.mine(string(r.UID)); !mine[r.UID] {
			continue
		}
		if key := (work{request: r.UID}); news {
			w.turns.Urge(key)
		} else {
			w.turns.Add(key, 0) // it may have been another replica's
		}
	}
	w.turns.Keep(func(key work) bool { return key.request == "" || mine[key.request] })
	maps.DeleteFunc(w.entries, func(uid types.UID, _ *entry) bool { return !seen[uid] })
}

// ahead looks at records before there is a request, unless a look is under way or
// recent. The lock is held.
func (w *Watcher) ahead(looks *Looks, targets []zone.Target, others bool) {
	for _, t := range targets {
		key := work{target: t.ID, others: others}
		_, early := w.early[key]
		if s, ok := looks.recall(t.ID); early || ok && time.Since(s.at) < fresh-time.Second {
			continue
		}
		w.early[key] = t
		w.turns.Urge(key)
	}
}

// turn does a piece of work.
func (w *Watcher) turn(ctx context.Context, key work) schedule.Next {
	if key.request == "" {
		w.lookAhead(ctx, key)
		return schedule.Next{Done: true}
	}
	w.mu.Lock()
	e := w.entries[key.request]
	if e == nil {
		w.mu.Unlock()
		return schedule.Next{Done: true}
	}
	r := e.request
	e.denied, e.refused = r.Denied, r.Refused
	w.mu.Unlock()
	if !e.looked {
		e.looked = true
		first, cancel := context.WithTimeout(ctx, firstLook)
		defer cancel()
		ctx = first
	}
	return w.look(ctx, r, e)
}

// lookAhead looks at the record of an early target.
func (w *Watcher) lookAhead(ctx context.Context, key work) {
	looks := w.looks
	if key.others {
		looks = w.Others
	}
	w.mu.Lock()
	t := w.early[key]
	w.mu.Unlock()
	first, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	looks.Within(first, t, time.Second)
	forget := func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.early, key)
	}
	if first.Err() != nil {
		time.AfterFunc(lookTimeout-firstLook, forget) // until then it goes on
		return
	}
	forget()
}
