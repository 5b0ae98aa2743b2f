package gate

import (
	"context"
	"log/slog"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/schedule"
)

// Each request that waits adds pauseShare to the shortest pause, until that is
// pauseShared; of more than 1,200 each adds manyShare, so that there are no more than two
// hundred looks a second, in all.
const (
	pauseShare  = 8 * time.Millisecond
	pauseShared = 6 * time.Second
	manyShare   = 5 * time.Millisecond
)

// pause returns how long to wait before the next look at a record that has been
// missing since then, where so many wait: seconds while somebody may be sitting at it, a
// minute when it has been days.
func pause(asked time.Duration, waiting int) time.Duration {
	switch n := time.Duration(waiting); {
	case asked < time.Hour:
		return min(max(2*time.Second, min(n*pauseShare, pauseShared), n*manyShare), 15*time.Second)
	case asked < 6*time.Hour:
		return 15 * time.Second
	default:
		return time.Minute
	}
}

// entry is what is known of one request. The Watcher's lock guards the first part; of
// the rest one look at a time makes use.
type entry struct {
	request cluster.Request
	denied  bool   // when it was looked at last
	refused string // likewise

	looked bool          // once at least
	slow   time.Duration // the pause of a zone that does not answer

	told   string    // the last message in an event
	toldAt time.Time // and when
	failed bool      // to make it

	reserved bool          // the nudge at next is one of those that may be made in a second
	nudged   time.Time     // last
	gap      time.Duration // before the next nudge; zero before the first
}

// look looks at the records of one request, and reports the result: to people by an
// event, to cert-manager by a nudge. It returns when to look again.
func (w *Watcher) look(ctx context.Context, r cluster.Request, e *entry) (next schedule.Next) {
	next.In = idleInterval
	if r.Refused != "" {
		w.tell(ctx, r, e, "OrderRefused", r.Refused)
		return next
	}
	if len(r.Targets)+len(r.Others) == 0 {
		return next
	}
	reason := "CNAMENeeded"
	f, ok := w.looks.All(ctx, r.Targets)
	if ok {
		reason = "NameOfAnotherNamespace"
		f, ok = w.Others.All(ctx, r.Others)
	}
	if !ok && ctx.Err() != nil { // see firstLook
		return schedule.Next{Slow: true}
	}
	if !ok {
		e.reserved = false
		w.tell(ctx, r, e, reason, f.Hint)
		next.In = pause(time.Since(r.Since), w.Waiting())
		if next.Slow = f.Status == check.Unknown; next.Slow { // a zone that does not answer costs seconds
			e.slow = min(max(2*e.slow, next.In), slowest)
			next.In = e.slow
		} else {
			e.slow = 0
		}
		return next
	}
	e.slow = 0
	switch {
	case !r.Denied && !r.Signing: // cert-manager has not come yet, or its Order exists
		e.gap, e.reserved = 0, false
	case time.Since(e.nudged) < e.gap:
		next.In, next.Exactly = e.gap-time.Since(e.nudged), true
	default:
		next.In, next.Exactly = w.nudge(ctx, r, e), true
	}
	return next
}

// nudge makes cert-manager retry at once, and returns when to look again. While the
// request still says that it was denied it is nudged again, with back-off:
// cert-manager may not be running.
func (w *Watcher) nudge(ctx context.Context, r cluster.Request, e *entry) time.Duration {
	log := w.logAbout(r)
	if !e.reserved {
		if wait := w.nudges.Reserve().Delay(); wait > 0 {
			e.reserved = true // and the record is looked at once more then
			return wait
		}
	}
	e.reserved = false
	if err := w.requests.NudgeRequest(ctx, r); err != nil {
		log.Warn("cert-manager cannot be told that the CNAME is there; it retries after its back-off", "err", err)
		return renudge
	}
	if e.gap == 0 {
		log.Info("the CNAME is there; cert-manager is told to go on")
	}
	e.nudged, e.told, e.gap = time.Now(), "", min(max(4*e.gap, renudge), idleInterval)
	if r.Signing { // whether it was denied cannot be seen on the object
		e.gap = idleInterval
	}
	return e.gap
}

// tell makes an event, unless it is there already. One that cannot be made is
// retried at the next look.
func (w *Watcher) tell(ctx context.Context, r cluster.Request, e *entry, reason, message string) {
	message = clip(message)
	if e.told == message && time.Since(e.toldAt) < retell {
		return
	}
	if err := w.requests.TellRequest(ctx, r, reason, message); err != nil {
		if !e.failed {
			w.logAbout(r).Warn("an event cannot be made; which records are needed is in the status of the request all the same", "err", err)
		}
		e.failed = true
		return
	}
	e.told, e.toldAt, e.failed = message, time.Now(), false
}

func (w *Watcher) logAbout(r cluster.Request) *slog.Logger {
	return w.log.With("namespace", r.Namespace, "request", r.Name, "certificate", r.Certificate)
}
